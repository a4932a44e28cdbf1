"""One request to another server, over real sockets."""

import gzip
from collections.abc import Callable
from datetime import timedelta

import pytest
from starlette.requests import Request
from starlette.responses import Response

from bridge.remote import Server
from bridge.serving import serving

pytestmark = pytest.mark.anyio


async def answers(answer: Callable[[Request], Response], times: int = 1) -> list[bytes]:
    """The bodies of answers to so many requests."""

    async def app(scope, receive, send):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
        await answer(Request(scope, receive))(scope, receive, send)

    async with serving(app) as url:
        server = Server("the server", url, timedelta(seconds=30), connections=2)
        try:
            return [(await server.send("POST", "path", content=b"{}")).content for _ in range(times)]
        finally:
            await server.aclose()


async def test_cookies_are_not_kept() -> None:
    """Two deployments behind one name, or a proxy, are not to take the bridge for a browser with a session."""
    brought: list[str] = []

    def answer(request: Request) -> Response:
        brought.append(request.headers.get("cookie", ""))
        return Response("{}", headers={"Set-Cookie": "session=1; Path=/"})

    await answers(answer, times=3)
    assert brought == ["", "", ""]


async def test_a_compressed_answer_is_read() -> None:
    compressed = Response(gzip.compress(b'{"id": 1}'), headers={"Content-Encoding": "gzip"})
    assert await answers(lambda _request: compressed) == [b'{"id": 1}']


async def test_an_answer_without_a_body_is_read() -> None:
    assert await answers(lambda _request: Response(status_code=204)) == [b""]


async def test_a_redirect_is_an_answer() -> None:
    """To follow one would send a task, and the token, to whoever answers."""
    moved = Response("elsewhere", status_code=307, headers={"Location": "/other"})
    assert await answers(lambda _request: moved) == [b"elsewhere"]
