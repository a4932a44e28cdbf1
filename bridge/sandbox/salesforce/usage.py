"""The daily limit on requests: a rolling day of 24 hours, told on every answer."""

from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta

_DAY = timedelta(hours=24)


class Usage:
    """Counts requests, and refuses to count more than the limit."""

    def __init__(self, clock: Callable[[], datetime], limit: int) -> None:
        self._clock = clock
        self.limit = limit
        self._times: deque[datetime] = deque()

    @property
    def used(self) -> int:
        """Requests of the last 24 hours."""
        oldest = self._clock() - _DAY
        while self._times and self._times[0] <= oldest:
            self._times.popleft()
        return len(self._times)

    @property
    def header(self) -> dict[str, str]:
        """What every answer carries."""
        return {"Sforce-Limit-Info": f"api-usage={self.used}/{self.limit}"}

    def count(self) -> bool:
        """Whether there was one left, which is now used."""
        if self.used >= self.limit:
            return False
        self._times.append(self._clock())
        return True
