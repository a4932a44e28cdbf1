"""What an operation is: a row of the table, the call that its function is given, and the answer that it gives."""

import base64
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar
from uuid import UUID

import orjson
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response

from bridge.sandbox.orchestrator import failures, odata
from bridge.sandbox.orchestrator.fields import Fields, parse_id, parse_uuid
from bridge.sandbox.orchestrator.model import Folder, User
from bridge.sandbox.orchestrator.schema import Entity
from bridge.sandbox.orchestrator.world import World

T = TypeVar("T")


@dataclass(frozen=True)
class Call:
    """One request: where it works, what it says, and the world to change. The body has been read."""

    world: World
    request: Request
    body: bytes
    folder: Folder | None

    def fields(self, name: str) -> Fields:
        """The JSON body's fields; `name` is the object's in Orchestrator's complaints."""
        return Fields.of(self.body, name)

    @cached_property
    def query(self) -> Mapping[str, str]:
        """The query's values by name, decoded; `%24filter` is `$filter`."""
        return self.request.query_params

    @property
    def by(self) -> User | None:
        """Who asks."""
        return self.world.caller

    def path_id(self, name: str) -> int:
        """An id in the path."""
        return parse_id(name, self.request.path_params[name])

    def path_uuid(self, name: str) -> UUID:
        """A UUID in the path, in quotes or without."""
        return parse_uuid(name, self.request.path_params[name].strip("'"))

    def parameter(self, name: str) -> str | None:
        """A value of the query whose name may be in any case, as the real server binds it."""
        return next((value for key, value in self.query.items() if key.lower() == name.lower()), None)

    def context(self, what: str) -> str:
        """The `@odata.context` of an answer: the URL that the operation was found under, tenant included."""
        base = self.request.base_url.replace(path=self.request.scope.get("root_path", ""))
        return f"{base}/odata/$metadata#{what}"


@dataclass(frozen=True, slots=True)
class Operation:
    """A row of the table. Its function runs at one go, between two awaits: what it changes is changed at once."""

    name: str
    method: str
    path: str
    answer: Callable[[Call], Response]
    folder_bound: bool = False
    signed_in: bool = True
    prefixed: bool = True
    """Whether it is also found under `/{org}/{tenant}/orchestrator_`."""
    permission: str | None = None
    """What the caller has to be allowed in general; what is refused item by item is the world's business."""


def in_folder(
    name: str, method: str, path: str, answer: Callable[[Call], Response], permission: str | None = None
) -> Operation:
    """An operation that works in the folder which a header names, for who is allowed to there."""
    return Operation(name, method, path, answer, folder_bound=True, permission=permission)


def json_response(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """JSON; moments are written in UTC with a Z."""
    content = orjson.dumps(value, option=orjson.OPT_UTC_Z)
    return Response(content, status, headers, media_type="application/json; charset=utf-8")


def list_response(call: Call, entity: Entity[T], items: Iterable[T]) -> Response:
    """An OData list, as the query's options ask for it."""
    return json_response({"@odata.context": call.context(entity.name), **odata.query(entity, items, call.query)})


def entity_response(call: Call, entity: Entity[T], item: T, status: int = 200) -> Response:
    """One OData entity, as the query's options ask for it."""
    shown = odata.single(entity, item, call.query)
    return json_response({"@odata.context": call.context(f"{entity.name}/$entity"), **shown}, status)


def no_content() -> Response:
    """204."""
    return Response(status_code=204)


def named_folder(world: World, headers: Headers) -> Folder | None:
    """The folder that a header names, None if none does. 404 with code 1100 if there is no such folder."""
    for header, matches in _FOLDER_HEADERS.items():
        if value := headers.get(header):
            for folder in world.folders:
                if matches(folder, value):
                    return folder
            raise failures.folder_unknown()
    return None


def bound_folder(world: World, headers: Headers) -> Folder:
    """The folder of an operation that needs one. 400 with code 1101 if no header names it and the world insists."""
    folder = named_folder(world, headers)
    if folder is None:
        if world.require_folder or not world.folders:
            raise failures.folder_required()
        return world.folders[0]
    return folder


def _encoded_path(folder: Folder, value: str) -> bool:
    """base64 of the path in UTF-16LE."""
    try:
        path = base64.b64decode(value, validate=True).decode("utf-16-le")
    except ValueError:  # not ASCII, not base64, not UTF-16
        return False
    return _path(folder, path)


def _path(folder: Folder, value: str) -> bool:
    return folder.path.casefold() == value.casefold()


_FOLDER_HEADERS: dict[str, Callable[[Folder, str], bool]] = {
    "x-uipath-organizationunitid": lambda folder, value: str(folder.id) == value.strip(),
    "x-uipath-folderpath": _path,
    "x-uipath-folderpath-encoded": _encoded_path,
    "x-uipath-folderkey": lambda folder, value: str(folder.key) == value.strip().lower(),
}
