"""What may stand in a tracker's JSON, read without trusting it."""

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from bridge.model import TicketState, Version

_MAX_MILLISECONDS = 10**14  # the year 5138: a greater number is no time
_EMAIL = re.compile(r"[^@\s,;<>]+@[^@\s,;<>]+")
_RANK = {TicketState.DELETED: 2, TicketState.CLOSED: 1, TicketState.OPEN: 0, None: 0}


def as_object(value: Any) -> Mapping[str, Any]:
    """A JSON object; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def as_text(value: Any) -> str | None:
    """A text; None for anything else."""
    return clean(value) if isinstance(value, str) else None


def as_email(value: Any) -> str | None:
    """A text that can be one person's e-mail; None for anything else."""
    text = (as_text(value) or "").strip()
    return text if _EMAIL.fullmatch(text) else None


def clean(text: str) -> str:
    """Without NUL, which PostgreSQL's text cannot hold."""
    return text.replace("\x00", "")


def milliseconds(value: Any) -> int:
    """Epoch milliseconds of a number, a number's text or an ISO time; 0 for anything else. A time without an offset is UTC's."""
    if isinstance(value, str):
        try:
            value = int(value) if value.isdecimal() else _iso(value)
        except (ValueError, OverflowError, OSError):
            return 0
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0
    return round(value) if 0 < value < _MAX_MILLISECONDS else 0


def _iso(text: str) -> float:
    moment = datetime.fromisoformat(text)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000


def version(updated: int, emitted: int, state: TicketState | None, facts: Mapping[str, Any]) -> str:
    """The version of what was seen; times in epoch milliseconds."""
    return Version(updated, emitted, _RANK[state], digest(facts)[:16]).encode()


def dedupe_key(told_at: int, content: str, received_at: datetime | None = None) -> str:
    """By what the inbox knows a delivery again: the time that it tells, in epoch milliseconds, 0 for none, and its content's fingerprint.

    With `received_at` one that tells no time has no duplicates: a ticket may truly look as it did before.
    The time is first, because a tracker's deliveries come nearly in its order: their keys lie beside each other in the index, where
    keys that may fall anywhere would each change a page of their own.
    """
    key = f"{told_at:012x}:{content}"
    return key if told_at or received_at is None else f"{key}:{received_at.timestamp()}"


def fingerprint(data: bytes) -> str:
    """The same for the same bytes, in 128 bits."""
    return hashlib.sha256(data).hexdigest()[:32]


def digest(value: Any) -> str:
    """The same for equal JSON values, whatever the order of their names."""
    return fingerprint(orjson.dumps(value, option=orjson.OPT_SORT_KEYS))
