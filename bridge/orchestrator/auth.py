"""Signing in to Orchestrator. The identity server gives a token for an hour, without a refresh token.

Source: Orchestrator's API guide, "Authentication".
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

import httpx
import orjson
from oauthlib.oauth2 import BackendApplicationClient

from bridge.config import ClientCredentials, Password, Token
from bridge.config import Orchestrator as OrchestratorConfig
from bridge.errors import Unauthorized
from bridge.remote import GrantIssuer, Issued, Issuer, ask

DEFAULT_SCOPE = "OR.Tasks"
"""All that the bridge calls is under it."""


def issuer(config: OrchestratorConfig, client: httpx.AsyncClient, clock: Callable[[], datetime]) -> Issuer:
    """Where the tokens of a configuration come from."""
    match config.auth:
        case Token() as auth:
            return FixedToken(auth)
        case ClientCredentials() as auth:
            return _client_credentials(auth, config.url, client, clock)
        case auth:
            return PasswordIssuer(auth, config.url, client, clock)


@dataclass(frozen=True, slots=True)
class FixedToken:
    """A token that someone made by hand."""

    config: Token

    async def issue(self) -> Issued:
        """The same every time."""
        return Issued(self.config.token.get_secret_value())


def _client_credentials(
    config: ClientCredentials, orchestrator_url: str, client: httpx.AsyncClient, clock: Callable[[], datetime]
) -> GrantIssuer:
    grant = BackendApplicationClient(config.client_id)

    def write() -> str:
        form: str = grant.prepare_request_body(
            scope=config.scope or DEFAULT_SCOPE,
            include_client_id=True,
            client_secret=config.client_secret.get_secret_value(),
        )
        return form

    return GrantIssuer(config.token_url or token_url(orchestrator_url), grant, write, client, clock)


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
        answer = await ask(self.client, url, self.clock(), json=body)
        try:
            return Issued.of(orjson.loads(answer.content)["result"])
        except (ValueError, KeyError, TypeError):
            raise Unauthorized(f"{url} refuses the user name or password", status=answer.status_code) from None


def token_url(orchestrator_url: str) -> str:
    """The identity server beside an Orchestrator: `/identity_` in Automation Cloud and Suite, `/identity` on a standalone one."""
    parts = urlsplit(orchestrator_url)
    if parts.path.rstrip("/").endswith("/orchestrator_"):
        return f"{parts.scheme}://{parts.netloc}/identity_/connect/token"
    return f"{orchestrator_url}/identity/connect/token"
