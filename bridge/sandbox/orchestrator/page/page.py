"""Serving the page: HTML from templates, forms that post and lead back, and nothing that needs a script."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from bridge.pages import Pages, posted, root_of
from bridge.sandbox.orchestrator.answering import read_body
from bridge.sandbox.orchestrator.failures import Failure
from bridge.sandbox.orchestrator.fields import parse_id
from bridge.sandbox.orchestrator.model import Assignment
from bridge.sandbox.orchestrator.page.looking import CHOICES, Filter, look
from bridge.sandbox.orchestrator.world import COMPLETED, STATUSES, Task, User, World

Form = Mapping[str, str]


class Page:
    """The page over one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._pages = Pages(__package__, "Orchestrator sandbox", "/sandbox", {"moment": _moment, "pretty": pretty})
        self._acts: dict[str, Callable[[Task, Form], None]] = {
            "complete": self._complete,
            "assign": self._assign,
            "unassign": lambda task, _form: _ignored(self._world.unassign(task.id)),
            "delete": lambda task, _form: _ignored(self._world.delete_task(task.id)),
        }

    def routes(self) -> list[BaseRoute]:
        """The list, a task, what one does to it, and how all that looks."""
        return [
            Route("/", self.tasks),
            Route("/sandbox/tasks/{task_id}", self.task),
            Route("/sandbox/tasks/{task_id}/{act}", self.act, methods=["POST"]),
            *self._pages.static(),
        ]

    async def tasks(self, request: Request) -> Response:
        """The tasks by folder."""
        wanted, folders = Filter.of(request.query_params), self._world.folders
        found = look(self._world, wanted)
        return self._html(request, "tasks.html", found=found, wanted=wanted, choices=CHOICES, folders=folders)

    async def task(self, request: Request) -> Response:
        """One task, deleted ones too."""
        try:
            return self._task(request, self._found(request))
        except Failure as failure:
            return self._failed(request, failure)

    async def act(self, request: Request) -> Response:
        """What a form asks for. 303 to the task, or its page again with what is wrong."""
        try:
            task, act = self._found(request), self._act(request)
            form = await _form(request)
        except Failure as failure:
            return self._failed(request, failure)
        try:
            act(task, form)
            self._world.keep()
        except Failure as failure:
            return self._task(request, task, form, failure)
        return RedirectResponse(f"{root_of(request)}/sandbox/tasks/{task.id}", 303)

    def _act(self, request: Request) -> Callable[[Task, Form], None]:
        if request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            raise Failure(403, 0, "This form was sent from another site.")
        try:
            return self._acts[request.path_params["act"]]
        except KeyError:
            raise Failure(404, 0, "There is no such action.") from None

    def _complete(self, task: Task, form: Form) -> None:
        data = _object(form.get("data", ""))
        user = self._user(form) if form.get("user") else None
        self._world.complete_task(task.id, data=data, action=form.get("action") or None, user=user)

    def _assign(self, task: Task, form: Form) -> None:
        give = self._world.reassign if task.assignees else self._world.assign
        give(Assignment(task_id=task.id, user_id=self._user(form).id))

    def _user(self, form: Form) -> User:
        user = self._world.users.get(parse_id("user", form.get("user")))
        if user is None:
            raise Failure(400, 0, "There is no such user.")
        return user

    def _found(self, request: Request) -> Task:
        try:
            return self._world.task_ever(parse_id("task", request.path_params["task_id"]))
        except KeyError:
            raise Failure(404, 0, "There is no such task.") from None

    def _task(self, request: Request, task: Task, form: Form | None = None, failure: Failure | None = None) -> Response:
        world = self._world
        return self._html(
            request,
            "task.html",
            failure.status if failure else 200,
            task=task,
            standing="Deleted" if task.deletion_time else STATUSES[task.status],
            open=task.deletion_time is None and task.status != COMPLETED,
            activities=world.activities(task.id),
            notes=task.notes,
            users=list(world.users.values()),
            form=form or {},
            complaint=failure and failure.message,
        )

    def _failed(self, request: Request, failure: Failure) -> Response:
        return self._html(request, "failed.html", failure.status, complaint=failure.message)

    def _html(self, request: Request, name: str, status: int = 200, **values: Any) -> Response:
        return self._pages.html(request, name, status, statuses=STATUSES, **values)


async def _form(request: Request) -> Form:
    body = await read_body(request.scope, request.receive)
    try:
        return posted(body)
    except ValueError as error:
        raise Failure(400, 0, f"This is no form: {error}") from error


def pretty(value: Any) -> str:
    """JSON for people."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def _object(text: str) -> dict[str, Any] | None:
    """The JSON object that somebody wrote; None for nothing."""
    try:
        value = orjson.loads(text) if text.strip() else None
        orjson.dumps([[[[value]]]])  # as in a request: what could not be written again is not taken
    except (orjson.JSONDecodeError, orjson.JSONEncodeError) as error:
        raise Failure(400, 0, f"The data is not JSON: {error}.") from error
    if value is not None and not isinstance(value, dict):
        raise Failure(400, 0, 'The data must be a JSON object, such as {"resolution": "Done"}.')
    return value


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def _ignored(_value: object) -> None:
    """What a form's change gives back is of no use to it."""
