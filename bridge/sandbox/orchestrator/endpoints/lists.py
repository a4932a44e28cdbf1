"""The lists beside the tasks: the catalogs of a folder, and the folders themselves."""

from starlette.responses import Response

from bridge.sandbox.orchestrator.endpoints.operation import Call, Operation, list_response
from bridge.sandbox.orchestrator.wire import CATALOGS, FOLDERS


def get_task_catalogs(call: Call) -> Response:
    """200 with the catalogs of the folder."""
    return list_response(call, CATALOGS, (one for one in call.world.catalogs if one.folder is call.folder))


def get_folders(call: Call) -> Response:
    """200 with all folders; it needs none itself."""
    return list_response(call, FOLDERS, call.world.folders)


OPERATIONS = (
    Operation("GetTaskCatalogs", "GET", "/odata/TaskCatalogs", get_task_catalogs, folder_bound=True),
    Operation("GetFolders", "GET", "/odata/Folders", get_folders),
)
