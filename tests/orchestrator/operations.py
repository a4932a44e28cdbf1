"""Every operation of the client: how it is called, the request that it must make, and the answer of the guides or the definition."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Literal

from bridge.errors import RemoteError, Unavailable, Unknown
from bridge.orchestrator import Orchestrator
from bridge.orchestrator.shapes import DocumentValidationData, TaskAssignmentRequest, WebhookRequest

KEY = "bc40e5c8-3e5d-4a4e-8beb-8ed4595c265d"
FOLDER = 828
ACTION = "UiPath.Server.Configuration.OData"


@dataclass(frozen=True)
class Case:
    """One operation. `path` is as it is sent, beneath the server's address."""

    operation: str
    client: str
    method: str
    path: str
    call: Callable[[Orchestrator], Awaitable[Any]]
    status: int
    answer: Any
    body: Any = None
    gives: Literal["thing", "made", "list", "nothing"] = "thing"
    items: str = "value"
    folder: bool = True

    @property
    def expected(self) -> Any:
        """What the caller gets of `answer`."""
        return self.answer[self.items] if self.gives == "list" else self.answer

    @property
    def lost(self) -> type[RemoteError]:
        """What a request without an answer ends in: only a GET has certainly changed nothing."""
        return Unavailable if self.method == "GET" else Unknown


def of_list(*items: Any, context: str = "Tasks", name: str = "value") -> dict[str, Any]:
    if name != "value":
        return {name: list(items), "Count": len(items)}
    return {"@odata.context": f"https://acme/odata/$metadata#{context}", "value": list(items)}


PATHS = "default\\bc40e5c8-3e5d-4a4e-8beb-8ed4595c265d"
DOCUMENT: DocumentValidationData = {
    "BucketId": 25,
    "DocumentId": "Construction Tender Document",
    "DocumentPath": f"{PATHS}\\Construction Tender Document.zip",
    "EncodedDocumentPath": f"{PATHS}\\encoded.zip",
    "TextPath": f"{PATHS}\\text.zip",
    "DocumentObjectModelPath": f"{PATHS}\\dom.zip",
    "TaxonomyPath": f"{PATHS}\\taxonomy.zip",
    "AutomaticExtractionResultsPath": f"{PATHS}\\input_results.zip",
    "ValidatedExtractionResultsPath": f"{PATHS}\\output_results.zip",
    "Version": "1.0",
}
TASK_DATA = {"status": 0, "data": {}, "action": None, "externalTag": "JIRA", "id": 1378}
TASK = {
    "Title": "Verify Credentials",
    "Type": "FormTask",
    "Priority": "Critical",
    "Status": "Unassigned",
    "CreationTime": "2019-12-12T17:25:03.02Z",
    "TaskCatalogName": "Auth",
    "OrganizationUnitId": 828,
    "IsCompleted": False,
    "Id": 194,
}
ALREADY = {"TaskId": 195, "UserId": 52454, "ErrorCode": 2400, "ErrorMessage": "Task is already assigned"}
COMPLETED = {"TaskId": 177, "UserId": None, "ErrorCode": 2400, "ErrorMessage": "This task is in completed state"}
FORBIDDEN = {
    "TaskId": 104177,
    "UserId": None,
    "ErrorCode": 2427,
    "ErrorMessage": "You do not have the required permissions to delete this action",
}
POTTER = {
    "Name": "Harry",
    "Surname": "Potter",
    "UserName": "harry.potter@uipath.com",
    "EmailAddress": "harry.potter@uipath.com",
    "Id": 52454,
}
ASSIGNMENT: TaskAssignmentRequest = {"TaskId": 194, "UserId": 52454}
WEBHOOK: WebhookRequest = {
    "Name": "bridge",
    "Url": "https://bridge.acme.test/hooks/orchestrator",
    "Enabled": True,
    "Secret": "s3cret",
    "SubscribeToAllEvents": False,
    "AllowInsecureSsl": False,
    "Events": [{"EventType": "task.completed"}],
}
PING = {"Type": "ping", "EventId": "e1", "Timestamp": "2026-01-02T03:04:05.678Z"}
CATALOG = {"Id": 3, "Name": "Tickets", "Key": KEY}
FOLDER_DTO = {"Id": FOLDER, "DisplayName": "Tickets", "FullyQualifiedName": "Shared/Tickets", "Key": KEY}


def _path(entity: str, action: str) -> str:
    return f"/odata/{entity}/{ACTION}.{action}"


GENERIC = [
    Case(
        "GenericTasks_CreateTask",
        "generic_tasks.create",
        "POST",
        "/tasks/GenericTasks/CreateTask",
        lambda o: o.generic_tasks.create(
            {
                "type": "ExternalTask",
                "externalTag": "JIRA",
                "title": "Close Ticket",
                "priority": "High",
                "data": {},
                "taskCatalogName": "Tickets",
            },
            folder=FOLDER,
        ),
        201,
        TASK_DATA,
        {
            "type": "ExternalTask",
            "externalTag": "JIRA",
            "title": "Close Ticket",
            "priority": "High",
            "data": {},
            "taskCatalogName": "Tickets",
        },
        gives="made",
    ),
    Case(
        "GenericTasks_CompleteTask",
        "generic_tasks.complete",
        "POST",
        "/tasks/GenericTasks/CompleteTask",
        lambda o: o.generic_tasks.complete(1378, data={}, action="close", folder=FOLDER),
        204,
        None,
        {"taskId": 1378, "data": {}, "action": "close"},
        gives="nothing",
    ),
    Case(
        "GenericTasks_GetTaskDataById",
        "generic_tasks.get",
        "GET",
        "/tasks/GenericTasks/GetTaskDataById?taskId=1378",
        lambda o: o.generic_tasks.get(1378, folder=FOLDER),
        200,
        {"status": 0, "data": DOCUMENT, "action": None, "externalTag": None, "organizationUnitId": 828, "id": 1378},
    ),
    Case(
        "GenericTasks_GetTaskDataByKey",
        "generic_tasks.get_by_key",
        "GET",
        f"/tasks/GenericTasks/GetTaskDataByKey?taskKey={KEY}",
        lambda o: o.generic_tasks.get_by_key(KEY.upper(), folder=FOLDER),
        200,
        TASK_DATA,
    ),
    Case(
        "GenericTasks_SaveTaskData",
        "generic_tasks.save_data",
        "PUT",
        "/tasks/GenericTasks/SaveTaskData",
        lambda o: o.generic_tasks.save_data(1378, {"a": [1]}, folder=FOLDER),
        204,
        None,
        {"taskId": 1378, "data": {"a": [1]}},
        gives="nothing",
    ),
    Case(
        "GenericTasks_SaveTaskTags",
        "generic_tasks.save_tags",
        "PUT",
        "/tasks/GenericTasks/SaveTaskTags",
        lambda o: o.generic_tasks.save_tags(1378, [{"Name": "urgent"}], folder=FOLDER),
        204,
        None,
        {"taskId": 1378, "tags": [{"Name": "urgent"}]},
        gives="nothing",
    ),
    Case(
        "GenericTasks_SaveAndReassignTask",
        "generic_tasks.save_and_reassign",
        "POST",
        "/tasks/GenericTasks/SaveAndReassignTask",
        lambda o: o.generic_tasks.save_and_reassign(
            {"TaskId": 1378, "SaveData": True, "Data": {"a": 1}, "UserId": 52454, "NoteText": "yours"}, folder=FOLDER
        ),
        204,
        None,
        {"TaskId": 1378, "SaveData": True, "Data": {"a": 1}, "UserId": 52454, "NoteText": "yours"},
        gives="nothing",
    ),
]
TASKS = [
    Case(
        "Tasks_Get",
        "tasks.list",
        "GET",
        "/odata/Tasks?$top=2",
        lambda o: o.tasks.list(top=2, folder=FOLDER).page(),
        200,
        of_list(TASK, {**TASK, "Id": 195}),
        gives="list",
    ),
    Case(
        "Tasks_GetById",
        "tasks.get",
        "GET",
        "/odata/Tasks(194)?$select=Id,Title&$expand=AssignedToUser",
        lambda o: o.tasks.get(194, select=["Id", "Title"], expand="AssignedToUser", folder=FOLDER),
        200,
        TASK,
    ),
    Case(
        "Tasks_GetByKeyByIdentifier",
        "tasks.get_by_key",
        "GET",
        _path("Tasks", f"GetByKey(identifier={KEY})"),
        lambda o: o.tasks.get_by_key(KEY, folder=FOLDER),
        200,
        TASK,
    ),
    Case(
        "Tasks_GetTasksAcrossFolders",
        "tasks.across_folders",
        "GET",
        _path("Tasks", "GetTasksAcrossFolders")
        + "?$filter=ExternalTag eq 'A&B''s'&$orderby=CreationTime desc,Id&$top=10&$skip=20&$count=true&event=ForwardedEver",
        lambda o: o.tasks.across_folders(
            filter="ExternalTag eq 'A&B''s'",
            orderby=["CreationTime desc", "Id"],
            top=10,
            skip=20,
            event="ForwardedEver",
        ).page(count=True),
        200,
        of_list(TASK),
        gives="list",
        folder=False,
    ),
    Case(
        "Tasks_GetTasksAcrossFoldersForAdmin",
        "tasks.across_folders_for_admin",
        "GET",
        _path("Tasks", "GetTasksAcrossFoldersForAdmin") + "?$top=1000",
        lambda o: o.tasks.across_folders_for_admin().page(),
        200,
        of_list(TASK),
        gives="list",
        folder=False,
    ),
    Case(
        "Tasks_AssignTasks",
        "tasks.assign",
        "POST",
        _path("Tasks", "AssignTasks"),
        lambda o: o.tasks.assign([ASSIGNMENT]),
        200,
        of_list(ALREADY),
        {"taskAssignments": [{"TaskId": 194, "UserId": 52454}]},
        gives="list",
        folder=False,
    ),
    Case(
        "Tasks_ReassignTasks",
        "tasks.reassign",
        "POST",
        _path("Tasks", "ReassignTasks"),
        lambda o: o.tasks.reassign(
            [{"TaskId": 194, "AssignmentCriteria": "RoundRobin", "AssigneeNamesOrEmails": ["harry", "severus"]}],
            folder=FOLDER,
        ),
        200,
        of_list(),
        {
            "taskAssignments": [
                {"TaskId": 194, "AssignmentCriteria": "RoundRobin", "AssigneeNamesOrEmails": ["harry", "severus"]}
            ]
        },
        gives="list",
    ),
    Case(
        "Tasks_UnassignTasks",
        "tasks.unassign",
        "POST",
        _path("Tasks", "UnassignTasks"),
        lambda o: o.tasks.unassign([194, 177]),
        200,
        of_list(COMPLETED),
        {"taskIds": [194, 177]},
        gives="list",
        folder=False,
    ),
    Case(
        "Tasks_DeleteTasks",
        "tasks.delete",
        "POST",
        _path("Tasks", "DeleteTasks"),
        lambda o: o.tasks.delete([104177]),
        200,
        of_list(FORBIDDEN),
        {"taskIds": [104177]},
        gives="list",
        folder=False,
    ),
    Case(
        "Tasks_EditTaskMetadata",
        "tasks.edit_metadata",
        "POST",
        _path("Tasks", "EditTaskMetadata"),
        lambda o: o.tasks.edit_metadata({"TaskId": 194, "Title": "New", "Priority": "Low"}, folder=FOLDER),
        200,
        None,
        {"TaskId": 194, "Title": "New", "Priority": "Low"},
        gives="nothing",
    ),
    Case(
        "Tasks_GetTaskUsersByOrganizationunitid",
        "tasks.users",
        "GET",
        _path("Tasks", "GetTaskUsers(organizationUnitId=36886)") + "?$top=1000",
        lambda o: o.tasks.users(36886).page(),
        200,
        of_list(POTTER),
        gives="list",
    ),
    Case(
        "Tasks_GetTaskPermissions",
        "tasks.permissions",
        "GET",
        _path("Tasks", "GetTaskPermissions") + "?$filter=IsGranted",
        lambda o: o.tasks.permissions(filter="IsGranted", folder=FOLDER),
        200,
        of_list({"Name": "Tasks.View", "IsGranted": True}),
        gives="list",
    ),
]
CATALOGS = [
    Case(
        "TaskCatalogs_Get",
        "catalogs.list",
        "GET",
        "/odata/TaskCatalogs?$filter=Name eq 'Tickets'&$top=1000",
        lambda o: o.catalogs.list(filter="Name eq 'Tickets'", folder=FOLDER).page(),
        200,
        of_list(CATALOG),
        gives="list",
    ),
    Case(
        "TaskCatalogs_GetById",
        "catalogs.get",
        "GET",
        "/odata/TaskCatalogs(3)",
        lambda o: o.catalogs.get(3, folder=FOLDER),
        200,
        CATALOG,
    ),
    Case(
        "TaskCatalogs_CreateTaskCatalog",
        "catalogs.create",
        "POST",
        _path("TaskCatalogs", "CreateTaskCatalog"),
        lambda o: o.catalogs.create(
            {"Name": "Tickets", "RetentionAction": "Delete", "RetentionPeriod": 30}, folder=FOLDER
        ),
        201,
        CATALOG,
        {"Name": "Tickets", "RetentionAction": "Delete", "RetentionPeriod": 30},
        gives="made",
    ),
    Case(
        "TaskCatalogs_UpdateTaskCatalogById",
        "catalogs.update",
        "POST",
        f"/odata/TaskCatalogs(3)/{ACTION}.UpdateTaskCatalog",
        lambda o: o.catalogs.update(3, {"Name": "Tickets", "Description": "of Jira"}, folder=FOLDER),
        200,
        None,
        {"Name": "Tickets", "Description": "of Jira"},
        gives="nothing",
    ),
    Case(
        "TaskCatalogs_DeleteById",
        "catalogs.delete",
        "DELETE",
        "/odata/TaskCatalogs(3)",
        lambda o: o.catalogs.delete(3, folder=FOLDER),
        204,
        None,
        gives="nothing",
    ),
    Case(
        "TaskCatalogs_ShareToFolders",
        "catalogs.share",
        "POST",
        _path("TaskCatalogs", "ShareToFolders"),
        lambda o: o.catalogs.share(
            {"TaskCatalogIds": [3], "ToAddFolderIds": [7], "ToRemoveFolderIds": []}, folder=FOLDER
        ),
        204,
        None,
        {"TaskCatalogIds": [3], "ToAddFolderIds": [7], "ToRemoveFolderIds": []},
        gives="nothing",
    ),
    Case(
        "TaskCatalogs_GetFoldersForTaskCatalogById",
        "catalogs.folders",
        "GET",
        _path("TaskCatalogs", "GetFoldersForTaskCatalog(id=3)"),
        lambda o: o.catalogs.folders(3, folder=FOLDER),
        200,
        {"AccessibleFolders": [{"Id": 828, "DisplayName": "Tickets"}], "TotalFoldersCount": 1},
    ),
    Case(
        "TaskCatalogs_GetTaskCatalogExtendedDetailsByTaskcatalogid",
        "catalogs.details",
        "GET",
        _path("TaskCatalogs", "GetTaskCatalogExtendedDetails(taskCatalogId=3)"),
        lambda o: o.catalogs.details(3, folder=FOLDER),
        200,
        {"AssociatedTasksCount": 0, "IsEncrypted": False, "TotalFolderCount": 1, "Key": KEY},
    ),
    Case(
        "TaskCatalogs_GetTaskCatalogsFromFoldersWithPermissions",
        "catalogs.across_folders",
        "GET",
        _path("TaskCatalogs", "GetTaskCatalogsFromFoldersWithPermissions")
        + "?$select=Name&$top=1000&mandatoryPermissions=Tasks.View&mandatoryPermissions=Tasks.Edit"
        "&excludeFolderId=7&distinctBySelect=true",
        lambda o: o.catalogs.across_folders(
            mandatory_permissions=["Tasks.View", "Tasks.Edit"],
            exclude_folder_id=7,
            distinct_by_select=True,
            select="Name",
            folder=FOLDER,
        ).page(),
        200,
        of_list({"Name": "Tickets"}),
        gives="list",
    ),
]
NOTES = [
    Case(
        "TaskNotes_CreateTaskNote",
        "notes.create",
        "POST",
        _path("TaskNotes", "CreateTaskNote"),
        lambda o: o.notes.create(194, "Asked the customer", folder=FOLDER),
        201,
        {"Id": 5, "TaskId": 194, "Text": "Asked the customer"},
        {"Text": "Asked the customer", "TaskId": 194},
        gives="made",
    ),
    Case(
        "TaskNotes_GetByTaskId",
        "notes.list",
        "GET",
        _path("TaskNotes", "GetByTaskId(taskId=194)") + "?$top=1000",
        lambda o: o.notes.list(194, folder=FOLDER).page(),
        200,
        of_list({"Id": 5, "TaskId": 194, "Text": "Asked the customer"}),
        gives="list",
    ),
    Case(
        "TaskActivities_GetByTaskId",
        "activities.list",
        "GET",
        _path("TaskActivities", "GetByTaskId(taskId=194)") + "?$orderby=Id&$top=1000",
        lambda o: o.activities.list(194, orderby="Id", folder=FOLDER).page(),
        200,
        of_list({"Id": 1, "TaskId": 194, "ActivityType": "Created"}),
        gives="list",
    ),
]
FOLDERS = [
    Case(
        "Folders_Get",
        "folders.list",
        "GET",
        "/odata/Folders?$filter=FullyQualifiedName eq 'Büro'&$top=1000",
        lambda o: o.folders.list(filter="FullyQualifiedName eq 'Büro'").page(),
        200,
        of_list(FOLDER_DTO),
        gives="list",
        folder=False,
    ),
    Case(
        "Folders_GetById",
        "folders.get",
        "GET",
        "/odata/Folders(828)",
        lambda o: o.folders.get(828),
        200,
        FOLDER_DTO,
        folder=False,
    ),
    Case(
        "Folders_GetByKeyByIdentifier",
        "folders.get_by_key",
        "GET",
        _path("Folders", f"GetByKey(identifier={KEY})"),
        lambda o: o.folders.get_by_key(KEY),
        200,
        FOLDER_DTO,
        folder=False,
    ),
    Case(
        "FoldersNavigation_GetFoldersForCurrentUser",
        "folders.for_current_user",
        "GET",
        "/api/FoldersNavigation/GetFoldersForCurrentUser"
        "?searchText=Tickets&folderTypes=Standard&folderTypes=Personal&skip=0&take=20",
        lambda o: o.folders.for_current_user("Tickets", folder_types=["Standard", "Personal"]).page(take=20),
        200,
        of_list(FOLDER_DTO, name="PageItems"),
        gives="list",
        items="PageItems",
        folder=False,
    ),
]
WEBHOOKS = [
    Case(
        "Webhooks_Get",
        "webhooks.list",
        "GET",
        "/odata/Webhooks?$top=1000",
        lambda o: o.webhooks.list().page(),
        200,
        of_list({**WEBHOOK, "Id": 4}),
        gives="list",
        folder=False,
    ),
    Case(
        "Webhooks_GetById",
        "webhooks.get",
        "GET",
        "/odata/Webhooks(4)",
        lambda o: o.webhooks.get(4),
        200,
        {**WEBHOOK, "Id": 4},
        folder=False,
    ),
    Case(
        "Webhooks_Post",
        "webhooks.create",
        "POST",
        "/odata/Webhooks",
        lambda o: o.webhooks.create(WEBHOOK),
        201,
        {**WEBHOOK, "Id": 4},
        dict(WEBHOOK),
        gives="made",
        folder=False,
    ),
    Case(
        "Webhooks_PutById",
        "webhooks.replace",
        "PUT",
        "/odata/Webhooks(4)",
        lambda o: o.webhooks.replace(4, WEBHOOK),
        200,
        {**WEBHOOK, "Id": 4},
        dict(WEBHOOK),
        folder=False,
    ),
    Case(
        "Webhooks_PatchById",
        "webhooks.update",
        "PATCH",
        "/odata/Webhooks(4)",
        lambda o: o.webhooks.update(4, {"Enabled": False}),
        200,
        {**WEBHOOK, "Id": 4, "Enabled": False},
        {"Enabled": False},
        folder=False,
    ),
    Case(
        "Webhooks_DeleteById",
        "webhooks.delete",
        "DELETE",
        "/odata/Webhooks(4)",
        lambda o: o.webhooks.delete(4),
        204,
        None,
        gives="nothing",
        folder=False,
    ),
    Case(
        "Webhooks_PingById",
        "webhooks.ping",
        "POST",
        f"/odata/Webhooks(4)/{ACTION}.Ping",
        lambda o: o.webhooks.ping(4),
        202,
        PING,
        folder=False,
    ),
    Case(
        "Webhooks_GetEventTypes",
        "webhooks.event_types",
        "GET",
        _path("Webhooks", "GetEventTypes"),
        lambda o: o.webhooks.event_types(),
        200,
        of_list({"Name": "task.completed", "Group": "Tasks"}),
        gives="list",
        folder=False,
    ),
    Case(
        "Webhooks_TriggerCustom",
        "webhooks.trigger_custom",
        "POST",
        _path("Webhooks", "TriggerCustom"),
        lambda o: o.webhooks.trigger_custom({"what": "a release", "version": 7}),
        202,
        {**PING, "Type": "custom", "EventData": {"what": "a release", "version": 7}},
        {"what": "a release", "version": 7},
        folder=False,
    ),
]

CASES = [*GENERIC, *TASKS, *CATALOGS, *NOTES, *FOLDERS, *WEBHOOKS]
BY_CLIENT = {case.client: case for case in CASES}
