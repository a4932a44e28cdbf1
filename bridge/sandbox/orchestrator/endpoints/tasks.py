"""`/odata/Tasks`: one task, lists, and deletion (guide "Tasks requests")."""

import re
from collections.abc import Iterable
from typing import Any

from starlette.responses import Response

from bridge.sandbox.orchestrator.endpoints.operation import Call, Operation, json_response, list_response, named_folder
from bridge.sandbox.orchestrator.failures import Failure
from bridge.sandbox.orchestrator.fields import parse_id
from bridge.sandbox.orchestrator.wire import TASKS
from bridge.sandbox.orchestrator.world import Task

_BASE = "/odata/Tasks"
_ACTION = f"{_BASE}/UiPath.Server.Configuration.OData"
_ERRORS = "Collection(UiPath.Orchestrator.Tasks.Dto.TaskAssignmentErrorResponse)"
_OF_OPERATION = re.compile(r"\s*ParentOperationId\s+eq\s+'((?:[^']|'')*)'\s*", re.IGNORECASE)


def get_task(call: Call) -> Response:
    """200 with the task, without its data."""
    task = call.world.task(parse_id("key", call.request.path_params["task_id"]), call.folder)
    return json_response({"@odata.context": call.context("Tasks/$entity"), **TASKS.shown(task)})


def get_tasks(call: Call) -> Response:
    """200 with the tasks of the folder that a header names, or of all."""
    return list_response(call, TASKS, call.world.tasks(named_folder(call.world, call.request.headers)))


def get_tasks_across_folders(call: Call) -> Response:
    """200 with the tasks of all folders. The filter by `ParentOperationId` alone is answered from an index."""
    return list_response(call, TASKS, _candidates(call))


def delete_tasks(call: Call) -> Response:
    """200 with an error for every task that was not deleted; an empty list is success."""
    task_ids = call.fields("deleteTasksRequest").numbers("TaskIds")
    errors = [error for task_id in task_ids if (error := _delete(call, task_id))]
    return json_response({"@odata.context": call.context(_ERRORS), "value": errors})


def _candidates(call: Call) -> Iterable[Task]:
    match = _OF_OPERATION.fullmatch(call.query.get("$filter", ""))
    return call.world.tasks_of_operation(match[1].replace("''", "'")) if match else call.world.tasks()


def _delete(call: Call, task_id: int) -> dict[str, Any] | None:
    try:
        call.world.delete_task(task_id)
    except Failure as failure:
        return {"TaskId": task_id, "UserId": None, "ErrorCode": failure.code, "ErrorMessage": failure.message}
    return None


OPERATIONS = (
    Operation("GetTasksAcrossFolders", "GET", f"{_ACTION}.GetTasksAcrossFolders", get_tasks_across_folders),
    Operation("DeleteTasks", "POST", f"{_ACTION}.DeleteTasks", delete_tasks),
    Operation("GetTasks", "GET", _BASE, get_tasks),
    Operation("GetTask", "GET", _BASE + "({task_id})", get_task, folder_bound=True),
)
