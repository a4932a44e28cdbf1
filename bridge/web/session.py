"""The dashboard's sign-in: a cookie which proves that its holder knew the admin token, and until when that is believed.

It is a JWT (RFC 7519) signed with a key that is made from the token: every replica can check it, a new token ends them all, and the
token itself is in no cookie.
"""

import hashlib
from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from bridge.service import Clock

LASTS = timedelta(hours=12)
_METHOD = "HS256"
_AUDIENCE = "dashboard"


class Sessions:
    """The sessions of one admin token."""

    def __init__(self, admin_token: str, clock: Clock) -> None:
        self._key = hashlib.sha256(f"{_AUDIENCE}:{admin_token}".encode()).digest()
        self._cookie = f"bridge_{hashlib.sha256(self._key).hexdigest()[:8]}"  # another bridge's may lie beside it: ports do not part them
        self._clock = clock

    def begin(self, response: Response, request: Request) -> Response:
        """The response with a new session. Browsers show its cookie to no script, and send it with no form of another site."""
        import jwt  # noqa: PLC0415 - only who signs in needs it

        claims = {"aud": _AUDIENCE, "exp": int((self._clock() + LASTS).timestamp())}
        cookie = jwt.encode(claims, self._key, _METHOD)
        seconds = int(LASTS.total_seconds())
        response.set_cookie(
            self._cookie, cookie, max_age=seconds, httponly=True, samesite="lax", secure=_is_encrypted(request)
        )
        return response

    def has(self, request: Request) -> bool:
        """Whether the request belongs to a session."""
        cookie = request.cookies.get(self._cookie)
        if not cookie:
            return False
        import jwt  # noqa: PLC0415 - as above

        options: Any = {"require": ["exp", "aud"], "verify_exp": False}  # by our clock, below
        try:
            claims = jwt.decode(cookie, self._key, [_METHOD], options, audience=_AUDIENCE)
            return bool(claims["exp"] > self._clock().timestamp())
        except (jwt.InvalidTokenError, TypeError):
            return False

    def end(self, response: Response) -> Response:
        """The response that takes the cookie back."""
        response.delete_cookie(self._cookie, httponly=True, samesite="lax")
        return response


def _is_encrypted(request: Request) -> bool:
    """As the browser sees it: a proxy in front may do it."""
    first, _, _ = request.headers.get("x-forwarded-proto", "").partition(",")
    return "https" in (request.url.scheme, first.strip().lower())
