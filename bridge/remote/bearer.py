"""A token on every request: cached, renewed before it ends and once when it is refused."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, Self

import httpx


@dataclass(frozen=True, slots=True)
class Issued:
    """A token and when it ends, if that is known."""

    token: str = field(repr=False)
    ends_at: datetime | None = None

    @classmethod
    def of(cls, token: object, ends_at: datetime | None = None) -> Self:
        """What an answer gives as a token. Raises `ValueError` if that is none."""
        if not isinstance(token, str) or not token:
            raise ValueError("no token")
        return cls(token, ends_at)


class Issuer(Protocol):
    """Where tokens come from."""

    async def issue(self) -> Issued:
        """A fresh token. Raises `Unauthorized` or `Unavailable`."""


class BearerAuth(httpx.Auth):
    """httpx's port for authentication. Concurrent requests share one renewal, and its failure."""

    requires_response_body = False

    def __init__(self, issuer: Issuer, clock: Callable[[], datetime]) -> None:
        self._issuer = issuer
        self._clock = clock
        self._issued: Issued | None = None
        self._renewal: asyncio.Task[Issued] | None = None

    async def async_auth_flow(self, request: httpx.Request) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Send with the token; on a 401 send once more with a fresh one."""
        issued = await self._current(refused=None)
        request.headers["Authorization"] = f"Bearer {issued.token}"
        response = yield request
        if response.status_code == httpx.codes.UNAUTHORIZED:
            renewed = await self._current(refused=issued)
            if renewed.token != issued.token:
                request.headers["Authorization"] = f"Bearer {renewed.token}"
                yield request

    async def _current(self, refused: Issued | None) -> Issued:
        known = self._issued
        if known is not None and known is not refused and not self._ends_soon(known):
            return known
        if self._renewal is None:
            self._renewal = asyncio.create_task(self._renew())
            self._renewal.add_done_callback(self._renewed)
        return await asyncio.shield(self._renewal)  # one of those who wait may give up

    async def _renew(self) -> Issued:
        self._issued = await self._issuer.issue()
        return self._issued

    def _renewed(self, renewal: asyncio.Task[Issued]) -> None:
        self._renewal = None
        if not renewal.cancelled():
            renewal.exception()  # it was told to those who waited, if any still did

    def _ends_soon(self, issued: Issued) -> bool:
        return issued.ends_at is not None and issued.ends_at <= self._clock()
