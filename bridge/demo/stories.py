"""What the demo's trackers have in common: something to tell, and a count of it."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

Say = Callable[[str, str], None]
"""Tells what happened: who, and what."""

SUMMARIES = (
    "Printer on floor 3 prints in mirror writing",
    "Invoice run stopped at 87 %",
    "VPN drops every hour, on the hour",
    "New laptop for Grace",
    "Payroll export has a comma too many",
    "Badge reader likes nobody",
    "Backup is larger than the disk",
    "Mailbox of the board is full",
)


@dataclass(frozen=True, slots=True)
class Told:
    """What a tracker sent, and how much of it again."""

    wanted: int  # tickets that a route selects
    others: int
    webhooks: int
    duplicates: int
    lost: int = 0

    def __add__(self, other: "Told") -> "Told":
        """Of both trackers."""
        return Told(
            self.wanted + other.wanted,
            self.others + other.others,
            self.webhooks + other.webhooks,
            self.duplicates + other.duplicates,
            self.lost + other.lost,
        )


def wanted(count: int) -> list[bool]:
    """Which of the tickets are wanted: `count` of them, and after every six, or at the end, one that is not."""
    sixes, rest = divmod(count, 6)
    last = [] if sixes or not rest else [False]
    return ([True] * 6 + [False]) * sixes + [True] * rest + last


def a_while(random: Random) -> float:
    """Seconds between two things that happen to a ticket."""
    return random.uniform(0.05, 0.6)
