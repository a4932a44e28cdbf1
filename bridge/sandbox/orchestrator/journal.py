"""What was asked of the sandbox: a count per operation, and the latest requests with the status that each was given."""

from collections import Counter, deque
from typing import Any

KEPT = 10_000
"""How many requests are remembered."""


class Journal:
    """Counts a request when it arrives, faults included, and remembers its status when it ends."""

    def __init__(self) -> None:
        self._calls: Counter[str] = Counter()
        self._requests: deque[tuple[str, int | None]] = deque(maxlen=KEPT)

    def arrived(self, operation: str) -> None:
        """A request for the operation has come."""
        self._calls[operation] += 1

    def ended(self, operation: str, status: int | None) -> None:
        """It was answered; None where nobody got an answer."""
        self._requests.append((operation, status))

    def clear(self) -> None:
        """Forget everything."""
        self._calls.clear()
        self._requests.clear()

    @property
    def calls(self) -> dict[str, int]:
        """How often each operation was asked for."""
        return dict(self._calls)

    @property
    def requests(self) -> list[dict[str, Any]]:
        """The latest requests, oldest first."""
        return [{"operation": operation, "status": status} for operation, status in self._requests]
