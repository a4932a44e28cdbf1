"""One server that we call: every request ends within its time, in a response or in one class of the error tree."""

import asyncio
import ssl
from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import cache, lru_cache, partial

import aiohttp
import httpx

from bridge.remote.broken import broken
from bridge.remote.transport import Transport

_KEPT = 64
"""URLs and sets of headers: the busy ones are few, and httpx takes long to read one."""


class Server:
    """A server, by the name that its errors tell and its base URL. Paths are relative to it, or whole URLs."""

    def __init__(
        self,
        who: str,
        url: str,
        timeout: timedelta,
        connections: int,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.who = who
        self.url = url
        self._timeout = timeout
        self._transport = transport or Transport(_tls(), connections, timeout.total_seconds())
        self._url = lru_cache(_KEPT)(partial(_absolute, url))
        self._headers = lru_cache(_KEPT)(self._all_headers)
        self.client = httpx.AsyncClient(
            base_url=f"{url}/",
            transport=self._transport,
            timeout=timeout.total_seconds(),
            headers={"Accept": "application/json", "User-Agent": "task-bridge"},
        )

    async def send(
        self,
        method: str,
        path: str,
        *,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        changes: bool | None = None,
    ) -> httpx.Response:
        """One request, from signing in to the last byte of its answer, whatever the answer's status.

        Anything but a GET would change something, unless `changes` says otherwise: its lost answer is `Unknown`, else `Unavailable`.
        """
        changes = method != "GET" if changes is None else changes
        try:
            async with asyncio.timeout(self._timeout.total_seconds()):
                return await self._exchange(self._request(method, path, content, headers or {}))
        except TimeoutError as error:
            late = TimeoutError(f"no answer within {self._timeout.total_seconds():g} s")
            raise broken(self.who, late, changes=changes) from error
        except (httpx.HTTPError, httpx.InvalidURL, aiohttp.ClientError, OSError, UnicodeError) as error:
            raise broken(self.who, error, changes=changes) from error

    def _request(self, method: str, path: str, content: bytes | None, headers: Mapping[str, str]) -> httpx.Request:
        """What httpx would add, the host and the length, aiohttp adds anyway: given as a stream, a content gets no more headers."""
        named = self._headers(tuple(headers.items()))
        request = httpx.Request(method, self._url(path), headers=named, stream=httpx.ByteStream(content or b""))
        request.read()
        return request

    def _all_headers(self, headers: Iterable[tuple[str, str]]) -> httpx.Headers:
        raw = [(name.encode("ascii"), value.encode()) for name, value in headers]
        return httpx.Headers([*self.client.headers.raw, *raw])

    async def _exchange(self, request: httpx.Request) -> httpx.Response:
        """As httpx's client does it, without redirects, cookies and a log line, which were half of what a call cost."""
        if self.client.auth is None:
            return await self._answer(request)
        signing = self.client.auth.async_auth_flow(request)
        try:
            response = await self._answer(await anext(signing))
            while True:
                try:
                    request = await signing.asend(response)
                except StopAsyncIteration:
                    return response
                response = await self._answer(request)
        finally:
            await signing.aclose()

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        response = await self._transport.handle_async_request(request)
        response.request = request
        try:
            await response.aread()
        finally:
            await response.aclose()
        return response

    async def aclose(self) -> None:
        """Close its connections."""
        await self.client.aclose()


def _absolute(base: str, path: str) -> httpx.URL:
    return httpx.URL(path if "://" in path else f"{base}/{path.lstrip('/')}")


@cache
def _tls() -> ssl.SSLContext:
    """One for all servers: to read the certificate authorities takes 40 ms."""
    return httpx.create_ssl_context()
