"""What a query needs to know of the Jira that it is asked of, and of who asks."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from bridge.sandbox.jira.catalog import Catalog
from bridge.sandbox.jira.issues import Issue
from bridge.sandbox.jira.people import Flavour, People, User


@dataclass(frozen=True, slots=True)
class Asking:
    """One question. Unless it is strict, a value that does not exist is not refused but finds nothing."""

    user: User
    flavour: Flavour
    now: datetime
    catalog: Catalog
    people: People
    issue: Callable[[str], Issue | None]
    """An issue that can be seen, by its id or by any key that it ever had."""
    sees_project: Callable[[str], bool]
    strict: bool = True

    def handle(self, user: User) -> str:
        """What an issue's field has of a user."""
        return user.account_id if self.flavour == "cloud" else user.name
