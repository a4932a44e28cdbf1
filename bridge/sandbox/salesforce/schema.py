"""The org's objects and their fields: the standard ones that a ticket bridge meets, and whatever somebody opens a record with.

A real org's fields are set up by its administrator; here the first record that has a field sets it up.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from bridge.sandbox.salesforce import failures
from bridge.sandbox.salesforce.times import parsed_date, parsed_time, rest_time


@dataclass(frozen=True, slots=True)
class Field:
    """A field, with the type that `describe` gives it. A read-only field is filled by Salesforce alone."""

    name: str
    type: str = "string"
    nillable: bool = True
    read_only: bool = False

    @property
    def label(self) -> str:
        """What people see."""
        return label(self.name)


def _filled(name: str, kind: str) -> Field:
    return Field(name, kind, nillable=False, read_only=True)


_EVERYWHERE = (
    _filled("Id", "id"),
    _filled("IsDeleted", "boolean"),
    Field("OwnerId", "reference", nillable=False),
    _filled("CreatedDate", "datetime"),
    _filled("CreatedById", "reference"),
    _filled("LastModifiedDate", "datetime"),
    _filled("LastModifiedById", "reference"),
    _filled("SystemModstamp", "datetime"),
)
_NAME = (Field("Name", nillable=False),)
_CASE = (
    _filled("CaseNumber", "string"),
    Field("Subject"),
    Field("Description", "textarea"),
    Field("Status", "picklist"),
    Field("Priority", "picklist"),
    Field("Origin", "picklist"),
    Field("Type", "picklist"),
    Field("Reason", "picklist"),
    Field("SuppliedName"),
    Field("SuppliedEmail", "email"),
    Field("AccountId", "reference"),
    Field("ContactId", "reference"),
    Field("ParentId", "reference"),
    _filled("IsClosed", "boolean"),
    Field("IsEscalated", "boolean", nillable=False),
    Field("ClosedDate", "datetime", read_only=True),
)
_WORK_ORDER = (
    _filled("WorkOrderNumber", "string"),
    Field("Subject"),
    Field("Description", "textarea"),
    Field("Status", "picklist"),
    Field("Priority", "picklist"),
    Field("CaseId", "reference"),
    _filled("IsClosed", "boolean"),
)
_CASE_STATUS = (
    _filled("Id", "id"),
    _filled("ApiName", "string"),
    _filled("MasterLabel", "string"),
    _filled("IsClosed", "boolean"),
    _filled("IsDefault", "boolean"),
    _filled("SortOrder", "int"),
)
_PREFIXES = {"Account": "001", "Contact": "003", "Lead": "00Q", "Task": "00T", "Incident": "0HB", "Problem": "0Ob"}


class SObject:
    """An object with its fields. Queries spell them in any case; answers in the schema's."""

    def __init__(self, name: str, key_prefix: str, fields: tuple[Field, ...]) -> None:
        self.name = name
        self.key_prefix = key_prefix
        self._fields = {field.name.lower(): field for field in fields}

    @property
    def fields(self) -> list[Field]:
        """Every field, in the order in which they came to be."""
        return list(self._fields.values())

    @property
    def custom(self) -> bool:
        """Whether somebody made it, rather than Salesforce."""
        return self.name.endswith("__c")

    @property
    def status_field(self) -> str:
        """Where its state is kept; a custom object is taken to have a field of its own for it."""
        return "Status__c" if self.custom else "Status"

    def has(self, name: str) -> bool:
        """Whether it has the field, in whatever case."""
        return name.lower() in self._fields

    def field(self, name: str) -> Field:
        """The field. 400 `INVALID_FIELD` if there is none."""
        try:
            return self._fields[name.lower()]
        except KeyError:
            raise failures.field_unknown(name, self.name) from None

    def learn(self, name: str, value: Any) -> Field:
        """The field, set up by its first value if it is new; a first value that is null leaves the type open."""
        known = self._fields.get(name.lower())
        if known is None or (known.type == "anyType" and value is not None):
            known = Field(known.name if known else name, _type_of(value))
            self._fields[name.lower()] = known
        return known

    def forget(self, name: str) -> None:
        """Somebody deletes the field, or takes it from the user: to them it is the same."""
        self._fields.pop(name.lower(), None)


class Schema:
    """The objects of one org, by name and by the first three characters of their ids."""

    def __init__(self) -> None:
        self._objects: dict[str, SObject] = {}
        self._made = 0
        self._add("Case", "500", _EVERYWHERE + _CASE)
        self._add("WorkOrder", "0WO", _EVERYWHERE + _WORK_ORDER)
        self._add("CaseStatus", "01J", _CASE_STATUS)

    def __iter__(self) -> Iterator[SObject]:
        return iter(self._objects.values())

    def find(self, name: str) -> SObject | None:
        """The object of this name, in whatever case."""
        return self._objects.get(name.lower())

    def of_id(self, record_id: str) -> SObject | None:
        """The object whose records have such ids."""
        return next((sobject for sobject in self if sobject.key_prefix == record_id[:3]), None)

    def learn(self, name: str) -> SObject:
        """The object, set up if it is new."""
        return self.find(name) or self._add(name, _PREFIXES.get(name) or self._next_prefix(), _EVERYWHERE + _NAME)

    def _add(self, name: str, key_prefix: str, fields: tuple[Field, ...]) -> SObject:
        sobject = SObject(name, key_prefix, fields)
        self._objects[name.lower()] = sobject
        return sobject

    def _next_prefix(self) -> str:
        self._made += 1
        return f"a{self._made - 1:02d}"


def label(name: str) -> str:
    """A name in words: `SystemModstamp` is `System Modstamp`, `Cost_Center__c` is `Cost Center`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.removesuffix("__c")).replace("_", " ")


def plain(value: Any) -> Any:
    """A value as records hold it: times as REST writes them, and nothing for an empty text, as Salesforce keeps it."""
    if isinstance(value, datetime):
        return rest_time(value if value.tzinfo else value.replace(tzinfo=UTC))
    if isinstance(value, date):
        return value.isoformat()
    if value is None or isinstance(value, str | bool | int | float):
        return None if value == "" else value
    raise TypeError(f"a field holds a text, a number, a boolean or a time, not {type(value).__name__}")


def _type_of(value: Any) -> str:
    if value is None:
        return "anyType"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "double"
    if parsed_time(value):
        return "datetime"
    return "date" if parsed_date(value) else "string"
