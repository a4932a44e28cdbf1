"""The client: the whole of the tasks API by family, and beneath it what the bridge asks of it. No retry inside except for the token.

Sources: Orchestrator's API guide ("Generic Tasks requests", "Tasks requests") and its OpenAPI definition. `/tasks/*` speaks camelCase
with an integer `status`; `/odata/*` PascalCase with names for it.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Self, cast

import httpx
from msgspec.structs import replace
from pydantic import ValidationError

from bridge.config import Orchestrator as OrchestratorConfig
from bridge.errors import ConfigurationError, NotFound, Problem, Rejected, Unknown
from bridge.model import Completion, Folder, SeenTask, Task, TaskId, TaskRequest, TaskState
from bridge.orchestrator.assigning import ALREADY, Assigning
from bridge.orchestrator.auth import issuer
from bridge.orchestrator.catalogs import TaskCatalogs
from bridge.orchestrator.folders import Folders
from bridge.orchestrator.generic_tasks import GenericTasks
from bridge.orchestrator.notes import TaskActivities, TaskNotes
from bridge.orchestrator.odata import PAGE, ListOptions, Page, literal
from bridge.orchestrator.tasks import Tasks
from bridge.orchestrator.webhooks import Webhooks
from bridge.orchestrator.wire import Where, Wire, as_folder
from bridge.remote import BearerAuth, Server

FOLDER_UNKNOWN = 1100
"""A 404 with this code speaks of the folder, not of the task."""

_COMPLETED = (2, "2", "Completed")
_CLOCK_SKEW = timedelta(hours=1)


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Orchestrator:
    """One Orchestrator. Use it as a context manager; every method raises the classes under `RemoteError`.

    `generic_tasks`, `tasks`, `catalogs`, `notes`, `activities`, `folders` and `webhooks` are the API, operation by operation. What of
    them works in a folder does so in the configuration's, unless it is given another.
    """

    def __init__(
        self,
        config: OrchestratorConfig,
        clock: Callable[[], datetime] = _utc_now,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._server = Server("Orchestrator", config.url, config.timeout, config.max_concurrency + 1, transport)
        self._server.client.auth = BearerAuth(issuer(config, self._server.client, clock), clock)
        wire = Wire(self._server, clock, config.folder)
        self.generic_tasks = GenericTasks(wire)
        self.tasks = Tasks(wire)
        self.catalogs = TaskCatalogs(wire)
        self.notes = TaskNotes(wire)
        self.activities = TaskActivities(wire)
        self.folders = Folders(wire)
        self.webhooks = Webhooks(wire)
        own = wire.nowhere()  # the bridge names every folder itself: a task of another one must not be taken for gone
        self._generic_tasks, self._tasks, self._catalogs = GenericTasks(own), Tasks(own), TaskCatalogs(own)
        self._assigning = Assigning(self._tasks, clock)
        self._finds_by_key = True

    @classmethod
    def connect(
        cls,
        url: str,
        *,
        token: str | None = None,
        client_id: str | None = None,
        client_secret: str | None = None,
        scope: str | None = None,
        token_url: str | None = None,
        folder: Where | None = None,
        timeout: timedelta = timedelta(seconds=30),
    ) -> Self:
        """A client for a script: with a token, or with the id and secret of an external application.

        `scope` is `OR.Tasks` unless told otherwise; folders and webhooks need more. `folder` is the default one: a path, a number or a
        key. Raises `ConfigurationError` for what cannot be.
        """
        if (token is None) == (client_id is None) or (client_id is None) != (client_secret is None):
            raise _misused([Problem("", "give either `token`, or `client_id` and `client_secret`")])
        auth: dict[str, Any] = {"type": "token", "token": token}
        if token is None:
            auth = {"type": "client_credentials", "client_id": client_id, "client_secret": client_secret}
            auth |= {name: value for name, value in (("scope", scope), ("token_url", token_url)) if value is not None}
        document: dict[str, Any] = {"url": url, "auth": auth, "timeout": timeout}
        if (place := as_folder(folder)) is not None:
            document[f"folder_{place.kind}"] = int(place.value) if place.kind == "id" else place.value
        try:
            return cls(OrchestratorConfig.model_validate(document))
        except ValidationError as error:
            raise _misused([Problem(str(each["loc"][-1]), each["msg"]) for each in error.errors()]) from None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.aclose()

    # -- what the bridge asks of it ------------------------------------------------------------------------------------------------

    async def create_task(self, request: TaskRequest, correlation_key: str) -> Task:
        """CreateTask with the key as `parentOperationId`. It has no idempotency: after an `Unknown`, `find_task` before another.

        A catalog that does not exist is `Rejected` with code 2451, no folder with 1101.
        """
        body = {**request.body, "parentOperationId": correlation_key}
        return _task(await self._generic_tasks.create(cast("Any", body), folder=request.folder))

    async def complete_task(self, task_id: TaskId, completion: Completion, folder: Folder | None) -> None:
        """CompleteTask. A task that is completed already is `Rejected` or `NotFound`: look at it."""
        await self._generic_tasks.complete(task_id, action=completion.action, data=completion.data, folder=folder)

    async def get_task_data(self, task_id: TaskId, folder: Folder | None) -> dict[str, Any]:
        """GetTaskDataById: the task with its data, camelCase."""
        return cast("dict[str, Any]", await self._generic_tasks.get(task_id, folder=folder))

    async def get_task(self, task_id: TaskId, folder: Folder | None) -> dict[str, Any]:
        """`GET /odata/Tasks({id})`: the task without its data, PascalCase."""
        return cast("dict[str, Any]", await self._tasks.get(task_id, folder=folder))

    async def get_tasks_across_folders(
        self,
        *,
        filter: str | None = None,  # noqa: A002 - OData's name
        top: int = PAGE,
        skip: int = 0,
        orderby: str | None = None,
        count: bool = False,
    ) -> Page[dict[str, Any]]:
        """GetTasksAcrossFolders: one page of the tasks in every folder that the account sees. Needs no folder."""
        options: ListOptions = {"top": top, "skip": skip}
        if filter is not None:
            options["filter"] = filter
        if orderby is not None:
            options["orderby"] = orderby
        page = await self._tasks.across_folders(**options).page(count=count)
        return cast("Page[dict[str, Any]]", page)

    async def tasks_across_folders(self, **options: Any) -> AsyncIterator[dict[str, Any]]:
        """Every task of GetTasksAcrossFolders, page by page."""
        async for task in self._tasks.across_folders(**options):
            yield cast("dict[str, Any]", task)

    async def get_task_catalogs(self, folder: Folder | None) -> list[str]:
        """`GET /odata/TaskCatalogs`: the names of the catalogs in a folder."""
        page = await self._catalogs.list(folder=folder).page()
        return [str(item.get("Name")) for item in page.items]

    async def delete_task(self, task_id: TaskId) -> None:
        """DeleteTasks, of one. Its error is `Rejected`."""
        for error in await self._tasks.delete([task_id]):
            raise Rejected(
                str(error.get("ErrorMessage") or "the task was not deleted"), status=200, code=error.get("ErrorCode")
            )

    async def edit_task(self, task_id: TaskId, changes: Mapping[str, str], folder: Folder | None) -> None:
        """EditTaskMetadata of `title` and `priority`, whichever are in the changes. A task that is completed is `Rejected`."""
        body = {"TaskId": task_id, **{name.capitalize(): value for name, value in changes.items()}}
        await self._tasks.edit_metadata(cast("Any", body), folder=folder)

    async def assign_task(self, task_id: TaskId, email: str, folder: Folder | None) -> Task:
        """Give the task to the user of its folder with this e-mail, or to nobody for ""; the task, with who has it then.

        Idempotent by reading. A task that has come to its end, and one that is as it should be, is left alone; one whose user is not
        found is nobody's. What Orchestrator refuses is `Rejected`.
        """
        try:
            return await self._assign(task_id, email, folder)
        except Rejected as error:
            if error.code != ALREADY:
                raise
            return await self._assign(task_id, email, folder)  # somebody was quicker: look at what they left

    async def _assign(self, task_id: TaskId, email: str, folder: Folder | None) -> Task:
        task, body = await self._look(task_id, folder)
        if task.state is not TaskState.OPEN:
            return task
        return replace(task, assignee=await self._assigning.assign(task_id, email, body))

    async def find_task(self, correlation_key: str, external_tag: str | None, since: datetime) -> Task | None:
        """The task that was created with this key; None if there is none.

        Where the server refuses the filter by `ParentOperationId`, the tasks of the tag since `since` are looked through.
        """
        if self._finds_by_key:
            try:
                return await self._find(correlation_key, f"ParentOperationId eq {literal(correlation_key)}")
            except NotFound:
                raise
            except Rejected:
                self._finds_by_key = False
        from_time = (since - _CLOCK_SKEW).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        tag = f" and ExternalTag eq {literal(external_tag)}" if external_tag else ""
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

    async def tasks_of_tag(self, external_tag: str, *, completed: bool) -> AsyncIterator[SeenTask]:
        """The tasks of a tag in every folder, the oldest first; with `completed`, also those that have come to their end."""
        still_open = "" if completed else " and Status ne 'Completed'"
        odata_filter = f"ExternalTag eq {literal(external_tag)}{still_open}"
        async for item in self.tasks_across_folders(filter=odata_filter, orderby="Id"):
            yield _seen(item)

    async def examine(self, task_id: TaskId, folder: Folder | None) -> SeenTask:
        """The task as it is now, with what it was made from; `GONE` if there is none any more."""
        try:
            return _seen(await self.get_task_data(task_id, folder), expected=task_id)
        except NotFound as error:
            if error.code == FOLDER_UNKNOWN:
                raise
            return SeenTask(Task(task_id, TaskState.GONE), None, TaskRequest({}, folder), None)

    async def look(self, task_id: TaskId, folder: Folder | None) -> Task:
        """The task as it is now; `GONE` if there is none any more."""
        task, _ = await self._look(task_id, folder)
        return task

    async def _look(self, task_id: TaskId, folder: Folder | None) -> tuple[Task, Mapping[str, Any]]:
        try:
            body = await self.get_task_data(task_id, folder)
        except NotFound as error:
            if error.code == FOLDER_UNKNOWN:
                raise
            return Task(task_id, TaskState.GONE), {}
        return _task(body, expected=task_id), body


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


_MADE_FROM = ("type", "title", "priority", "externalTag", "taskCatalogName", "data")
"""What of CreateTask's body a task tells again."""


def _seen(body: Mapping[str, Any], expected: TaskId | None = None) -> SeenTask:
    """A task of either spelling, with what it was made from. Without a folder of its own it can only be asked for in the one given."""
    known = {name.lower(): value for name, value in body.items()}
    made_from = {name: known[name.lower()] for name in _MADE_FROM if known.get(name.lower()) is not None}
    place = known.get("organizationunitid")
    folder = Folder("id", str(place)) if isinstance(place, int) and not isinstance(place, bool) else None
    key = known.get("parentoperationid")
    return SeenTask(
        _task(known, expected), key if isinstance(key, str) else None, TaskRequest(made_from, folder), _made_at(known)
    )


def _made_at(known: Mapping[str, Any]) -> datetime | None:
    try:
        at = datetime.fromisoformat(str(known.get("creationtime")))
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _misused(problems: list[Problem]) -> ConfigurationError:
    return ConfigurationError("Orchestrator.connect", problems)
