"""`/forms/TaskForms`: tasks with a form that somebody fills in. Beside the form, they are what they are under `/tasks/GenericTasks`.

UiPath's guide wants a form task to be completed by its assignee; the sandbox, whose caller may be an application, does not look.
"""

from starlette.responses import Response

from bridge.sandbox.orchestrator.endpoints.generic_tasks import (
    get_task_data_by_id,
    save_and_reassign_task,
    save_task_data,
)
from bridge.sandbox.orchestrator.endpoints.operation import Call, in_folder, json_response, no_content
from bridge.sandbox.orchestrator.fields import parse_id
from bridge.sandbox.orchestrator.requests import new_form_task
from bridge.sandbox.orchestrator.wire import task_data, task_form

_BASE = "/forms/TaskForms"


def create_form_task(call: Call) -> Response:
    """201 with the task, of type `FormTask`."""
    task = call.world.create_task(new_form_task(call.fields("formTaskCreateRequest")), call.folder, by=call.by)
    return json_response(task_data(task), 201)


def complete_form_task(call: Call) -> Response:
    """204. A form is completed with data and an action."""
    fields = call.fields("taskCompletionRequest")
    task_id, data, action = fields.number("TaskId"), fields.required_object("Data"), fields.required_text("Action")
    call.world.complete_task(task_id, data=data, action=action, folder=call.folder, user=call.by)
    return no_content()


def get_task_form_by_id(call: Call) -> Response:
    """200 with the task, its data and its form."""
    task_id = parse_id("taskId", call.parameter("taskId"))
    return json_response(task_form(call.world.task(task_id, call.folder)))


OPERATIONS = (
    in_folder("CreateFormTask", "POST", f"{_BASE}/CreateFormTask", create_form_task, "Tasks.Create"),
    in_folder("CompleteFormTask", "POST", f"{_BASE}/CompleteTask", complete_form_task, "Tasks.Edit"),
    in_folder("GetFormTaskDataById", "GET", f"{_BASE}/GetTaskDataById", get_task_data_by_id, "Tasks.View"),
    in_folder("GetTaskFormById", "GET", f"{_BASE}/GetTaskFormById", get_task_form_by_id, "Tasks.View"),
    in_folder("SaveFormTaskData", "PUT", f"{_BASE}/SaveTaskData", save_task_data, "Tasks.Edit"),
    in_folder("SaveAndReassignFormTask", "POST", f"{_BASE}/SaveAndReassignTask", save_and_reassign_task, "Tasks.Edit"),
)
