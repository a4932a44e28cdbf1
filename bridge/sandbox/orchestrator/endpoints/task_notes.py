"""`/odata/TaskNotes` and `/odata/TaskActivities`: what was said of a task, and what was done to it."""

from starlette.responses import Response

from bridge.sandbox.orchestrator.endpoints.operation import Call, entity_response, in_folder, list_response
from bridge.sandbox.orchestrator.entities import ACTIVITIES, NOTES

_NOTES = "/odata/TaskNotes/UiPath.Server.Configuration.OData"
_ACTIVITIES = "/odata/TaskActivities/UiPath.Server.Configuration.OData"


def create_task_note(call: Call) -> Response:
    """201 with the note."""
    fields = call.fields("taskNoteCreateRequest")
    text, task_id = fields.required_text("Text", 512), fields.number("TaskId")
    return entity_response(call, NOTES, call.world.comment(task_id, text, call.folder, by=call.by), 201)


def get_task_notes(call: Call) -> Response:
    """200 with a task's notes, oldest first."""
    return list_response(call, NOTES, call.world.task(call.path_id("taskId"), call.folder).notes)


def get_task_activities(call: Call) -> Response:
    """200 with a task's activities, oldest first."""
    return list_response(call, ACTIVITIES, call.world.task(call.path_id("taskId"), call.folder).activities)


OPERATIONS = (
    in_folder("CreateTaskNote", "POST", f"{_NOTES}.CreateTaskNote", create_task_note, "Tasks.Edit"),
    in_folder("GetTaskNotes", "GET", _NOTES + ".GetByTaskId(taskId={taskId})", get_task_notes, "Tasks.View"),
    in_folder(
        "GetTaskActivities", "GET", _ACTIVITIES + ".GetByTaskId(taskId={taskId})", get_task_activities, "Tasks.View"
    ),
)
