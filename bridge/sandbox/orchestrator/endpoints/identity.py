"""Signing in: the identity server's token endpoint in its three places, and the password login of older servers.

Every client and every password is accepted; a request that the real server would misunderstand is not.
"""

import base64
from urllib.parse import parse_qsl

from starlette.responses import HTMLResponse, Response

from bridge.sandbox.orchestrator.endpoints.operation import Call, Operation, json_response

LIFETIME_S = 3600
_DEFAULT_SCOPE = "OR.Default"


def token(call: Call) -> Response:
    """OAuth's client credentials. A body that is not a form gets 200 with an HTML page, as the cloud answers it (forum 504018)."""
    headers = call.request.headers
    if "application/x-www-form-urlencoded" not in headers.get("content-type", ""):
        return HTMLResponse("<!doctype html><title>UiPath</title>")
    form = dict(parse_qsl(call.body.decode("utf-8", "replace")))
    if form.get("grant_type") != "client_credentials":
        return json_response({"error": "unsupported_grant_type"}, 400)
    if not _has_client(form, headers.get("authorization", "")):
        return json_response({"error": "invalid_client"}, 400)
    scope = form.get("scope", _DEFAULT_SCOPE)
    if "offline_access" in scope.split():  # a client has no refresh token (forum 341681)
        return json_response({"error": "invalid_scope"}, 400)
    answer = {"access_token": call.world.token(), "expires_in": LIFETIME_S, "token_type": "Bearer", "scope": scope}
    return json_response(answer, headers={"Cache-Control": "no-store"})


def authenticate(call: Call) -> Response:
    """`/api/Account/Authenticate`: a token for a user's name and password."""
    fields = call.fields("loginModel")
    fields.required_text("UsernameOrEmailAddress")
    fields.required_text("Password")
    return json_response(
        {
            "result": call.world.token(),
            "targetUrl": None,
            "success": True,
            "error": None,
            "unAuthorizedRequest": False,
            "__abp": True,
        }
    )


def _has_client(form: dict[str, str], authorization: str) -> bool:
    """In the form, or by HTTP Basic."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() != "basic":
        return bool(form.get("client_id") and form.get("client_secret"))
    try:
        name, _, secret = base64.b64decode(value, validate=True).partition(b":")
    except ValueError:  # not ASCII, or not base64
        return False
    return bool(name and secret)


_TOKEN_PATHS = ("/identity_/connect/token", "/{org}/identity_/connect/token", "/identity/connect/token")

OPERATIONS = (
    *(Operation("Token", "POST", path, token, signed_in=False, prefixed=False) for path in _TOKEN_PATHS),
    Operation("Authenticate", "POST", "/api/Account/Authenticate", authenticate, signed_in=False),
)
