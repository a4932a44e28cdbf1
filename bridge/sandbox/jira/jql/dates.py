"""Times in JQL: milliseconds since the epoch (without quotes), spans before or after now, and minutes in the user's time zone."""

import re
from datetime import datetime, timedelta, tzinfo

from bridge.sandbox.jira.jql.query import Literal

_SPAN = re.compile(r"(?P<sign>[+-]?)\s*(?P<parts>(?:[0-9]{1,6}\s*[wdhm]\s*)+)")
_PART = re.compile(r"([0-9]+)\s*([wdhm])")
_DATE = re.compile(r"([0-9]{4})([-/])([0-9]{1,2})\2([0-9]{1,2})(?: ([0-9]{1,2}):([0-9]{2}))?")
_UNITS = {"w": "weeks", "d": "days", "h": "hours", "m": "minutes"}
_EPOCH = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def moment(literal: Literal, now: datetime, zone: tzinfo) -> datetime | None:
    """The time that is meant; None if it is none."""
    try:
        if literal.number is not None:
            return _EPOCH + timedelta(milliseconds=literal.number)
        return _relative(literal.text.strip(), now) or _written(literal.text.strip(), zone)
    except (ValueError, OverflowError):
        return None


def _relative(text: str, now: datetime) -> datetime | None:
    found = _SPAN.fullmatch(text)
    if found is None:
        return None
    parts = _PART.findall(found["parts"])
    span = sum((timedelta(**{_UNITS[unit]: int(number)}) for number, unit in parts), timedelta())
    return now - span if found["sign"] == "-" else now + span


def _written(text: str, zone: tzinfo) -> datetime | None:
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    year, _, month, day, hour, minute = found.groups(default="0")
    return datetime(int(year), int(month), int(day), int(hour), int(minute), tzinfo=zone)
