"""Errors as RFC 9457 problem documents: a status, and a sentence that helps."""

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

_TITLES = {
    400: "Malformed request",
    401: "Not authenticated",
    403: "Forbidden",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    413: "Body too large",
    500: "Internal error",
    503: "Not available",
}


def problem(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    """A problem document."""
    body = {"type": "about:blank", "title": _TITLES.get(status, "Error"), "status": status, "detail": detail}
    return Response(orjson.dumps(body), status, headers, media_type="application/problem+json")


async def on_http_exception(request: Request, error: Exception) -> Response:
    """What Starlette raises itself: unknown paths and wrong methods."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    detail = {
        404: f"there is nothing at {request.url.path}",
        405: f"{request.method} is not for {request.url.path}; allowed: {headers.get('allow', headers.get('Allow', 'another method'))}",
    }.get(status, "the request cannot be answered")
    return problem(status, detail, headers)


async def on_mistake(request: Request, _error: Exception) -> Response:
    """A mistake of ours; the log has its trace."""
    return mistake(request.url.path)


def mistake(path: str) -> Response:
    """The answer to whom a mistake of ours has met."""
    return problem(500, f"a mistake in the bridge while answering {path}; its log says more")
