"""The org's records: how they come to be, change, are deleted, and what Salesforce fills in by itself.

No wire and no clock: the moment of a change is handed in.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bridge.sandbox.salesforce import failures
from bridge.sandbox.salesforce.ids import Ids, full_id, numbered_id
from bridge.sandbox.salesforce.schema import Schema, SObject, label, plain
from bridge.sandbox.salesforce.times import rest_time

USER_ID = "005000000000001AAA"
"""Who does everything in this org."""

_OPENED: dict[str, dict[str, Any]] = {
    "Case": {"Status": "New", "Priority": "Medium", "Origin": "Web", "Subject": None, "IsEscalated": False},
    "WorkOrder": {"Status": "New", "Priority": "Medium", "Subject": None},
}
_NUMBERED = {"Case": ("CaseNumber", 1001), "WorkOrder": ("WorkOrderNumber", 1)}


@dataclass(frozen=True, slots=True)
class Deletion:
    """An entry of the delete log."""

    sobject: SObject
    record_id: str
    at: datetime


class Records:
    """Every record, the deleted ones too until they are purged. Raises `Failure` where Salesforce refuses."""

    def __init__(self, schema: Schema, ids: Ids, statuses: Callable[[], Mapping[str, bool]]) -> None:
        self._schema = schema
        self._ids = ids
        self._statuses = statuses
        self._tables: dict[str, dict[str, dict[str, Any]]] = {}
        self._numbers: Counter[str] = Counter()
        self._deletions: dict[str, Deletion] = {}
        self.hidden: set[str] = set()
        """Ids of records that are not shared with the user: to them they are not there."""

    # -- looking -------------------------------------------------------------------------------------------------------------------

    def of(self, sobject: SObject, *, deleted: bool = False) -> list[dict[str, Any]]:
        """The records of an object, oldest first; with those in the recycle bin if asked."""
        if sobject.name == "CaseStatus":
            return [_status_row(*row) for row in enumerate(self._statuses().items(), 1)]
        rows = self._tables.get(sobject.name, {}).values()
        return [row for row in rows if (deleted or not row["IsDeleted"]) and row["Id"] not in self.hidden]

    def find(self, record_id: str) -> dict[str, Any] | None:
        """The record, in the recycle bin or out of it; None if there is none. Takes 15 and 18 characters."""
        full = full_id(record_id)
        sobject = self._schema.of_id(full) if full else None
        return self._tables.get(sobject.name, {}).get(full) if full and sobject else None

    def live(self, record_id: str) -> dict[str, Any]:
        """The record. 404 `ENTITY_IS_DELETED` in the recycle bin, 404 `NOT_FOUND` beyond it."""
        record = self._kept(record_id)
        if record["IsDeleted"]:
            raise failures.record_deleted()
        return record

    def deletions(self, sobject: SObject) -> list[Deletion]:
        """The delete log of an object: purged records stay in it, undeleted ones do not."""
        return [deletion for deletion in self._deletions.values() if deletion.sobject is sobject]

    # -- changing ------------------------------------------------------------------------------------------------------------------

    def create(self, sobject: SObject, fields: Mapping[str, Any], now: datetime) -> dict[str, Any]:
        """A new record with its id, its number or name, and its defaults."""
        record_id = self._ids.next(sobject.key_prefix)
        stamp = rest_time(now)
        record: dict[str, Any] = {
            "Id": record_id,
            "IsDeleted": False,
            **self._numbered(sobject),
            **_OPENED.get(sobject.name, {}),
            "OwnerId": USER_ID,
            "CreatedDate": stamp,
            "CreatedById": USER_ID,
        }
        self._write(sobject, record, fields, now)
        self._tables.setdefault(sobject.name, {})[record_id] = record
        return record

    def update(self, record_id: str, fields: Mapping[str, Any], now: datetime) -> dict[str, Any]:
        """Change fields of a record that is not deleted."""
        record = self.live(record_id)
        sobject = self.sobject_of(record)
        self._write(sobject, record, fields, now)
        return record

    def delete(self, record_id: str, now: datetime) -> None:
        """Put a record into the recycle bin."""
        record = self.live(record_id)
        record["IsDeleted"] = True
        _stamp(record, now)
        self._deletions[record["Id"]] = Deletion(self.sobject_of(record), record["Id"], now)

    def undelete(self, record_id: str, now: datetime) -> None:
        """Take a record out of the recycle bin; one that is not in it stays as it is."""
        record = self._kept(record_id)
        if record["IsDeleted"]:
            record["IsDeleted"] = False
            _stamp(record, now)
            del self._deletions[record["Id"]]

    def purge(self, record_id: str, now: datetime) -> None:
        """Remove a record for good, wherever it is; the delete log still tells."""
        record = self._kept(record_id)
        sobject = self.sobject_of(record)
        self._deletions.setdefault(record["Id"], Deletion(sobject, record["Id"], now))
        del self._tables[sobject.name][record["Id"]]

    def sobject_of(self, record: Mapping[str, Any]) -> SObject:
        """What kind of record it is, by its id."""
        sobject = self._schema.of_id(record["Id"])
        if sobject is None:
            raise failures.record_unknown(record["Id"])
        return sobject

    # -- small things --------------------------------------------------------------------------------------------------------------

    def _kept(self, record_id: str) -> dict[str, Any]:
        record = self.find(record_id)
        if record is None or record["Id"] in self.hidden:
            raise failures.record_unknown(record_id)
        return record

    def _numbered(self, sobject: SObject) -> dict[str, Any]:
        """A number of eight digits for what Salesforce numbers, a name for everything else."""
        self._numbers[sobject.name] += 1
        count = self._numbers[sobject.name]
        if sobject.name in _NUMBERED:
            field, first = _NUMBERED[sobject.name]
            return {field: f"{first + count - 1:08d}"}
        return {"Name": f"{label(sobject.name)}-{count:04d}"}

    def _write(self, sobject: SObject, record: dict[str, Any], fields: Mapping[str, Any], now: datetime) -> None:
        """Set fields, and what follows: the time, and whether it is closed. Work orders share the cases' list of statuses."""
        was_closed = record.get("IsClosed", False)
        _set(sobject, record, fields)
        if sobject.has("IsClosed"):
            record["IsClosed"] = self._statuses().get(record["Status"], False)
            if sobject.has("ClosedDate") and record["IsClosed"] != was_closed:
                record["ClosedDate"] = rest_time(now) if record["IsClosed"] else None
        _stamp(record, now)


def _set(sobject: SObject, record: dict[str, Any], fields: Mapping[str, Any]) -> None:
    if "Id" in fields:
        raise failures.field_read_only("Id")
    values = {name: plain(value) for name, value in fields.items()}
    for name, value in values.items():
        record[sobject.learn(name, value).name] = value


def _stamp(record: dict[str, Any], now: datetime) -> None:
    record |= {"LastModifiedDate": rest_time(now), "LastModifiedById": USER_ID, "SystemModstamp": rest_time(now)}


def _status_row(number: int, status: tuple[str, bool]) -> dict[str, Any]:
    name, closed = status
    return {
        "Id": numbered_id("01J", number),
        "ApiName": name,
        "MasterLabel": name,
        "IsClosed": closed,
        "IsDefault": number == 1,
        "SortOrder": number,
    }
