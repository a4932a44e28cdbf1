"""Signing in: the identity server's token endpoint in its three places, and the password login of older servers.

Every client and every password is accepted, unless the world knows which are right (`access`); a request that the real server
would misunderstand is not.
"""

import base64
from urllib.parse import parse_qsl, unquote_plus

from starlette.responses import HTMLResponse, Response

from bridge.sandbox.orchestrator.access import SignInRefused
from bridge.sandbox.orchestrator.endpoints.operation import Call, Operation, json_response
from bridge.sandbox.orchestrator.failures import NotSignedIn


def token(call: Call) -> Response:
    """OAuth's client credentials. A body that is not a form gets 200 with an HTML page, as the cloud answers it (forum 504018)."""
    headers = call.request.headers
    if "application/x-www-form-urlencoded" not in headers.get("content-type", ""):
        return HTMLResponse("<!doctype html><title>UiPath</title>")
    form = dict(parse_qsl(call.body.decode("utf-8", "replace")))
    if form.get("grant_type") != "client_credentials":
        return json_response({"error": "unsupported_grant_type"}, 400)
    world = call.world
    try:
        grant = world.access.grant(*_client(form, headers.get("authorization", "")), form.get("scope"))
    except SignInRefused as refused:
        return json_response({"error": refused.error}, 400)
    issued = world.token()
    world.access.issued(issued, world.clock, grant.lifetime)
    answer = {
        "access_token": issued,
        "expires_in": int(grant.lifetime.total_seconds()),
        "token_type": "Bearer",
        "scope": grant.scope,
    }
    return json_response(answer, headers={"Cache-Control": "no-store"})


def authenticate(call: Call) -> Response:
    """`/api/Account/Authenticate`: a token for a user's name and password; 401 in ABP's shape for wrong ones, as none is published."""
    fields, world = call.fields("loginModel"), call.world
    user, password = fields.required_text("UsernameOrEmailAddress"), fields.required_text("Password")
    if not world.access.knows(user, password):
        raise NotSignedIn("Invalid credentials, failed to login.")
    issued = world.token()
    world.access.issued(issued, world.clock)
    return json_response(
        {
            "result": issued,
            "targetUrl": None,
            "success": True,
            "error": None,
            "unAuthorizedRequest": False,
            "__abp": True,
        }
    )


def _client(form: dict[str, str], authorization: str) -> tuple[str, str]:
    """Its id and secret: in the form, or by HTTP Basic. Empty where there is none."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() != "basic":
        return form.get("client_id", ""), form.get("client_secret", "")
    try:
        name, _, secret = base64.b64decode(value, validate=True).decode().partition(":")
    except ValueError:  # not ASCII, not base64, not UTF-8
        return "", ""
    return unquote_plus(name), unquote_plus(secret)  # RFC 6749 2.3.1


_TOKEN_PATHS = ("/identity_/connect/token", "/{org}/identity_/connect/token", "/identity/connect/token")

OPERATIONS = (
    *(Operation("Token", "POST", path, token, signed_in=False, prefixed=False) for path in _TOKEN_PATHS),
    Operation("Authenticate", "POST", "/api/Account/Authenticate", authenticate, signed_in=False),
)
