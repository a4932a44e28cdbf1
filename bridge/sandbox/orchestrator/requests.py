"""The definition's request objects, read from a body: their fields, lengths and enums."""

from typing import Any

from bridge.sandbox.orchestrator.failures import invalid
from bridge.sandbox.orchestrator.fields import Fields
from bridge.sandbox.orchestrator.model import (
    CRITERIA,
    PRIORITIES,
    RETENTIONS,
    TYPES,
    Assignment,
    Form,
    NewCatalog,
    NewTask,
    Retention,
    TaskEdit,
)

_DEFAULTS = NewTask(title="-")
_SOURCES = ("Agent", "Workflow", "Maestro", "Default")
_TAG_LENGTH = 256
_NOTE_LENGTH = 512
_RETENTION_DAYS = 180


def new_task(fields: Fields) -> NewTask:
    """`TaskCreateRequest`."""
    return NewTask(
        title=fields.required_text("Title", 512),
        type=fields.choice("Type", TYPES, _DEFAULTS.type),
        priority=fields.choice("Priority", PRIORITIES, _DEFAULTS.priority),
        data=fields.object("Data") or {},
        catalog=fields.text("TaskCatalogName", 50),
        external_tag=fields.text("ExternalTag", 512),
        parent_operation_id=fields.text("ParentOperationId", 128),
        creator_job_key=fields.uuid("CreatorJobKey"),
        tags=tags(fields),
        source=_source(fields),
    )


def new_form_task(fields: Fields) -> NewTask:
    """`FormTaskCreateRequest`."""
    return NewTask(
        title=fields.required_text("Title", 512),
        type="FormTask",
        priority=fields.choice("Priority", PRIORITIES, _DEFAULTS.priority),
        data=fields.object("Data") or {},
        catalog=fields.text("TaskCatalogName", 50),
        external_tag=fields.text("ExternalTag", 512),
        parent_operation_id=fields.text("ParentOperationId", 128),
        tags=tags(fields),
        source=_source(fields),
        form=Form(
            layout=fields.object("FormLayout"),
            layout_id=fields.optional_number("FormLayoutId"),
            bulk_layout_id=fields.optional_number("BulkFormLayoutId"),
        ),
    )


def tags(fields: Fields) -> list[dict[str, Any]]:
    """`TagDto`s, spelled as the definition has them. A label shows its own name unless it says otherwise."""
    return [_tag(Fields(one)) for one in fields.objects("Tags")]


def assignments(fields: Fields) -> list[Assignment]:
    """`TasksAssignRequest`."""
    return [assignment(Fields(one)) for one in fields.objects("TaskAssignments", required=True)]


def assignment(fields: Fields) -> Assignment:
    """`TaskAssignmentRequest`. It has to name somebody."""
    read = Assignment(
        task_id=fields.number("TaskId", least=1),
        user_id=fields.optional_number("UserId"),
        name=fields.text("UserNameOrEmail", 256),
        criteria=fields.choice("AssignmentCriteria", CRITERIA, CRITERIA[0]),
        user_ids=fields.numbers("AssigneeUserIds", required=False),
        names=fields.texts("AssigneeNamesOrEmails"),
    )
    if read.user_id is None and not (read.name or read.user_ids or read.names):
        raise invalid("One of the fields UserId, UserNameOrEmail, AssigneeUserIds, AssigneeNamesOrEmails is required.")
    return read


def note_text(fields: Fields) -> str | None:
    """The `NoteText` of several requests."""
    return fields.text("NoteText", _NOTE_LENGTH)


def task_edit(fields: Fields) -> TaskEdit:
    """`EditTaskMetadataRequest`, besides its task."""
    edit = TaskEdit(
        title=fields.text("Title", 512),
        priority=fields.optional_choice("Priority", PRIORITIES),
        catalog_id=fields.optional_number("TaskCatalogId"),
        unset_catalog=fields.flag("UnsetTaskCatalog") or False,
        note=note_text(fields),
    )
    if edit.unset_catalog and edit.catalog_id is not None:
        raise invalid("The fields TaskCatalogId and UnsetTaskCatalog exclude each other.")
    return edit


def new_catalog(fields: Fields) -> NewCatalog:
    """`TaskCatalogRequest`."""
    return NewCatalog(
        name=fields.required_text("Name", 50),
        description=fields.text("Description", 512),
        encrypted=fields.flag("Encrypted") or False,
        tags=tags(fields),
        retention=Retention(
            fields.choice("RetentionAction", RETENTIONS, Retention().action),
            fields.optional_number("RetentionPeriod", 1, _RETENTION_DAYS),
            fields.optional_number("RetentionBucketId"),
        ),
    )


def _tag(fields: Fields) -> dict[str, Any]:
    name, value = fields.required_text("Name", _TAG_LENGTH), fields.text("Value", _TAG_LENGTH)
    return {
        "Name": name,
        "DisplayName": fields.text("DisplayName", _TAG_LENGTH) or name,
        "Value": value,
        "DisplayValue": fields.text("DisplayValue", _TAG_LENGTH) or value,
    }


def _source(fields: Fields) -> dict[str, Any] | None:
    """`TaskSourceDto`."""
    source = fields.object("TaskSource")
    if source is None:
        return None
    inner = Fields(source)
    return {
        "sourceName": inner.choice("SourceName", _SOURCES, "Default"),
        "sourceId": inner.text("SourceId"),
        "taskSourceMetadata": inner.object("TaskSourceMetadata"),
    }
