"""Answering one operation: count it, let who may come in, let a fault strike, and turn refusals into errors."""

import asyncio
from collections.abc import Awaitable, Callable

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from bridge.sandbox.jira import failures
from bridge.sandbox.jira.failures import Failure
from bridge.sandbox.jira.faults import When, striking
from bridge.sandbox.jira.operation import Call, Operation, json_response
from bridge.sandbox.jira.people import User
from bridge.sandbox.jira.world import SimulatedJira

Sleep = Callable[[float], Awaitable[None]]


class Answering:
    """An ASGI application for one operation of the table."""

    def __init__(self, jira: SimulatedJira, operation: Operation, sleep: Sleep) -> None:
        self._jira = jira
        self._operation = operation
        self._sleep = sleep

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, unless a fault or the client cuts the connection; either way the journal knows."""
        journal, name = self._jira.journal, self._operation.name
        journal.arrived(name)
        response = await self._respond(scope, receive)
        journal.ended(name, None if response is None else response.status_code)
        if response is not None:
            await response(scope, receive, send)

    async def _respond(self, scope: Scope, receive: Receive) -> Response | None:
        """The answer; None if the connection is gone."""
        request = Request(scope, receive)
        try:
            body = await request.body()
            await self._strike("before", request)
            user = self._admit(request)
            response = self._operation.answer(Call(self._jira, request, body, user))
            await self._strike("after", request)
        except Failure as failure:
            return failure_response(failure)
        except ClientDisconnect:
            return None
        return response

    def _admit(self, request: Request) -> User:
        """Who asks; 401 and 403 for who may not."""
        user = self._jira.access.enter(request.headers.get("authorization", ""))
        if self._operation.needs in self._jira.access.denied:
            raise failures.forbidden()
        return user

    async def _strike(self, when: When, request: Request) -> None:
        jira = self._jira
        for fault in striking(jira.faults, request.method, request.url.path, when, jira.random):
            if fault.kind == "latency":
                await self._sleep(fault.seconds)
            elif fault.kind == "drop":
                await _cut(request)
            else:
                raise fault.failure(jira.flavour, jira.clock())


def failure_response(failure: Failure) -> Response:
    """The documented error."""
    return json_response(failure.body(), failure.status, failure.headers)


async def _cut(request: Request) -> None:
    """Ends the connection without an answer."""
    transport: asyncio.Transport | None = request.scope.get("sandbox.transport")
    if transport is None:
        raise RuntimeError("drop needs a real connection; serve the Jira with jira_serving")
    transport.abort()
    while (await request.receive())["type"] != "http.disconnect":
        pass
    raise ClientDisconnect
