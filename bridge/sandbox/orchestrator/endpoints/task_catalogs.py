"""`/odata/TaskCatalogs`: the catalogs of a folder, and the folders of a catalog."""

from starlette.responses import Response

from bridge.sandbox.orchestrator.endpoints.operation import (
    Call,
    Operation,
    entity_response,
    in_folder,
    json_response,
    list_response,
    no_content,
)
from bridge.sandbox.orchestrator.entities import CATALOGS
from bridge.sandbox.orchestrator.fields import parse_id
from bridge.sandbox.orchestrator.requests import new_catalog

_BASE = "/odata/TaskCatalogs"
_ACTION = f"{_BASE}/UiPath.Server.Configuration.OData"


def get_task_catalogs(call: Call) -> Response:
    """200 with the catalogs of the folder."""
    return list_response(call, CATALOGS, call.world.catalogs.of(call.folder))


def get_task_catalog(call: Call) -> Response:
    """200 with the catalog."""
    return entity_response(call, CATALOGS, call.world.catalogs.get(call.path_id("key"), call.folder))


def create_task_catalog(call: Call) -> Response:
    """201 with the catalog. A name that the folder has is 409 with code 1001."""
    request, folder = new_catalog(call.fields("taskCatalogRequest")), call.folder or call.world.folders[0]
    return entity_response(call, CATALOGS, call.world.catalogs.create(request, folder), 201)


def update_task_catalog(call: Call) -> Response:
    """200 without a body. Everything is replaced, but whether it is encrypted stays."""
    catalog = call.world.catalogs.get(call.path_id("key"), call.folder)
    call.world.update_catalog(catalog, new_catalog(call.fields("taskCatalogRequest")))
    return Response(status_code=200)


def delete_task_catalog(call: Call) -> Response:
    """204. One with tasks is 409."""
    call.world.delete_catalog(call.world.catalogs.get(call.path_id("key"), call.folder))
    return no_content()


def share_to_folders(call: Call) -> Response:
    """204, and all of it was done; 404 for a catalog or a folder that is none."""
    world, fields = call.world, call.fields("taskCatalogFoldersShareDto")
    catalogs = [
        world.catalogs.get(number) for number in dict.fromkeys(fields.numbers("TaskCatalogIds", required=False))
    ]
    more, fewer = (
        [world.folder(number) for number in fields.numbers(name, required=False)]
        for name in ("ToAddFolderIds", "ToRemoveFolderIds")
    )
    world.share_catalogs(catalogs, more, fewer)
    return no_content()


def get_folders_for_task_catalog(call: Call) -> Response:
    """200 with the folders that the catalog is seen in."""
    folders = call.world.catalogs.get(call.path_id("id")).folders
    shown = [
        {"DisplayName": folder.path.rpartition("/")[2], "FullyQualifiedName": folder.path, "Id": folder.id}
        for folder in folders
    ]
    context = call.context("UiPath.Server.Configuration.OData.AccessibleFoldersDto")
    return json_response({"@odata.context": context, "AccessibleFolders": shown, "TotalFoldersCount": len(shown)})


def get_task_catalog_extended_details(call: Call) -> Response:
    """200 with how many tasks and folders the catalog has."""
    catalog = call.world.catalogs.get(call.path_id("taskCatalogId"))
    return json_response(
        {
            "@odata.context": call.context("UiPath.Server.Configuration.OData.TaskCatalogExtendedDetailsDto"),
            "AssociatedTasksCount": len(call.world.tasks_of_catalog(catalog)),
            "IsEncrypted": catalog.encrypted,
            "TotalFolderCount": len(catalog.folders),
            "Key": catalog.key,
        }
    )


def get_task_catalogs_from_folders_with_permissions(call: Call) -> Response:
    """200 with the catalogs of all folders in which the caller has the permissions; what he has, he has in all."""
    wanted = {name for key, name in call.request.query_params.multi_items() if key.lower() == "mandatorypermissions"}
    excluded = call.parameter("excludeFolderId")
    hidden = None if excluded is None else parse_id("excludeFolderId", excluded)
    found = [] if wanted & call.world.denied else list(call.world.catalogs)
    return list_response(call, CATALOGS, [one for one in found if hidden not in {folder.id for folder in one.folders}])


OPERATIONS = (
    in_folder("GetTaskCatalogs", "GET", _BASE, get_task_catalogs, "TaskCatalogs.View"),
    in_folder("GetTaskCatalog", "GET", _BASE + "({key})", get_task_catalog, "TaskCatalogs.View"),
    in_folder("CreateTaskCatalog", "POST", f"{_ACTION}.CreateTaskCatalog", create_task_catalog, "TaskCatalogs.Create"),
    in_folder(
        "UpdateTaskCatalog",
        "POST",
        _BASE + "({key})/UiPath.Server.Configuration.OData.UpdateTaskCatalog",
        update_task_catalog,
        "TaskCatalogs.Edit",
    ),
    in_folder("DeleteTaskCatalog", "DELETE", _BASE + "({key})", delete_task_catalog, "TaskCatalogs.Delete"),
    Operation("ShareToFolders", "POST", f"{_ACTION}.ShareToFolders", share_to_folders, permission="TaskCatalogs.Edit"),
    Operation(
        "GetFoldersForTaskCatalog", "GET", _ACTION + ".GetFoldersForTaskCatalog(id={id})", get_folders_for_task_catalog
    ),
    Operation(
        "GetTaskCatalogExtendedDetails",
        "GET",
        _ACTION + ".GetTaskCatalogExtendedDetails(taskCatalogId={taskCatalogId})",
        get_task_catalog_extended_details,
    ),
    Operation(
        "GetTaskCatalogsFromFoldersWithPermissions",
        "GET",
        f"{_ACTION}.GetTaskCatalogsFromFoldersWithPermissions",
        get_task_catalogs_from_folders_with_permissions,
    ),
)
