"""Answering one operation: count it, check the session and the day's limit, let a fault strike, and turn refusals into errors."""

import asyncio
import re

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from bridge.sandbox.salesforce import failures
from bridge.sandbox.salesforce.failures import Failure
from bridge.sandbox.salesforce.faults import striking
from bridge.sandbox.salesforce.operation import Call, Operation, json_response
from bridge.sandbox.salesforce.org import SimulatedSalesforce

_VERSION = re.compile(r"v[0-9]{2,3}\.[0-9]")


class Answering:
    """An ASGI application for one operation of the table."""

    def __init__(self, org: SimulatedSalesforce, operation: Operation) -> None:
        self._org = org
        self._operation = operation

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, unless a fault or the client cuts the connection; either way the journal knows."""
        journal, name = self._org.journal, self._operation.name
        journal.arrived(name)
        response = await self._respond(scope, receive)
        journal.ended(name, None if response is None else response.status_code)
        if response is not None:
            if name != "token":
                response.headers.update(self._org.usage.header)
            await response(scope, receive, send)

    async def _respond(self, scope: Scope, receive: Receive) -> Response | None:
        """The answer; None if the connection is gone."""
        request = Request(scope, receive)
        try:
            body = await request.body()
            self._admit(request)
            await self._strike(scope, receive)
            return self._operation.answer(Call(self._org, request, body))
        except Failure as failure:
            return failure_response(failure)
        except ClientDisconnect:
            return None

    def _admit(self, request: Request) -> None:
        """Refuses a version that cannot be one, a session that is not good, and a request too many."""
        if not _VERSION.fullmatch(request.path_params.get("version", "v61.0")):
            raise failures.resource_unknown()
        if not self._operation.signed_in:
            return
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not self._org.sessions.use(token.strip()):
            raise failures.session_invalid()
        if not self._org.usage.count():
            raise failures.limit_exceeded()

    async def _strike(self, scope: Scope, receive: Receive) -> None:
        fault = striking(self._org.faults, self._operation.name)
        if fault is None:
            return
        if fault.kind == "drop":
            await _cut(scope, receive)
        raise fault.failure(self._operation.name)


def failure_response(failure: Failure) -> Response:
    """The documented error."""
    return json_response(failure.body(), failure.status, failure.headers)


async def _cut(scope: Scope, receive: Receive) -> None:
    """Ends the connection without an answer."""
    transport: asyncio.Transport | None = scope.get("sandbox.transport")
    if transport is None:
        raise RuntimeError("drop needs a real connection; serve the org with salesforce_serving")
    transport.abort()
    while (await receive())["type"] != "http.disconnect":
        pass
    raise ClientDisconnect
