"""Every cell of the table in `bridge.plan`."""

import pytest

from bridge.model import Policy, Refusal, Step, TaskState, TicketState
from bridge.plan import plan
from tests.values import a_link

OPEN, CLOSED, DELETED = TicketState
ABSENT, UNKNOWN, TASK_OPEN, COMPLETED, GONE = TaskState

CASES = [
    # ticket, task, what else matters, step
    (OPEN, ABSENT, {}, Step.CREATE),
    (OPEN, ABSENT, {"closed_version": "0"}, Step.CREATE),  # closed once, open again, and never had a task
    (OPEN, UNKNOWN, {}, Step.FIND),
    (OPEN, TASK_OPEN, {}, None),
    (OPEN, TASK_OPEN, {"closed_version": "2"}, None),  # reopened before its task was completed: the task goes on
    (OPEN, TASK_OPEN, {"closed_version": "2", "ended_version": "2"}, Step.FIND),  # … but it may be completed any moment
    (OPEN, TASK_OPEN, {"shows": {"title": "t"}}, None),  # as it was created
    (OPEN, TASK_OPEN, {"shows": {"title": "new"}}, Step.EDIT),
    (OPEN, TASK_OPEN, {"shows": {"priority": "Low"}}, Step.EDIT),
    (OPEN, TASK_OPEN, {"shows": {"title": "new"}, "told": {"title": "new"}}, None),
    (OPEN, TASK_OPEN, {"shows": {"title": "t"}, "told": {"title": "new"}}, Step.EDIT),  # it changed back
    (OPEN, TASK_OPEN, {"shows": {"title": "t"}, "told": {"title": None}}, Step.EDIT),  # it may show anything
    (OPEN, TASK_OPEN, {"shows": {"title": "new"}, "refused": {"title": Refusal("new", "no")}}, None),
    (OPEN, TASK_OPEN, {"shows": {"title": "newer"}, "refused": {"title": Refusal("new", "no")}}, Step.EDIT),
    (OPEN, TASK_OPEN, {"shows": {"assignee": ""}}, None),  # a task is created as nobody's
    (OPEN, TASK_OPEN, {"shows": {"assignee": "ada@x.test"}}, Step.ASSIGN),
    (OPEN, TASK_OPEN, {"shows": {"assignee": ""}, "told": {"assignee": "ada@x.test"}}, Step.ASSIGN),
    (OPEN, TASK_OPEN, {"shows": {"assignee": "a@x.test"}, "refused": {"assignee": Refusal("a@x.test", "no")}}, None),
    (OPEN, TASK_OPEN, {"shows": {"title": "new", "assignee": "ada@x.test"}}, Step.EDIT),  # then ASSIGN
    (OPEN, ABSENT, {"shows": {"title": "new", "assignee": "ada@x.test"}}, Step.CREATE),
    (OPEN, UNKNOWN, {"shows": {"title": "new"}}, Step.FIND),
    (OPEN, COMPLETED, {"ended_version": "2", "shows": {"title": "new"}}, None),
    (OPEN, GONE, {"ended_version": "2", "shows": {"title": "new"}}, None),
    (CLOSED, TASK_OPEN, {"shows": {"title": "new", "assignee": "ada@x.test"}}, Step.COMPLETE),  # never edited first
    (OPEN, COMPLETED, {"ended_version": "2"}, None),  # a person completed it in Action Center (scenario 11)
    (OPEN, GONE, {"ended_version": "2"}, None),
    (OPEN, COMPLETED, {"ended_version": "2", "closed_version": "1"}, None),  # the close was before: it is no reopening
    (OPEN, COMPLETED, {"ended_version": "2", "closed_version": "2"}, Step.REOPEN),  # we completed it for that close
    (
        OPEN,
        COMPLETED,
        {"ended_version": "2", "closed_version": "3"},
        Step.REOPEN,
    ),  # a person did, then it closed, then opened
    (OPEN, GONE, {"ended_version": "2", "closed_version": "3"}, Step.REOPEN),
    (OPEN, COMPLETED, {"ended_version": "2", "closed_version": "3", "policy": Policy(on_reopen="ignore")}, None),
    (OPEN, GONE, {"ended_version": "2", "closed_version": "3", "policy": Policy(on_reopen="ignore")}, None),
    (CLOSED, ABSENT, {"seen_open": False}, None),  # closed on its first sight (scenario 9)
    (CLOSED, ABSENT, {"seen_open": False, "policy": Policy(closed_on_arrival="create_and_complete")}, Step.CREATE),
    (CLOSED, ABSENT, {"seen_open": True}, Step.CREATE),
    (CLOSED, UNKNOWN, {}, Step.FIND),
    (CLOSED, TASK_OPEN, {}, Step.COMPLETE),
    (CLOSED, COMPLETED, {}, None),
    (CLOSED, GONE, {}, None),
    (DELETED, ABSENT, {}, None),
    (DELETED, UNKNOWN, {}, Step.FIND),
    (DELETED, TASK_OPEN, {}, Step.COMPLETE),
    (DELETED, TASK_OPEN, {"policy": Policy(on_delete="delete")}, Step.DELETE),
    (DELETED, TASK_OPEN, {"policy": Policy(on_delete="ignore")}, None),
    (DELETED, COMPLETED, {}, None),
    (DELETED, GONE, {}, None),
]


@pytest.mark.parametrize(("ticket", "task", "others", "step"), CASES)
def test_the_step_of_every_cell(
    ticket: TicketState, task: TaskState, others: dict[str, object], step: Step | None
) -> None:
    assert plan(a_link(ticket_state=ticket, task_state=task, **others)) is step


def test_the_table_has_every_cell() -> None:
    assert {(ticket, task) for ticket, task, _, _ in CASES} == {
        (ticket, task) for ticket in TicketState for task in TaskState
    }


def test_every_step_is_in_the_table() -> None:
    assert {step for *_, step in CASES if step} == set(Step)
