"""What OData knows of: tasks, their notes and activities, catalogs, folders, users and permissions; PascalCase, names for enums.

The properties are those of the OpenAPI definition. Where it writes an entity's in camelCase (`UserLoginInfoDto`), the guides' answers
under `/odata` have PascalCase, and so do these.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from bridge.sandbox.orchestrator.model import (
    COMPLETED,
    CRITERIA,
    PRIORITIES,
    RETENTIONS,
    STATUSES,
    TYPES,
    Activity,
    Catalog,
    Folder,
    Note,
    Task,
    User,
)
from bridge.sandbox.orchestrator.schema import Entity, Navigation, Property

TENANT_ID = 1
"""The sandbox has one tenant."""


@dataclass(frozen=True, slots=True)
class Permission:
    """Whether the caller may do something."""

    name: str
    granted: bool


def _constant(value: Any, of: type | None = None) -> Property[Any]:
    """A property that is the same for everything in the sandbox."""
    return Property(lambda _item: value, of)


def _id(get: Callable[[Any], User | None]) -> Property[Any]:
    """The id of a user who may be nobody."""
    return Property(lambda item: None if (user := get(item)) is None else user.id, int)


USERS: Entity[User] = Entity(
    "UserLoginInfo",
    {
        "Name": Property(lambda user: user.name, str),
        "Surname": Property(lambda user: user.surname, str),
        "UserName": Property(lambda user: user.email, str),
        "EmailAddress": Property(lambda user: user.email, str),
        "DisplayName": Property(lambda user: f"{user.name} {user.surname}", str),
        "Id": Property(lambda user: user.id, int),
    },
)

NOTES: Entity[Note] = Entity(
    "TaskNotes",
    {
        "Key": Property(lambda note: note.key, UUID),
        "TenantId": _constant(TENANT_ID, int),
        "OrganizationUnitId": Property(lambda note: note.task.folder.id, int),
        "TaskId": Property(lambda note: note.task.id, int),
        "Text": Property(lambda note: note.text, str),
        "CreatorUserId": _id(lambda note: note.by),
        "CreationTime": Property(lambda note: note.at, datetime),
        "Id": Property(lambda note: note.id, int),
    },
    {
        "CreatorUser": Navigation(lambda note: note.by, USERS),
        "LastModifierUser": Navigation(lambda _note: None, USERS),
    },
)

ACTIVITIES: Entity[Activity] = Entity(
    "TaskActivities",
    {
        "Key": Property(lambda activity: uuid5(activity.task.key, str(activity.id)), UUID),
        "TenantId": _constant(TENANT_ID, int),
        "OrganizationUnitId": Property(lambda activity: activity.task.folder.id, int),
        "TaskId": Property(lambda activity: activity.task.id, int),
        "TaskKey": Property(lambda activity: activity.task.key, UUID),
        "ActivityType": Property(lambda activity: activity.kind, str),
        "CreatorUserId": _id(lambda activity: activity.by),
        "TargetUserId": _id(lambda activity: activity.target),
        "TaskNoteId": Property(lambda activity: activity.note and activity.note.id, int),
        "CreationTime": Property(lambda activity: activity.at, datetime),
        "Id": Property(lambda activity: activity.id, int),
    },
    {
        "CreatorUser": Navigation(lambda activity: activity.by, USERS),
        "TargetUser": Navigation(lambda activity: activity.target, USERS),
        "TaskNote": Navigation(lambda activity: activity.note, NOTES),
    },
)

ASSIGNMENTS: Entity[tuple[Task, User]] = Entity(
    "TaskAssignments",
    {"Id": Property(lambda pair: pair[1].id, int)},
    {"Assignee": Navigation(lambda pair: pair[1], USERS)},
)

TASKS: Entity[Task] = Entity(
    "Tasks",
    {
        "Status": Property(lambda task: STATUSES[task.status], str, STATUSES),
        "TaskAssignmentCriteria": Property(lambda task: task.criteria, str, CRITERIA),
        "TaskCatalogName": Property(lambda task: task.request.catalog, str),
        "IsCompleted": Property(lambda task: task.status == COMPLETED, bool),
        "BulkFormLayoutId": Property(lambda task: task.request.form and task.request.form.bulk_layout_id, int),
        "FormLayoutId": Property(lambda task: task.request.form and task.request.form.layout_id, int),
        "Encrypted": Property(lambda task: task.encrypted, bool),
        "Tags": Property(lambda task: task.request.tags),
        "Action": Property(lambda task: task.action, str),
        "TaskSlaDetail": _constant(None),
        "TaskAssigneeName": Property(lambda task: task.assignee and task.assignee.email, str),
        "Title": Property(lambda task: task.request.title, str),
        "Type": Property(lambda task: task.request.type, str, TYPES),
        "Priority": Property(lambda task: task.request.priority, str, PRIORITIES),
        "AssignedToUserId": _id(lambda task: task.assignee),
        "OrganizationUnitId": Property(lambda task: task.folder.id, int),
        "ExternalTag": Property(lambda task: task.request.external_tag, str),
        "CreatorJobKey": Property(lambda task: task.request.creator_job_key, UUID),
        "WaitJobKey": _constant(None, UUID),
        "LastAssignedTime": Property(lambda task: task.last_assigned_time, datetime),
        "CompletionTime": Property(lambda task: task.completion_time, datetime),
        "ParentOperationId": Property(lambda task: task.request.parent_operation_id, str),
        "Key": Property(lambda task: task.key, UUID),
        "IsDeleted": Property(lambda task: task.deletion_time is not None, bool),
        "DeleterUserId": _id(lambda task: task.deleter),
        "DeletionTime": Property(lambda task: task.deletion_time, datetime),
        "LastModificationTime": Property(lambda task: task.modification_time, datetime),
        "LastModifierUserId": _id(lambda task: task.modifier),
        "CreationTime": Property(lambda task: task.creation_time, datetime),
        "CreatorUserId": _id(lambda task: task.creator),
        "Id": Property(lambda task: task.id, int),
    },
    {
        "AssignedToUser": Navigation(lambda task: task.assignee, USERS),
        "CreatorUser": Navigation(lambda task: task.creator, USERS),
        "LastModifierUser": Navigation(lambda task: task.modifier, USERS),
        "Activities": Navigation(lambda task: task.activities, ACTIVITIES, many=True),
        "TaskAssignments": Navigation(lambda task: [(task, user) for user in task.assignees], ASSIGNMENTS, many=True),
    },
)

CATALOGS: Entity[Catalog] = Entity(
    "TaskCatalogs",
    {
        "Key": Property(lambda catalog: catalog.key, UUID),
        "Name": Property(lambda catalog: catalog.name, str),
        "Description": Property(lambda catalog: catalog.description, str),
        "CreationTime": Property(lambda catalog: catalog.creation_time, datetime),
        "LastModificationTime": Property(lambda catalog: catalog.modification_time, datetime),
        "FoldersCount": Property(lambda catalog: len(catalog.folders), int),
        "Encrypted": Property(lambda catalog: catalog.encrypted, bool),
        "Tags": Property(lambda catalog: catalog.tags),
        "RetentionAction": Property(lambda catalog: catalog.retention.action, str, RETENTIONS),
        "RetentionPeriod": Property(lambda catalog: catalog.retention.period, int),
        "RetentionBucketId": Property(lambda catalog: catalog.retention.bucket_id, int),
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

PERMISSIONS: Entity[Permission] = Entity(
    "Permissions",
    {
        "Name": Property(lambda permission: permission.name, str),
        "IsGranted": Property(lambda permission: permission.granted, bool),
        "RoleId": _constant(None, int),
        "Scope": _constant("Folder", str),
        "Id": _constant(0, int),
    },
)
