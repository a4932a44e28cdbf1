"""One server that we call: every request ends within its time, in a response or in one class of the error tree."""

import asyncio
import ssl
from collections.abc import Mapping
from datetime import timedelta
from functools import cache

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

from bridge.remote.broken import broken


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
        self.client = httpx.AsyncClient(
            base_url=f"{url}/",
            transport=transport or AiohttpTransport(_tls(), limits=httpx.Limits(max_connections=connections)),
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
                return await self.client.request(method, path, content=content, headers=headers)
        except TimeoutError as error:
            late = TimeoutError(f"no answer within {self._timeout.total_seconds():g} s")
            raise broken(self.who, late, changes=changes) from error
        except (httpx.HTTPError, httpx.InvalidURL, aiohttp.ClientError, OSError, UnicodeError) as error:
            raise broken(self.who, error, changes=changes) from error

    async def aclose(self) -> None:
        """Close its connections."""
        await self.client.aclose()


@cache
def _tls() -> ssl.SSLContext:
    """One for all servers: to read the certificate authorities takes 40 ms."""
    return httpx.create_ssl_context()
