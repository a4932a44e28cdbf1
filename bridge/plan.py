"""The heart of the bridge: what a link needs next.

    ticket   | task              | step
    ---------+-------------------+-----------------------------------------------------------------------------------------
    open     | absent            | create
    open     | open              | edit, if Orchestrator was not told the title or priority that the task should show; then assign, if
             |                   | it was not told whose it should be; else nothing. By route; what it refused is not asked again
             | but find, while a call that was to end it may still take effect: the ticket closed, and is open again
    open     | completed or gone | reopen (a new generation) if the ticket was closed since and the route wants it, else nothing
    closed   | absent            | create, if the ticket was open before; on its first sight closed: nothing, or by route create
    closed   | open              | complete
    closed   | completed or gone | nothing
    deleted  | absent            | nothing
    deleted  | open              | by route: complete, delete or nothing
    deleted  | completed or gone | nothing
    any      | unknown           | find: the answer to a call was lost, so look before doing anything else

`plan` is a pure function of the link's row. It does not know how the row came to be, so the order of events cannot matter; it says
one step at a time, and after each the row is read again.

A ticket that was open and closed before its task could be created still gets one, which is completed at once: whether the bridge was
quick, slow or down at that moment leaves no trace in Orchestrator.
"""

from bridge.model import ASSIGNEE, EDITED, Link, Step, TaskState, TicketState


def plan(link: Link) -> Step | None:
    """The one step that brings the task nearer to what the ticket wants; None when they agree."""
    if link.task_state is TaskState.UNKNOWN:
        return Step.FIND
    match link.ticket_state:
        case TicketState.OPEN:
            return _open(link)
        case TicketState.CLOSED:
            return _closed(link)
        case TicketState.DELETED:
            return _deleted(link)


def _open(link: Link) -> Step | None:
    match link.task_state:
        case TaskState.ABSENT:
            return Step.CREATE
        case TaskState.OPEN:
            return Step.FIND if link.ended_version else _following(link)
        case TaskState.COMPLETED | TaskState.GONE if link.reopened and link.policy.on_reopen == "new_task":
            return Step.REOPEN
        case _:
            return None


def _following(link: Link) -> Step | None:
    untold = link.untold
    if any(name in untold for name in EDITED):
        return Step.EDIT
    return Step.ASSIGN if ASSIGNEE in untold else None


def _closed(link: Link) -> Step | None:
    match link.task_state:
        case TaskState.ABSENT if link.seen_open or link.policy.closed_on_arrival == "create_and_complete":
            return Step.CREATE
        case TaskState.OPEN:
            return Step.COMPLETE
        case _:
            return None


def _deleted(link: Link) -> Step | None:
    if link.task_state is not TaskState.OPEN:
        return None
    match link.policy.on_delete:
        case "complete":
            return Step.COMPLETE
        case "delete":
            return Step.DELETE
        case "ignore":
            return None
