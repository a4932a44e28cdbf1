"""The shapes under `/tasks` and `/forms`, in camelCase with an integer status, and those of the sandbox's own state.

The fields are those of the OpenAPI definition's `TaskDataDto` and `TaskFormDto`; its string for `status` is what the definition
says and no server does. What `/odata` answers is in `entities`.
"""

from typing import Any

from bridge.sandbox.orchestrator.model import Form, Task, User


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
        "taskAssignmentCriteria": task.criteria,
        "taskAssignees": [user(one) for one in task.assignees],
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
        "deleterUserId": task.deleter and task.deleter.id,
        "deletionTime": task.deletion_time,
        "lastModificationTime": task.modification_time,
        "lastModifierUserId": task.modifier and task.modifier.id,
        "creationTime": task.creation_time,
        "creatorUserId": task.creator and task.creator.id,
        "id": task.id,
    }


def task_form(task: Task) -> dict[str, Any]:
    """`TaskFormDto`: what `GetTaskFormById` answers."""
    form = task.request.form or Form()
    return {
        **task_data(task),
        "formLayout": form.layout,
        "formLayoutId": form.layout_id,
        "bulkFormLayoutId": form.bulk_layout_id,
        "actionLabel": None,
    }


def task_state(task: Task) -> dict[str, Any]:
    """A task for the sandbox's own state: everything, and what a real server would not tell."""
    return {
        **task_data(task),
        "taskCatalogName": task.request.catalog,
        "folder": task.folder.path,
        "completions": task.completions,
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
