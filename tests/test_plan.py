"""Every cell of the table in `bridge.plan`."""

import pytest

from bridge.model import Policy, Step, TaskState, TicketState
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
