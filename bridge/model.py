"""The vocabulary of the bridge as frozen values.

Everything that the pure core (`plan`, `fold`, `routes`, `outcome`) takes and returns is here. Nothing in this module does I/O, and it
imports nothing of ours.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Literal, NamedTuple, NewType

from msgspec import Struct, field

DeliveryId = NewType("DeliveryId", int)
LinkId = NewType("LinkId", int)
TaskId = NewType("TaskId", int)

Facts = Mapping[str, Any]
"""What is known of a ticket: the tracker's raw fields by name, beside `KEY`, `URL`, `EVENT` and `DELETED`."""

KEY = "@key"
URL = "@url"
EVENT = "@event"
DELETED = "@deleted"
OWN = "@"
"""How names in `Facts` begin that are the bridge's; no tracker's field does."""


def fields_of(facts: Facts) -> dict[str, Any]:
    """The tracker's raw fields among facts."""
    fields = dict(facts)
    for name in (KEY, URL, EVENT, DELETED):
        fields.pop(name, None)
    return fields


def without_own_names(fields: Mapping[str, Any]) -> dict[str, Any]:
    """A tracker's fields without the names that are the bridge's."""
    kept = dict(fields)
    for name in [name for name in kept if OWN in name and name.startswith(OWN)]:  # `in` costs a third of the call
        del kept[name]
    return kept


class TicketState(StrEnum):
    """What the tracker says of a ticket. Closed is a state, not an event."""

    OPEN = "open"
    CLOSED = "closed"
    DELETED = "deleted"


class TaskState(StrEnum):
    """What the bridge knows of a link's task."""

    ABSENT = "absent"  # no CreateTask was sent, or it is certain that none took effect
    UNKNOWN = "unknown"  # a call was (about to be) sent and its answer is not known
    OPEN = "open"
    COMPLETED = "completed"
    GONE = "gone"  # deleted or expired in Orchestrator


class Step(StrEnum):
    """The next thing that a link needs. One step is at most one change in Orchestrator."""

    CREATE = "create"
    FIND = "find"
    EDIT = "edit"
    ASSIGN = "assign"
    COMPLETE = "complete"
    DELETE = "delete"
    REOPEN = "reopen"  # begin the next generation; no call


class LinkState(StrEnum):
    """How a link stands, for people."""

    PENDING = "pending"  # a step is due, or under way
    WAITING = "waiting"  # a step is due later: it is backing off
    SETTLED = "settled"  # nothing to do
    PARKED = "parked"  # needs a person


class DeliveryState(StrEnum):
    """What became of a delivery."""

    PENDING = "pending"
    APPLIED = "applied"
    IGNORED = "ignored"
    PARKED = "parked"


class Version(NamedTuple):
    """Orders what was seen of one ticket; the greater is the newer. Never made from the time of arrival if the tracker gives its own.

    `rank` and `digest` decide between observations of the same instant by what they say (deleted before closed before open), so that
    the order of arrival cannot matter.
    """

    updated: int  # epoch milliseconds: the tracker's own update time of the ticket
    emitted: int = 0  # epoch milliseconds: when the tracker made the message; 0 unknown
    rank: int = 0
    digest: str = ""

    def encode(self) -> str:
        """A text that sorts as the version does."""
        return f"{self.updated:015d}.{self.emitted:015d}.{self.rank}.{self.digest}"

    @staticmethod
    def updated_of(encoded: str) -> int:
        """The tracker's update time in an encoded version, epoch milliseconds; 0 in none."""
        return int(encoded.partition(".")[0] or 0)


class Observation(Struct, frozen=True):
    """What one delivery or poll says about one ticket at one version. A fact that it lacks, it does not speak of."""

    ticket_id: str
    version: str  # an encoded Version
    facts: Facts
    state: TicketState | None  # as far as these facts alone tell


class Ticket(NamedTuple):
    """A ticket as templates and conditions see it."""

    id: str
    key: str
    url: str | None = None
    title: str | None = None
    description: str | None = None
    status: str | None = None
    closed: bool = False
    resolution: str | None = None
    type: str | None = None
    project: str | None = None
    priority: str | None = None
    labels: tuple[str, ...] = ()
    assignee: str | None = None
    assignee_email: str | None = None
    reporter: str | None = None
    created: str | None = None
    updated: str | None = None


class Folder(Struct, frozen=True):
    """An Orchestrator folder, by any one of the three names that its API takes."""

    kind: Literal["id", "path", "key"]
    value: str


class TaskRequest(Struct, frozen=True):
    """A rendered CreateTask: the body as it is sent (camelCase), without the correlation key, and the folder it goes to."""

    body: Mapping[str, Any]
    folder: Folder | None = None


class Completion(Struct, frozen=True):
    """A rendered CompleteTask: the outcome that the waiting workflow reads."""

    action: str
    data: Mapping[str, Any] = field(default_factory=dict)


class Refusal(Struct, frozen=True):
    """What Orchestrator would not show in a task, and why. It is not asked for again until the ticket says something else."""

    value: str
    why: str


EDITED = ("title", "priority")
ASSIGNEE = "assignee"
"""What of a task may follow its ticket after its creation. The assignee is an e-mail, "" for nobody."""


class Policy(Struct, frozen=True):
    """What a route says where `plan` has a choice."""

    on_reopen: Literal["new_task", "ignore"] = "new_task"
    on_delete: Literal["complete", "delete", "ignore"] = "complete"
    closed_on_arrival: Literal["skip", "create_and_complete"] = "skip"


class Link(Struct, frozen=True):
    """A row of the mapping table: one ticket, one generation, one task.

    The first half says what the ticket wants and is written by the intake; the second what its task is and is written by the worker.
    `id` is 0 until the link is stored.
    """

    id: LinkId
    source: str
    ticket_id: str
    generation: int
    correlation_key: str
    destination: str
    route: str
    route_version: str  # of the newest observation that a route selected
    policy: Policy
    ticket_key: str
    ticket_url: str | None
    ticket_state: TicketState
    version: str  # of the newest observation
    closed_version: str  # of the newest observation that was not open; "" for none
    seen_open: bool  # a route selected this ticket while it was open
    request: TaskRequest | None = None
    completion: Completion | None = None
    shows: Mapping[str, str] = field(default_factory=dict)  # what the task should show now, of what follows the ticket

    task_state: TaskState = TaskState.ABSENT
    task_id: TaskId | None = None
    create_sent_at: datetime | None = None
    safe_at: datetime | None = None  # from then on, nothing of the calls before is under way any more; None: nothing is
    ended_version: str = ""  # the ticket's version for which the task was told to end, or seen to have ended
    told: Mapping[str, str | None] = field(default_factory=dict)  # since CreateTask; None: a call's answer is not known
    refused: Mapping[str, Refusal] = field(default_factory=dict)

    due_at: datetime | None = None
    leased_until: datetime | None = None
    claim: int = 0  # the fencing token: it grows with every claim
    attempts: int = 0  # of the current step, since it last went well
    parked: bool = False
    last_error: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None

    def state(self, now: datetime) -> LinkState:
        """How the link stands at `now`."""
        if self.parked:
            return LinkState.PARKED
        if self.due_at is None:
            return LinkState.SETTLED
        if self.leased_until is None and self.due_at > now:
            return LinkState.WAITING
        return LinkState.PENDING

    @property
    def reopened(self) -> bool:
        """Whether the ticket is open again after a close that this link's task had come to its end with, or before."""
        return (
            self.ticket_state is TicketState.OPEN
            and self.closed_version != ""
            and self.closed_version >= self.ended_version
        )

    @property
    def untold(self) -> dict[str, str]:
        """What the task should show that Orchestrator was neither told, at the creation or since, nor has refused."""
        created = self.request.body if self.request else {}
        told = {ASSIGNEE: "", **created, **self.told}
        asked = {(name, refusal.value) for name, refusal in self.refused.items()}
        return {
            name: value for name, value in self.shows.items() if told.get(name) != value and (name, value) not in asked
        }

    @property
    def note(self) -> str | None:
        """Why the task does not show what it should, where Orchestrator refused that."""
        applying = [refusal.why for name, refusal in self.refused.items() if self.shows.get(name) == refusal.value]
        return "; ".join(dict.fromkeys(applying)) or None


class NewDelivery(Struct, frozen=True):
    """One inbound request, verified, as it goes into the inbox. `headers` holds no secret."""

    source: str
    dedupe_key: str
    received_at: datetime
    event: str
    ticket_id: str | None
    body: bytes
    headers: Mapping[str, str]


class Delivery(NewDelivery, frozen=True):
    """A delivery in the inbox."""

    id: DeliveryId
    size: int  # of the body, in bytes; a list does not load the bodies themselves
    state: DeliveryState = DeliveryState.PENDING
    reason: str | None = None


class Task(Struct, frozen=True):
    """A task as Orchestrator shows it, as far as the bridge cares."""

    id: TaskId
    state: TaskState  # OPEN, COMPLETED or GONE
    assignee: str = ""  # the e-mail of who has it, as `assign_task` leaves it; "" for nobody


class SeenTask(Struct, frozen=True):
    """A task as a list shows it, with what it was made from, as far as that is told."""

    task: Task
    correlation_key: str | None
    request: TaskRequest
    created_at: datetime | None


class Attempt(Struct, frozen=True):
    """One try of a step and how it ended: the audit trail."""

    step: Step
    started_at: datetime
    took: timedelta
    outcome: str  # "ok", or the class of the error
    detail: str | None = None
