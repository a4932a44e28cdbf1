"""Whatever a server answers, and wherever it stops, each operation ends in exactly one class of the error tree, in the server's words."""

import asyncio
import gzip
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import Any

import httpx
import orjson
import pytest

from bridge.errors import NotFound, RateLimited, Rejected, RemoteError, Unauthorized, Unavailable, Unknown
from bridge.orchestrator import Orchestrator
from tests.orchestrator.operations import CASES, Case
from tests.orchestrator.standing_in import config, now

pytestmark = pytest.mark.anyio

every_operation = pytest.mark.parametrize("case", CASES, ids=lambda case: case.client)

TRACE = "00-" + "a" * 32 + "-" + "b" * 16 + "-00"
WORDS = "The sandbox says no."
BODY = {"message": WORDS, "errorCode": 1234, "traceId": TRACE, "resourceIds": None}


@asynccontextmanager
async def told(answer: Callable[[httpx.Request], httpx.Response]) -> AsyncIterator[Orchestrator]:
    """A client whose server is a function."""
    async with Orchestrator(config("http://orchestrator.test"), now, httpx.MockTransport(answer)) as orchestrator:
        yield orchestrator


async def failing(case: Case, orchestrator: Orchestrator) -> RemoteError:
    with pytest.raises(RemoteError) as caught:
        await case.call(orchestrator)
    return caught.value


def class_of(status: int) -> type[RemoteError]:
    """The policy of the error tree, said again."""
    match status:
        case 401 | 403:
            return Unauthorized
        case 404:
            return NotFound
        case 429:
            return RateLimited
        case 502 | 503 | 504:
            return Unavailable
        case 408 | 425:
            return Unknown
        case _:
            return Rejected if status < 500 else Unknown


@every_operation
async def test_every_status_has_its_class_and_the_servers_words(case: Case) -> None:
    status = 0
    async with told(lambda _: httpx.Response(status, json=BODY)) as orchestrator:
        for status in range(400, 600):
            error = await failing(case, orchestrator)
            assert type(error) is class_of(status)
            assert (error.status, error.code, error.trace_id) == (status, 1234, TRACE)
            assert str(error) == f"{WORDS} (HTTP {status}, error 1234, trace {TRACE})"
            assert not isinstance(error, Unknown) or error.answered is (status == 500)


@every_operation
@pytest.mark.parametrize("status", [301, 302, 307, 308])
async def test_a_redirect_is_followed_nowhere(case: Case, status: int) -> None:
    asked = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(status, headers={"Location": "https://elsewhere.test/login"})

    async with told(answer) as orchestrator:
        error = await failing(case, orchestrator)
    assert type(error) is Rejected
    assert "https://elsewhere.test/login" in str(error)
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"Message": "Pascal", "ErrorCode": 1, "TraceId": TRACE}, "Pascal"),
        ({"message": "ABP", "error": {"message": "inner"}, "__abp": True}, "ABP"),
        ({"success": False, "error": {"code": 0, "message": "ABP without its message"}}, "ABP without its message"),
        ({"error": {"code": "", "message": "OData's own"}}, "OData's own"),
        ({"errorMessage": "Scope(s) OR.Tasks invalid"}, "Scope(s) OR.Tasks invalid"),
        (
            {"title": "One or more validation errors occurred.", "status": 400},
            "One or more validation errors occurred.",
        ),
        ({"error": "invalid_request"}, "invalid_request"),
        ({"message": ""}, "Bad Request"),
        ({"message": 7, "errorCode": "x", "traceId": 1}, "Bad Request"),
        ([], "Bad Request"),
        ("words", "Bad Request"),
        (None, "Bad Request"),
    ],
)
async def test_words_in_every_shape_that_servers_were_seen_to_use(body: Any, words: str) -> None:
    async with told(lambda _: httpx.Response(400, content=orjson.dumps(body))) as orchestrator:
        with pytest.raises(Rejected) as caught:
            await orchestrator.tasks.unassign([1])
    assert caught.value.args[0] == words


@every_operation
@pytest.mark.parametrize(
    ("status", "header", "wait"), [(429, None, 5), (429, "7", 7), (503, "7", 7), (502, "7", 7), (429, "soon", 5)]
)
async def test_a_server_that_says_when_to_come_back(case: Case, status: int, header: str | None, wait: int) -> None:
    headers = {} if header is None else {"Retry-After": header}
    async with told(lambda _: httpx.Response(status, headers=headers, json=BODY)) as orchestrator:
        error = await failing(case, orchestrator)
    assert isinstance(error, RateLimited)
    assert error.retry_after == timedelta(seconds=wait)
    assert (error.code, error.trace_id, error.sent) == (1234, TRACE, status != 429)


# -- answers that are none ---------------------------------------------------------------------------------------------------------

HTML = b"<!doctype html><title>Sign in</title>"
NOT_JSON = [HTML, b'{"id": 1', b'{"value": [{"Id": 1}', b"\xff\xfe{", b"nope", b"{'id': 1}", b"[" * 100_000, b"{} {}"]
NO_OBJECT: list[Any] = [None, [], 1, "x", True]
NO_LIST: list[Any] = [None, {}, 1, "x", [1], [None], [[]], [{}, "x"]]
WRONG_TYPES: dict[str, list[Any]] = {
    "thing": [*NO_OBJECT],
    "made": [*NO_OBJECT, {}, {"id": "1", "Id": "1"}, {"id": None}, {"id": True}, {"id": 1.5}],
    "list": [*NO_OBJECT, {}, *({"value": each, "PageItems": each} for each in NO_LIST)],
    "nothing": [],
}


@every_operation
@pytest.mark.parametrize("content", NOT_JSON, ids=range(len(NOT_JSON)))
async def test_a_success_that_is_no_json_is_not_orchestrators(case: Case, content: bytes) -> None:
    """A login page or a proxy's word must not be taken for a completed task."""
    async with told(lambda _: httpx.Response(200, content=content)) as orchestrator:
        error = await failing(case, orchestrator)
    assert type(error) is Unknown
    assert error.answered
    assert "is orchestrator.url right?" in str(error)


@pytest.mark.parametrize(
    ("case", "value"),
    [(case, value) for case in CASES for value in WRONG_TYPES[case.gives]],
    ids=lambda each: each.client if isinstance(each, Case) else repr(each),
)
async def test_a_success_of_the_wrong_type_is_half_an_answer(case: Case, value: Any) -> None:
    async with told(lambda _: httpx.Response(case.status, content=orjson.dumps(value))) as orchestrator:
        error = await failing(case, orchestrator)
    assert type(error) is Unknown
    assert error.answered


@every_operation
async def test_an_empty_success_is_enough_only_where_nothing_is_to_be_said(case: Case) -> None:
    async with told(lambda _: httpx.Response(case.status)) as orchestrator:
        if case.gives == "nothing":
            assert await case.call(orchestrator) is None
        else:
            assert type(await failing(case, orchestrator)) is Unknown


# -- connections that end, over real sockets ---------------------------------------------------------------------------------------

Ending = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
_WHOLE = b'{"id": 1, "Id": 1, "value": [{"Id": 1}], "PageItems": [{"Id": 1}]}'


async def _at_once(_reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Accepted, and closed."""


async def _request_read(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")


def _said(content: bytes) -> Ending:
    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(content)
        await writer.drain()

    return say


async def _never(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    await reader.read()  # until the client goes


async def _slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await _said(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")(reader, writer)
    await reader.read()


ENDINGS: dict[str, Ending] = {
    "accepted": _at_once,
    "read": _request_read,
    "half a status line": _said(b"HTTP/1."),
    "half the headers": _said(b"HTTP/1.1 200 OK\r\nContent-Le"),
    "no body": _said(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"),
    "half a body": _said(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (len(_WHOLE) + 1) + _WHOLE),
    "half a chunk": _said(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n" + _WHOLE),
    "no last chunk": _said(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (len(_WHOLE), _WHOLE)
    ),
    "half an error's body": _said(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 90\r\n\r\n{"),
    "no http": _said(b"SSH-2.0-OpenSSH_9.6\r\n"),
    "a broken gzip": _said(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope"),
    "half a gzip": _said(
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nConnection: close\r\n\r\n" + gzip.compress(_WHOLE)[:30]
    ),
    "never": _never,
    "slowly": _slowly,
}


@asynccontextmanager
async def ending(how: Ending, timeout: str = "2s") -> AsyncIterator[Orchestrator]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await how(reader, writer)
        writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server, Orchestrator(config(url, timeout=timeout), now) as orchestrator:
        yield orchestrator


@pytest.mark.parametrize("stage", ENDINGS)
async def test_a_connection_that_ends_at_any_stage(stage: str) -> None:
    """Only of a GET is it clear that it changed nothing. Every operation, one server: what differs is the request."""
    async with ending(ENDINGS[stage], "50ms" if stage in ("never", "slowly") else "2s") as orchestrator:
        for case in CASES:
            error = await failing(case, orchestrator)
            assert _right(case, stage, error), f"{case.client}: {type(error).__name__}: {error}"


def _right(case: Case, stage: str, error: RemoteError) -> bool:
    if stage == "half a gzip" and type(error) is Unknown and error.answered:
        return True  # it unpacks to half of a JSON
    if type(error) is not case.lost:
        return False
    return not error.answered if isinstance(error, Unknown) else error.status is None


@every_operation
async def test_a_server_that_is_not_there_was_certainly_not_reached(case: Case) -> None:
    async with Orchestrator(config("http://127.0.0.1:1"), now) as orchestrator:
        error = await failing(case, orchestrator)
    assert isinstance(error, Unavailable)
    assert not error.sent
