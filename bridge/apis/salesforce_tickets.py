"""The records of one object, as a source's tickets."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bridge.apis.salesforce import SalesforceClient
from bridge.config import SalesforceSource
from bridge.errors import Rejected
from bridge.trackers.salesforce import STANDARD_FIELDS, normal_id

ALWAYS = ("Id", "IsDeleted", "IsClosed", "SystemModstamp")


class SalesforceTickets:
    """Reads the fields that the bridge needs: those of a ticket, and those that the routes' templates speak of."""

    def __init__(self, client: SalesforceClient, source: SalesforceSource, in_use: Iterable[str]) -> None:
        self.client = client
        self._object = source.object
        self.wanted_by_name = [*source.fields.model_dump(exclude_none=True).values(), *sorted(in_use)]
        """What the configuration speaks of, beside the standard fields, of which an object may lack some."""
        standard = [name for names in STANDARD_FIELDS.values() for name in names]
        self._wanted = list(dict.fromkeys([*ALWAYS, *standard, *self.wanted_by_name]))
        self._fields: list[str] = []

    async def look(self, ticket_ids: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        """The records by their ids, those in the recycle bin too."""
        fields = await self.fields()
        found: dict[str, Mapping[str, Any]] = {}
        try:
            async for record in self.client.records(self._object, ticket_ids, fields):
                if ticket_id := normal_id(record.get("Id")):
                    found[ticket_id] = {"event": "record", "object": self._object, "record": _fields(record)}
        except Rejected as error:
            if error.code == "INVALID_FIELD":  # the object has changed since it was described
                self._fields = []
            raise
        return found

    async def fields(self) -> list[str]:
        """Those of the wanted fields that the object has and the user may see. One of a related record is asked for unseen."""
        if not self._fields:
            there = {name.casefold() for name in await self.client.fields(self._object)}
            self._fields = [name for name in self._wanted if "." in name or name.casefold() in there]
        return self._fields


def _fields(record: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name != "attributes"}
