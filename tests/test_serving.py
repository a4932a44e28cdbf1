"""How the server treats its connections, and what goes over them."""

import asyncio
import socket
import struct
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from bridge.serving import serving
from tests.hasty import Hasty, in_no_time

DATA_SEGMENTS_IN = 152
"""Where Linux's `tcp_info` (linux/tcp.h) counts the packets with data that have come."""


async def a_connection_after(idle: float, loop: Hasty) -> bytes:
    """What a client reads that asks twice on one connection, with `idle` seconds between its requests."""
    async with serving(PlainTextResponse("here")) as url:
        address = httpx.URL(url)
        reader, writer = await asyncio.open_connection(address.host, address.port)
        writer.write(b"GET / HTTP/1.1\r\nHost: bridge\r\n\r\n")
        assert (await reader.readuntil(b"here")).startswith(b"HTTP/1.1 200")
        await loop.move(idle)
        writer.write(b"GET / HTTP/1.1\r\nHost: bridge\r\nConnection: close\r\n\r\n")
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""
        finally:
            writer.close()


def test_an_idle_connection_outlives_the_minute_that_proxies_keep_theirs() -> None:
    assert in_no_time(partial(a_connection_after, 65)).startswith(b"HTTP/1.1 200")


def test_an_idle_connection_is_not_kept_for_ever() -> None:
    assert in_no_time(partial(a_connection_after, 3600)) == b""


@asynccontextmanager
async def asked(app: ASGIApp, request: bytes) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection on which a server of this application was asked."""
    async with serving(app) as url:
        reader, writer = await asyncio.open_connection(httpx.URL(url).host, httpx.URL(url).port)
        writer.write(request)
        try:
            yield reader, writer
        finally:
            writer.close()


GET = b"GET / HTTP/1.1\r\nHost: bridge\r\n\r\n"
HERE = PlainTextResponse("here")


@pytest.mark.anyio
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts a connection's packets")
async def test_an_answer_is_one_packet() -> None:
    """Head and body apart would wake the client twice."""
    async with asked(HERE, GET) as (reader, writer):
        assert (await reader.readuntil(b"here")).startswith(b"HTTP/1.1 200")
        told = writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        assert struct.unpack_from("=I", told, DATA_SEGMENTS_IN) == (1,)


@pytest.mark.anyio
async def test_a_head_does_not_wait_for_a_body_that_takes_its_time() -> None:
    seen = asyncio.Event()

    async def slow(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
        await seen.wait()
        await send({"type": "http.response.body", "body": b"here"})

    async with asked(slow, GET) as (reader, _):
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        seen.set()
        assert await reader.readexactly(4) == b"here"


@pytest.mark.anyio
async def test_a_head_without_a_body_goes_out() -> None:
    async with asked(HERE, GET.replace(b"GET", b"HEAD")) as (reader, _):
        assert b"content-length: 4" in await reader.readuntil(b"\r\n\r\n")


@pytest.mark.anyio
async def test_who_asks_whether_a_body_may_come_is_told() -> None:
    async def echo(scope: Scope, receive: Receive, send: Send) -> None:
        await Response(await Request(scope, receive).body())(scope, receive, send)

    asking = b"POST / HTTP/1.1\r\nHost: bridge\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n"
    async with asked(echo, asking) as (reader, writer):
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"here")
        assert (await reader.readuntil(b"here")).startswith(b"HTTP/1.1 200")


@pytest.mark.anyio
async def test_an_answer_comes_whole_before_its_connection_is_closed() -> None:
    async with asked(HERE, GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")) as (reader, _):
        assert (await reader.read()).endswith(b"here")
    async with asked(HERE, b"this is not HTTP\r\n\r\n") as (reader, _):
        assert (await reader.read()).startswith(b"HTTP/1.1 400")
