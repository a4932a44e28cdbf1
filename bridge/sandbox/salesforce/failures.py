"""The refusals of the REST API and of the token endpoint, each with its status, code and sentence.

Codes and sentences: the REST guide's error list, and answers that were seen; where a sentence is ours, the code is not.
"""

from collections.abc import Sequence
from typing import Any


class Failure(Exception):
    """A request that is answered with `[{message, errorCode, fields?}]`: an array, whatever went wrong."""

    def __init__(
        self, status: int, code: str, message: str, *, fields: Sequence[str] = (), retry_after: int | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.fields = list(fields)
        self.headers = {} if retry_after is None else {"Retry-After": str(retry_after)}

    def body(self) -> Any:
        """What goes over the wire."""
        error: dict[str, Any] = {"message": self.message, "errorCode": self.code}
        return [{**error, "fields": self.fields} if self.fields else error]


class GrantRefused(Failure):
    """The token endpoint's refusal, in OAuth's shape."""

    def __init__(self, error: str, description: str, *, status: int = 400, retry_after: int | None = None) -> None:
        super().__init__(status, error, description, retry_after=retry_after)

    def body(self) -> Any:
        """RFC 6749's two fields."""
        return {"error": self.code, "error_description": self.message}


def session_invalid() -> Failure:
    """Expired, unknown and missing tokens all look alike."""
    return Failure(401, "INVALID_SESSION_ID", "Session expired or invalid")


def limit_exceeded() -> Failure:
    """The day's requests are used up."""
    return Failure(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")


def resource_unknown() -> Failure:
    """No such path, object or version."""
    return Failure(404, "NOT_FOUND", "The requested resource does not exist")


def record_unknown(record_id: str) -> Failure:
    """No such record, in the recycle bin or out of it."""
    return Failure(404, "NOT_FOUND", f"Provided external ID field does not exist or is not accessible: {record_id}")


def record_deleted() -> Failure:
    """The record lies in the recycle bin."""
    return Failure(404, "ENTITY_IS_DELETED", "entity is deleted")


def method_unknown(method: str) -> Failure:
    """The path exists, the method on it does not."""
    return Failure(405, "METHOD_NOT_ALLOWED", f"HTTP Method '{method}' not allowed")


def field_unknown(name: str, sobject: str) -> Failure:
    """A field that the object does not have."""
    return Failure(400, "INVALID_FIELD", f"No such column '{name}' on sobject of type {sobject}", fields=[name])


def field_read_only(name: str) -> Failure:
    """A field that Salesforce fills itself."""
    message = f"Unable to create/update fields: {name}. Please check the security settings of this field."
    return Failure(400, "INVALID_FIELD_FOR_INSERT_UPDATE", message, fields=[name])


def id_malformed(name: str, value: Any) -> Failure:
    """A reference that is not an id."""
    return Failure(400, "MALFORMED_ID", f"{name}: id value of incorrect type: {value!s:.80}", fields=[name])


def type_unknown(name: str) -> Failure:
    """A query from an object that the org does not have."""
    return Failure(400, "INVALID_TYPE", f"sObject type '{name}' is not supported.")


def malformed_query(message: str) -> Failure:
    """SOQL that cannot be read."""
    return Failure(400, "MALFORMED_QUERY", message)


def unfit_criterion(field: str, wanted: str) -> Failure:
    """A literal that is not of the field's type, such as a time in quotes."""
    return Failure(400, "INVALID_FIELD", f"value of filter criterion for field '{field}' must be of type {wanted}")


def unfit_operator(message: str) -> Failure:
    """An operator or an id that a condition cannot have."""
    return Failure(400, "INVALID_QUERY_FILTER_OPERATOR", message)


def locator_unknown() -> Failure:
    """No such page: a wrong locator, or one that is more than two days old."""
    return Failure(400, "INVALID_QUERY_LOCATOR", "invalid query locator")


def unreadable_json(message: str) -> Failure:
    """A body, or a value in it, that does not fit."""
    return Failure(400, "JSON_PARSER_ERROR", message)


def unfit_period(message: str) -> Failure:
    """A span of `updated` or `deleted` that cannot be answered."""
    return Failure(400, "INVALID_REPLICATION_DATE", message)
