"""The shapes on the wire: camelCase with an integer status under `/tasks`, PascalCase with names for enums under `/odata`.

The fields are those of the OpenAPI definition's `TaskDataDto`, `TaskDto`, `TaskCatalogDto` and `FolderDto`; its string for
`status` under `/tasks` is what the definition says and no server does.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from bridge.sandbox.orchestrator.odata import Entity, Property
from bridge.sandbox.orchestrator.world import COMPLETED, PRIORITIES, STATUSES, TYPES, Catalog, Folder, Task, User


def task_data(task: Task) -> dict[str, Any]:
    """`TaskDataDto`: what `CreateTask` and `GetTaskDataById` answer."""
    request = task.request
    return {
        "status": task.status,
        "data": task.data,
        "action": task.action,
        "waitJobState": None,
        "organizationUnitFullyQualifiedName": task.folder.path,
        "tags": request.tags,
        "assignedToUser": user(task.assignee),
        "taskSlaDetails": [],
        "completedByUser": user(task.completed_by),
        "taskAssignmentCriteria": "SingleUser",
        "taskAssignees": [user(task.assignee)] if task.assignee else [],
        "isCurrentUserInAllUserAssignedGroup": False,
        "taskSource": request.source,
        "processingTime": None,
        "title": request.title,
        "type": request.type,
        "priority": request.priority,
        "assignedToUserId": task.assignee.id if task.assignee else None,
        "organizationUnitId": task.folder.id,
        "externalTag": request.external_tag,
        "creatorJobKey": request.creator_job_key,
        "waitJobKey": None,
        "lastAssignedTime": task.last_assigned_time,
        "completionTime": task.completion_time,
        "parentOperationId": request.parent_operation_id,
        "key": task.key,
        "isDeleted": task.deletion_time is not None,
        "deleterUserId": None,
        "deletionTime": task.deletion_time,
        "lastModificationTime": task.modification_time,
        "lastModifierUserId": None,
        "creationTime": task.creation_time,
        "creatorUserId": None,
        "id": task.id,
    }


def task_state(task: Task) -> dict[str, Any]:
    """A task for the sandbox's own state: everything, and what a real server would not tell."""
    return {
        **task_data(task),
        "taskCatalogName": task.request.catalog,
        "folder": task.folder.path,
        "completions": task.completions,
    }


def task_row(task: Task) -> dict[str, Any]:
    """A task for the page in the browser."""
    return {
        "id": task.id,
        "title": task.request.title,
        "tag": task.request.external_tag,
        "priority": task.request.priority,
        "status": STATUSES[task.status],
        "action": task.action,
        "folder": task.folder.path,
        "created": task.creation_time,
    }


def user(person: User | None) -> dict[str, Any] | None:
    """`UserLoginInfoDto`."""
    if person is None:
        return None
    return {
        "name": person.name,
        "surname": person.surname,
        "userName": person.email,
        "emailAddress": person.email,
        "displayName": f"{person.name} {person.surname}",
        "id": person.id,
    }


def _pascal_user(person: User | None) -> dict[str, Any] | None:
    shown = user(person)
    return shown and {name[0].upper() + name[1:]: value for name, value in shown.items()}


def _constant(value: Any, of: type | None = None) -> Property[Any]:
    """A property that is the same for everything in the sandbox."""
    return Property(lambda _item: value, of)


TASKS: Entity[Task] = Entity(
    "Tasks",
    {
        "Status": Property(lambda task: STATUSES[task.status], str, STATUSES),
        "AssignedToUser": Property(lambda task: _pascal_user(task.assignee)),
        "TaskAssignmentCriteria": _constant("SingleUser", str),
        "CreatorUser": _constant(None),
        "LastModifierUser": _constant(None),
        "TaskCatalogName": Property(lambda task: task.request.catalog, str),
        "IsCompleted": Property(lambda task: task.status == COMPLETED, bool),
        "BulkFormLayoutId": _constant(None, int),
        "FormLayoutId": _constant(None, int),
        "Encrypted": _constant(False, bool),
        "Tags": Property(lambda task: task.request.tags),
        "Action": Property(lambda task: task.action, str),
        "Activities": _constant([]),
        "TaskSlaDetail": _constant(None),
        "TaskAssignments": _constant([]),
        "TaskAssigneeName": Property(lambda task: task.assignee and task.assignee.email, str),
        "Title": Property(lambda task: task.request.title, str),
        "Type": Property(lambda task: task.request.type, str, TYPES),
        "Priority": Property(lambda task: task.request.priority, str, PRIORITIES),
        "AssignedToUserId": Property(lambda task: task.assignee and task.assignee.id, int),
        "OrganizationUnitId": Property(lambda task: task.folder.id, int),
        "ExternalTag": Property(lambda task: task.request.external_tag, str),
        "CreatorJobKey": Property(lambda task: task.request.creator_job_key, UUID),
        "WaitJobKey": _constant(None, UUID),
        "LastAssignedTime": Property(lambda task: task.last_assigned_time, datetime),
        "CompletionTime": Property(lambda task: task.completion_time, datetime),
        "ParentOperationId": Property(lambda task: task.request.parent_operation_id, str),
        "Key": Property(lambda task: task.key, UUID),
        "IsDeleted": Property(lambda task: task.deletion_time is not None, bool),
        "DeleterUserId": _constant(None, int),
        "DeletionTime": Property(lambda task: task.deletion_time, datetime),
        "LastModificationTime": Property(lambda task: task.modification_time, datetime),
        "LastModifierUserId": _constant(None, int),
        "CreationTime": Property(lambda task: task.creation_time, datetime),
        "CreatorUserId": _constant(None, int),
        "Id": Property(lambda task: task.id, int),
    },
)

CATALOGS: Entity[Catalog] = Entity(
    "TaskCatalogs",
    {
        "Key": Property(lambda catalog: catalog.key, UUID),
        "Name": Property(lambda catalog: catalog.name, str),
        "Description": _constant(None, str),
        "CreationTime": Property(lambda catalog: catalog.creation_time, datetime),
        "LastModificationTime": _constant(None, datetime),
        "FoldersCount": _constant(1, int),
        "Encrypted": _constant(False, bool),
        "Tags": _constant([]),
        "RetentionAction": _constant("None", str),
        "RetentionPeriod": _constant(None, int),
        "RetentionBucketId": _constant(None, int),
        "RetentionBucketName": _constant(None, str),
        "Id": Property(lambda catalog: catalog.id, int),
    },
)

FOLDERS: Entity[Folder] = Entity(
    "Folders",
    {
        "Key": Property(lambda folder: folder.key, UUID),
        "DisplayName": Property(lambda folder: folder.path.rpartition("/")[2], str),
        "FullyQualifiedName": Property(lambda folder: folder.path, str),
        "Description": _constant(None, str),
        "FolderType": _constant("Standard", str),
        "IsPersonal": _constant(False, bool),
        "ProvisionType": _constant("Automatic", str),
        "PermissionModel": _constant("FineGrained", str),
        "ParentId": _constant(None, int),
        "ParentKey": _constant(None, UUID),
        "FeedType": _constant("Processes", str),
        "Id": Property(lambda folder: folder.id, int),
    },
)
