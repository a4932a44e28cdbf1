"""What every tracker can do."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

from msgspec import Struct

from bridge.model import Facts, Observation, Ticket, TicketState


class Recognised(Struct, frozen=True):
    """One delivery of a request: enough to store it, no more."""

    event: str
    ticket_id: str | None
    dedupe_key: str
    body: bytes


class Ignored(Struct, frozen=True):
    """A delivery that says nothing about a ticket, and why."""

    reason: str


class Tracker(Protocol):
    """One configured instance of a ticket system."""

    def recognise(self, headers: Mapping[str, str], body: bytes, received_at: datetime) -> Sequence[Recognised]:
        """Split a request into its deliveries, maybe none. `headers` are lower-cased. Raises `MalformedBody` or `Refused`."""

    def read(self, body: bytes, received_at: datetime) -> Observation | Ignored:
        """What a stored delivery says. Never raises on a body that was recognised."""

    def observe(self, message: Mapping[str, Any], received_at: datetime) -> Observation | Ignored:
        """What a message, or a ticket as the tracker's API gives it, says. `received_at` stands for the time where none is told."""

    def state(self, facts: Facts) -> TicketState | None:
        """Open, closed or deleted, as far as these facts tell; None if they do not."""

    def ticket(self, ticket_id: str, facts: Facts) -> Ticket:
        """The ticket as templates see it. Facts that are missing are None."""
