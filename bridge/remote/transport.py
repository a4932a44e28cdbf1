"""httpx's transport: aiohttp's client under httpx's requests and responses, for answers that are read whole."""

import ssl
from collections.abc import Sequence

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport
from httpx_aiohttp.transport import map_aiohttp_exceptions

_KEEP_ALIVE_S = 5
"""How long an idle connection is kept: less than servers keep theirs, so that none closes it under a request that is just sent."""


class Transport(AiohttpTransport):
    """httpx-aiohttp's, but an answer comes in one piece: a stream around it cost a fifth of a call. It keeps no cookies.

    `timeout_s` is for a connection, and for each part of an answer.
    """

    def __init__(self, tls: ssl.SSLContext, connections: int, timeout_s: float) -> None:
        super().__init__(tls, client=self._session)
        self._connections = connections
        self._timeout = aiohttp.ClientTimeout(
            total=None, connect=timeout_s, sock_connect=timeout_s, sock_read=timeout_s
        )

    def _session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self._connections, ssl=self.ssl_context, keepalive_timeout=_KEEP_ALIVE_S
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=self._timeout,
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The whole answer. Raises httpx's errors."""
        if not isinstance(self.client, aiohttp.ClientSession):
            self.client = self._session()
        with map_aiohttp_exceptions():
            async with self.client.request(
                request.method,
                str(request.url),
                headers=[(name.decode("ascii"), value.decode()) for name, value in request.headers.raw],
                data=request.content or None,
                allow_redirects=False,
            ) as answer:
                return Whole(answer.status, answer.raw_headers, await answer.read())


class Whole(httpx.Response):
    """An answer that has come whole: httpx would make a stream of it, to read that."""

    def __init__(self, status: int, headers: Sequence[tuple[bytes, bytes]], content: bytes) -> None:
        super().__init__(status, headers=headers, stream=httpx.ByteStream(content))
        self._whole = content
        self.is_closed = True  # nothing is left of it elsewhere

    @property
    def content(self) -> bytes:
        """The body, decompressed."""
        return self._whole

    def read(self) -> bytes:
        """The same."""
        return self._whole

    async def aread(self) -> bytes:
        """The same."""
        return self._whole
