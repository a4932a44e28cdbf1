"""The refusals of the REST API: a status, sentences, and sentences for single fields.

Sentences are Jira's where a public answer shows them; where a sentence is ours, the status is not.
"""

from collections.abc import Mapping
from typing import Any

GONE = (
    "The requested API has been removed. Please migrate to the /rest/api/3/search/jql API. "
    "A full migration guideline is available at https://developer.atlassian.com/changelog/#CHANGE-2046"
)


class Failure(Exception):
    """A request that is answered with `{"errorMessages": […], "errors": {…}}`."""

    def __init__(
        self,
        status: int,
        *messages: str,
        errors: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__("; ".join([*messages, *(errors or {}).values()]))
        self.status = status
        self.messages = list(messages)
        self.errors = dict(errors or {})
        self.headers = dict(headers or {})

    def body(self) -> Any:
        """What goes over the wire."""
        return {"errorMessages": self.messages, "errors": self.errors}


def not_signed_in() -> Failure:
    """No credentials, or wrong ones."""
    return Failure(401, "Client must be authenticated to access this resource.")


def forbidden() -> Failure:
    """The account may not do this."""
    return Failure(403, "You do not have permission to perform this operation.")


def path_unknown() -> Failure:
    """No such resource."""
    return Failure(404, "null for uri")


def method_unknown() -> Failure:
    """The resource exists, the method on it does not."""
    return Failure(405, "Method Not Allowed")


def issue_unknown() -> Failure:
    """Deleted, never there or not visible: Jira does not say which."""
    return Failure(404, "Issue does not exist or you do not have permission to see it.")


def project_unknown(word: str) -> Failure:
    """No such project, or none that the account sees."""
    return Failure(404, f"No project could be found with key '{word}'.")


def link_unknown() -> Failure:
    """No remote link of this global id."""
    return Failure(404, "No remote issue link with this global id exists.")


def property_unknown(key: str) -> Failure:
    """The issue has no such property."""
    return Failure(404, f"The property with key '{key}' does not exist.")


def search_gone() -> Failure:
    """The search that Jira Cloud has removed."""
    return Failure(410, GONE)


def unreadable_json() -> Failure:
    """A body that is none."""
    return Failure(400, "There was an error parsing JSON. Check that your request body is valid.")


def payload_invalid() -> Failure:
    """A body with a key or a value that the definition does not have."""
    return Failure(400, "Invalid request payload. Refer to the REST API documentation and try again.")


def field_unfit(name: str) -> str:
    """What is said of a field that cannot be set."""
    return f"Field '{name}' cannot be set. It is not on the appropriate screen, or unknown."
