"""Answering one operation: count it, let faults strike before and after its work, and turn refusals into documented errors."""

import asyncio
from collections.abc import Awaitable, Callable

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from bridge.sandbox.orchestrator import failures
from bridge.sandbox.orchestrator.endpoints.operation import Call, Operation, bound_folder, json_response
from bridge.sandbox.orchestrator.failures import Failure
from bridge.sandbox.orchestrator.faults import Rule, When
from bridge.sandbox.orchestrator.world import World

MAX_BODY = 30_000_000
"""The web server's limit in bytes (IIS's default)."""

Sleep = Callable[[float], Awaitable[None]]


class Answering:
    """An ASGI application for one operation of the table."""

    def __init__(self, world: World, operation: Operation, sleep: Sleep) -> None:
        self._world = world
        self._operation = operation
        self._sleep = sleep

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, unless a fault or the client cuts the connection; either way the journal knows."""
        journal, name = self._world.journal, self._operation.name
        journal.arrived(name)
        response = await self._respond(scope, receive)
        journal.ended(name, None if response is None else response.status_code)
        if response is not None:
            await response(scope, receive, send)

    async def _respond(self, scope: Scope, receive: Receive) -> Response | None:
        """The answer; None if the connection is gone."""
        try:
            await self._strike("before", scope, receive)
            response = self._work(scope, await read_body(scope, receive))
            await self._strike("after", scope, receive)
        except Failure as failure:
            return failure_response(self._world, failure)
        except ClientDisconnect:
            return None
        return response

    def _work(self, scope: Scope, body: bytes) -> Response:
        request, operation = Request(scope), self._operation
        if operation.signed_in:
            _check_bearer(self._world, request)
        if operation.permission in self._world.denied:
            raise failures.NotAuthorized
        folder = bound_folder(self._world, request.headers) if operation.folder_bound else None
        try:
            return operation.answer(Call(self._world, request, body, folder))
        finally:
            self._world.keep()

    async def _strike(self, when: When, scope: Scope, receive: Receive) -> None:
        for rule in self._world.faults.strikes(self._operation.name, when):
            if rule.kind == "latency":
                await self._sleep(rule.seconds)
            elif rule.kind in ("drop", "hang"):
                await self._cut(rule, scope, receive)
            else:
                raise _fault(rule)

    async def _cut(self, rule: Rule, scope: Scope, receive: Receive) -> None:
        """Never answers: `drop` ends the connection now, `hang` leaves that to the client or to the sandbox's end."""
        transport: asyncio.Transport | None = scope.get("sandbox.transport")
        if transport is None:
            raise RuntimeError(f"{rule.kind} needs a real connection; serve the sandbox with sandbox_serving")
        if rule.kind == "drop":
            transport.abort()
        hanging = self._world.faults.hanging
        hanging.add(transport)
        try:
            while (await receive())["type"] != "http.disconnect":
                pass
        finally:
            hanging.discard(transport)
        raise ClientDisconnect


def failure_response(world: World, failure: Failure) -> Response:
    """The documented error, with a trace id of its own."""
    return json_response(failure.body(world.trace_id()), failure.status, failure.headers)


def _fault(rule: Rule) -> Failure:
    status = rule.status or (429 if rule.kind == "rate_limit" else 500)
    headers = {} if rule.retry_after is None else {"Retry-After": str(rule.retry_after)}
    return Failure(status, 0, f"The sandbox was told to answer {status}.", headers)


def _check_bearer(world: World, request: Request) -> None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not world.access.admits(token.strip(), world.clock):
        raise failures.NotSignedIn


async def read_body(scope: Scope, receive: Receive) -> bytes:
    """The body, and never more than the limit of it."""
    if scope["method"] == "GET":
        return b""
    chunks, size = [], 0
    async for chunk in Request(scope, receive).stream():
        size += len(chunk)
        if size > MAX_BODY:
            raise failures.too_large(MAX_BODY)
        chunks.append(chunk)
    return b"".join(chunks)
