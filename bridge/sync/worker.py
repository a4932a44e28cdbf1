"""The worker: claims links that are due, takes one step of each, records how it went.

So many steps as there are places are taken at once. While steps are quick, several times as many links are claimed ahead: who has a
place goes on to the next call while the results of those before are written. During a pause they are given back without a call.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Protocol

import structlog

from bridge.errors import NotFound, Postponed, Rejected, RemoteError, StoreUnavailable, Unavailable, Unknown
from bridge.model import Completion, Folder, Link, LinkId, Step, Task, TaskId, TaskRequest, TaskState
from bridge.outcome import Outcome, Waits
from bridge.store import Claimed, Reopen, Result, Store, Terms, Wish
from bridge.sync.gate import Gate
from bridge.sync.tell import Shows, Told, assign, edit
from bridge.sync.waker import RETRY_S, Waker

_log = structlog.get_logger()

LEASE_MARGIN = timedelta(seconds=30)
"""A lease outlasts the slowest step, which is two requests, by this much: for the database, and for the way to the call."""

QUICK = timedelta(milliseconds=500)
"""A step that takes no longer frees its place before a link that was claimed ahead has waited for much of its lease."""

AHEAD = 8
"""Times the places: so many links are claimed at once while steps are quick. Each turn then writes more results, for the same trips."""

_FIRST_BACKOFF = timedelta(milliseconds=500)
_LONGEST_BACKOFF = timedelta(minutes=5)


class Destination(Shows, Protocol):
    """What the worker asks of an Orchestrator."""

    async def create_task(self, request: TaskRequest, correlation_key: str) -> Task:
        """Create; not idempotent."""

    async def find_task(self, correlation_key: str, external_tag: str | None, since: datetime) -> Task | None:
        """The task that was created with the key."""

    async def complete_task(self, task_id: TaskId, completion: Completion, folder: Folder | None) -> None:
        """Complete; refused if it is completed already."""

    async def delete_task(self, task_id: TaskId) -> None:
        """Delete."""


@dataclass(frozen=True, slots=True)
class Limits:
    """`timeout` of one request, how many steps may be under way, and how a reopened ticket's next generation begins."""

    timeout: timedelta
    concurrency: int
    reopen: Reopen


class Worker:
    """Takes the steps of one destination's links. `alarm` is called with the time at which to wake it next."""

    def __init__(
        self,
        store: Store,
        destination: Destination,
        gate: Gate,
        limits: Limits,
        clock: Callable[[], datetime],
        random: Random,
        alarm: Callable[[datetime], None],
    ) -> None:
        self._store = store
        self._destination = destination
        self._gate = gate
        self._limits = limits
        self._terms = Terms(2 * limits.timeout + LEASE_MARGIN, limits.timeout, limits.reopen)
        self._clock = clock
        self._random = random
        self._alarm = alarm
        self._under_way: dict[asyncio.Task[None], LinkId] = {}  # from the claim until the result is written
        self._places = asyncio.Semaphore(limits.concurrency)
        self._quick = False  # as the last step was
        self._claiming = self._asked_meanwhile = False
        self._wished = 0
        self._more = True  # whether links may be due that no place was free for
        self._waker = Waker("the worker", self._claim)
        store.claims.claim_for(self._wish, self._claimed)
        self.wake = self._waker.wake
        self.run = self._waker.run
        self.stop = self._waker.stop

    async def finish(self, within: timedelta) -> int:
        """After `stop` and `run`: let what is under way end, for at most this long; how many steps had to be left to a find."""
        loop = asyncio.get_running_loop()
        ends = loop.time() + within.total_seconds()
        while (
            self._under_way and (time_left := ends - loop.time()) > 0
        ):  # a turn that was under way may have begun more
            await asyncio.wait(self._under_way, timeout=time_left)
        left = list(self._under_way)
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        return len(left)

    # -- claiming ------------------------------------------------------------------------------------------------------------------

    async def _claim(self) -> None:
        """Claim as many as may be; when there is nothing to claim, ask to be woken when there will be.

        A claim that was not full has left nothing behind: whatever becomes due later wakes the worker again.
        """
        self._more = True  # until a claim finds less than it has places for
        while not self._waker.stopping and len(self._under_way) < self._most:
            if self._claiming:
                self._asked_meanwhile = True
                return
            if self._gate.is_open:
                outlook = await self._store.claims.turn()  # `_wish` and `_claimed` have their say in it
                if outlook is not None:
                    self._wake_at(outlook.next_due)
                    return
            self._claiming = True
            try:
                if not await self._claim_through_gate():
                    return
            finally:
                self._claiming = False

    async def _claim_through_gate(self) -> bool:
        """Claim for the places that the gate gives after a pause; whether more may be due."""
        now, free = self._clock(), self._most - len(self._under_way)
        outlook = await self._store.claims.outlook(self._gate.destination, now)
        places = self._gate.places(free, len(self._under_way), outlook.pause, now)
        if not places:
            if opens_at := self._gate.opens_at(now):
                self._alarm(opens_at)
            return False
        if outlook.next_due is None or outlook.next_due > now:
            self._wake_at(outlook.next_due)
            return False
        under_way = list(self._under_way.values())
        claimed = await self._store.claims.claim(self._gate.destination, places, now, self._terms, under_way)
        for each in claimed:
            self._begin(each)
        return len(claimed) == places

    @property
    def _most(self) -> int:
        """How many links may be claimed at once."""
        ahead = self._quick and self._gate.is_open
        return self._limits.concurrency * (AHEAD if ahead else 1)

    def _wake_at(self, due: datetime | None) -> None:
        if due is not None and due > self._clock():
            self._alarm(due)

    def _wish(self, results: Sequence[Result]) -> Wish | None:
        """What to claim beside these results, whose places are about to be free; None if that is not to be done now.

        One claim at a time, so that no place is given twice.
        """
        free = self._most - len(self._under_way) + len(results)
        if self._claiming or self._waker.stopping or free <= 0 or not self._gate.is_open:
            return None
        self._claiming, self._wished = True, free
        return Wish(self._gate.destination, free, self._clock(), self._terms, list(self._under_way.values()))

    def _claimed(self, claimed: Sequence[Claimed] | None) -> None:
        self._claiming = False
        for each in claimed or ():
            self._begin(each)
        self._more = claimed is None or len(claimed) >= self._wished
        if self._asked_meanwhile:
            self.wake()
        self._asked_meanwhile = False

    def _begin(self, claimed: Claimed) -> None:
        task = asyncio.create_task(self._step(claimed))
        self._under_way[task] = claimed.link.id
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._under_way[task]
        if not task.cancelled() and (error := task.exception()):
            _log.error("a step met a mistake of ours; its lease will end", exc_info=error)
        if self._more or not self._gate.is_open:
            self.wake()

    # -- one step ------------------------------------------------------------------------------------------------------------------

    async def _step(self, claimed: Claimed) -> None:
        ahead = self._places.locked()
        async with self._places:
            if ahead and not (self._gate.is_open and self._in_time(claimed.link, self._clock())):
                outcome = self._postponed(claimed.step)
            else:
                outcome = await self._take(claimed)
                with suppress(StoreUnavailable):  # the next answer teaches the same
                    # before the place is another's, and before what is recorded may be due: both shall find the gate closed
                    await self._gate.learn(outcome)
        settled = await self._record(Result(claimed, outcome, self._waits(claimed.link)))
        _tell(claimed, outcome, settled)

    def _postponed(self, step: Step) -> Outcome:
        """Of a link that was claimed ahead and has not got a place in time."""
        now = self._clock()
        return Outcome(
            step, now, now, error=Postponed("Orchestrator was paused, or slow, before the call could be made")
        )

    async def _take(self, claimed: Claimed) -> Outcome:
        started_at = self._clock()
        done = Told(None)
        error: RemoteError | None = None
        try:
            self._refuse_if_late(claimed.link, started_at)
            done = await self._call(claimed)
        except RemoteError as failure:
            error = failure
        except Exception as mistake:  # noqa: BLE001 - we cannot tell what it left behind: find out before doing it again
            _log.exception("a step met a mistake of ours", link=claimed.link.id, step=claimed.step)
            error = Unknown(f"{type(mistake).__name__}: {mistake}", answered=False)
        finished_at = self._clock()
        self._quick = finished_at - started_at <= QUICK
        return Outcome(claimed.step, started_at, finished_at, done.task, error, done.told, done.refused)

    def _refuse_if_late(self, link: Link, now: datetime) -> None:
        """The claim's commit hung, or the clock jumped."""
        if not self._in_time(link, now):
            raise Unavailable("too much of the lease had gone before the call could be made", sent=False)

    def _in_time(self, link: Link, now: datetime) -> bool:
        """Whether a call that is begun now ends within its lease."""
        return link.leased_until is None or now + 2 * self._limits.timeout <= link.leased_until

    async def _call(self, claimed: Claimed) -> Told:
        link = claimed.link
        match claimed.step:
            case Step.CREATE:
                return Told(await self._destination.create_task(_request(link), link.correlation_key))
            case Step.FIND:
                return Told(await self._find(link))
            case Step.EDIT:
                return await edit(self._destination, link, _task_id(link))
            case Step.ASSIGN:
                return await self._within_lease(assign(self._destination, link, _task_id(link)))
            case Step.COMPLETE:
                return Told(await self._complete(link, _task_id(link)))
            case Step.DELETE:
                return Told(await self._delete(link, _task_id(link)))
            case Step.REOPEN:  # taken by the claim itself
                return Told(None)

    async def _within_lease(self, step: Awaitable[Told]) -> Told:
        """A step of more than two requests, within the lease of two."""
        try:
            return await asyncio.wait_for(step, 2 * self._limits.timeout.total_seconds())
        except TimeoutError:
            raise Unknown("it took longer than its lease", answered=False) from None

    async def _find(self, link: Link) -> Task | None:
        if link.task_id is not None:  # it was the answer to its end that was lost
            return await self._destination.look(link.task_id, link.request.folder if link.request else None)
        tag = link.request.body.get("externalTag") if link.request else None
        return await self._destination.find_task(link.correlation_key, tag, link.create_sent_at or self._clock())

    async def _complete(self, link: Link, task_id: TaskId) -> Task:
        """Idempotent by reading: a refusal of a task that has come to its end already, whoever ended it, is success."""
        folder = _request(link).folder
        try:
            await self._destination.complete_task(task_id, _completion(link), folder)
        except Rejected:
            task = await self._destination.look(task_id, folder)
            if task.state is TaskState.OPEN:
                raise
            return task
        return Task(task_id, TaskState.COMPLETED)

    async def _delete(self, link: Link, task_id: TaskId) -> Task:
        try:
            await self._destination.delete_task(task_id)
        except NotFound:
            pass
        except Rejected:
            task = await self._destination.look(task_id, _request(link).folder)
            if task.state is TaskState.OPEN:
                raise
            return task
        return Task(task_id, TaskState.GONE)

    async def _record(self, result: Result) -> Link | None:
        """Write the outcome, however long the database is away: it is known nowhere else."""
        while True:
            try:
                return await self._store.claims.settle(result)
            except StoreUnavailable as error:
                _log.warning("an outcome waits for the database", link=result.claimed.link.id, error=str(error))
                await asyncio.sleep(RETRY_S)

    def _waits(self, link: Link) -> Waits:
        return Waits(self._limits.timeout, backoff(link.attempts, self._random))


def backoff(attempts: int, random: Random) -> timedelta:
    """Doubles from half a second to five minutes; between half and all of that, so that those who failed together part."""
    longest = min(_FIRST_BACKOFF * 2 ** min(attempts, 20), _LONGEST_BACKOFF)
    return timedelta(seconds=longest.total_seconds() * random.uniform(0.5, 1.0))


_NOT_RENDERED = "the route {link.route!r} is configured no more, so there is nothing to send; add it, then `bridge links retry {link.id}`"


def _request(link: Link) -> TaskRequest:
    if link.request is None:
        raise Rejected(_NOT_RENDERED.format(link=link))
    return link.request


def _completion(link: Link) -> Completion:
    if link.completion is None:
        raise Rejected(_NOT_RENDERED.format(link=link))
    return link.completion


def _task_id(link: Link) -> TaskId:
    if link.task_id is None:
        raise Rejected(
            "the link has an open task, but not its id; `bridge links forget` it, then replay its deliveries"
        )
    return link.task_id


_DONE = {
    Step.CREATE: "task created",
    Step.FIND: "task adopted",
    Step.EDIT: "task edited",
    Step.ASSIGN: "task assigned",
    Step.COMPLETE: "task completed",
    Step.DELETE: "task deleted",
}


def _tell(claimed: Claimed, outcome: Outcome, settled: Link | None) -> None:
    link, step = claimed.link, claimed.step
    what = {"source": link.source, "ticket": link.ticket_key, "link": link.id}
    if settled is None:
        words = "lease lost: the outcome was left to the worker that has it"
        _log.warning(words, step=step, outcome=outcome.label, **what)
    elif settled.parked:
        remedy = f"correct it, then `bridge links retry {link.id}`"
        _log.error("link parked", step=step, error=settled.last_error, remedy=remedy, **what)
    elif isinstance(outcome.error, Postponed):
        _log.debug("step postponed", step=step, reason=str(outcome.error), **what)
    elif outcome.error is not None:
        attempts = settled.attempts
        _log.warning(
            "step failed", step=step, error=str(outcome.error), outcome=outcome.label, attempts=attempts, **what
        )
    elif outcome.refused:
        _log.warning("the task does not show what it should", step=step, reason=settled.note, **what)
    elif outcome.task is not None:
        _log.info(_DONE[step], task=outcome.task.id, route=link.route, **what)
    else:
        _log.info("no task has the link's key; it will be created when that is certain", **what)
