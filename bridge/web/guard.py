"""Who may see the dashboard, the API and the metrics: whoever has the admin token; without one, only a person at this machine."""

import hmac
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from bridge.config import Server
from bridge.service import Clock
from bridge.web.problems import problem
from bridge.web.session import Sessions
from bridge.web.verify import as_sent

_HOST = re.compile(r"(?:\[(?P<address>[0-9a-fA-F:.]+)\]|(?P<name>[^\[\]:@/\s]+))(?::[0-9]{1,5})?", re.ASCII)
"""RFC 9110 7.2. What is none is no host of ours: Starlette would take the address that the server listens on for it."""

_PORTS = {"http": 80, "https": 443}

Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Denial:
    """Why somebody may not."""

    status: int
    detail: str
    headers: dict[str, str] | None = None


ANOTHER_SITE = Denial(
    403,
    "a page of another site may not do this; if it was the bridge's own page, a reverse proxy changes the Host header: it must pass it on",
)
_NOT_HERE = Denial(401, "without server.admin_token this answers on a loopback address only")
_NO_TOKEN = Denial(
    401, "send `Authorization: Bearer …` with server.admin_token, or sign in", {"WWW-Authenticate": "Bearer"}
)


class Guard:
    """Knows the admin token, if there is one: as a bearer token, or as the session of who signed in with it."""

    def __init__(self, server: Server, clock: Clock) -> None:
        token = None if server.admin_token is None else server.admin_token.get_secret_value()
        self._token = token.encode() if token else None
        self._is_local = server.loopback
        self.sessions = Sessions(token, clock) if token else None

    def admits(self, handler: Handler) -> Handler:
        """The handler behind the guard; whoever may not is told so in a problem document."""

        async def guarded(request: Request) -> Response:
            denial = self.denial(request)
            return await handler(request) if denial is None else problem(denial.status, denial.detail, denial.headers)

        return guarded

    def denial(self, request: Request) -> Denial | None:
        """Why the request is not answered; None if it is."""
        if request.method != "GET" and not same_origin(request):
            return ANOTHER_SITE
        if self.sessions is None:
            return None if self._is_local and _is_loopback(request.headers.get("host", "")) else _NOT_HERE
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.knows(as_sent(token.strip())):
            return None
        return None if self.sessions.has(request) else _NO_TOKEN

    def knows(self, token: bytes) -> bool:
        """Whether it is the admin token."""
        return self._token is not None and hmac.compare_digest(token, self._token)


def same_origin(request: Request) -> bool:
    """Whether no browser says that a page of another site has sent it."""
    origin = request.headers.get("origin")
    if origin is None:
        return True
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    default = f":{_PORTS.get(parts.scheme)}"
    return bool(parts.netloc) and parts.netloc.removesuffix(default) == request.headers.get("host", "").removesuffix(
        default
    )


def _is_loopback(host: str) -> bool:
    """By the name that the client used: a public one came through a proxy, or from a page that plays with DNS."""
    found = _HOST.fullmatch(host)
    if found is None:
        return False
    name = found["name"] or found["address"]
    if name == "localhost":
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False
