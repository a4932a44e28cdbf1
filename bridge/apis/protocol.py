"""What the sync core asks of every tracker's API."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class TicketApi(Protocol):
    """One source's tickets, as the tracker has them now."""

    async def look(self, ticket_ids: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        """The tickets by their ids, each in a shape that the tracker's `observe` reads. One that is not shown is left out.

        Raises the classes under `RemoteError`.
        """
