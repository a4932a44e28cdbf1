"""What the answer to a step changes in its link. Pure: the row as it is now, how the step ended, and the row as it shall be.

This is the failure policy in one place: the class of an error decides (see `bridge.errors`), never the step that met it.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from msgspec import Struct, field
from msgspec.structs import replace

from bridge.errors import Postponed, RateLimited, Rejected, RemoteError, Unauthorized, Unavailable, Unknown
from bridge.model import Link, Refusal, Step, Task, TaskState
from bridge.plan import plan

SETTLE = timedelta(seconds=2)
"""After an answered 5xx nothing of the request is under way any more; the listing gets this long to show what it may have done."""


class Outcome(Struct, frozen=True):
    """How a step ended: with a task (as it is now), with nothing found, or with an error.

    `told` and `refused`: of what the task should show, what Orchestrator has taken and what it would not.
    """

    step: Step
    started_at: datetime
    finished_at: datetime
    task: Task | None = None
    error: RemoteError | None = None
    told: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, Refusal] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """`ok`, the class of the error, or `refused` where that is no error: the task shows less than it should."""
        if self.error is not None:
            return type(self.error).__name__.lower()
        return "refused" if self.refused else "ok"


class Waits(Struct, frozen=True):
    """How long to wait: `timeout` is a request's, `backoff` this attempt's with its jitter."""

    timeout: timedelta
    backoff: timedelta


def settle(link: Link, outcome: Outcome, at_version: str, waits: Waits) -> Link:
    """The link after its step, with the time of its next one.

    `at_version` is the ticket's version that the step acted on; the link may have moved on since, and what it wants now is kept.
    """
    freed = replace(link, leased_until=None, due_at=None)
    error = outcome.error
    settled = (
        _went_well(freed, outcome, at_version) if error is None else _failed(freed, outcome, error, at_version, waits)
    )
    return due(settled, outcome.finished_at)


def due(link: Link, now: datetime) -> Link:
    """The link with its next step due at once, or when it was set to wait for; never if there is none or a person has to look.

    A link that is leased and needs nothing is due when its lease ends: should its worker have died, nobody else would free it.
    """
    if link.parked:
        return replace(link, due_at=None)
    if plan(link) is None:
        return replace(link, due_at=link.leased_until)
    return replace(link, due_at=max(link.due_at or now, now))


def _went_well(link: Link, outcome: Outcome, at_version: str) -> Link:
    link = replace(link, attempts=0, last_error=None)
    if outcome.task is None:
        return _found_nothing(link, outcome)
    link = replace(
        link,
        task_id=outcome.task.id,
        task_state=outcome.task.state,
        told={**link.told, **outcome.told},
        refused=_still_refused(link, outcome),
    )
    if outcome.task.state in (TaskState.COMPLETED, TaskState.GONE):
        return replace(link, ended_version=link.ended_version or at_version, safe_at=None)
    certain = link.safe_at is None or outcome.started_at >= link.safe_at
    return replace(link, ended_version="", safe_at=None) if certain else _open_for_now(link, outcome)


def _open_for_now(link: Link, outcome: Outcome) -> Link:
    """A call of before may still take effect: end the task, or show in it what it was told then. Look, or tell it, again after that."""
    if link.ended_version:
        return replace(link, due_at=link.safe_at) if plan(link) is Step.FIND else link
    if outcome.step in (Step.EDIT, Step.ASSIGN):
        return replace(link, told={**link.told, **dict.fromkeys(outcome.told)}, due_at=link.safe_at)
    return replace(link, safe_at=None)  # CreateTask alone was under way, and this is its task


def _still_refused(link: Link, outcome: Outcome) -> Mapping[str, Refusal]:
    kept = {name: refusal for name, refusal in link.refused.items() if name not in outcome.told}
    return {**kept, **outcome.refused}


def _found_nothing(link: Link, outcome: Outcome) -> Link:
    """No task has the link's key. That is certain only when the request that may make one cannot be under way any more."""
    if link.safe_at is not None and outcome.started_at < link.safe_at:
        return replace(link, due_at=link.safe_at)
    return replace(link, task_state=TaskState.ABSENT, create_sent_at=None, safe_at=None, ended_version="")


def _failed(link: Link, outcome: Outcome, error: RemoteError, at_version: str, waits: Waits) -> Link:
    link = replace(_intent(link, outcome, error, waits), last_error=str(error).replace("\x00", ""))
    match error:
        case RateLimited() | Postponed():  # the destination waits, not the link
            return link
        case Unavailable() | Unauthorized(status=None | 401):
            return replace(link, attempts=link.attempts + 1)
        case Rejected():  # a ticket that was edited meanwhile is tried again at once
            return replace(link, attempts=link.attempts + 1, parked=link.version == at_version)
        case _:
            return replace(link, attempts=link.attempts + 1, due_at=outcome.finished_at + waits.backoff)


def _intent(link: Link, outcome: Outcome, error: RemoteError, waits: Waits) -> Link:
    """After a failed change: the intent is taken back if nothing can have happened, else it stands until somebody has looked."""
    unclear = isinstance(error, Unknown) or (isinstance(error, Unavailable) and error.sent)
    match outcome.step:
        case Step.FIND:
            return link
        case Step.CREATE if not unclear:
            return replace(link, task_state=TaskState.ABSENT, create_sent_at=None, safe_at=None)
        case Step.COMPLETE | Step.DELETE if not unclear:
            earlier = link.safe_at is not None  # a try of before may be under way still
            return replace(link, task_state=TaskState.OPEN, ended_version=link.ended_version if earlier else "")
        case Step.CREATE if isinstance(error, Unknown) and error.answered:  # it is the only one that may be under way
            return replace(link, safe_at=outcome.finished_at + SETTLE)
        case _:
            return replace(link, safe_at=outcome.finished_at + waits.timeout) if unclear else link
