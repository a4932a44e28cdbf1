"""Times as Salesforce writes them: `+0000` in REST, `Z` in SOAP. Records hold REST's form."""

import re
from datetime import UTC, date, datetime

_DATETIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]+)?)?(Z|[+-][0-9]{2}:?[0-9]{2})")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def rest_time(at: datetime) -> str:
    """`2026-01-15T10:20:30.000+0000`."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "+0000")


def soap_time(rest: str) -> str:
    """`2026-01-15T10:20:30.000Z`, of REST's form."""
    return rest.removesuffix("+0000") + "Z"


def parsed_time(text: str) -> datetime | None:
    """The moment in UTC; None for what is not a date with a time and a zone."""
    if not _DATETIME.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def parsed_date(text: str) -> date | None:
    """The day; None for what is not one."""
    if not _DATE.fullmatch(text):
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
