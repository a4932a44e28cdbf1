"""What an operation is: a row of the table, and the call that its function is given."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response

from bridge.sandbox.jira import failures
from bridge.sandbox.jira.issues import Issue
from bridge.sandbox.jira.people import Flavour, User
from bridge.sandbox.jira.world import SimulatedJira

BOTH: tuple[Flavour, ...] = ("cloud", "server")
CLOUD: tuple[Flavour, ...] = ("cloud",)
SERVER: tuple[Flavour, ...] = ("server",)


@dataclass(frozen=True, slots=True)
class Call:
    """One request: what it says, of which Jira, and who asks. The body has been read."""

    jira: SimulatedJira
    request: Request
    body: bytes
    user: User

    @property
    def rich(self) -> bool:
        """Whether long texts are documents, as in version 3."""
        return "/rest/api/3/" in self.request.url.path

    @property
    def root(self) -> str:
        """Where the version that was asked for has its resources."""
        return f"{self.jira.site}/rest/api/{3 if self.rich else 2}"

    def path(self, name: str) -> str:
        """A part of the path."""
        return str(self.request.path_params[name])

    def parameter(self, name: str) -> str:
        """A value of the query string; empty if it is not given."""
        return self.request.query_params.get(name, "")

    def parameters(self, name: str) -> list[str]:
        """All values of the query string, repeated or in one list with commas."""
        given = self.request.query_params.getlist(name)
        return [part.strip() for value in given for part in value.split(",") if part.strip()]

    def whole(self, name: str, default: int) -> int:
        """A whole number of the query string. 400 for what is none."""
        given = self.parameter(name)
        if not given:
            return default
        if not (given.isascii() and given.isdigit() and len(given) < 10):
            raise failures.Failure(400, f"The value '{given:.80}' of the parameter '{name}' is not a whole number.")
        return int(given)

    def json(self) -> dict[str, Any]:
        """The body as a JSON object. 400 for what is none."""
        try:
            value = orjson.loads(self.body)
        except orjson.JSONDecodeError as error:
            raise failures.unreadable_json() from error
        if not isinstance(value, dict):
            raise failures.payload_invalid()
        return value

    def issue(self) -> Issue:
        """The issue that the path names. 404 if it is not there or not seen."""
        issue = self.jira.seen(self.path("issue"))
        if issue is None:
            raise failures.issue_unknown()
        return issue


@dataclass(frozen=True, slots=True)
class Operation:
    """A row of the table. Its function runs at one go, between two awaits: what it changes is changed at once."""

    name: str
    method: str
    path: str
    answer: Callable[[Call], Response]
    flavours: tuple[Flavour, ...] = BOTH
    needs: str = ""
    """A permission."""
    below: str = "api"
    """`api` is below each version of the REST API, `/` at the root."""


def json_response(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An answer in JSON."""
    return Response(orjson.dumps(content), status, headers, "application/json;charset=UTF-8")


def no_content() -> Response:
    """It is done."""
    return Response(status_code=204)
