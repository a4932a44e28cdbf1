"""What a seed means: a setting, and a list of incidents at their times. A story is shortened by leaving incidents out."""

from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Literal

Kind = Literal["opened", "edited", "commented", "moved away", "moved back", "closed", "reopened", "deleted"]
Commit = Literal["no", "yes", "late"]
Stage = Literal["begin", "statement", "commit", "committed"]
Moment = Literal["at once", "begin", "statement", "commit", "committed", "calling", "answered"]

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
"""When every world begins."""

TIMEOUT_S = 5.0
"""Of a request to Orchestrator."""

SKEW_S = 0.2
"""How far a replica's clock may be off."""


@dataclass(frozen=True, slots=True)
class Setting:
    """How the bridge is run and configured in one world."""

    engine: Literal["sqlite", "postgresql"]
    skews: tuple[float, ...]  # of each replica's clock
    polled: bool  # else no webhook is lost for good
    on_reopen: Literal["new_task", "ignore"]
    on_delete: Literal["complete", "delete", "ignore"]
    closed_on_arrival: Literal["skip", "create_and_complete"]
    follows: bool  # title, priority and assignee of an open task
    refresh: bool
    tracker_skew: float
    index_lag: float
    busy: float  # how often the database takes its time
    concurrency: int  # steps that one replica has under way

    def __str__(self) -> str:
        replicas = f"{len(self.skews)} replica{'s' if len(self.skews) > 1 else ''}"
        healed = "polled" if self.polled else "not polled"
        return (
            f"{replicas} on {self.engine}, {healed}, on_reopen {self.on_reopen}, on_delete {self.on_delete}, "
            f"closed_on_arrival {self.closed_on_arrival}"
            f"{', update and assign' if self.follows else ''}{', refresh' if self.refresh else ''}"
        )


@dataclass(frozen=True, slots=True)
class Change:
    """Something happens to a ticket; its webhook comes after each of the delays, or is lost."""

    at: float
    ticket: int
    kind: Kind
    copies: tuple[float, ...]
    told: bool  # the copies carry one identifier; else each has its own

    def __str__(self) -> str:
        after = ", ".join(f"{delay:.1f} s" for delay in self.copies)
        return f"ticket {self.ticket} is {self.kind}; its webhook {f'comes after {after}' if after else 'is lost'}"


@dataclass(frozen=True, slots=True)
class Behind:
    """Somebody ends a ticket's task behind the bridge's back."""

    at: float
    ticket: int
    how: Literal["completed", "deleted"]

    def __str__(self) -> str:
        return f"somebody has the task of ticket {self.ticket} {self.how}"


@dataclass(frozen=True, slots=True)
class Trouble:
    """What happens to the next request to Orchestrator of a kind, from a time on."""

    at: float
    operation: str  # "" for any
    answer: str
    commit: Commit
    wait: float

    def __str__(self) -> str:
        takes = {"no": "changes nothing", "yes": "takes effect", "late": "takes effect late"}[self.commit]
        return f"the next {self.operation or 'request'} meets {self.answer!r}, and {takes}"


@dataclass(frozen=True, slots=True)
class Outage:
    """For a while every request fails so."""

    at: float
    of: Literal["Orchestrator", "the tracker"]
    answer: str
    lasts: float

    def __str__(self) -> str:
        return f"{self.of} meets every request with {self.answer!r} for {self.lasts:.0f} s"


@dataclass(frozen=True, slots=True)
class Slip:
    """What happens in a replica's next transaction: it fails, or takes long. After `committed` the answer alone is lost."""

    at: float
    replica: int
    stage: Stage
    wait: float  # 0: it fails

    def __str__(self) -> str:
        what = f"takes {self.wait:.0f} s" if self.wait else "fails"
        return f"the database of replica {self.replica} {what} at its next {self.stage}"


@dataclass(frozen=True, slots=True)
class Cut:
    """A replica cannot reach the database for a while."""

    at: float
    replica: int
    moment: Moment
    lasts: float

    def __str__(self) -> str:
        when = "" if self.moment == "at once" else f", from its next {self.moment!r} on"
        return f"replica {self.replica} cannot reach the database for {self.lasts:.0f} s{when}"


@dataclass(frozen=True, slots=True)
class Crash:
    """A replica is killed at a moment, and starts again after a while."""

    at: float
    replica: int
    moment: Moment
    down: float

    def __str__(self) -> str:
        when = "at once" if self.moment == "at once" else f"at its next {self.moment!r}"
        return f"replica {self.replica} is killed {when}, and starts again {self.down:.0f} s later"


Incident = Change | Behind | Trouble | Outage | Slip | Cut | Crash


@dataclass(frozen=True, slots=True)
class Plan:
    """A world in full: the same plan is the same run."""

    seed: int
    setting: Setting
    until: float  # then the faults end
    incidents: tuple[Incident, ...]


ANSWERS: dict[str, tuple[Commit, ...]] = {
    "connection refused": ("no",),
    "429": ("no",),
    "503 with Retry-After": ("no", "yes", "late"),
    "502": ("no", "yes", "late"),
    "500": ("no", "yes"),
    "connection broken": ("no", "yes", "late"),
    "half an answer": ("yes",),
    "no answer": ("no", "yes", "late"),
    "401": ("no",),
    "403": ("no",),
    "slow": ("yes",),
}
"""How a request can end, and whether it may have taken effect then."""

_OPERATIONS = (
    "",
    "",
    "create",
    "create",
    "create",
    "complete",
    "complete",
    "find",
    "look",
    "list",
    "edit",
    "assign",
    "delete",
)
_NEXT: dict[Kind, tuple[Kind, ...]] = {
    "opened": ("edited", "commented", "closed", "closed", "moved away", "deleted"),
    "edited": ("edited", "closed", "closed", "deleted", "moved away"),
    "commented": ("edited", "closed", "closed"),
    "moved away": ("closed", "moved back", "moved back", "deleted"),
    "moved back": ("edited", "closed"),
    "closed": ("reopened", "reopened", "edited", "commented", "deleted", "moved away"),
    "reopened": ("closed", "closed", "edited", "deleted", "commented"),
    "deleted": (),
}


_CROWD = 11
"""The first number of its tickets."""


def plan_of(seed: int) -> Plan:
    """What the seed means. Small worlds: a violation needs few tickets, and many of them are quick."""
    random, crowding = Random(f"plan {seed}"), Random(f"crowd {seed}")
    crowd = crowding.choice((0, 0, 0, 5))  # tickets at once, of which not each has a place
    setting = _setting(random, 1 if crowd else 3)
    until = random.uniform(60, 240)
    changes = [
        change
        for ticket in range(1, random.choice((1, 1, 2, 2, 3)) + 1)
        for change in _life(ticket, random.uniform(0, until / 2), until, setting, random)
    ]
    gathers = crowding.uniform(0, until / 2)
    changes += [
        change for number in range(crowd) for change in _life(_CROWD + number, gathers, until, setting, crowding)
    ]
    tickets = {change.ticket for change in changes}
    trouble = random.choice((0, 2, 4, 8))
    behind = [
        Behind(random.uniform(0, until), random.choice(sorted(tickets)), random.choice(("completed", "deleted")))
        for _ in range(random.choice((0, 0, 0, 1, 2)))
    ]
    faults = [_fault(random, changes, until, len(setting.skews)) for _ in range(random.randint(0, 2 * trouble))]
    return Plan(seed, setting, until, tuple(sorted([*changes, *behind, *faults], key=lambda one: one.at)))


def _setting(random: Random, concurrency: int) -> Setting:
    replicas = random.choice((1, 1, 2, 2, 3))
    polled = random.random() < 0.6
    return Setting(
        engine="sqlite" if replicas == 1 and random.random() < 0.7 else "postgresql",
        skews=tuple(round(random.uniform(-SKEW_S, SKEW_S), 3) for _ in range(replicas)),
        polled=polled,
        on_reopen=random.choice(("new_task", "new_task", "ignore")),
        on_delete=random.choice(("complete", "complete", "delete", "ignore")),
        closed_on_arrival=random.choice(("skip", "skip", "create_and_complete")),
        follows=random.random() < 0.4,
        refresh=polled and random.random() < 0.3,
        tracker_skew=round(random.uniform(-30, 30), 3),
        index_lag=random.choice((0.0, 2.0, 40.0)),
        busy=random.choice((0.0, 0.1, 0.5)),
        concurrency=concurrency,
    )


def _life(ticket: int, at: float, until: float, setting: Setting, random: Random) -> list[Change]:
    """A ticket's history from then on: bursts of changes, and rests between."""
    kind = "opened"
    pace = random.choice((0.5, 5.0, 30.0))
    changes = []
    for _ in range(random.randint(1, 8)):
        changes.append(Change(round(at, 3), ticket, kind, _copies(setting, random), random.random() < 0.5))  # type: ignore[arg-type]
        at += 0.01 + random.expovariate(1 / pace)
        following = _NEXT[kind]  # type: ignore[index]
        if not following or at >= until:
            break
        kind = random.choice(following)
    return changes


def _copies(setting: Setting, random: Random) -> tuple[float, ...]:
    if setting.polled and random.random() < 0.25:
        return ()
    slow = random.choice((0.1, 0.1, 2.0, 40.0))
    return tuple(round(random.uniform(0, slow), 2) for _ in range(random.choice((1, 1, 1, 2, 3))))


def _fault(random: Random, changes: list[Change], until: float, replicas: int) -> Incident:
    """Most faults strike where something happens: soon after a change."""
    at = round(min(random.choice(changes).at + random.expovariate(1 / 2), until - 1), 2)
    if random.random() < 0.2:
        at = round(random.uniform(0, until - 1), 2)
    replica = random.randint(1, replicas)
    stages: tuple[Stage, ...] = ("begin", "statement", "commit", "committed")
    moments: tuple[Moment, ...] = ("at once", *stages, "calling", "answered", "answered")
    match random.choices(("trouble", "outage", "slip", "cut", "crash"), (6, 1, 3, 2, 3))[0]:
        case "trouble":
            answer = random.choice(tuple(ANSWERS))
            wait = round(random.choice((0.5, 5.0, 30.0)) * random.random(), 2)
            return Trouble(at, random.choice(_OPERATIONS), answer, random.choice(ANSWERS[answer]), wait)
        case "outage":
            of: Literal["Orchestrator", "the tracker"] = random.choice(("Orchestrator", "the tracker"))
            return Outage(
                at, of, random.choice(("connection refused", "429", "502", "no answer", "401")), random.uniform(1, 60)
            )
        case "slip":
            return Slip(at, replica, random.choice(stages), random.choice((0.0, 0.0, 1.0, 6.0, 20.0)))
        case "cut":
            return Cut(
                at, replica, random.choice(("at once", "answered", "answered")), random.choice((3.0, 20.0, 70.0))
            )
        case _:
            return Crash(at, replica, random.choice(moments), random.choice((0.5, 5.0, 60.0)))
