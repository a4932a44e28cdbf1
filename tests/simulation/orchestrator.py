"""An Orchestrator that commits and loses the answer, answers 429 and 5xx, hangs, and whose tasks somebody else may end."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from random import Random
from typing import TypeVar

from bridge.errors import NotFound, RateLimited, Rejected, RemoteError, Unauthorized, Unavailable, Unknown
from bridge.model import Completion, Folder, SeenTask, Task, TaskId, TaskRequest, TaskState
from tests.simulation.chaos import Chaos, Tell
from tests.simulation.host import Host
from tests.simulation.plan import SKEW_S, TIMEOUT_S, Trouble

T = TypeVar("T")

_STEPS = ("create", "find", "complete", "delete", "edit", "assign")
"""What the worker alone asks."""

LAG_S = 1.4
"""How late a list may show a task; the bridge grants two seconds (`bridge.outcome.SETTLE`), and clocks differ."""

LATEST_S = TIMEOUT_S - 2 * SKEW_S - LAG_S - 0.1
"""How long after a client gave up a request may still take effect: docs/guarantees.md grants a timeout, to the clocks and the list too."""


@dataclass(slots=True)
class TaskOnServer:
    """A task as Orchestrator has it."""

    id: TaskId
    key: str
    request: TaskRequest
    created_at: float
    listed_at: float
    state: TaskState = TaskState.OPEN
    assignee: str = ""
    ended_by: str = ""
    completions: int = 0

    def as_task(self) -> Task:
        return Task(self.id, self.state, self.assignee)

    def as_seen(self) -> SeenTask:
        return SeenTask(self.as_task(), self.key, self.request, None)


class TaskServer:
    """The tasks, and every change that was made to them."""

    def __init__(self, clock: Callable[[], float], random: Random, tell: Tell) -> None:
        self._clock = clock
        self._random = random
        self._tell = tell
        self._numbers = count(1)
        self.tasks: dict[TaskId, TaskOnServer] = {}

    def create(self, request: TaskRequest, key: str) -> Task:
        now = self._clock()
        task = TaskOnServer(TaskId(next(self._numbers)), key, request, now, now + self._random.uniform(0, LAG_S))
        self.tasks[task.id] = task
        self._tell("Orchestrator", f"makes task {task.id} with the key {key}")
        return task.as_task()

    def find(self, key: str) -> Task | None:
        now = self._clock()
        listed = [task for task in self.tasks.values() if task.listed_at <= now and task.state is not TaskState.GONE]
        found = next((task for task in listed if task.key == key), None)
        return None if found is None else found.as_task()

    def look(self, task_id: TaskId) -> TaskOnServer | None:
        return self.tasks.get(task_id)

    def open_task(self, task_id: TaskId) -> TaskOnServer:
        """The task, to be changed."""
        task = self.tasks.get(task_id)
        if task is None or task.state is TaskState.GONE:
            raise NotFound(f"there is no task {task_id}", status=404)
        if task.state is TaskState.COMPLETED:
            raise Rejected(f"task {task_id} is completed", status=400)
        return task

    def end(self, task: TaskOnServer, state: TaskState, by: str) -> None:
        task.state = state
        task.ended_by = by
        task.completions += state is TaskState.COMPLETED
        self._tell("Orchestrator", f"task {task.id} ({task.key}) is {state}, by {by}")

    def edit(self, task_id: TaskId, changes: Mapping[str, str]) -> None:
        task = self.open_task(task_id)
        task.request = TaskRequest({**task.request.body, **changes}, task.request.folder)

    def assign(self, task_id: TaskId, email: str) -> Task:
        task = self.tasks[task_id]
        if task.state is TaskState.OPEN:
            task.assignee = email
        return task.as_task()


class OrchestratorClient:
    """What one replica has of it: the worker's `Destination`, and the reconciler's `TaskLists`."""

    def __init__(self, server: TaskServer, host: Host, chaos: Chaos, random: Random, tell: Tell, at_once: int) -> None:
        self._server = server
        self._host = host
        self._at_once = at_once
        self._steps = 0
        self._chaos = chaos
        self._random = random
        self._tell = tell

    async def create_task(self, request: TaskRequest, correlation_key: str) -> Task:
        return await self._call("create", correlation_key, lambda: self._server.create(request, correlation_key))

    async def find_task(self, correlation_key: str, external_tag: str | None, since: datetime) -> Task | None:
        return await self._call("find", f"{correlation_key}", lambda: self._server.find(correlation_key))

    async def complete_task(self, task_id: TaskId, completion: Completion, folder: Folder | None) -> None:
        def complete() -> None:
            self._server.end(self._server.open_task(task_id), TaskState.COMPLETED, self._host.name)

        await self._call("complete", f"task {task_id}", complete)

    async def delete_task(self, task_id: TaskId) -> None:
        def delete() -> None:
            self._server.end(self._server.open_task(task_id), TaskState.GONE, self._host.name)

        await self._call("delete", f"task {task_id}", delete)

    async def edit_task(self, task_id: TaskId, changes: Mapping[str, str], folder: Folder | None) -> None:
        await self._call("edit", f"task {task_id}: {changes}", lambda: self._server.edit(task_id, changes))

    async def assign_task(self, task_id: TaskId, email: str, folder: Folder | None) -> Task:
        return await self._call("assign", f"task {task_id}: {email!r}", lambda: self._server.assign(task_id, email))

    async def look(self, task_id: TaskId, folder: Folder | None) -> Task:
        def look() -> Task:
            task = self._server.look(task_id)
            return Task(task_id, TaskState.GONE) if task is None else task.as_task()

        return await self._call("look", f"task {task_id}", look)

    async def examine(self, task_id: TaskId, folder: Folder | None) -> SeenTask:
        def examine() -> SeenTask:
            task = self._server.look(task_id)
            gone = SeenTask(Task(task_id, TaskState.GONE), None, TaskRequest({}, folder), None)
            return gone if task is None or task.state is TaskState.GONE else task.as_seen()

        return await self._call("look", f"task {task_id}", examine)

    async def tasks_of_tag(self, external_tag: str, *, completed: bool) -> AsyncIterator[SeenTask]:
        def page() -> list[SeenTask]:
            now = asyncio.get_running_loop().time()
            wanted = (TaskState.OPEN, TaskState.COMPLETED) if completed else (TaskState.OPEN,)
            tasks = self._server.tasks.values()
            return [task.as_seen() for task in tasks if task.listed_at <= now and task.state in wanted]

        for seen in await self._call("list", external_tag, page):
            yield seen
            await self._host.sleep(self._random.choice((0.0, 0.0, 0.3)))

    # -- the way there and back ------------------------------------------------------------------------------------------------------

    async def _call(self, operation: str, what: str, change: Callable[[], T]) -> T:
        step = operation in _STEPS
        self._steps += step
        try:
            assert self._steps <= self._at_once, "more steps are under way than may be"
            return await self._answer(operation, what, change)
        finally:
            self._steps -= step

    async def _answer(self, operation: str, what: str, change: Callable[[], T]) -> T:
        host, chaos = self._host, self._chaos
        await host.alive()
        chaos.strike(host, "calling")
        await host.alive()
        trouble = chaos.trouble(operation)
        self._tell(
            host.name, f"asks Orchestrator to {operation} {what}{f', and meets {trouble.answer}' if trouble else ''}"
        )
        try:
            answer = await (self._well(change) if trouble is None else self._badly(trouble, change))
        finally:
            if not host.dead:
                chaos.strike(host, "answered")
            await host.alive()
        return answer

    async def _well(self, change: Callable[[], T]) -> T:
        await asyncio.sleep(self._random.uniform(0.01, 0.2))
        answer = change()
        if self._random.random() < 0.3:
            await asyncio.sleep(self._random.uniform(0.0, 0.4))
        return answer

    async def _badly(self, trouble: Trouble, change: Callable[[], T]) -> T:
        hangs = trouble.answer == "no answer"
        takes = TIMEOUT_S if hangs else min(trouble.wait, TIMEOUT_S - 0.5) if trouble.answer == "slow" else 0.1
        if trouble.answer == "slow":
            await asyncio.sleep(takes)
            return change()
        if trouble.commit == "yes":
            await asyncio.sleep(0.05)
            _quietly(change)
        await self._until_given_up(takes, change if trouble.commit == "late" else None)
        if trouble.commit == "late":
            asyncio.get_running_loop().call_later(min(trouble.wait, LATEST_S), _quietly, change)
        raise error_of(trouble.answer, trouble.wait)

    async def _until_given_up(self, takes: float, late: Callable[[], object] | None) -> None:
        """A client that was killed has given up earlier, and what is late is late from then on."""
        early = min(takes, LATEST_S)
        for part in (early, takes - early):
            await asyncio.sleep(part)
            if self._host.dead:
                if late is not None:
                    _quietly(late)
                await self._host.alive()


def _quietly(change: Callable[[], object]) -> None:
    """Nobody hears the answer."""
    try:
        change()
    except RemoteError:
        return


def error_of(answer: str, wait: float) -> RemoteError:
    """How a client tells such an answer."""
    after = timedelta(seconds=round(wait))
    match answer:
        case "connection refused":
            return Unavailable(answer, sent=False)
        case "429":
            return RateLimited(answer, retry_after=after, status=429)
        case "503 with Retry-After":
            return RateLimited(answer, retry_after=after, status=503)
        case "502":
            return Unavailable(answer, sent=True, status=502)
        case "500":
            return Unknown(answer, answered=True, status=500)
        case "half an answer":
            return Unknown(answer, answered=True)
        case "401" | "403":
            return Unauthorized(answer, status=int(answer))
        case _:
            return Unknown(answer, answered=False)
