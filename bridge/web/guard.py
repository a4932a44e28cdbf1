"""Who may see the API and the metrics: whoever has the admin token; without one, only a person at this machine."""

import hmac
from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from bridge.config import Server
from bridge.web.problems import problem
from bridge.web.verify import as_sent

Handler = Callable[[Request], Awaitable[Response]]


def guarded(server: Server, handler: Handler) -> Handler:
    """The handler behind the admin token."""

    async def guard(request: Request) -> Response:
        refusal = _refusal(server, request)
        return refusal if refusal is not None else await handler(request)

    return guard


def _refusal(server: Server, request: Request) -> Response | None:
    if request.method != "GET" and not _same_origin(request):
        return problem(403, "a page of another site may not do this")
    if server.admin_token is None:
        if server.loopback and _is_loopback(request.url.hostname or ""):
            return None
        return problem(401, "without server.admin_token this answers on a loopback address only")
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    expected = server.admin_token.get_secret_value()
    if scheme.lower() == "bearer" and hmac.compare_digest(as_sent(token.strip()), expected.encode()):
        return None
    return problem(401, "send `Authorization: Bearer …` with server.admin_token", {"WWW-Authenticate": "Bearer"})


def _is_loopback(host: str) -> bool:
    """By the name that the client used: a public one came through a proxy, or from a page that plays with DNS."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _same_origin(request: Request) -> bool:
    origin = request.headers.get("origin")
    try:
        return origin is None or urlsplit(origin).netloc == request.headers.get("host")
    except ValueError:
        return False
