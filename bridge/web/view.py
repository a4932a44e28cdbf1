"""What the API and the dashboard show alike: the mapping table and the inbox, a page at a time, as plain values."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar

from bridge.model import DeliveryState, Link, LinkState
from bridge.present import attempt_json, delivery_json, link_json, moment, poll_json
from bridge.service import DESTINATION, Clock
from bridge.store import DeliveryFilter, LinkFilter, Render, Store
from bridge.sync.poller import poll_status

MOST = 500
"""Rows of a page."""

_ROWS = 50
_DIGITS = 18  # of the largest id that every engine can hold
_State = TypeVar("_State", bound=StrEnum)

Query = Mapping[str, str]
Shown = dict[str, Any]


class BadQuery(ValueError):
    """A filter that makes no sense; the message says which."""


class NoSuch(LookupError):
    """There is nothing of that name; the message says what is not."""


@dataclass(frozen=True, slots=True)
class View:
    """Looks into the store. `polled` are the sources that are polled."""

    store: Store
    clock: Clock
    render: Render
    polled: Sequence[str]

    async def links(self, query: Query) -> tuple[list[Shown], str | None]:
        """Links, the newest first, and the cursor of the next page. Filters: source, state, key; limit and cursor. Raises `BadQuery`."""
        wanted = LinkFilter(
            source=_name(query, "source"),
            state=_state(query, LinkState),
            key=_name(query, "key"),
            before=_number(query, "cursor"),
            limit=_limit(query),
        )
        now = self.clock()
        return _page([link_json(link, now) for link in await self.store.links.list(wanted, now)], wanted.limit)

    async def link(self, name: str, newest: int | None = None) -> Shown:
        """A link with its ticket's whole timeline, or its so many newest attempts. The name is a link's id, or a ticket's key.

        Raises `NoSuch`.
        """
        link = await self._find(name)
        of = DeliveryFilter(source=link.source, ticket_id=link.ticket_id, limit=MOST)
        return {
            **link_json(link, self.clock()),
            "correlation_key": link.correlation_key,
            "attempts_made": [attempt_json(attempt) for attempt in await self.store.links.attempts(link.id, newest)],
            "deliveries": [delivery_json(delivery) for delivery in await self.store.inbox.list(of)],
        }

    async def retry(self, name: str) -> Shown:
        """Try a link again at once; the link as it is then. Raises `NoSuch`, and `TemplateError` if it cannot be rendered."""
        link = await self._find(name)
        await self.store.links.retry([link.id], self.clock(), self.render)
        again = await self.store.links.get(link.id)
        return link_json(again or link, self.clock())

    async def deliveries(self, query: Query) -> tuple[list[Shown], str | None]:
        """Deliveries, likewise; the key is a linked ticket's, or a ticket's id."""
        source = _name(query, "source")
        wanted = DeliveryFilter(
            source=source,
            state=_state(query, DeliveryState),
            ticket_id=await self._ticket_id(source, _name(query, "key")),
            before=_number(query, "cursor"),
            limit=_limit(query),
        )
        return _page([delivery_json(delivery) for delivery in await self.store.inbox.list(wanted)], wanted.limit)

    async def delivery(self, name: str) -> Shown:
        """A delivery as it came. Raises `NoSuch`."""
        number = _id(name)
        found = None if number is None else await self.store.inbox.get(number)
        if found is None:
            raise NoSuch("there is no such delivery")
        return delivery_json(found, body=True)

    async def replay(self, name: str) -> int:
        """Hand a delivery to the intake once more; its id. Raises `NoSuch`."""
        number = _id(name)
        if number is None or not await self.store.inbox.replay([number]):
            raise NoSuch("there is no such delivery")
        return number

    async def summary(self) -> Shown:
        """How much there is of everything."""
        counts = {"links": await self.store.links.counts(self.clock()), "deliveries": await self.store.inbox.counts()}
        return {**counts, **await self._standing()}

    async def waiting(self) -> Shown:
        """The same without what is settled, which takes a look at every row there is."""
        counts = {"links": await self.store.links.backlog(self.clock()), "deliveries": await self.store.inbox.backlog()}
        return {**counts, **await self._standing()}

    async def _standing(self) -> Shown:
        """Whether Orchestrator is paused, and how the polls stand."""
        pause = await self.store.pauses.get(DESTINATION)
        paused = pause if pause is not None and pause.until > self.clock() else None
        return {
            "paused": None if paused is None else {"until": moment(paused.until), "reason": paused.reason},
            "polls": {source: poll_json(await poll_status(self.store, source)) for source in self.polled},
        }

    async def _find(self, name: str) -> Link:
        number = _id(name)
        found = None if number is None else await self.store.links.get(number)
        if found is None and "\x00" not in name:
            by_key = await self.store.links.list(LinkFilter(key=name, limit=1), self.clock())
            found = by_key[0] if by_key else None
        if found is None:
            raise NoSuch("there is no such link")
        return found

    async def _ticket_id(self, source: str | None, key: str | None) -> str | None:
        if key is None:
            return None
        found = await self.store.links.list(LinkFilter(source=source, key=key, limit=1), self.clock())
        return found[0].ticket_id if found else key


def _page(items: list[Shown], limit: int) -> tuple[list[Shown], str | None]:
    """A page, and the cursor of the next one; None on the last."""
    return items, str(items[-1]["id"]) if len(items) == limit else None


def _limit(query: Query) -> int:
    limit = _number(query, "limit")
    if limit is not None and not 1 <= limit <= MOST:
        raise BadQuery(f"limit is a number from 1 to {MOST}")
    return limit or _ROWS


def _number(query: Query, name: str) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    number = _id(text)
    if number is None:
        raise BadQuery(f"{name} is a number")
    return number


def _id(text: str) -> int | None:
    """A row's id; None for what can be none. A number that begins with a zero is somebody's key."""
    is_one = text.isascii() and text.isdecimal() and len(text) <= _DIGITS and str(int(text)) == text
    return int(text) if is_one else None


def _name(query: Query, name: str) -> str | None:
    text = query.get(name)
    if text is not None and "\x00" in text:
        raise BadQuery(f"{name} has a character that no name has")
    return text


def _state(query: Query, kind: type[_State]) -> _State | None:
    text = query.get("state")
    if text is None:
        return None
    try:
        return kind(text)
    except ValueError:
        raise BadQuery(f"state is one of {', '.join(kind)}") from None
