"""The token endpoint: client credentials and signed assertions. No answer says how long its token lives, and none can be refreshed.

Source: Salesforce's pages on the client credentials and JWT bearer flows.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import jwt
from jwt.types import Options

from bridge.sandbox.salesforce.failures import GrantRefused

_JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_AUDIENCES = ("https://login.salesforce.com", "https://test.salesforce.com")
_LONGEST_S = 300
"""How far away an assertion's end may be."""
_OUR_OWN_CHECKS: Options = {"verify_exp": False, "verify_aud": False, "verify_iat": False, "verify_nbf": False}
"""PyJWT knows only the machine's clock."""


@dataclass(frozen=True, slots=True)
class ConnectedApp:
    """Who may sign in: the app's credentials, the user that it acts for, and the key of its assertions."""

    client_id: str
    client_secret: str
    username: str
    public_key: str | None

    def check(self, form: Mapping[str, str], authorization: str, now: datetime, own_url: str) -> None:
        """Refuses a request for a token that is not right. The clock is the org's."""
        grant_type = form.get("grant_type", "")
        if grant_type == "client_credentials":
            self._check_credentials(_credentials(form, authorization))
        elif grant_type == _JWT_BEARER:
            self._check_assertion(form.get("assertion", ""), now, own_url)
        else:
            raise GrantRefused("unsupported_grant_type", "grant type not supported")

    def _check_credentials(self, given: tuple[str, str]) -> None:
        if given != (self.client_id, self.client_secret):
            raise GrantRefused("invalid_client", "invalid client credentials")

    def _check_assertion(self, assertion: str, now: datetime, own_url: str) -> None:
        claims = self._claims(assertion)
        if claims.get("iss") != self.client_id:
            raise GrantRefused("invalid_client", "client identifier invalid")
        if claims.get("sub") != self.username:
            raise GrantRefused("invalid_grant", "user hasn't approved this consumer")
        if claims.get("aud") not in (*_AUDIENCES, own_url):
            raise GrantRefused("invalid_grant", "audience is invalid")
        left = _number(claims.get("exp")) - now.timestamp()
        if not 0 < left <= _LONGEST_S:
            reason = "expired authorization code" if left <= 0 else "assertion expires more than 5 minutes from now"
            raise GrantRefused("invalid_grant", reason)

    def _claims(self, assertion: str) -> dict[str, Any]:
        try:
            claims: dict[str, Any] = jwt.decode(
                assertion, self.public_key or "", algorithms=["RS256"], options=_OUR_OWN_CHECKS
            )
        except (jwt.PyJWTError, ValueError) as error:
            raise GrantRefused("invalid_grant", "invalid assertion") from error
        return claims


def _credentials(form: Mapping[str, str], authorization: str) -> tuple[str, str]:
    """Client id and secret, from the body or from Basic authentication."""
    scheme, _, encoded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return form.get("client_id", ""), form.get("client_secret", "")
    try:
        name, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, ValueError):
        return "", ""
    return name, secret


def _number(value: Any) -> float:
    """Seconds since 1970, as a number or a text (simple-salesforce sends a text); 0 for anything else."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return 0
