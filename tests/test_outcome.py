"""What an answer changes in a link: the failure policy, class by class."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from bridge.errors import NotFound, Postponed, RateLimited, Rejected, RemoteError, Unauthorized, Unavailable, Unknown
from bridge.model import Link, LinkState, Refusal, Step, Task, TaskId, TaskState, TicketState
from bridge.outcome import SETTLE, Outcome, Waits, settle
from bridge.plan import plan
from tests.values import NOW, a_link

TIMEOUT, BACKOFF = timedelta(seconds=30), timedelta(seconds=3)
WAITS = Waits(TIMEOUT, BACKOFF)
LATER = NOW + timedelta(seconds=1)

SENT = a_link(
    task_state=TaskState.UNKNOWN,
    create_sent_at=NOW,
    safe_at=NOW + TIMEOUT,
    leased_until=NOW + TIMEOUT,
    due_at=NOW,
)
CLOSING = a_link(
    ticket_state=TicketState.CLOSED, version="2", closed_version="2", task_state=TaskState.OPEN, task_id=TaskId(7)
)


def after(link: Link, step: Step, *, task: Task | None = None, error: RemoteError | None = None, at: str = "") -> Link:
    return settle(link, Outcome(step, NOW, LATER, task, error), at or link.version, WAITS)


def test_a_created_task_settles_an_open_ticket() -> None:
    link = after(SENT, Step.CREATE, task=Task(TaskId(7), TaskState.OPEN))
    assert (link.task_id, link.task_state, link.state(LATER), link.leased_until) == (
        7,
        TaskState.OPEN,
        LinkState.SETTLED,
        None,
    )


def test_a_ticket_that_closed_while_its_task_was_created_is_completed_next() -> None:
    moved_on = replace(SENT, ticket_state=TicketState.CLOSED, version="2", closed_version="2")
    link = after(moved_on, Step.CREATE, task=Task(TaskId(7), TaskState.OPEN), at="1")
    assert (plan(link), link.due_at) == (Step.COMPLETE, LATER)


def test_a_ticket_that_reopened_while_its_task_was_completed_gets_a_new_generation() -> None:
    moved_on = replace(CLOSING, ticket_state=TicketState.OPEN, version="3")
    link = after(moved_on, Step.COMPLETE, task=Task(TaskId(7), TaskState.COMPLETED), at="2")
    assert (plan(link), link.due_at) == (Step.REOPEN, LATER)


@pytest.mark.parametrize(
    "error",
    [
        Unavailable("refused", sent=False),
        Postponed("paused"),
        RateLimited("slow down", retry_after=timedelta(seconds=9), status=429),
        Unauthorized("no", status=401),
        Rejected("no catalog", status=400, code=2451),
        NotFound("no", status=404),
    ],
)
def test_a_clear_failure_takes_the_intent_back(error: RemoteError) -> None:
    link = after(SENT, Step.CREATE, error=error)
    assert (link.task_state, link.create_sent_at, link.safe_at) == (TaskState.ABSENT, None, None)


@pytest.mark.parametrize(
    ("error", "safe_at"),
    [
        (Unknown("lost", answered=False), LATER + TIMEOUT),
        (Unknown("500", answered=True, status=500), LATER + SETTLE),
        (Unavailable("gateway", sent=True, status=502), LATER + TIMEOUT),
        (RateLimited("gateway", retry_after=timedelta(seconds=9), status=503), LATER + TIMEOUT),
    ],
)
def test_an_unclear_failure_leads_to_a_find(error: RemoteError, safe_at: object) -> None:
    link = after(SENT, Step.CREATE, error=error)
    assert (plan(link), link.safe_at) == (Step.FIND, safe_at)


def test_what_a_find_finds_is_adopted() -> None:
    link = after(SENT, Step.FIND, task=Task(TaskId(7), TaskState.OPEN))
    assert (link.task_id, link.task_state, plan(link)) == (7, TaskState.OPEN, None)


def test_a_find_that_finds_nothing_too_early_waits() -> None:
    link = after(SENT, Step.FIND)
    assert (plan(link), link.due_at, link.state(LATER)) == (Step.FIND, NOW + TIMEOUT, LinkState.WAITING)


def test_a_find_that_finds_nothing_when_nothing_can_be_under_way_leads_to_a_create() -> None:
    link = after(replace(SENT, safe_at=NOW), Step.FIND)
    assert (plan(link), link.due_at) == (Step.CREATE, LATER)


ENDING = replace(CLOSING, task_state=TaskState.UNKNOWN, ended_version="2", safe_at=NOW + TIMEOUT)
TASK = Task(TaskId(7), TaskState.OPEN)


def test_a_task_that_is_still_open_is_completed_once_more_at_once() -> None:
    link = after(ENDING, Step.FIND, task=TASK)
    assert (plan(link), link.due_at) == (Step.COMPLETE, LATER)


def test_a_task_that_may_still_end_is_looked_at_again_when_its_ticket_is_open() -> None:
    """Nobody would notice otherwise: an open ticket without a task."""
    reopened = replace(ENDING, ticket_state=TicketState.OPEN, version="3")
    early = after(reopened, Step.FIND, task=TASK)
    assert (plan(early), early.due_at, early.ended_version) == (Step.FIND, NOW + TIMEOUT, "2")
    ended = after(early, Step.FIND, task=Task(TaskId(7), TaskState.COMPLETED))
    assert plan(ended) is Step.REOPEN
    certain = after(replace(early, safe_at=NOW), Step.FIND, task=TASK)
    assert (plan(certain), certain.due_at, certain.ended_version) == (None, None, "")


@pytest.mark.parametrize(
    "error",
    [
        RateLimited("slow", retry_after=BACKOFF, status=429),
        Postponed("paused"),
        Unknown("500", answered=True, status=500),
        Unknown("lost", answered=False),
    ],
)
def test_a_failure_says_nothing_of_the_tries_before_it(error: RemoteError) -> None:
    reopened = replace(ENDING, ticket_state=TicketState.OPEN, version="3")
    link = after(reopened, Step.COMPLETE, error=error, at="2")
    assert plan(link) is Step.FIND
    assert link.safe_at is not None
    assert link.safe_at >= NOW + TIMEOUT


def test_a_clear_failure_of_the_first_try_leaves_nothing_that_may_still_end_the_task() -> None:
    """Else a person who completes the task of the reopened ticket would be taken for us, and a second task made."""
    reopened = replace(ENDING, safe_at=None, ticket_state=TicketState.OPEN, version="3")
    link = after(reopened, Step.COMPLETE, error=Unavailable("refused", sent=False), at="2")
    assert (link.task_state, link.ended_version, plan(link)) == (TaskState.OPEN, "", None)


def test_a_task_that_is_not_there_leaves_nothing_to_the_next_one() -> None:
    link = after(replace(SENT, safe_at=NOW, ended_version="2"), Step.FIND)
    assert (link.task_state, link.ended_version) == (TaskState.ABSENT, "")


def test_what_is_told_while_an_earlier_edit_may_take_effect_is_told_again_after_it() -> None:
    shown = a_link(task_state=TaskState.OPEN, task_id=TaskId(7), shows={"title": "new"})
    lost = after(shown, Step.EDIT, error=Unknown("lost", answered=False))
    assert (plan(lost), lost.safe_at) == (Step.EDIT, LATER + TIMEOUT)
    told = settle(lost, Outcome(Step.EDIT, LATER, LATER, TASK, told={"title": "new"}), lost.version, WAITS)
    assert (plan(told), told.due_at) == (Step.EDIT, LATER + TIMEOUT)
    after_it = LATER + TIMEOUT
    again = settle(told, Outcome(Step.EDIT, after_it, after_it, TASK, told={"title": "new"}), told.version, WAITS)
    assert (plan(again), again.due_at, again.safe_at) == (None, None, None)


def test_the_destinations_failures_leave_the_link_due() -> None:
    for error in (
        Unavailable("away", sent=False),
        Postponed("paused"),
        Unauthorized("no"),
        RateLimited("slow", retry_after=BACKOFF, status=429),
    ):
        link = after(CLOSING, Step.COMPLETE, error=error)
        assert (link.due_at, link.parked) == (LATER, False)


def test_being_told_to_wait_is_not_an_attempt() -> None:
    assert after(CLOSING, Step.COMPLETE, error=Postponed("paused")).attempts == 0
    assert after(CLOSING, Step.COMPLETE, error=RateLimited("slow", retry_after=BACKOFF, status=429)).attempts == 0
    assert after(CLOSING, Step.COMPLETE, error=Unavailable("away", sent=False)).attempts == 1


def test_a_rejection_parks_with_the_servers_words() -> None:
    link = after(SENT, Step.CREATE, error=Rejected("No task catalog exists with name X", status=400, code=2451))
    assert link.state(LATER) is LinkState.PARKED
    assert link.last_error == "No task catalog exists with name X (HTTP 400, error 2451)"


def test_a_rejection_of_a_state_that_was_edited_meanwhile_is_tried_again_at_once() -> None:
    link = after(replace(SENT, version="2"), Step.CREATE, error=Rejected("bad title", status=400), at="1")
    assert (link.parked, link.due_at, plan(link)) == (False, LATER, Step.CREATE)


def test_an_unknown_answer_backs_off_without_a_limit() -> None:
    link = after(replace(CLOSING, attempts=1000), Step.COMPLETE, error=Unknown("lost", answered=False))
    assert (link.attempts, link.due_at, link.parked) == (1001, LATER + BACKOFF, False)


def test_success_forgets_failures() -> None:
    link = after(
        replace(CLOSING, attempts=4, last_error="lost"), Step.COMPLETE, task=Task(TaskId(7), TaskState.COMPLETED)
    )
    assert (link.attempts, link.last_error, link.due_at, link.ended_version) == (0, None, None, "2")


FOLLOWING = a_link(task_state=TaskState.OPEN, task_id=TaskId(7), shows={"title": "new", "assignee": "ada@x.test"})
STILL_OPEN = Task(TaskId(7), TaskState.OPEN)


def test_what_was_told_is_not_told_again() -> None:
    edited = settle(FOLLOWING, Outcome(Step.EDIT, NOW, LATER, STILL_OPEN, told={"title": "new"}), "1", WAITS)
    assert (plan(edited), edited.due_at) == (Step.ASSIGN, LATER)
    assigned = settle(edited, Outcome(Step.ASSIGN, NOW, LATER, STILL_OPEN, told={"assignee": "ada@x.test"}), "1", WAITS)
    assert (plan(assigned), assigned.due_at) == (None, None)


def test_a_refusal_is_noted_and_parks_nothing() -> None:
    outcome = Outcome(Step.EDIT, NOW, LATER, STILL_OPEN, refused={"title": Refusal("new", "the title is kept: no")})
    link = settle(FOLLOWING, outcome, "1", WAITS)
    assert (outcome.label, link.note, link.parked, link.last_error) == ("refused", "the title is kept: no", False, None)
    assert plan(link) is Step.ASSIGN
    taken = settle(link, Outcome(Step.EDIT, NOW, LATER, STILL_OPEN, told={"title": "new"}), "1", WAITS)
    assert taken.note is None


@pytest.mark.parametrize("step", [Step.EDIT, Step.ASSIGN])
def test_an_unclear_edit_needs_no_look_and_backs_off(step: Step) -> None:
    link = after(FOLLOWING, step, error=Unknown("lost", answered=False))
    assert (link.task_state, link.due_at, plan(link)) == (TaskState.OPEN, LATER + BACKOFF, Step.EDIT)


def test_a_task_that_had_ended_is_settled_as_ended() -> None:
    link = after(FOLLOWING, Step.EDIT, task=Task(TaskId(7), TaskState.COMPLETED))
    assert (link.task_state, link.ended_version, plan(link)) == (TaskState.COMPLETED, "1", None)
