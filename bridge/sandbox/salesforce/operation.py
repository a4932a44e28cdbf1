"""What an operation is: a row of the table, and the call that its function is given."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import orjson
from starlette.requests import Request
from starlette.responses import Response

from bridge.sandbox.salesforce import failures
from bridge.sandbox.salesforce.org import SimulatedSalesforce
from bridge.sandbox.salesforce.schema import SObject


@dataclass(frozen=True, slots=True)
class Call:
    """One request: what it says, and the org that it is about. The body has been read."""

    org: SimulatedSalesforce
    request: Request
    body: bytes

    @property
    def root(self) -> str:
        """Where the version that was asked for has its resources."""
        return f"/services/data/{self.path('version')}"

    @property
    def own_url(self) -> str:
        """The server as the caller knows it."""
        return str(self.request.base_url).rstrip("/")

    def path(self, name: str) -> str:
        """A part of the path."""
        return str(self.request.path_params[name])

    def parameter(self, name: str) -> str:
        """A value of the query string; empty if it is not given."""
        return self.request.query_params.get(name, "")

    def sobject(self) -> SObject:
        """The object that the path names. 404 if the org has none of this name."""
        sobject = self.org.schema.find(self.path("object"))
        if sobject is None:
            raise failures.resource_unknown()
        return sobject

    def form(self) -> Mapping[str, str]:
        """The body as a form."""
        return dict(parse_qsl(self.body.decode(errors="replace"), keep_blank_values=True))

    def json(self) -> dict[str, Any]:
        """The body as a JSON object."""
        try:
            value = orjson.loads(self.body)
        except orjson.JSONDecodeError as error:
            raise failures.unreadable_json(f"The body is not JSON: {error}") from error
        if not isinstance(value, dict):
            raise failures.unreadable_json("The body must be a JSON object")
        return value


@dataclass(frozen=True, slots=True)
class Operation:
    """A row of the table. Its function runs at one go, between two awaits: what it changes is changed at once."""

    name: str
    method: str
    path: str
    answer: Callable[[Call], Response]
    signed_in: bool = True


def json_response(content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An answer in JSON."""
    return Response(orjson.dumps(content), status, headers, "application/json;charset=UTF-8")
