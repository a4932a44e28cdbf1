"""Drift: how links, tasks and tickets can differ though nobody told us, and how a link is put back on its way.

Pure: a link beside what Orchestrator and the tracker show now, a `Difference` out. Nothing is settled here: a link whose task is not as
it thinks is made `unknown` and due, so that `plan` says find and the worker looks and settles it as after any lost answer. A link that
is leased or due is on its way already, and differs in nothing.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from msgspec.structs import replace

from bridge.correlation import Identity
from bridge.model import Link, Observation, SeenTask, TaskRequest, TaskState, TicketState
from bridge.outcome import due
from bridge.plan import plan

_ENDED = (TaskState.COMPLETED, TaskState.GONE)


class Drift(StrEnum):
    """The kinds of difference, in the order in which they are mended: whose task it is comes before how it stands."""

    FOREIGN = "foreign"  # a link's task carries another's key
    ORPHAN = "orphan"  # a task carries our key, and no link has it
    DOUBLE = "double"  # a second task carries the key of a link that has its task
    COMPLETED = "completed"  # the task was completed behind our back
    GONE = "gone"  # it was deleted, or expired
    OPEN = "open"  # it is open, though it had come to its end as far as the link knows
    STALE = "stale"  # the link's next step was lost
    TICKET = "ticket"  # the ticket was closed, deleted or opened, and no webhook told


_REMEDIES = {
    Drift.FOREIGN: "leave that task to its own ticket, and find or make this one's",
    Drift.ORPHAN: "adopt the task",
    Drift.DOUBLE: "by hand: end one of the two tasks in Orchestrator",
    Drift.COMPLETED: "look at the task and settle the link",
    Drift.GONE: "look at the task and settle the link",
    Drift.OPEN: "look at the task, and complete it if its ticket is closed",
    Drift.STALE: "take the lost step",
    Drift.TICKET: "follow the ticket",
}


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference: what it is of, and what was seen that tells it."""

    kind: Drift
    link: Link | None = None
    seen: SeenTask | None = None
    identity: Identity | None = None  # of an orphan without a link
    shown: Observation | None = None  # what the tracker shows

    @property
    def mendable(self) -> bool:
        """Whether it can be mended without a person."""
        return self.kind is not Drift.DOUBLE and (self.link is not None or self.identity is not None)

    @property
    def remedy(self) -> str:
        """What will be done about it, or has to be."""
        if self.link is None and self.identity is None:
            return "by hand: its key is too long to tell its ticket; restore the link from a backup, or end the task"
        if self.link is None:
            return "make the link and adopt the task"
        if self.kind is Drift.STALE:
            return f"{_REMEDIES[self.kind]}: {plan(self.link)}"
        if self.kind is Drift.TICKET and self.shown is not None:
            return f"{_REMEDIES[self.kind]}, which is {self.shown.state}"
        return _REMEDIES[self.kind]

    @property
    def about(self) -> tuple[Drift, str, int]:
        """What it is about: the same difference, seen twice, is one."""
        of = self.link.correlation_key if self.link else self.seen and self.seen.correlation_key
        task = self.seen.task.id if self.seen and self.kind in (Drift.ORPHAN, Drift.DOUBLE) else 0
        return self.kind, of or "", task


def is_moving(link: Link) -> bool:
    """Whether a step of the link is due or under way: what it finds settles it."""
    return link.leased_until is not None or link.due_at is not None


def of_holder(holder: Link, seen: SeenTask) -> Difference | None:
    """A link beside the task that it has."""
    if is_moving(holder):
        return None
    if seen.correlation_key is not None and seen.correlation_key != holder.correlation_key:
        return Difference(Drift.FOREIGN, holder, seen)
    if holder.task_state is TaskState.OPEN and seen.task.state in _ENDED:
        kind = Drift.COMPLETED if seen.task.state is TaskState.COMPLETED else Drift.GONE
        return Difference(kind, holder, seen)
    if holder.task_state in _ENDED and seen.task.state is TaskState.OPEN:
        return Difference(Drift.OPEN, holder, seen)
    return None


def of_owner(owner: Link, seen: SeenTask, own: SeenTask | None = None) -> Difference | None:
    """A link beside a task that carries its key and that it does not have; `own` is the one that it has, as it is now."""
    if owner.task_id is None:
        finds_it = owner.task_state is TaskState.UNKNOWN and owner.due_at is not None
        return None if finds_it or owner.leased_until is not None else Difference(Drift.ORPHAN, owner, seen)
    if own is None or is_moving(owner):
        return None
    if own.correlation_key not in (None, owner.correlation_key):
        return Difference(Drift.FOREIGN, owner, own)
    return Difference(Drift.ORPHAN if own.task.state is TaskState.GONE else Drift.DOUBLE, owner, seen)


def of_link(link: Link) -> Difference | None:
    """A link by itself: it needs a step, and none is due."""
    return Difference(Drift.STALE, link) if not is_moving(link) and not link.parked and plan(link) else None


def may_hide_a_close(link: Link) -> bool:
    """Whether the tracker is worth asking: should the ticket be closed, a workflow waits for a task that nobody will complete."""
    open_both = link.ticket_state is TicketState.OPEN and link.task_state is TaskState.OPEN
    return open_both and not is_moving(link) and not link.parked


def of_ticket(link: Link, shown: Observation) -> Difference | None:
    """A link beside its ticket as the tracker shows it. What is no newer than what the link knows tells nothing."""
    differs = shown.state is not None and shown.state is not link.ticket_state and shown.version > link.version
    return Difference(Drift.TICKET, link, shown=shown) if differs else None


def is_as_it_was(link: Link, before: Link) -> bool:
    """Whether nothing has happened with the link's task since: no claim, no outcome, no mending."""

    def tells(one: Link) -> tuple[object, ...]:
        return one.claim, one.leased_until, one.task_id, one.task_state, one.due_at, one.parked

    return link.leased_until is None and tells(link) == tells(before)


def mend(link: Link, difference: Difference, now: datetime) -> Link:
    """The link, back on its way."""
    link = replace(link, parked=False, attempts=0, last_error=None)
    match difference.kind:
        case Drift.FOREIGN | Drift.ORPHAN:
            link = _to_find(link, difference.seen if difference.kind is Drift.ORPHAN else None)
        case Drift.COMPLETED | Drift.GONE | Drift.OPEN:
            link = replace(link, task_state=TaskState.UNKNOWN)
        case _:
            pass
    return due(replace(link, due_at=None), now)


def _to_find(link: Link, seen: SeenTask | None) -> Link:
    """The link, to find its task by its key: what it is found to be, counts."""
    made_at = seen.created_at if seen else None
    return replace(
        link,
        task_id=None,
        task_state=TaskState.UNKNOWN,
        create_sent_at=made_at or link.create_sent_at or link.created_at,
        safe_at=None,
        ended_version="",
        request=_request(link, seen),
    )


def _request(link: Link, seen: SeenTask | None) -> TaskRequest | None:
    """What the task was made from; it is asked for in the folder in which it was seen."""
    if seen is None:
        return link.request
    made = link.request or seen.request
    return TaskRequest(made.body, seen.request.folder or made.folder)
