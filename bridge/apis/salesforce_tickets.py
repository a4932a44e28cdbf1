"""The records of one object, as a source's tickets."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from bridge.apis.salesforce import SalesforceClient
from bridge.config import SalesforceSource
from bridge.errors import Rejected, Unavailable
from bridge.trackers.salesforce import STANDARD_FIELDS, is_true_id, normal_id

ALWAYS = ("Id", "IsDeleted", "IsClosed", "SystemModstamp")


class SalesforceTickets:
    """Reads the fields that the bridge needs: those of a ticket, and those that the routes' templates speak of."""

    def __init__(
        self, client: SalesforceClient, source: SalesforceSource, in_use: Iterable[str], clock: Callable[[], datetime]
    ) -> None:
        self.client = client
        self._clock = clock
        self._object = source.object
        self.wanted_by_name = [*source.fields.model_dump(exclude_none=True).values(), *sorted(in_use)]
        """What the configuration speaks of, beside the standard fields, of which an object may lack some."""
        standard = [name for names in STANDARD_FIELDS.values() for name in names]
        self._wanted = list(dict.fromkeys([*ALWAYS, *standard, *self.wanted_by_name]))
        self._fields: list[str] = []

    async def look(self, ticket_ids: Sequence[str], within: timedelta) -> Mapping[str, Mapping[str, Any]]:
        """The records by their ids, those in the recycle bin too. An id whose checksum is wrong is no record's: the org refuses it."""
        began = int(self._clock().timestamp() * 1000)
        common = {"event": "record", "object": self._object, "readAt": began}
        try:
            async with asyncio.timeout(within.total_seconds()):
                records = await self._read([ticket_id for ticket_id in ticket_ids if is_true_id(ticket_id)])
        except TimeoutError:
            raise Unavailable(f"no answer within {within.total_seconds():g} s", sent=False) from None
        return {ticket_id: {**common, "record": record} for ticket_id, record in records.items()}

    async def _read(self, ids: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        fields = await self.fields()
        found: dict[str, Mapping[str, Any]] = {}
        try:
            async for record in self.client.records(self._object, ids, fields):
                if ticket_id := normal_id(record.get("Id")):
                    found[ticket_id] = _fields(record)
        except Rejected as error:
            if error.code == "INVALID_FIELD":  # the object has changed since it was described
                self._fields = []
            raise
        return found

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
