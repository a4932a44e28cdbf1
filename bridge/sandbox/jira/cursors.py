"""The pages of a search that goes on: which ids are still to come. A token lives seven days and can be used again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

LIFE = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Cursor:
    """What is left of a search; the query must come with the token again."""

    jql: str
    ids: tuple[int, ...]
    began: datetime


class Cursors:
    """The searches of one Jira that go on. Which issues are found is decided with the first page; no source says so."""

    def __init__(self, clock: Callable[[], datetime], random: Random) -> None:
        self._clock = clock
        self._random = random
        self._cursors: dict[str, Cursor] = {}

    def keep(self, jql: str, ids: Sequence[int]) -> str:
        """A token for what is left."""
        token = f"{self._random.getrandbits(160):040x}"
        self._cursors[token] = Cursor(jql, tuple(ids), self._clock())
        return token

    def find(self, token: str, jql: str) -> Cursor | None:
        """What is left of a search; None for a token that was never given, is too old, or belongs to another query."""
        cursor = self._cursors.get(token)
        if cursor is None or cursor.jql != jql or self._clock() - cursor.began >= LIFE:
            return None
        return cursor
