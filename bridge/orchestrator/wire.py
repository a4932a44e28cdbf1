"""One request to Orchestrator: its folder in a header, its body as JSON, its answer a 2xx or one class of the error tree."""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self
from uuid import UUID

import httpx
import orjson

from bridge.model import Folder
from bridge.orchestrator.answers import check
from bridge.remote import Server

ACTION = "UiPath.Server.Configuration.OData"
"""What the names of OData's own functions and actions begin with."""

Where = Folder | str | int | UUID
"""A folder by any name that a script has for it: its path, its number or its key."""


@dataclass(frozen=True, slots=True)
class Wire:
    """Where the operations send their requests. `folder` is the one that an operation of a folder works in if it names none."""

    server: Server
    clock: Callable[[], datetime]
    folder: Folder | None = None

    def nowhere(self) -> Self:
        """The same, for those who name a folder themselves or mean none."""
        return replace(self, folder=None)

    async def send(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, folder: Where | None = None
    ) -> httpx.Response:
        """One request; its answer if that is a 2xx. Names the folder that it is given, and no other."""
        headers = folder_header(as_folder(folder))
        content = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = orjson.dumps(body)
        response = await self.server.send(method, path, content=content, headers=headers)
        check(response, self.clock())
        return response

    async def within(
        self, method: str, path: str, body: Mapping[str, Any] | None = None, *, folder: Where | None = None
    ) -> httpx.Response:
        """As `send`, for an operation of one folder: without one, in the default one."""
        return await self.send(method, path, body, folder=self.folder if folder is None else folder)


def as_folder(where: Where | None) -> Folder | None:
    """The folder that a script means: a number is its id, a UUID its key, a text its path."""
    match where:
        case None | Folder():
            return where
        case UUID():
            return Folder("key", str(where))
        case int():
            return Folder("id", str(where))
        case str():
            return Folder("path", where)


def folder_header(folder: Folder | None) -> dict[str, str]:
    """The header that names a folder. A path goes as it is only if it is ASCII and absolute; else base64 of its UTF-16LE."""
    match folder:
        case None:
            return {}
        case Folder("id", value):
            return {"X-UIPATH-OrganizationUnitId": value}
        case Folder("key", value):
            return {"X-UIPATH-FolderKey": value}
        case Folder(_, value):
            path = value.rstrip("/")
            if path.isascii() and path.isprintable() and not path.startswith((".", "/")):
                return {"X-UIPATH-FolderPath": path}
            return {"X-UIPATH-FolderPath-Encoded": base64.b64encode(path.encode("utf-16-le")).decode()}
