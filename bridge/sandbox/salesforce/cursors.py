"""Pages of a long answer: rows are found once, and handed out by a locator that lives for two days."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bridge.sandbox.salesforce.failures import locator_unknown
from bridge.sandbox.salesforce.ids import Ids

_LIFE = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class _Cursor:
    rows: Sequence[dict[str, Any]]
    size: int
    ends: datetime


class Cursors:
    """The answers that somebody has not read to their end."""

    def __init__(self, clock: Callable[[], datetime], ids: Ids) -> None:
        self._clock = clock
        self._ids = ids
        self._open: dict[str, _Cursor] = {}

    def first_page(self, rows: Sequence[dict[str, Any]], size: int, path: str) -> dict[str, Any]:
        """The first page; `path` is where the next one is asked for."""
        now = self._clock()
        self._open = {locator: cursor for locator, cursor in self._open.items() if cursor.ends > now}
        cursor = _Cursor(rows, size, now + _LIFE)
        locator = ""
        if len(rows) > size:
            locator = self._ids.next("0r8")
            self._open[locator] = cursor
        return _page(cursor, locator, 0, path)

    def page(self, name: str, path: str) -> dict[str, Any]:
        """The page that a locator names. 400 `INVALID_QUERY_LOCATOR` if there is none, or no longer."""
        locator, _, start = name.partition("-")
        cursor = self._open.get(locator)
        if cursor is None or cursor.ends <= self._clock() or not _inside(start, cursor):
            raise locator_unknown()
        return _page(cursor, locator, int(start), path)


def _inside(start: str, cursor: _Cursor) -> bool:
    return start.isascii() and start.isdigit() and len(start) < 10 and int(start) < len(cursor.rows)


def _page(cursor: _Cursor, locator: str, start: int, path: str) -> dict[str, Any]:
    end = start + cursor.size
    done = end >= len(cursor.rows)
    page: dict[str, Any] = {"totalSize": len(cursor.rows), "done": done}
    if not done:
        page["nextRecordsUrl"] = f"{path}/{locator}-{end}"
    return {**page, "records": cursor.rows[start:end]}
