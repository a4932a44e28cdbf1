"""`/tasks/GenericTasks`: creating, completing and reading tasks with their data (guide "Generic Tasks requests")."""

from starlette.responses import Response

from bridge.sandbox.orchestrator.endpoints.operation import Call, Operation, json_response
from bridge.sandbox.orchestrator.fields import new_task, parse_id, parse_uuid
from bridge.sandbox.orchestrator.wire import task_data

_BASE = "/tasks/GenericTasks"


def create_task(call: Call) -> Response:
    """201 with the task. Two equal requests make two tasks."""
    task = call.world.create_task(new_task(call.fields("taskCreateRequest")), call.folder)
    return json_response(task_data(task), 201)


def complete_task(call: Call) -> Response:
    """204. Completing twice is 400 with code 2400; the status of that is not published, 400 is what is declared."""
    fields = call.fields("taskCompletionRequest")
    task_id, data, action = fields.number("TaskId"), fields.object("Data"), fields.text("Action")
    call.world.complete_task(task_id, data=data, action=action, folder=call.folder)
    return Response(status_code=204)


def get_task_data_by_id(call: Call) -> Response:
    """200 with the task and its data."""
    task_id = parse_id("taskId", call.parameter("taskId"))
    return json_response(task_data(call.world.task(task_id, call.folder)))


def get_task_data_by_key(call: Call) -> Response:
    """200 with the task and its data."""
    key = parse_uuid("taskKey", call.parameter("taskKey") or "")
    return json_response(task_data(call.world.task_by_key(key, call.folder)))


OPERATIONS = (
    Operation("CreateTask", "POST", f"{_BASE}/CreateTask", create_task, folder_bound=True),
    Operation("CompleteTask", "POST", f"{_BASE}/CompleteTask", complete_task, folder_bound=True),
    Operation("GetTaskDataById", "GET", f"{_BASE}/GetTaskDataById", get_task_data_by_id, folder_bound=True),
    Operation("GetTaskDataByKey", "GET", f"{_BASE}/GetTaskDataByKey", get_task_data_by_key, folder_bound=True),
)
