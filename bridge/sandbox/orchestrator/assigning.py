"""Who gets a task: one named user, all of several, or one that is chosen among them."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from bridge.sandbox.orchestrator import failures
from bridge.sandbox.orchestrator.model import PENDING, Assignment, Task, User

_NEVER = datetime.min.replace(tzinfo=UTC)


def chosen(assignment: Assignment, users: Mapping[int, User], tasks: Iterable[Task]) -> tuple[User, ...]:
    """Those to whom the task goes; more than one only for `AllUsers`. 404 with code 1002 if somebody named is no user.

    `Hierarchy` looks for a manager of the named: the sandbox has none and takes the first of them.
    """
    candidates = _candidates(assignment, users)
    match assignment.criteria:
        case "AllUsers":
            return candidates
        case "Workload":
            return (_least_busy(candidates, tasks),)
        case "RoundRobin":
            return (_longest_idle(candidates, tasks),)
    return candidates[:1]


def _candidates(assignment: Assignment, users: Mapping[int, User]) -> tuple[User, ...]:
    """A user's id goes before a name, and one user before several."""
    if assignment.user_id is not None:
        found = [users.get(assignment.user_id)]
    elif assignment.name is not None:
        found = [_named(assignment.name, users.values())]
    else:
        found = [users.get(number) for number in assignment.user_ids]
        found += [_named(name, users.values()) for name in assignment.names]
    known = dict.fromkeys(user for user in found if user is not None)
    if not known or None in found:
        raise failures.unknown("User")
    return tuple(known)


def _named(name: str, users: Iterable[User]) -> User | None:
    """In the sandbox a user's name is the email address."""
    return next((user for user in users if user.email.casefold() == name.casefold()), None)


def _least_busy(candidates: Sequence[User], tasks: Iterable[Task]) -> User:
    pending = Counter(user for task in tasks if _waits(task) for user in task.assignees)
    return min(candidates, key=pending.__getitem__)


def _longest_idle(candidates: Sequence[User], tasks: Iterable[Task]) -> User:
    last: dict[User, datetime] = {}
    for task in tasks:
        for user in task.assignees:
            last[user] = max(last.get(user, _NEVER), task.last_assigned_time or _NEVER)
    return min(candidates, key=lambda user: last.get(user, _NEVER))


def _waits(task: Task) -> bool:
    return task.status == PENDING and task.deletion_time is None
