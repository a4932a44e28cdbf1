"""Jira's timestamps: ISO with milliseconds and an offset without a colon, such as `2026-01-15T12:00:00.000+0000`."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo

TICK = timedelta(milliseconds=1)


class Ticking:
    """The handed-in clock in whole milliseconds, but never the same one twice: no two changes share their `updated`."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._last = datetime.min.replace(tzinfo=UTC)

    def __call__(self) -> datetime:
        """The time of a change that happens now."""
        now = self._clock().astimezone(UTC)
        whole = now.replace(microsecond=now.microsecond // 1000 * 1000)
        self._last = max(whole, self._last + TICK)
        return self._last


def stamp(at: datetime, zone: tzinfo = UTC) -> str:
    """As Jira writes it."""
    local = at.astimezone(zone)
    return f"{local:%Y-%m-%dT%H:%M:%S}.{local.microsecond // 1000:03d}{local:%z}"


def moment(written: str) -> datetime:
    """What `stamp` wrote."""
    return datetime.fromisoformat(written)


def milliseconds(at: datetime) -> int:
    """Since the epoch."""
    return round(at.timestamp() * 1000)
