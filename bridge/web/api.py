"""`/api/v1`: the mapping table and the inbox as JSON."""

from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bridge.errors import TemplateError
from bridge.web.guard import Guard, Handler
from bridge.web.problems import problem
from bridge.web.view import BadQuery, NoSuch, View


@dataclass(frozen=True, slots=True)
class Api:
    """The handlers, for whoever the guard lets in."""

    view: View
    guard: Guard

    def routes(self) -> list[Route]:
        """Every path."""
        return [
            self._route("/links", self.links),
            self._route("/links/{id}", self.link),
            self._route("/links/{id}/retry", self.retry, "POST"),
            self._route("/deliveries", self.deliveries),
            self._route("/deliveries/{id}", self.delivery),
            self._route("/deliveries/{id}/replay", self.replay, "POST"),
            self._route("/summary", self.summary),
        ]

    def _route(self, path: str, handler: Handler, method: str = "GET") -> Route:
        async def answer(request: Request) -> Response:
            try:
                return await handler(request)
            except BadQuery as error:
                return problem(400, str(error))
            except NoSuch as error:
                return problem(404, str(error))

        return Route(f"/api/v1{path}", self.guard.admits(answer), methods=[method])

    async def links(self, request: Request) -> Response:
        """`GET /links`: the newest first. Filters: source, state, key; limit and cursor."""
        items, cursor = await self.view.links(request.query_params)
        return _json({"links": items, "cursor": cursor})

    async def link(self, request: Request) -> Response:
        """`GET /links/{id}`: one link with its ticket's whole timeline. The id is a link's, or a ticket's key."""
        return _json(await self.view.link(request.path_params["id"]))

    async def retry(self, request: Request) -> Response:
        """`POST /links/{id}/retry`: try again at once."""
        try:
            return _json(await self.view.retry(request.path_params["id"]), 202)
        except TemplateError as error:
            return problem(409, f"it cannot be rendered: {error}")

    async def deliveries(self, request: Request) -> Response:
        """`GET /deliveries`: the newest first. Filters: source, state, key (of a linked ticket); limit and cursor."""
        items, cursor = await self.view.deliveries(request.query_params)
        return _json({"deliveries": items, "cursor": cursor})

    async def delivery(self, request: Request) -> Response:
        """`GET /deliveries/{id}`: one delivery as it came."""
        return _json(await self.view.delivery(request.path_params["id"]))

    async def replay(self, request: Request) -> Response:
        """`POST /deliveries/{id}/replay`: hand it to the intake once more."""
        await self.view.replay(request.path_params["id"])
        return _json({"replayed": 1}, 202)

    async def summary(self, _request: Request) -> Response:
        """`GET /summary`: how much there is of everything."""
        return _json(await self.view.summary())


def _json(body: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")
