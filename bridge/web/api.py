"""`/api/v1`: the mapping table and the inbox as JSON, a page at a time."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

import orjson
from starlette.requests import Request
from starlette.responses import Response

from bridge.errors import TemplateError
from bridge.model import DeliveryState, Link, LinkState
from bridge.present import attempt_json, delivery_json, link_json, moment, poll_json
from bridge.service import DESTINATION, Clock
from bridge.store import DeliveryFilter, LinkFilter, Render, Store
from bridge.sync.poller import poll_status
from bridge.web.problems import problem

_MOST = 500
_DIGITS = 18  # of the largest id that every engine can hold
_State = TypeVar("_State", bound=StrEnum)


class _BadQuery(ValueError):
    """A filter that makes no sense; the message says which."""


@dataclass(frozen=True, slots=True)
class Api:
    """The handlers."""

    store: Store
    clock: Clock
    render: Render
    polled: Sequence[str]

    async def links(self, request: Request) -> Response:
        """`GET /links`: the newest first. Filters: source, state, key; limit and cursor."""
        try:
            wanted = LinkFilter(
                source=_name(request, "source"),
                state=_state(request, LinkState),
                key=_name(request, "key"),
                before=_number(request, "cursor"),
                limit=_limit(request),
            )
        except _BadQuery as error:
            return problem(400, str(error))
        now = self.clock()
        found = await self.store.links.list(wanted, now)
        return _page("links", [link_json(link, now) for link in found], wanted.limit)

    async def link(self, request: Request) -> Response:
        """`GET /links/{id}`: one link with its ticket's whole timeline. The id is a link's, or a ticket's key."""
        found = await self._find(request.path_params["id"])
        return problem(404, "there is no such link") if found is None else _json(await self._timeline(found))

    async def retry(self, request: Request) -> Response:
        """`POST /links/{id}/retry`: try again at once."""
        found = await self._find(request.path_params["id"])
        if found is None:
            return problem(404, "there is no such link")
        try:
            await self.store.links.retry([found.id], self.clock(), self.render)
        except TemplateError as error:
            return problem(409, f"it cannot be rendered: {error}")
        again = await self.store.links.get(found.id)
        return _json(link_json(again or found, self.clock()), 202)

    async def deliveries(self, request: Request) -> Response:
        """`GET /deliveries`: the newest first. Filters: source, state, key (of a linked ticket); limit and cursor."""
        try:
            wanted = DeliveryFilter(
                source=_name(request, "source"),
                state=_state(request, DeliveryState),
                ticket_id=await self._ticket_id(_name(request, "key")),
                before=_number(request, "cursor"),
                limit=_limit(request),
            )
        except _BadQuery as error:
            return problem(400, str(error))
        found = await self.store.inbox.list(wanted)
        return _page("deliveries", [delivery_json(delivery) for delivery in found], wanted.limit)

    async def delivery(self, request: Request) -> Response:
        """`GET /deliveries/{id}`: one delivery as it came."""
        number = _id(request.path_params["id"])
        found = None if number is None else await self.store.inbox.get(number)
        return problem(404, "there is no such delivery") if found is None else _json(delivery_json(found, body=True))

    async def replay(self, request: Request) -> Response:
        """`POST /deliveries/{id}/replay`: hand it to the intake once more."""
        number = _id(request.path_params["id"])
        if number is None or not await self.store.inbox.replay([number]):
            return problem(404, "there is no such delivery")
        return _json({"replayed": 1}, 202)

    async def summary(self, _request: Request) -> Response:
        """`GET /summary`: how much there is of everything."""
        now = self.clock()
        pause = await self.store.pauses.get(DESTINATION)
        paused = pause if pause is not None and pause.until > now else None
        shown = {
            "links": await self.store.links.counts(now),
            "deliveries": await self.store.inbox.counts(),
            "paused": None if paused is None else {"until": moment(paused.until), "reason": paused.reason},
            "polls": {source: poll_json(await poll_status(self.store, source)) for source in self.polled},
        }
        return _json(shown)

    async def _find(self, name: str) -> Link | None:
        number = _id(name)
        if number is not None and (found := await self.store.links.get(number)):
            return found
        if "\x00" in name:
            return None
        by_key = await self.store.links.list(LinkFilter(key=name, limit=1), self.clock())
        return by_key[0] if by_key else None

    async def _ticket_id(self, key: str | None) -> str | None:
        if key is None:
            return None
        found = await self.store.links.list(LinkFilter(key=key, limit=1), self.clock())
        return found[0].ticket_id if found else key

    async def _timeline(self, link: Link) -> dict[str, Any]:
        of = DeliveryFilter(source=link.source, ticket_id=link.ticket_id, limit=_MOST)
        return {
            **link_json(link, self.clock()),
            "correlation_key": link.correlation_key,
            "attempts_made": [attempt_json(attempt) for attempt in await self.store.links.attempts(link.id)],
            "deliveries": [delivery_json(delivery) for delivery in await self.store.inbox.list(of)],
        }


def _json(body: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")


def _page(name: str, items: list[dict[str, Any]], limit: int) -> Response:
    """A page, and the cursor of the next one; null on the last."""
    return _json({name: items, "cursor": str(items[-1]["id"]) if len(items) == limit else None})


def _limit(request: Request) -> int:
    limit = _number(request, "limit")
    if limit is not None and not 1 <= limit <= _MOST:
        raise _BadQuery(f"limit is a number from 1 to {_MOST}")
    return limit or 50


def _number(request: Request, name: str) -> int | None:
    text = request.query_params.get(name)
    if text is None:
        return None
    number = _id(text)
    if number is None:
        raise _BadQuery(f"{name} is a number")
    return number


def _id(text: str) -> int | None:
    """A row's id; None for what can be none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= _DIGITS else None


def _name(request: Request, name: str) -> str | None:
    text = request.query_params.get(name)
    if text is not None and "\x00" in text:
        raise _BadQuery(f"{name} has a character that no name has")
    return text


def _state(request: Request, kind: type[_State]) -> _State | None:
    text = request.query_params.get("state")
    if text is None:
        return None
    try:
        return kind(text)
    except ValueError:
        raise _BadQuery(f"state is one of {', '.join(kind)}") from None
