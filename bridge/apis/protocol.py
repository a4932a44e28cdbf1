"""What the sync core asks of every tracker's API."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Protocol


class TicketApi(Protocol):
    """One source's tickets, as the tracker has them now."""

    async def look(self, ticket_ids: Sequence[str], within: timedelta) -> Mapping[str, Mapping[str, Any]]:
        """The tickets by their ids, each in a shape that the tracker's `observe` reads, with the time at which it was read.

        One that is not shown, or not in time, is left out. Raises the classes under `RemoteError`.
        """
