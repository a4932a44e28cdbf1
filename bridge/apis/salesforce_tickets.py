"""The records of one object, as a source's tickets."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from bridge.apis.protocol import POLLED, Message, Page
from bridge.apis.salesforce import IDS_AT_ONCE, QueryPage, SalesforceClient, text_literal
from bridge.config import SalesforceSource
from bridge.errors import NotFound, Rejected, Unauthorized, Unavailable
from bridge.trackers.salesforce import STANDARD_FIELDS, is_true_id, normal_id

ALWAYS = ("Id", "IsDeleted", "IsClosed", "SystemModstamp")

KEPT_FOR_OTHERS = 0.1
"""Of the org's daily requests: what is left then is not the bridge's to poll with."""

LIMIT_EASE = timedelta(minutes=15)
DELETIONS_KEPT = timedelta(days=15)
"""How far back an org tells what was deleted."""

_CLOCKS = timedelta(hours=1)
"""How far the org's clock may be ahead: a span that begins too early is refused."""

_DELETIONS = "deletions"
"""The cursor of the page after the last of the changed records."""


class SalesforceTickets:
    """Reads the fields that the bridge needs: those of a ticket, and those that the routes' templates speak of."""

    at_once = IDS_AT_ONCE

    def __init__(
        self, client: SalesforceClient, source: SalesforceSource, in_use: Iterable[str], clock: Callable[[], datetime]
    ) -> None:
        self.client = client
        self._clock = clock
        self._object = source.object
        self._closed = source.closed or ["Closed"]
        self._status = source.fields.status or "Status"
        self.wanted_by_name = [*source.fields.model_dump(exclude_none=True).values(), *sorted(in_use)]
        """What the configuration speaks of, beside the standard fields, of which an object may lack some."""
        standard = [name for names in STANDARD_FIELDS.values() for name in names]
        self._wanted = list(dict.fromkeys([*ALWAYS, *standard, *self.wanted_by_name]))
        self._fields: list[str] = []

    async def look(self, ticket_ids: Sequence[str], within: timedelta) -> Mapping[str, Message]:
        """The records by their ids, those in the recycle bin too. An id whose checksum is wrong is no record's: the org refuses it."""
        try:
            async with asyncio.timeout(within.total_seconds()):
                return await self._shown(ticket_ids, "record")
        except TimeoutError:
            raise Unavailable(f"no answer within {within.total_seconds():g} s", sent=False) from None

    async def read(self, ticket_ids: Sequence[str]) -> Mapping[str, Message]:
        """The same, without hurry."""
        return await self._shown(ticket_ids, POLLED)

    async def confirm(self, ticket_id: str, key: str) -> Message | None:
        """`GET …/sobjects/{object}/{id}`. A record that was purged, or is hidden, is in no query: the list of deletions tells which.

        An id whose checksum is wrong is no record's, and would be refused.
        """
        del key
        if not is_true_id(ticket_id):
            return None
        began = self._now()
        try:
            return self._message(POLLED, began, await self.client.record(self._object, ticket_id))
        except NotFound as error:
            if error.code == "ENTITY_IS_DELETED" or await self._was_deleted(ticket_id):
                return None
        why = f"{self._object} {ticket_id} is hidden from the user, for it is not among the deleted ones"
        raise Unauthorized(why, status=404) from None

    def gone(self, ticket_id: str, key: str, at: int) -> Message:
        """As a record in the recycle bin."""
        del key
        return {**self._message(POLLED, at, {"Id": ticket_id, "IsDeleted": True}), "at": at}

    async def changed(self, since: datetime, cursor: str | None) -> Page:
        """By SystemModstamp, which writes of the system move, too; then what getDeleted tells."""
        if cursor == _DELETIONS:
            return await self._deletions(since)
        page = await self._page(f"SystemModstamp >= {_utc(since)}", "SystemModstamp, Id", cursor)
        return page if page.cursor else Page(page.messages, _DELETIONS, page.total)

    async def opened(self, cursor: str | None) -> Page:
        """By IsClosed, or by the source's list of closed statuses."""
        if "IsClosed" in await self.fields():
            return await self._page("IsClosed = false", "Id", cursor)
        closed = ", ".join(map(text_literal, self._closed))
        return await self._page(f"{self._status} NOT IN ({closed})", "Id", cursor)

    def ease(self) -> timedelta:
        """A while, once most of the org's requests of the day are used; then one more tells whether they still are."""
        usage = self.client.usage
        if usage is None or usage.used < (1 - KEPT_FOR_OTHERS) * usage.allowed:
            return timedelta()
        return max(usage.at + LIMIT_EASE - self._clock(), timedelta())

    async def _page(self, condition: str, order: str, cursor: str | None) -> Page:
        began, found = self._now(), await self._query(condition, order, cursor)
        messages = [self._message(POLLED, began, record) for record in found.records]
        return Page(messages, found.next, found.total)

    async def _query(self, condition: str, order: str, cursor: str | None) -> QueryPage:
        if cursor is not None:
            return await self.client.next_page(cursor)
        fields = ", ".join(await self.fields())
        soql = f"SELECT {fields} FROM {self._object} WHERE {condition} ORDER BY {order}"  # noqa: S608 - SOQL; names are checked, values escaped
        with self._describing():
            return await self.client.first_page(soql)

    async def _deletions(self, since: datetime) -> Page:
        now = self._clock()
        try:
            found = await self.client.deleted(
                self._object, max(since, now - DELETIONS_KEPT), now + timedelta(minutes=1)
            )
        except Rejected:  # an object that tells no deletions: its open records are read by their ids
            return Page([])
        return Page(
            [
                self.gone(ticket_id, "", int(at.timestamp() * 1000))
                for record_id, at in found.records.items()
                if (ticket_id := normal_id(record_id))
            ]
        )

    async def _was_deleted(self, ticket_id: str) -> bool:
        """Whether the org tells so. Purged records are told, too; an object that tells no deletions leaves it open."""
        now = self._clock()
        try:
            found = await self.client.deleted(self._object, now - DELETIONS_KEPT + _CLOCKS, now + timedelta(minutes=1))
        except Rejected:
            return False
        return any(normal_id(record_id) == ticket_id for record_id in found.records)

    async def _shown(self, ticket_ids: Sequence[str], event: str) -> Mapping[str, Message]:
        began = self._now()
        records = await self._read([ticket_id for ticket_id in ticket_ids if is_true_id(ticket_id)])
        return {ticket_id: self._message(event, began, record) for ticket_id, record in records.items()}

    def _message(self, event: str, began: int, record: Mapping[str, Any]) -> Message:
        return {"event": event, "object": self._object, "readAt": began, "record": _fields(record)}

    def _now(self) -> int:
        return int(self._clock().timestamp() * 1000)

    async def _read(self, ids: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        fields = await self.fields()
        found: dict[str, Mapping[str, Any]] = {}
        with self._describing():
            async for record in self.client.records(self._object, ids, fields):
                if ticket_id := normal_id(record.get("Id")):
                    found[ticket_id] = record
        return found

    @contextmanager
    def _describing(self) -> Iterator[None]:
        """A query of the fields that the object had when it was described. Where it has changed since, the next one describes it anew."""
        try:
            yield
        except Rejected as error:
            if error.code == "INVALID_FIELD":
                self._fields = []
            raise

    async def try_fields(self) -> None:
        """Ask for one record with all the wanted fields, related ones too."""
        soql = f"SELECT {', '.join(await self.fields())} FROM {self._object} LIMIT 1"  # noqa: S608 - SOQL; names are checked
        async for _ in self.client.query(soql, deleted_too=True):
            return

    async def fields(self) -> list[str]:
        """Those of the wanted fields that the object has and the user may see. One of a related record is asked for unseen."""
        if not self._fields:
            there = set(await self.client.fields(self._object))
            self._fields = [name for name in self._wanted if "." in name or name in there]
        return self._fields


def _fields(record: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name != "attributes"}


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
