"""The pages of the dashboard: what the API tells, for people, and the two things that a person may do about it."""

import asyncio
from contextlib import suppress
from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson
import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from bridge.errors import StoreUnavailable, TemplateError
from bridge.model import DeliveryState, LinkState
from bridge.pages import Pages, posted, root_of
from bridge.web.guard import ANOTHER_SITE, Denial, Guard, Handler, same_origin
from bridge.web.hooks import BODY_WITHIN_S, RETRY_AFTER_S
from bridge.web.view import MOST, BadQuery, NoSuch, Query, View

_LONGEST_FORM = 4096
_SHOWN = 100_000
"""Characters of a delivery's body."""

_ASKED = ("source", "state", "key", "cursor")

_log = structlog.get_logger()


class Dashboard:
    """The pages, for whoever the guard lets in; whoever it does not may sign in."""

    def __init__(self, view: View, guard: Guard, name: str) -> None:
        self._view = view
        self._guard = guard
        filters = {"moment": _moment, "link": _link, "readable": _readable}
        self._pages = Pages(__package__, f"bridge {name}" if name != "bridge" else name, "/static", filters)

    def routes(self) -> list[Route]:
        """Every path."""
        return [
            self._route("/", self.overview),
            self._route("/links/{id}", self.link),
            self._route("/links/{id}/retry", self.retry, "POST"),
            self._route("/deliveries", self.deliveries),
            self._route("/deliveries/{id}", self.delivery),
            self._route("/deliveries/{id}/replay", self.replay, "POST"),
            Route("/sign-in", self.sign_in, methods=["POST"]),
            Route("/sign-out", self.sign_out, methods=["POST"]),
            *(
                Route(path, _back, methods=["GET"])
                for path in ("/sign-in", "/links/{id}/retry", "/deliveries/{id}/replay")
            ),
            *self._pages.static(),
        ]

    async def overview(self, request: Request) -> Response:
        """`GET /`: what waits, and the links."""
        query = _asked(request)
        links, cursor = await self._view.links(query)
        waiting = await self._view.waiting()
        older = cursor and _address({**query, "cursor": cursor})
        return self._html(
            request, "overview.html", waiting=waiting, links=links, older=older, query=query, states=list(LinkState)
        )

    async def link(self, request: Request) -> Response:
        """`GET /links/{id}`: a ticket's whole timeline."""
        return await self._link(request, request.path_params["id"])

    async def retry(self, request: Request) -> Response:
        """`POST /links/{id}/retry`: 303 to the link, or its page with the reason why it cannot be tried."""
        name = request.path_params["id"]
        try:
            found = await self._view.retry(name)
        except TemplateError as error:
            return await self._link(request, name, 409, f"It cannot be rendered: {error}")
        return RedirectResponse(f"{root_of(request)}/links/{found['id']}", 303)

    async def deliveries(self, request: Request) -> Response:
        """`GET /deliveries`: the inbox."""
        query = _asked(request)
        deliveries, cursor = await self._view.deliveries(query)
        older = cursor and _address({**query, "cursor": cursor})
        states = list(DeliveryState)
        return self._html(request, "deliveries.html", deliveries=deliveries, older=older, query=query, states=states)

    async def delivery(self, request: Request) -> Response:
        """`GET /deliveries/{id}`: one as it came."""
        return self._html(request, "delivery.html", delivery=await self._view.delivery(request.path_params["id"]))

    async def replay(self, request: Request) -> Response:
        """`POST /deliveries/{id}/replay`: 303 to the delivery."""
        number = await self._view.replay(request.path_params["id"])
        return RedirectResponse(f"{root_of(request)}/deliveries/{number}", 303)

    async def sign_in(self, request: Request) -> Response:
        """`POST /sign-in`: 303 to the page that was wanted, with a session, or the form again."""
        sessions = self._guard.sessions
        if sessions is None:
            return RedirectResponse(f"{root_of(request)}/", 303)
        form = await _form(request)
        wanted = form.get("wanted", "")
        if not same_origin(request):
            return self._sign_in(request, 403, wanted, ANOTHER_SITE.detail)
        if not self._guard.knows(form.get("token", "").strip().encode()):
            _log.warning("signing in to the dashboard failed", client=request.client and request.client.host)
            return self._sign_in(request, 401, wanted, "That is not the admin token.")
        return sessions.begin(RedirectResponse(f"{root_of(request)}{_own(wanted)}", 303), request)

    async def sign_out(self, request: Request) -> Response:
        """`POST /sign-out`: 303 to the form, without a session."""
        there = RedirectResponse(f"{root_of(request)}/", 303)
        sessions = self._guard.sessions
        return sessions.end(there) if sessions is not None and same_origin(request) else there

    def _route(self, path: str, handler: Handler, method: str = "GET") -> Route:
        async def answer(request: Request) -> Response:
            if denial := self._guard.denial(request):
                return self._denied(request, denial)
            try:
                return await handler(request)
            except (BadQuery, NoSuch) as error:
                return self._failed(request, 400 if isinstance(error, BadQuery) else 404, str(error))
            except StoreUnavailable as error:
                return self._failed(request, 503, str(error), {"Retry-After": str(RETRY_AFTER_S)})

        return Route(path, answer, methods=[method])

    def _denied(self, request: Request, denial: Denial) -> Response:
        if denial.status == 401 and self._guard.sessions is not None:
            query = f"?{request.url.query}" if request.url.query else ""
            wanted = f"{_path(request)}{query}" if request.method == "GET" else ""
            return self._sign_in(request, 401, wanted, None, denial.headers)
        return self._failed(request, denial.status, denial.detail)

    async def _link(self, request: Request, name: str, status: int = 200, complaint: str | None = None) -> Response:
        link = await self._view.link(name, newest=MOST)
        return self._html(request, "link.html", status, link=link, most=MOST, complaint=complaint)

    def _sign_in(
        self,
        request: Request,
        status: int,
        wanted: str,
        complaint: str | None,
        headers: dict[str, str] | None = None,
    ) -> Response:
        return self._html(request, "sign_in.html", status, headers, wanted=wanted, complaint=complaint)

    def _failed(self, request: Request, status: int, complaint: str, headers: dict[str, str] | None = None) -> Response:
        return self._html(request, "failed.html", status, headers, complaint=complaint)

    def _html(
        self, request: Request, name: str, status: int = 200, headers: dict[str, str] | None = None, **values: Any
    ) -> Response:
        may_leave = self._guard.sessions is not None
        return self._pages.html(request, name, status, headers, may_leave=may_leave, **values)


async def _back(request: Request) -> Response:
    """To the page on which the form is, for whoever comes to the form's address in another way."""
    page = _path(request).rpartition("/")[0]
    return RedirectResponse(f"{root_of(request)}{_own(page)}", 303)


def _path(request: Request) -> str:
    """The path within this application."""
    return request.url.path.removeprefix(root_of(request))


def _own(path: str) -> str:
    """A path of this application; the start for anything else."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() else "/"


async def _form(request: Request) -> dict[str, str]:
    """What a short form holds; nothing if it is none, a long one, or does not come."""
    body = b""
    with suppress(ValueError, ClientDisconnect, TimeoutError):
        async with asyncio.timeout(BODY_WITHIN_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > _LONGEST_FORM:
                    return {}
        return posted(body)
    return {}


def _asked(request: Request) -> Query:
    """The filters that say something: a form sends those that were left empty, too."""
    return {name: value.strip() for name, value in request.query_params.items() if name in _ASKED and value.strip()}


def _address(query: Query) -> str:
    return f"?{urlencode(query)}"


def _moment(at: str) -> str:
    """RFC 3339 for people."""
    return f"{at[:19].replace('T', ' ')} UTC"


def _link(url: str | None) -> str | None:
    """An address that a page may lead to: it came from outside, and might be a script."""
    try:
        return url if url and urlsplit(url).scheme in ("http", "https") else None
    except ValueError:
        return None


def _readable(body: str) -> str:
    """A body for people: JSON with its lines, and no more than a person reads."""
    if len(body) > _SHOWN:
        return f"{body[:_SHOWN]}\n… and {len(body) - _SHOWN} characters more"
    try:
        return orjson.dumps(orjson.loads(body), option=orjson.OPT_INDENT_2).decode()
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        return body
