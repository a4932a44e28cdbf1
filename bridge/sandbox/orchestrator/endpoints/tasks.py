"""`/odata/Tasks`: one task, lists, and who has which (guide "Tasks requests").

Assigning, unassigning and deleting answer 200 with an error for every task that was refused: an empty list is success.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from starlette.responses import Response

from bridge.sandbox.orchestrator.endpoints.operation import (
    Call,
    Operation,
    entity_response,
    in_folder,
    json_response,
    list_response,
    named_folder,
)
from bridge.sandbox.orchestrator.entities import PERMISSIONS, TASKS, USERS, Permission
from bridge.sandbox.orchestrator.failures import Failure, deletion_not_permitted, invalid
from bridge.sandbox.orchestrator.model import PERMISSIONS as NAMES
from bridge.sandbox.orchestrator.model import Assignment, Task
from bridge.sandbox.orchestrator.requests import assignments, task_edit

T = TypeVar("T")

_BASE = "/odata/Tasks"
_ACTION = f"{_BASE}/UiPath.Server.Configuration.OData"
_ERRORS = "Collection(UiPath.Orchestrator.Tasks.Dto.TaskAssignmentErrorResponse)"
_OF_OPERATION = re.compile(r"\s*ParentOperationId\s+eq\s+'((?:[^']|'')*)'\s*", re.IGNORECASE)


def get_task(call: Call) -> Response:
    """200 with the task, without its data."""
    return entity_response(call, TASKS, call.world.task(call.path_id("key"), call.folder))


def get_task_by_key(call: Call) -> Response:
    """200 with the task, without its data."""
    return entity_response(call, TASKS, call.world.task_by_key(call.path_uuid("identifier"), call.folder))


def get_tasks(call: Call) -> Response:
    """200 with the tasks of the folder that a header names, or of all."""
    return list_response(call, TASKS, call.world.tasks(named_folder(call.world, call.request.headers)))


def get_tasks_across_folders(call: Call) -> Response:
    """200 with the tasks of all folders. The filter by `ParentOperationId` alone is answered from an index."""
    return list_response(call, TASKS, _candidates(call))


def get_task_users(call: Call) -> Response:
    """200 with the users of a folder: everybody is one of every folder."""
    call.world.folder(call.path_id("organizationUnitId"))
    return list_response(call, USERS, call.world.users.values())


def get_task_permissions(call: Call) -> Response:
    """200 with what the caller may do."""
    return list_response(call, PERMISSIONS, [Permission(name, name not in call.world.denied) for name in NAMES])


def assign_tasks(call: Call) -> Response:
    """200; tasks that somebody has already, or that are completed, are 2400."""
    return _assignments(call, call.world.assign)


def reassign_tasks(call: Call) -> Response:
    """200; completed tasks are 2400."""
    return _assignments(call, call.world.reassign)


def unassign_tasks(call: Call) -> Response:
    """200; completed tasks are 2400."""
    task_ids = call.fields("unassignTasksRequest").numbers("TaskIds")
    return _refusals(call, task_ids, lambda task_id: call.world.unassign(task_id, by=call.by), _marks_of_id)


def delete_tasks(call: Call) -> Response:
    """200; tasks that the caller may not delete are 2427."""

    def delete(task_id: int) -> None:
        if "Tasks.Delete" in call.world.denied:
            raise deletion_not_permitted()
        call.world.delete_task(task_id, by=call.by)

    return _refusals(call, call.fields("deleteTasksRequest").numbers("TaskIds"), delete, _marks_of_id)


def edit_task_metadata(call: Call) -> Response:
    """200 without a body."""
    fields = call.fields("editTaskMetadataRequest")
    task_id, edit = fields.number("TaskId"), task_edit(fields)
    call.world.edit_task(task_id, edit, named_folder(call.world, call.request.headers), by=call.by)
    return Response(status_code=200)


def _candidates(call: Call) -> Iterable[Task]:
    """The tasks that the filter has to look at; of those that were ever forwarded, if the query speaks of them."""
    event = call.parameter("event")
    if event is not None and event.lower() != "forwardedever":
        raise invalid(f"The value '{event:.80}' is not valid for event.")
    match = _OF_OPERATION.fullmatch(call.query.get("$filter", ""))
    tasks = call.world.tasks_of_operation(match[1].replace("''", "'")) if match else call.world.tasks()
    return tasks if event is None else (task for task in tasks if _was_forwarded(task))


def _was_forwarded(task: Task) -> bool:
    return any(activity.kind == "Forwarded" for activity in task.activities)


def _assignments(call: Call, assign: Callable[..., Task]) -> Response:
    asked = assignments(call.fields("tasksAssignRequest"))
    return _refusals(call, asked, lambda one: assign(one, by=call.by), _marks_of_assignment)


def _refusals(
    call: Call, items: Iterable[T], change: Callable[[T], object], marks: Callable[[T], dict[str, Any]]
) -> Response:
    """What every item was refused with; the others are changed."""
    errors = []
    for item in items:
        try:
            change(item)
        except Failure as failure:
            errors.append({**marks(item), "ErrorCode": failure.code, "ErrorMessage": failure.message})
    return json_response({"@odata.context": call.context(_ERRORS), "value": errors})


def _marks_of_id(task_id: int) -> dict[str, Any]:
    return {"TaskId": task_id, "UserId": None}


def _marks_of_assignment(asked: Assignment) -> dict[str, Any]:
    """The definition has the user's name, too; the guides' answers, which are about ids, do not."""
    named = {} if asked.name is None else {"UserNameOrEmail": asked.name}
    return {"TaskId": asked.task_id, "UserId": asked.user_id, **named}


_ASSIGN = "TaskAssignment.Create"

OPERATIONS = (
    Operation("GetTasksAcrossFolders", "GET", f"{_ACTION}.GetTasksAcrossFolders", get_tasks_across_folders),
    Operation(
        "GetTasksAcrossFoldersForAdmin",
        "GET",
        f"{_ACTION}.GetTasksAcrossFoldersForAdmin",
        get_tasks_across_folders,
        permission=_ASSIGN,
    ),
    Operation("GetTaskPermissions", "GET", f"{_ACTION}.GetTaskPermissions", get_task_permissions),
    Operation(
        "GetTaskUsers", "GET", _ACTION + ".GetTaskUsers(organizationUnitId={organizationUnitId})", get_task_users
    ),
    Operation("AssignTasks", "POST", f"{_ACTION}.AssignTasks", assign_tasks, permission=_ASSIGN),
    Operation("ReassignTasks", "POST", f"{_ACTION}.ReassignTasks", reassign_tasks, permission=_ASSIGN),
    Operation("UnassignTasks", "POST", f"{_ACTION}.UnassignTasks", unassign_tasks, permission=_ASSIGN),
    Operation("DeleteTasks", "POST", f"{_ACTION}.DeleteTasks", delete_tasks),
    Operation("EditTaskMetadata", "POST", f"{_ACTION}.EditTaskMetadata", edit_task_metadata, permission="Tasks.Edit"),
    Operation("GetTasks", "GET", _BASE, get_tasks, permission="Tasks.View"),
    in_folder("GetTask", "GET", _BASE + "({key})", get_task, "Tasks.View"),
    in_folder("GetTaskByKey", "GET", _ACTION + ".GetByKey(identifier={identifier})", get_task_by_key, "Tasks.View"),
)
