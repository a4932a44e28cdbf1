"""The client: one method per operation, typed requests and answers, no retry inside except for the token.

Sources: Orchestrator's API guide ("Generic Tasks requests", "Tasks requests") and its OpenAPI definition. `/tasks/*` speaks camelCase
with an integer `status`; `/odata/*` PascalCase with names for it.
"""

import base64
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self
from urllib.parse import quote

import httpx
import orjson

from bridge.config import Orchestrator as OrchestratorConfig
from bridge.errors import NotFound, Rejected, Unknown
from bridge.model import Completion, Folder, Task, TaskId, TaskRequest, TaskState
from bridge.orchestrator.answers import check, json_object
from bridge.orchestrator.auth import issuer
from bridge.remote import BearerAuth, Server

PAGE = 1000
"""The most that `$top` takes."""

FOLDER_UNKNOWN = 1100
"""A 404 with this code speaks of the folder, not of the task."""

_ODATA = "odata/Tasks/UiPath.Server.Configuration.OData"
_COMPLETED = (2, "2", "Completed")
_CLOCK_SKEW = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Page:
    """A page of an OData list: its items as they came, and the count of all if it was asked for."""

    items: list[dict[str, Any]]
    count: int | None


class Orchestrator:
    """One Orchestrator. Use it as a context manager; every method raises the classes under `RemoteError`."""

    def __init__(
        self,
        config: OrchestratorConfig,
        clock: Callable[[], datetime],
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._clock = clock
        self._server = Server("Orchestrator", config.url, config.timeout, config.max_concurrency + 1, transport)
        self._server.client.auth = BearerAuth(issuer(config, self._server.client, clock), clock)
        self._finds_by_key = True

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.aclose()

    # -- GenericTasks --------------------------------------------------------------------------------------------------------------

    async def create_task(self, request: TaskRequest, correlation_key: str) -> Task:
        """`POST /tasks/GenericTasks/CreateTask`, 201. It has no idempotency: after an `Unknown`, `find_task` before another.

        A catalog that does not exist is `Rejected` with code 2451, no folder with 1101.
        """
        body = {**request.body, "parentOperationId": correlation_key}
        response = await self._send("POST", "tasks/GenericTasks/CreateTask", json=body, folder=request.folder)
        return _task(json_object(response))

    async def complete_task(self, task_id: TaskId, completion: Completion, folder: Folder | None) -> None:
        """`POST /tasks/GenericTasks/CompleteTask`, 204. A task that is completed already is `Rejected` or `NotFound`: look at it."""
        body = {"taskId": task_id, "data": completion.data, "action": completion.action}
        await self._send("POST", "tasks/GenericTasks/CompleteTask", json=body, folder=folder)

    async def get_task_data(self, task_id: TaskId, folder: Folder | None) -> dict[str, Any]:
        """`GET /tasks/GenericTasks/GetTaskDataById`: the task with its data, camelCase."""
        path = f"tasks/GenericTasks/GetTaskDataById?taskId={task_id}"
        return json_object(await self._send("GET", path, folder=folder))

    # -- OData ---------------------------------------------------------------------------------------------------------------------

    async def get_task(self, task_id: TaskId, folder: Folder | None) -> dict[str, Any]:
        """`GET /odata/Tasks({id})`: the task without its data, PascalCase."""
        return json_object(await self._send("GET", f"odata/Tasks({task_id})", folder=folder))

    async def get_tasks_across_folders(
        self,
        *,
        filter: str | None = None,  # noqa: A002 - OData's name
        top: int = PAGE,
        skip: int = 0,
        orderby: str | None = None,
        count: bool = False,
    ) -> Page:
        """`GET …GetTasksAcrossFolders`: one page of the tasks in every folder that the account sees. Needs no folder."""
        options = {
            "$filter": filter,
            "$top": top,
            "$skip": skip or None,
            "$orderby": orderby,
            "$count": "true" if count else None,
        }
        query = "&".join(f"{name}={quote(str(value), safe='')}" for name, value in options.items() if value is not None)
        body = json_object(await self._send("GET", f"{_ODATA}.GetTasksAcrossFolders?{query}"))
        items = body.get("value")
        if not isinstance(items, list):
            raise Unknown("the answer is not an OData list; is orchestrator.url right?", answered=True)
        total = body.get("@odata.count")
        return Page([item for item in items if isinstance(item, dict)], total if isinstance(total, int) else None)

    async def tasks_across_folders(self, **options: Any) -> AsyncIterator[dict[str, Any]]:
        """Every task of `get_tasks_across_folders`, page by page.

        A server may give shorter pages than it was asked for, or the same one again: it ends when a page brings nothing new.
        """
        seen: set[Any] = set()
        skip = 0
        while True:
            page = await self.get_tasks_across_folders(top=PAGE, skip=skip, **options)
            fresh = [item for item in page.items if item.get("Id", item.get("id")) not in seen]
            for item in fresh:
                yield item
            if not fresh:
                return
            seen.update(item.get("Id", item.get("id")) for item in fresh)
            skip += len(page.items)

    async def get_task_catalogs(self, folder: Folder | None) -> list[str]:
        """`GET /odata/TaskCatalogs`: the names of the catalogs in a folder."""
        body = json_object(await self._send("GET", "odata/TaskCatalogs?$top=1000", folder=folder))
        return [str(item.get("Name")) for item in body.get("value") or []]

    async def delete_task(self, task_id: TaskId) -> None:
        """`POST …DeleteTasks`, 200 with the errors of single tasks; an empty list is success."""
        body = json_object(await self._send("POST", f"{_ODATA}.DeleteTasks", json={"taskIds": [task_id]}))
        for error in body.get("value") or []:
            raise Rejected(
                str(error.get("ErrorMessage") or "the task was not deleted"), status=200, code=error.get("ErrorCode")
            )

    # -- what the bridge asks of them ----------------------------------------------------------------------------------------------

    async def find_task(self, correlation_key: str, external_tag: str | None, since: datetime) -> Task | None:
        """The task that was created with this key; None if there is none.

        Where the server refuses the filter by `ParentOperationId`, the tasks of the tag since `since` are looked through.
        """
        if self._finds_by_key:
            try:
                return await self._find(correlation_key, f"ParentOperationId eq {_literal(correlation_key)}")
            except NotFound:
                raise
            except Rejected:
                self._finds_by_key = False
        from_time = (since - _CLOCK_SKEW).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        tag = f" and ExternalTag eq {_literal(external_tag)}" if external_tag else ""
        return await self._find(correlation_key, f"CreationTime ge {from_time}{tag}")

    async def _find(self, correlation_key: str, odata_filter: str) -> Task | None:
        """The server's filter is not trusted alone: one that it ignores would make us adopt somebody else's task."""
        async for item in self.tasks_across_folders(filter=odata_filter):
            known = {name.lower(): value for name, value in item.items()}
            if "parentoperationid" not in known:
                raise Rejected(
                    "Orchestrator does not show ParentOperationId, so it cannot be told whether the task was created; "
                    "look for it in Action Center, then `bridge links retry` or `forget`"
                )
            if known["parentoperationid"] == correlation_key:
                return _task(known)
        return None

    async def look(self, task_id: TaskId, folder: Folder | None) -> Task:
        """The task as it is now; `GONE` if there is none any more."""
        try:
            return _task(await self.get_task_data(task_id, folder), expected=task_id)
        except NotFound as error:
            if error.code == FOLDER_UNKNOWN:
                raise
            return Task(task_id, TaskState.GONE)

    # -- the wire ------------------------------------------------------------------------------------------------------------------

    async def _send(
        self, method: str, path: str, *, json: Mapping[str, Any] | None = None, folder: Folder | None = None
    ) -> httpx.Response:
        """One request; its answer if that is a 2xx."""
        headers = folder_header(folder)
        content = None
        if json is not None:
            headers["Content-Type"] = "application/json"
            content = orjson.dumps(json)
        response = await self._server.send(method, path, content=content, headers=headers)
        check(response, self._clock())
        return response


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


def _task(body: Mapping[str, Any], expected: TaskId | None = None) -> Task:
    """A task of either spelling. One without an id is half an answer."""
    known = {name.lower(): value for name, value in body.items()}
    number = known.get("id", expected)
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < 2**63:
        raise Unknown("the answer has no task id", answered=True)
    if known.get("isdeleted") is True:
        return Task(TaskId(number), TaskState.GONE)
    completed = known.get("status") in _COMPLETED or known.get("iscompleted") is True
    return Task(TaskId(number), TaskState.COMPLETED if completed else TaskState.OPEN)


def _literal(text: str) -> str:
    """An OData string; a quote in it is doubled."""
    return "'" + text.replace("'", "''") + "'"
