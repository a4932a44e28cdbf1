"""What must hold when the faults have ended and time has passed, each told so that a person understands what broke it."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import timedelta

from sqlalchemy import select

from bridge.model import Link, Step, TaskState, TicketState
from bridge.plan import plan
from bridge.store.records import link_of
from bridge.store.tables import attempts, deliveries, links
from tests.simulation.orchestrator import TaskOnServer
from tests.simulation.plan import SKEW_S
from tests.simulation.records import Records
from tests.simulation.tracker import SELECTED, Issue

_PRIORITIES = {"High": "High", "Low": "Low"}
_CHANGING = (Step.CREATE, Step.EDIT, Step.ASSIGN, Step.COMPLETE, Step.DELETE)


def violations(records: Records) -> list[str]:
    """Every invariant that does not hold."""
    there = [link_of(row) for row in records.database.execute(select(links).order_by(links.c.generation))]
    newest = {link.ticket_id: link for link in there}
    tasks: dict[str, list[TaskOnServer]] = defaultdict(list)
    for task in records.tasks.values():
        tasks[task.key].append(task)
    return [
        *records.mistakes,
        *_one_task(there, tasks),
        *_nothing_due(there),
        *_accounted(records),
        *_nothing_after_the_end(records),
        *(wrong for link in there for wrong in _link_agrees(link, newest[link.ticket_id], tasks)),
        *(wrong for issue in records.issues.values() for wrong in _ticket_agrees(issue, newest, tasks, records)),
    ]


def _one_task(there: list[Link], tasks: dict[str, list[TaskOnServer]]) -> Iterator[str]:
    """One task per ticket and generation (G2)."""
    keys = {link.correlation_key for link in there}
    for key, made in tasks.items():
        removed = sum(task.state is TaskState.GONE and task.ended_by == "somebody" for task in made)
        if len(made) > 1 + removed:
            yield f"one task per ticket and generation: {key} has {len(made)} tasks, {[task.id for task in made]}"
        if key not in keys:
            yield f"every task has its link: {key} has none"
        for task in made:
            if task.completions > 1:
                yield f"a task is completed once: task {task.id} was {task.completions} times"


def _nothing_due(there: list[Link]) -> Iterator[str]:
    """Nothing is due forever, leased forever or parked for no reason."""
    for link in there:
        if link.due_at is not None or link.leased_until is not None or link.parked or plan(link) is not None:
            yield (
                f"nothing is due forever: {link.correlation_key} still needs {plan(link)}, due {link.due_at}, leased until "
                f"{link.leased_until}, parked {link.parked}: {link.last_error}"
            )


def _accounted(records: Records) -> Iterator[str]:
    """Every acknowledged delivery is accounted for (G1, G6)."""
    rows = records.database.execute(select(deliveries.c.dedupe_key, deliveries.c.state, deliveries.c.reason))
    states = {row.dedupe_key: (row.state, row.reason) for row in rows}
    for told in records.acknowledged:
        if told.dedupe_key not in states:
            yield f"what was acknowledged is there: a webhook of ticket {told.ticket} is lost"
    for key, (state, reason) in states.items():
        if state not in ("applied", "ignored"):
            yield f"every delivery is judged: {key} is {state}: {reason}"


def _nothing_after_the_end(records: Records) -> Iterator[str]:
    """No attempt to change a task that begins after its end was recorded. One that is recorded late began before."""
    ended: dict[int, tuple[object, str]] = {}
    rows = records.database.execute(select(attempts).order_by(attempts.c.id))
    for row in rows:
        if row.link_id in ended and row.step in _CHANGING:
            at, detail = ended[row.link_id]
            if row.started_at > at:
                yield f"no attempt after a final state: link {row.link_id} took {row.step} after {detail!r}"
        saw_the_end = row.outcome == "ok" and (row.detail or "").endswith((" completed", " gone"))
        if saw_the_end and row.link_id not in ended and row.link_id not in records.late:
            finished = row.started_at + timedelta(milliseconds=row.took_ms) + 2 * timedelta(seconds=SKEW_S)
            ended[row.link_id] = (finished, row.detail)


def _link_agrees(link: Link, newest: Link, tasks: dict[str, list[TaskOnServer]]) -> Iterator[str]:
    """The mapping table and Orchestrator say the same of a task."""
    own = [task for task in tasks.get(link.correlation_key, []) if task.id == link.task_id]
    if not own:
        if link.task_state is not TaskState.ABSENT:
            yield f"final states agree: {link.correlation_key} is {link.task_state}, and Orchestrator has no such task"
        return
    if own[0].state is not link.task_state:
        yield f"final states agree: {link.correlation_key} is {link.task_state}, and its task is {own[0].state}"
    if link.id != newest.id and own[0].state is TaskState.OPEN:
        yield f"final states agree: {link.correlation_key} is not the newest generation, and its task is open"


def _ticket_agrees(
    issue: Issue, newest: dict[str, Link], tasks: dict[str, list[TaskOnServer]], records: Records
) -> Iterator[str]:
    """The ticket, its link and its task agree, as the route's policy wants it."""
    setting = records.setting
    link = newest.get(issue.id)
    heard_open = not setting.refresh and any(  # with it the ticket's own word decides, and it may have moved on
        told.ticket == issue.id and told.is_open_here for told in records.acknowledged
    )
    if link is None:
        if heard_open or (issue.state is TicketState.OPEN and issue.project == SELECTED):
            yield f"no ticket is lost: {issue.id} was open where the route selects it, and has no link"
        return
    unheard = setting.polled and issue.state is TicketState.DELETED and link.ticket_state is TicketState.CLOSED
    if link.ticket_state is not issue.state and not unheard:
        yield f"final states agree: ticket {issue.id} is {issue.state}, and its link says {link.ticket_state}"
        return
    if link.generation > 1 + issue.reopens:
        yield f"a generation for each reopening: ticket {issue.id} reopened {issue.reopens} times, and has {link.generation}"
    made = [task for generation in range(1, link.generation + 1) for task in tasks.get(_key(issue, generation), [])]
    if issue.state is not TicketState.DELETED and (heard_open or issue.state is TicketState.OPEN) and not made:
        yield f"no ticket is lost: {issue.id} was open, and never had a task"
    still_open = [task for task in made if task.state is TaskState.OPEN]
    ends = issue.state is TicketState.CLOSED or (issue.state is TicketState.DELETED and setting.on_delete != "ignore")
    if ends and still_open:
        yield f"final states agree: ticket {issue.id} is {issue.state}, and task {still_open[0].id} is open"
    if issue.state is TicketState.OPEN and made and not still_open:
        by_bridge = made[-1].ended_by != "somebody"
        if by_bridge and setting.on_reopen == "new_task":
            yield f"final states agree: ticket {issue.id} is open, and the bridge has ended its last task {made[-1].id}"
    if issue.state is TicketState.OPEN and setting.follows and still_open:
        yield from _shows(issue, link, still_open[-1])


def _shows(issue: Issue, link: Link, task: TaskOnServer) -> Iterator[str]:
    """An open task shows what its ticket does, but for what Orchestrator has refused."""
    fields = issue.past[-1][1]["fields"]
    wanted = {
        "title": fields["summary"],
        "priority": _PRIORITIES.get(fields["priority"]["name"], "Medium"),
        "assignee": (fields["assignee"] or {}).get("emailAddress", ""),
    }
    shown = {**task.request.body, "assignee": task.assignee}
    for name, value in wanted.items():
        refused = name in link.refused and link.refused[name].value == value
        if shown[name] != value and not refused:
            yield f"the task shows its ticket: the {name} of task {task.id} is {shown[name]!r}, and should be {value!r}"


def _key(issue: Issue, generation: int) -> str:
    return f"bridge/jira/{issue.id}/{generation}"


def kinds(found: list[str]) -> Counter[str]:
    """The invariants that broke, by their names."""
    return Counter(each.partition(":")[0] for each in found)
