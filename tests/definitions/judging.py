"""The judge in place: around every sandbox's operations, and in every client of Orchestrator and Jira that runs in this process.

The tests' processes run `python -m tests.definitions.judging` where a user runs `python -m bridge`: the same commands, and a complaint
is a line on standard error.
"""

import sys
from collections.abc import Callable
from typing import Any

import httpx
import orjson
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from bridge.apis.jira import client as jira_client
from bridge.orchestrator import client
from bridge.remote import Server
from bridge.sandbox.orchestrator import app
from bridge.sandbox.orchestrator.answering import Answering
from tests.definitions import FILE, answers, jira, requests

COMPLAINT = "against the definition: "
ORDERED = b"The sandbox was told to answer"
"""An answer that a test has ordered, whatever the definition says of it."""

OURS = "task-bridge"
"""The User-Agent of our client. What others send to a sandbox may be wrong on purpose."""


WRONG_ON_PURPOSE = {
    "test_a_refusal_has_the_servers_words",
    "test_a_request_that_is_none_of_the_definitions_fails_its_test",
    "test_what_is_wrong_at_a_sandbox_fails_its_test",
}
"""Tests that ask for what no server takes."""


Complain = Callable[[str], None]


def judge_everything(complain: Complain) -> None:
    """From now on, every new sandbox and every new client of this process is judged, where there is a definition to judge by."""
    if FILE.exists():
        app.Answering = _answering(complain)  # type: ignore[attr-defined]
        client.Server = _server(complain, requests.complaints)  # type: ignore[attr-defined]
    if jira.FILE.exists():
        jira_client.Server = _server(complain, jira.complaints)  # type: ignore[attr-defined]


def _server(complain: Complain, complaints: Callable[[httpx.Request], list[str]]) -> type[Server]:
    class JudgedServer(Server):
        async def _answer(self, request: httpx.Request) -> httpx.Response:
            for one in complaints(request):
                complain(one)
            return await super()._answer(request)

    return JudgedServer


def _answering(complain: Complain) -> type[Answering]:
    class JudgedAnswering(Answering):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            asked, answered = bytearray(), bytearray()
            start: dict[str, Any] = {}
            heard_all = scope.get("method") in ("GET", "DELETE")  # their bodies are never asked for

            async def heard() -> Message:
                nonlocal heard_all
                message = await receive()
                heard_all = message["type"] == "http.request" and not message.get("more_body")
                asked.extend(message.get("body", b""))
                return message

            async def said(message: Message) -> None:
                start.update(message)
                answered.extend(message.get("body", b""))
                if message["type"] == "http.response.body" and not message.get("more_body"):
                    for one in _complaints(
                        Request(scope), bytes(asked) if heard_all else None, start["status"], bytes(answered)
                    ):
                        complain(one)
                await send(message)

            await super().__call__(scope, heard, said)

    return JudgedAnswering


def _complaints(request: Request, asked: bytes | None, status: int, answered: bytes) -> list[str]:
    """`asked` is None where the sandbox answered before it had read the request: a fault was ordered."""
    found, method, path = [], request.method, request.url.path
    if asked is not None and request.headers.get("user-agent") == OURS:
        found += requests.complaints(
            httpx.Request(method, str(request.url), headers=request.headers.raw, content=asked)
        )
    if answers.operation(method, path) is not None and ORDERED not in answered:
        content = orjson.loads(answered) if answered else None
        wrong = answers.complaints(method, path, status, content, selected="select" in request.url.query)
        found += [f"{method} {path} -> {status}: {one}" for one in wrong]
    return found


if __name__ == "__main__":
    from bridge.cli import main

    judge_everything(lambda one: print(COMPLAINT + one, file=sys.stderr, flush=True))  # noqa: T201 - this process's standard error
    main()
