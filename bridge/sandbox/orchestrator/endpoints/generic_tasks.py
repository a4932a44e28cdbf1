"""`/tasks/GenericTasks`: creating, completing, reading and saving tasks with their data (guide "Generic Tasks requests")."""

from starlette.responses import Response

from bridge.sandbox.orchestrator.endpoints.operation import Call, in_folder, json_response, no_content
from bridge.sandbox.orchestrator.fields import parse_id, parse_uuid
from bridge.sandbox.orchestrator.requests import assignment, new_task, note_text, tags
from bridge.sandbox.orchestrator.wire import task_data

_BASE = "/tasks/GenericTasks"


def create_task(call: Call) -> Response:
    """201 with the task. Two equal requests make two tasks."""
    task = call.world.create_task(new_task(call.fields("taskCreateRequest")), call.folder, by=call.by)
    return json_response(task_data(task), 201)


def complete_task(call: Call) -> Response:
    """204. Completing twice is 400 with code 2400; the status of that is not published, 400 is what is declared."""
    fields = call.fields("taskCompletionRequest")
    task_id, data, action = fields.number("TaskId"), fields.object("Data"), fields.text("Action")
    call.world.complete_task(task_id, data=data, action=action, folder=call.folder, user=call.by)
    return no_content()


def get_task_data_by_id(call: Call) -> Response:
    """200 with the task and its data."""
    task_id = parse_id("taskId", call.parameter("taskId"))
    return json_response(task_data(call.world.task(task_id, call.folder)))


def get_task_data_by_key(call: Call) -> Response:
    """200 with the task and its data."""
    key = parse_uuid("taskKey", call.parameter("taskKey") or "")
    return json_response(task_data(call.world.task_by_key(key, call.folder)))


def save_task_data(call: Call) -> Response:
    """204. The data is replaced, not merged."""
    fields = call.fields("taskDataSaveRequest")
    task_id, data = fields.number("TaskId"), fields.required_object("Data")
    call.world.save_data(task_id, data, call.folder, by=call.by)
    return no_content()


def save_task_tags(call: Call) -> Response:
    """204. The tags are replaced; without any, the task has none."""
    fields = call.fields("taskTagsSaveRequest")
    call.world.save_tags(fields.number("TaskId"), tags(fields), call.folder, by=call.by)
    return no_content()


def save_and_reassign_task(call: Call) -> Response:
    """204. This is how a task is forwarded. Its data is saved only if `SaveData` says so."""
    fields = call.fields("taskSaveAndReassignmentRequest")
    to, note, data = assignment(fields), note_text(fields), fields.object("Data")
    saved = (data or {}) if fields.flag("SaveData") else None
    call.world.forward(to, data=saved, note=note, folder=call.folder, by=call.by)
    return no_content()


OPERATIONS = (
    in_folder("CreateTask", "POST", f"{_BASE}/CreateTask", create_task, "Tasks.Create"),
    in_folder("CompleteTask", "POST", f"{_BASE}/CompleteTask", complete_task, "Tasks.Edit"),
    in_folder("GetTaskDataById", "GET", f"{_BASE}/GetTaskDataById", get_task_data_by_id, "Tasks.View"),
    in_folder("GetTaskDataByKey", "GET", f"{_BASE}/GetTaskDataByKey", get_task_data_by_key, "Tasks.View"),
    in_folder("SaveTaskData", "PUT", f"{_BASE}/SaveTaskData", save_task_data, "Tasks.Edit"),
    in_folder("SaveTaskTags", "PUT", f"{_BASE}/SaveTaskTags", save_task_tags, "Tasks.Edit"),
    in_folder("SaveAndReassignTask", "POST", f"{_BASE}/SaveAndReassignTask", save_and_reassign_task, "Tasks.Edit"),
)
