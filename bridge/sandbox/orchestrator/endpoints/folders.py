"""`/odata/Folders` and `/api/FoldersNavigation`: the folders themselves. They need no folder header."""

from starlette.responses import Response

from bridge.sandbox.orchestrator import failures
from bridge.sandbox.orchestrator.endpoints.operation import (
    Call,
    Operation,
    entity_response,
    json_response,
    list_response,
)
from bridge.sandbox.orchestrator.entities import FOLDERS
from bridge.sandbox.orchestrator.fields import parse_id

_BASE = "/odata/Folders"
_ACTION = f"{_BASE}/UiPath.Server.Configuration.OData"


def get_folders(call: Call) -> Response:
    """200 with all folders."""
    return list_response(call, FOLDERS, call.world.folders)


def get_folder(call: Call) -> Response:
    """200 with the folder."""
    return entity_response(call, FOLDERS, call.world.folder(call.path_id("key")))


def get_folder_by_key(call: Call) -> Response:
    """200 with the folder."""
    key = call.path_uuid("identifier")
    for folder in call.world.folders:
        if folder.key == key:
            return entity_response(call, FOLDERS, folder)
    raise failures.folder_unknown()


def get_folders_for_current_user(call: Call) -> Response:
    """200 with a page of the folders whose path contains `searchText`."""
    text = (call.parameter("searchText") or "").casefold()
    skip, take = (_from_zero(call, name) for name in ("skip", "take"))
    found = [folder for folder in call.world.folders if text in folder.path.casefold()]
    page = found[skip or 0 :] if take is None else found[skip or 0 :][:take]
    shown = [{"FolderPath": folder.path, **FOLDERS.shown(folder)} for folder in page]
    return json_response({"PageItems": shown, "Count": len(found)})


def _from_zero(call: Call, name: str) -> int | None:
    """A number of the query that is not negative; None if absent."""
    text = call.parameter(name)
    number = None if text is None else parse_id(name, text)
    if number is not None and number < 0:
        raise failures.invalid(f"The field {name} must not be negative.")
    return number


OPERATIONS = (
    Operation("GetFolders", "GET", _BASE, get_folders),
    Operation("GetFolder", "GET", _BASE + "({key})", get_folder),
    Operation("GetFolderByKey", "GET", _ACTION + ".GetByKey(identifier={identifier})", get_folder_by_key),
    Operation(
        "GetFoldersForCurrentUser",
        "GET",
        "/api/FoldersNavigation/GetFoldersForCurrentUser",
        get_folders_for_current_user,
    ),
)
