"""Claims: which links a worker takes a step of, with a lease and a fencing token, and what came of it, with the audit trail."""

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct
from msgspec.structs import replace
from sqlalchemy import Integer, Row, and_, bindparam, exists, func, insert, or_, select, update

from bridge.errors import BridgeError, ConstraintViolated, Rejected, StoreUnavailable
from bridge.fold import Snapshot
from bridge.model import ASSIGNEE, EDITED, Link, Step, TaskState, TicketState
from bridge.outcome import Outcome, Waits, settle
from bridge.plan import plan
from bridge.store.database import Connection, Database, many
from bridge.store.group_commit import GroupCommit
from bridge.store.links import LOCK, Links
from bridge.store.pauses import Pause
from bridge.store.records import link_of
from bridge.store.tables import attempts, links, pauses

_MAX_DETAIL = 2000


class Claimed(Struct, frozen=True):
    """A link that this worker, and no other, may take a step of, until its lease ends."""

    link: Link
    step: Step


class Outlook(Struct, frozen=True):
    """A destination's pause, and when the next link of it that nobody has is due, or was."""

    pause: Pause | None
    next_due: datetime | None


class Result(Struct, frozen=True):
    """A step's outcome on its way into the link."""

    claimed: Claimed
    outcome: Outcome
    waits: Waits


Reopen = Callable[[Link, Snapshot, datetime], Link]
"""The next generation of a link whose ticket is open again. Raises a `BridgeError` that says why there can be none."""


class Terms(Struct, frozen=True):
    """What a claim grants: how long the lease is, and how long a request may take; and how a new generation begins."""

    lease: timedelta
    timeout: timedelta
    reopen: Reopen


class Wish(Struct, frozen=True):
    """What a worker would claim: so many links of a destination that are due `now`, but for those that it has `under_way`."""

    destination: str
    limit: int
    now: datetime
    terms: Terms
    under_way: Collection[int]


class Claim(Struct, frozen=True):
    """What was claimed, which links turned out to need nothing, and which begin a new generation."""

    claimed: list[Claimed]
    idle: list[Link]
    to_reopen: list[Link]

    @property
    def changed(self) -> list[Link]:
        """The links that are to be written."""
        return [*self.idle, *(each.link for each in self.claimed)]


class Turn(Struct, frozen=True):
    """What came of a turn: its results' links, what was claimed, and what is known of the destination if there is no more to do."""

    settled: Sequence[Link | None]
    claim: Claim | None = None
    outlook: Outlook | None = None


class Claims:
    """Claims and results of links. `on_due` is called when a link became due."""

    def __init__(self, database: Database, links: Links, on_due: Callable[[], None] = lambda: None) -> None:
        self._database = database
        self._links = links
        self._on_due = on_due
        self._turns: GroupCommit[Result | None, Link | Outlook | None] = GroupCommit(self._take_turn)
        self._wish: Callable[[Sequence[Result]], Wish | None] = lambda _results: None
        self._on_claimed: Callable[[list[Claimed] | None], None] = lambda _claimed: None

    async def outlook(self, destination: str, now: datetime) -> Outlook:
        """What a worker has to know before it claims links of a destination."""
        async with self._database.reading() as connection:
            return await _outlook(connection, destination, now)

    async def claim(
        self, destination: str, limit: int, now: datetime, terms: Terms, under_way: Collection[int] = ()
    ) -> list[Claimed]:
        """Lease the links that have been due the longest. The intent of a change is committed with the claim.

        Links in `under_way` are left alone, even if the clock says that their lease has ended: the claimer has them still. A step
        that needs no call (a new generation) is taken here.
        """
        wish = Wish(destination, limit, now, terms, under_way)

        async def work(connection: Connection) -> Claim:
            claim = _planned(await connection.execute(_CLAIM, _wanted(wish)), wish)
            await self._links.save_work(connection, claim.changed, now)
            return claim

        claim = await self._database.write(work)
        reopened: list[Link] = []
        with suppress(StoreUnavailable):  # what is to be reopened is due as before
            reopened = await self._reopen(claim.to_reopen, now, terms.reopen)
        if claim.idle or reopened:
            self._on_due()
        return claim.claimed

    async def _reopen(self, wanted: Sequence[Link], now: datetime, reopen: Reopen) -> list[Link]:
        """End these generations and begin the next ones, where that is still to be done; what cannot be rendered is parked.

        In a transaction of its own: the tickets are to be locked before the links.
        """
        changed: list[Link] = []
        if not wanted:
            return changed
        async with self._database.writing() as connection:
            known = await self._links.known(connection, {(link.source, link.ticket_id) for link in wanted}, now)
            for snapshot, link in known.values():
                if link is None or not _may_reopen(link, now):
                    continue
                try:
                    begun = reopen(link, snapshot, now)
                except BridgeError as error:
                    changed.append(replace(link, parked=True, due_at=None, last_error=str(error)))
                else:
                    changed += [replace(link, ticket_state=TicketState.CLOSED, due_at=None, leased_until=None), begun]
            await self._links.save(connection, changed, now)
        return changed

    def claim_for(
        self, wish: Callable[[Sequence[Result]], Wish | None], on_claimed: Callable[[list[Claimed] | None], None]
    ) -> None:
        """Whose turns these are: whenever results are written, links are claimed in the same transaction, if there is a `wish` then.

        After every wish `on_claimed` is called: with what was claimed, or None if the database was away.
        """
        self._wish, self._on_claimed = wish, on_claimed

    async def turn(self) -> Outlook | None:
        """Claim what is wished, together with the results that are to be written; what was known of the destination then.

        None if that did not do: nothing was wished, the destination is paused, or a new generation is to begin. `claim` does all.
        """
        outlook = await self._turns.submit(None)
        return outlook if isinstance(outlook, Outlook) else None

    async def settle(self, result: Result) -> Link | None:
        """Write a step's outcome: the link as it is then, None if the lease was lost to another worker meanwhile."""
        try:
            settled = await self._turns.submit(result)
        except ConstraintViolated:  # a task belongs to one link: the answer named a task that another link has
            task = result.outcome.task
            error = Rejected(f"Orchestrator answered with task {task and task.id}, which belongs to another ticket")
            settled = await self._turns.submit(replace(result, outcome=replace(result.outcome, task=None, error=error)))
        return settled if isinstance(settled, Link) else None

    async def _take_turn(self, asked: Sequence[Result | None]) -> Sequence[Link | Outlook | None]:
        """Write results and claim what their worker would claim next, in one transaction: a commit costs more than both.

        What a result makes due at once is claimed by the next turn: everything is read before anything is written.
        """
        results = [result for result in asked if result is not None]
        wish = self._wish(results)

        async def work(connection: Connection) -> Turn:
            current = await _current(connection, results) if results else {}
            claim = _planned(await connection.execute(_CLAIM_UNLESS_PAUSED, _wanted(wish)), wish) if wish else None
            settled = [_settled(current.get(result.claimed.link.id), result) for result in results]
            changed = [link for link in settled if link is not None] + (claim.changed if claim else [])
            times = [result.outcome.finished_at for result in results] + ([wish.now] if wish else [])
            await self._links.save_work(connection, changed, max(times))
            held = (result for result in results if result.claimed.link.id in current)
            await many(connection, _INSERT_ATTEMPT, map(_attempt_row, held))
            return Turn(settled, claim, await _after(connection, wish, claim) if wish and claim else None)

        turn = Turn([])
        try:
            if results or wish:
                turn = await self._database.write(work)
        finally:
            if wish is not None:
                self._on_claimed(turn.claim.claimed if turn.claim else None)
        goes_on = any(link and link.due_at is not None for link in turn.settled)
        if goes_on or (turn.claim and (turn.claim.idle or turn.outlook is None)):
            self._on_due()
        of_results = iter(turn.settled)
        return [turn.outlook if result is None else next(of_results) for result in asked]

    async def release(self, safe_at: datetime) -> int:
        """Free every lease: for the start of the only process on a database, whose predecessor may have been killed.

        Its last calls may have been made just then: until `safe_at` they may still take effect, however old their claims are.
        """
        async with self._database.writing() as connection:
            statement = update(links).where(links.c.leased_until.is_not(None))
            return (await connection.execute(statement.values(leased_until=None, create_safe_at=safe_at))).rowcount


_INSERT_ATTEMPT = insert(attempts)
_WAITING = and_(links.c.destination == bindparam("destination"), links.c.due_at.is_not(None))
_FREE = or_(links.c.leased_until.is_(None), links.c.leased_until <= bindparam("now"))
_NEXT_DUE = select(func.min(links.c.due_at).label("next_due")).where(_WAITING, _FREE).subquery()
_OUTLOOK = select(_NEXT_DUE.c.next_due, pauses.c.until, pauses.c.failures, pauses.c.reason).select_from(
    _NEXT_DUE.outerjoin(pauses, pauses.c.destination == bindparam("destination"))
)
_DUE = and_(_WAITING, links.c.due_at <= bindparam("now"), _FREE)
_CLAIM = (
    select(links)
    .where(_DUE, links.c.id.not_in(bindparam("under_way", expanding=True)))
    .order_by(links.c.due_at)
    .limit(bindparam("limit", type_=Integer))
    .with_for_update(skip_locked=True)
)
_CLAIM_UNLESS_PAUSED = _CLAIM.where(~exists().where(pauses.c.destination == bindparam("destination")))


def _wanted(wish: Wish) -> dict[str, Any]:
    return {
        "destination": wish.destination,
        "now": wish.now,
        "limit": wish.limit,
        "under_way": list(wish.under_way),
    }


def _planned(due: Iterable[Row[Any]], wish: Wish) -> Claim:
    """What is to be done with links that are due, as `plan` says of each."""
    planned = [(link, plan(link)) for link in map(link_of, due)]
    idle = [replace(link, due_at=None, leased_until=None) for link, step in planned if step is None]
    claimed = [
        Claimed(_leased(link, step, wish.now, wish.terms), step)
        for link, step in planned
        if step is not None and step is not Step.REOPEN
    ]
    return Claim(claimed, idle, [link for link, step in planned if step is Step.REOPEN])


async def _after(connection: Connection, wish: Wish, claim: Claim) -> Outlook | None:
    """The outlook after a claim; None if there is something that a turn cannot do: begin a new generation, or wait for a pause."""
    if claim.to_reopen:
        return None
    if claim.changed:
        return Outlook(None, wish.now)
    outlook = await _outlook(connection, wish.destination, wish.now)
    return None if outlook.pause else outlook


async def _current(connection: Connection, results: Sequence[Result]) -> dict[int, Link]:
    """The links of these results as they are now, locked."""
    ids = [result.claimed.link.id for result in results]
    return {link.id: link for link in map(link_of, await connection.execute(LOCK, {"ids": ids}))}


async def _outlook(connection: Connection, destination: str, now: datetime) -> Outlook:
    row = (await connection.execute(_OUTLOOK, {"destination": destination, "now": now})).one()
    pause = None if row.until is None else Pause(row.until, row.failures, row.reason)
    return Outlook(pause, row.next_due)


def _leased(link: Link, step: Step, now: datetime, terms: Terms) -> Link:
    """The link as the claim leaves it; the intent of a change is part of it, so that a crash from here on leads to a find."""
    link = replace(link, claim=link.claim + 1, leased_until=now + terms.lease)
    match step:
        case Step.CREATE:
            return replace(link, task_state=TaskState.UNKNOWN, create_sent_at=now, safe_at=now + terms.timeout)
        case Step.COMPLETE | Step.DELETE:
            safe_at = now + terms.timeout if link.ended_version else None  # a try of before may be under way still
            return replace(link, task_state=TaskState.UNKNOWN, ended_version=link.version, safe_at=safe_at)
        case Step.EDIT:
            return _telling(link, EDITED)
        case Step.ASSIGN:
            return _telling(link, (ASSIGNEE,))
        case _:
            return link


def _may_reopen(link: Link, now: datetime) -> bool:
    """Whether nobody was quicker."""
    free = link.leased_until is None or link.leased_until <= now
    return free and not link.parked and plan(link) is Step.REOPEN


def _telling(link: Link, names: Collection[str]) -> Link:
    """What is being told is not known until the answer is: a ticket that changes back meanwhile must be told again."""
    return replace(link, told={**link.told, **{name: None for name in link.untold if name in names}})


def _settled(current: Link | None, result: Result) -> Link | None:
    claimed = result.claimed.link
    if current is None or current.claim != claimed.claim:
        return None
    return settle(current, result.outcome, claimed.version, result.waits)


def _attempt_row(result: Result) -> dict[str, Any]:
    outcome = result.outcome
    return {
        "link_id": result.claimed.link.id,
        "step": outcome.step,
        "started_at": outcome.started_at,
        "took_ms": round((outcome.finished_at - outcome.started_at) / timedelta(milliseconds=1)),
        "outcome": outcome.label,
        "detail": _detail(outcome),
    }


def _detail(outcome: Outcome) -> str | None:
    if outcome.error is not None:
        return str(outcome.error)[:_MAX_DETAIL].replace("\x00", "")
    if outcome.refused:
        return "; ".join(dict.fromkeys(refusal.why for refusal in outcome.refused.values()))[:_MAX_DETAIL]
    if outcome.task is None:
        return "no task has the link's key"
    return f"task {outcome.task.id} {outcome.task.state}"
