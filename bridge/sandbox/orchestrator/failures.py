"""The errors that Orchestrator documents or was seen to answer, each with its status, code and sentence.

Codes: the response-code page (1000 to 1101) and the tasks guides (2400, 2427, 2451).
"""

from collections.abc import Mapping
from typing import Any


class Failure(Exception):
    """A request that is answered with `{message, errorCode, traceId, resourceIds}`."""

    def __init__(self, status: int, code: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})

    def body(self, trace_id: str) -> dict[str, Any]:
        """What goes over the wire."""
        return {"message": self.message, "errorCode": self.code, "traceId": trace_id, "resourceIds": None}


class NotAuthorized(Failure):
    """A request that the web framework below Orchestrator refuses, in its own shape: of an account without the permission."""

    def __init__(
        self, status: int = 403, headers: Mapping[str, str] | None = None, message: str = "You are not authorized!"
    ) -> None:
        super().__init__(status, 0, message, headers)

    def body(self, trace_id: str) -> dict[str, Any]:
        """ABP's envelope, with the fields that every error has around it."""
        error = {"code": 0, "message": self.message, "details": None, "validationErrors": None}
        return {
            **super().body(trace_id),
            "result": None,
            "targetUrl": None,
            "success": False,
            "error": error,
            "unAuthorizedRequest": True,
            "__abp": True,
        }


class NotSignedIn(NotAuthorized):
    """A request without a bearer token."""

    def __init__(self, message: str = "You are not authorized!") -> None:
        super().__init__(401, {"WWW-Authenticate": "Bearer"}, message)


def invalid(message: str) -> Failure:
    """The request is not one that the operation understands."""
    return Failure(400, 1000, message)


def missing_body(name: str) -> Failure:
    """Nothing, or the literal null, where an object is needed."""
    return Failure(400, 0, f"{name} must not be null")


def too_large(limit: int) -> Failure:
    """More bytes than the web server takes."""
    return Failure(413, 1000, f"The request body is larger than {limit} bytes.")


def folder_required() -> Failure:
    """A folder-bound operation without any folder header."""
    return Failure(400, 1101, "A folder is required for this action.")


def folder_unknown() -> Failure:
    """Orchestrator does not tell a folder that is not there from one that may not be seen."""
    return Failure(404, 1100, "Folder does not exist or the user does not have access to the folder.")


def unknown(what: str) -> Failure:
    """There is none, or not in the folder."""
    return Failure(404, 1002, f"{what} does not exist.")


def task_unknown() -> Failure:
    """No such task in the folder, or it was deleted."""
    return unknown("Task")


def name_used(name: str) -> Failure:
    """Code 1001 is published; that the status is 409 is not."""
    return Failure(409, 1001, f"A task catalog with the name {name} already exists.")


def catalog_in_use() -> Failure:
    """The definition declares the 409, and no code for it."""
    return Failure(409, 1000, "The task catalog has associated tasks.")


def catalog_unknown(name: str) -> Failure:
    """Catalogs are made by hand, in the folder: naming one does not create it."""
    return Failure(400, 2451, f"No task catalog exists with name {name}.")


def task_completed() -> Failure:
    """A completed task takes no more changes."""
    return Failure(400, 2400, "This task is in completed state")


def task_assigned() -> Failure:
    """A task that somebody has is given to another by `ReassignTasks`."""
    return Failure(400, 2400, "Task is already assigned")


def deletion_not_permitted() -> Failure:
    """The account may not delete tasks."""
    return Failure(403, 2427, "You do not have the required permissions to delete this action")
