"""Signing in: a token on every request, cached, renewed before it ends and once when it is refused.

Sources: Orchestrator's API guide, "Authentication"; identity server's token endpoint takes form-encoded client credentials and gives a
token for an hour, without a refresh token.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx
import orjson
from oauthlib.oauth2 import BackendApplicationClient, OAuth2Error

from bridge.config import ClientCredentials, Password, Token
from bridge.errors import OrchestratorError, RateLimited, Unauthorized, Unavailable
from bridge.orchestrator.answers import broken, check

DEFAULT_SCOPE = "OR.Tasks"
"""All that the bridge calls is under it."""

_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_NOBODY = httpx.Auth()
_EARLY = timedelta(seconds=60)
"""How long before its end a token is renewed."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A token and when it ends, if that is known."""

    token: str = field(repr=False)
    ends_at: datetime | None = None


class Issuer(Protocol):
    """Where tokens come from."""

    async def issue(self) -> Issued:
        """A fresh token. Raises `Unauthorized` or `Unavailable`."""


class BearerAuth(httpx.Auth):
    """httpx's port for authentication. Concurrent requests share one renewal."""

    requires_response_body = False

    def __init__(self, issuer: Issuer, clock: Callable[[], datetime]) -> None:
        self._issuer = issuer
        self._clock = clock
        self._issued: Issued | None = None
        self._renewal = asyncio.Lock()

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
        async with self._renewal:
            known = self._issued
            if known is None or known is refused or self._ends_soon(known):
                known = self._issued = await self._issuer.issue()
            return known

    def _ends_soon(self, issued: Issued) -> bool:
        return issued.ends_at is not None and issued.ends_at <= self._clock()


@dataclass(frozen=True, slots=True)
class FixedToken:
    """A token that someone made by hand."""

    config: Token

    async def issue(self) -> Issued:
        """The same every time."""
        return Issued(self.config.token.get_secret_value())


@dataclass(frozen=True, slots=True)
class ClientCredentialsIssuer:
    """OAuth2 client credentials; OAuthlib writes the request and reads the answer."""

    config: ClientCredentials
    orchestrator_url: str
    client: httpx.AsyncClient
    clock: Callable[[], datetime]

    async def issue(self) -> Issued:
        """Ask the token endpoint."""
        url = self.config.token_url or token_url(self.orchestrator_url)
        grant = BackendApplicationClient(self.config.client_id)
        body = grant.prepare_request_body(
            scope=self.config.scope or DEFAULT_SCOPE,
            include_client_id=True,
            client_secret=self.config.client_secret.get_secret_value(),
        )
        answer = await _ask(self.client, url, self.clock, content=body, headers=_FORM)
        try:
            token = grant.parse_request_body_response(answer.text)
            return Issued(_text(token["access_token"]), _renew_at(self.clock(), token.get("expires_in")))
        except OAuth2Error as error:
            raise Unauthorized(f"no token from {url}: {error.description or error.error}") from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Unauthorized(f"no token from {url}: it answers, but not with one; is token_url right?") from None


@dataclass(frozen=True, slots=True)
class PasswordIssuer:
    """An on-premises Orchestrator's own sign-in: `POST /api/Account/Authenticate`. How long its token lasts is not told."""

    config: Password
    orchestrator_url: str
    client: httpx.AsyncClient
    clock: Callable[[], datetime]

    async def issue(self) -> Issued:
        """Sign in."""
        url = f"{self.orchestrator_url}/api/Account/Authenticate"
        body = {
            "tenancyName": self.config.tenancy_name,
            "usernameOrEmailAddress": self.config.username,
            "password": self.config.password.get_secret_value(),
        }
        answer = await _ask(self.client, url, self.clock, json=body)
        try:
            return Issued(_text(orjson.loads(answer.content)["result"]))
        except (ValueError, KeyError, TypeError):
            raise Unauthorized(f"{url} refuses the user name or password", status=answer.status_code) from None


async def _ask(client: httpx.AsyncClient, url: str, clock: Callable[[], datetime], **request: Any) -> httpx.Response:
    """An answer that is about the credentials. One that is about the server's day is `Unavailable`: no request of ours was sent."""
    try:
        response = await client.post(url, auth=_NOBODY, **request)
    except httpx.HTTPError as error:
        raise Unavailable(f"no token from {url}: {broken(error, changes=False)}", sent=False) from error
    if response.status_code == httpx.codes.TOO_MANY_REQUESTS or response.is_server_error:
        try:
            check(response, clock())
        except RateLimited:
            raise
        except OrchestratorError as error:
            raise Unavailable(f"no token from {url}: {error}", sent=False) from error
    return response


def _text(token: object) -> str:
    if not isinstance(token, str) or not token:
        raise ValueError("no token")
    return token


def _renew_at(now: datetime, expires_in: object) -> datetime | None:
    if isinstance(expires_in, bool) or not isinstance(expires_in, int | float):
        return None
    lasts = timedelta(seconds=expires_in)
    return now + max(lasts - _EARLY, lasts / 2)


def token_url(orchestrator_url: str) -> str:
    """The identity server beside an Orchestrator: `/identity_` in Automation Cloud and Suite, `/identity` on a standalone one."""
    parts = urlsplit(orchestrator_url)
    if parts.path.rstrip("/").endswith("/orchestrator_"):
        return f"{parts.scheme}://{parts.netloc}/identity_/connect/token"
    return f"{orchestrator_url}/identity/connect/token"
