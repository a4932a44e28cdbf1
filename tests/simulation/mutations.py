"""Bugs, planted: what the core does for safety, taken out of it for the time of a test. The simulation has to notice."""

from collections.abc import Callable, Sequence

import pytest
from msgspec.structs import replace

from bridge import outcome
from bridge.fold import Snapshot
from bridge.model import DeliveryId, Link, NewDelivery, Observation, Step, TaskState, TicketState
from bridge.outcome import Outcome, settle
from bridge.store import Inbox, Result, Terms, claims
from bridge.sync import follow
from bridge.sync.mending import Mended, Mender
from tests.simulation.replica import Replica


def no_find_before_create(patch: pytest.MonkeyPatch) -> None:
    """The claim does not record that CreateTask is about to be sent, so a lost answer leads to another one."""
    leased = claims._leased

    def forgetful(link: Link, step: Step, now: object, terms: Terms) -> Link:
        claimed = leased(link, step, now, terms)  # type: ignore[arg-type]
        return replace(claimed, task_state=TaskState.ABSENT) if step is Step.CREATE else claimed

    patch.setattr(claims, "_leased", forgetful)


def no_fencing(patch: pytest.MonkeyPatch) -> None:
    """An outcome is written whoever has the link by now."""

    def trusting(current: Link | None, result: Result) -> Link | None:
        return current and settle(current, result.outcome, result.claimed.link.version, result.waits)

    patch.setattr(claims, "_settled", trusting)


def no_version_check(patch: pytest.MonkeyPatch) -> None:
    """What arrives later wins."""

    def latest_wins(snapshot: Snapshot, observation: Observation) -> Snapshot:
        version = max(snapshot.version, observation.version)
        closed = version if observation.state in (TicketState.CLOSED, TicketState.DELETED) else ""
        facts = {**snapshot.facts, **observation.facts}
        return Snapshot(version, max(snapshot.closed_version, closed), {version: facts})

    patch.setattr(follow, "fold", latest_wins)


def no_ticks(patch: pytest.MonkeyPatch) -> None:
    """Work is taken when it is announced, and never looked for: NOTIFY without polling."""
    patch.setattr(Replica, "ticking", False)


def acknowledged_too_early(patch: pytest.MonkeyPatch) -> None:
    """A webhook is acknowledged whether or not its commit went well."""
    append = Inbox.append

    async def hopeful(inbox: Inbox, request: Sequence[NewDelivery]) -> Sequence[DeliveryId | None]:
        try:
            return await append(inbox, request)
        except Exception:  # noqa: BLE001 - that is the bug
            return [None for _ in request]

    patch.setattr(Inbox, "append", hopeful)


def no_patience(patch: pytest.MonkeyPatch) -> None:
    """What is not found is created at once, while the request before may still be under way."""

    def hasty(link: Link, _outcome: Outcome) -> Link:
        return replace(link, task_state=TaskState.ABSENT, create_sent_at=None, safe_at=None)

    patch.setattr(outcome, "_found_nothing", hasty)


def no_mending(patch: pytest.MonkeyPatch) -> None:
    """Reconciliation finds what differs, and leaves it."""

    async def idle(_mender: Mender, _differences: object) -> Mended:
        return Mended()

    patch.setattr(Mender, "mend", idle)


MUTATIONS: tuple[Callable[[pytest.MonkeyPatch], None], ...] = (
    no_find_before_create,
    no_fencing,
    no_version_check,
    no_ticks,
    acknowledged_too_early,
    no_patience,
    no_mending,
)
