"""OAuth2 grants: OAuthlib writes the request to the token endpoint and reads the answer."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx
from oauthlib.oauth2 import Client as Grant
from oauthlib.oauth2 import OAuth2Error

from bridge.errors import Unauthorized, Unavailable
from bridge.remote.bearer import Issued
from bridge.remote.broken import away, broken

_FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_NOBODY = httpx.Auth()
_LONGEST_S = 365 * 24 * 3600
_EARLY = timedelta(seconds=60)
"""How long before its end a token is renewed."""


@dataclass(frozen=True, slots=True)
class GrantIssuer:
    """Tokens of a token endpoint. `write` makes the form of the grant, anew for every token."""

    url: str
    grant: Grant
    write: Callable[[], str]
    client: httpx.AsyncClient
    clock: Callable[[], datetime]

    async def issue(self) -> Issued:
        """Ask the token endpoint."""
        answer = await ask(self.client, self.url, self.clock(), content=self.write(), headers=_FORM)
        try:
            token = self.grant.parse_request_body_response(answer.text)
            return Issued.of(token["access_token"], _renew_at(self.clock(), token.get("expires_in")))
        except OAuth2Error as error:
            raise Unauthorized(f"no token from {self.url}: {error.description or error.error}") from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Unauthorized(f"no token from {self.url}: it answers, but not with one; is token_url right?") from None


async def ask(client: httpx.AsyncClient, url: str, now: datetime, **request: Any) -> httpx.Response:
    """An answer that is about the credentials. One that is about the server's day is `Unavailable`: no request of ours was sent."""
    try:
        response = await client.post(url, auth=_NOBODY, **request)
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
        raise Unavailable(f"no token: {broken(url, error, changes=False)}", sent=False) from error
    if response.status_code == httpx.codes.TOO_MANY_REQUESTS or response.is_server_error:
        raise away(f"no token from {url}: {response.reason_phrase}", response, now, sent=False)
    return response


def _renew_at(now: datetime, expires_in: object) -> datetime | None:
    if isinstance(expires_in, bool) or not isinstance(expires_in, int | float):
        return None
    lasts = timedelta(seconds=min(expires_in, _LONGEST_S))
    return now + max(lasts - _EARLY, lasts / 2)
