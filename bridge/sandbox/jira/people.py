"""The people of a Jira, and how each flavour of it shows them: Cloud by their accountId, Data Center by their name and key."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal
from zoneinfo import ZoneInfo

Flavour = Literal["cloud", "server"]


@dataclass
class User:
    """One of them. In quoted times of JQL the user's time zone is meant, and the REST API answers in it."""

    account_id: str
    name: str
    display_name: str
    email: str
    time_zone: str = "UTC"
    active: bool = True

    @property
    def zone(self) -> ZoneInfo:
        """The time zone."""
        return ZoneInfo(self.time_zone)

    def shown(self, flavour: Flavour) -> dict[str, Any]:
        """As a value of an issue's field."""
        who: dict[str, Any] = (
            {"accountId": self.account_id, "accountType": "atlassian"}
            if flavour == "cloud"
            else {"name": self.name, "key": self.name}
        )
        return {
            **who,
            "displayName": self.display_name,
            "emailAddress": self.email,
            "active": self.active,
            "timeZone": self.time_zone,
        }

    def is_called(self, word: str) -> bool:
        """Whether somebody may mean this user by the word."""
        known = (self.account_id, self.name, self.display_name, self.email)
        return word.casefold() in map(str.casefold, known)

    def resembles(self, query: str) -> bool:
        """Whether a search for users finds this one: names and addresses by their beginning."""
        words = (self.name, self.email, *self.display_name.split(), self.display_name)
        return any(word.casefold().startswith(query.casefold()) for word in words)


class People:
    """Everybody."""

    def __init__(self) -> None:
        self._users: list[User] = []

    def __iter__(self) -> Iterator[User]:
        return iter(self._users)

    def add(self, user: User) -> User:
        """Somebody new."""
        self._users.append(user)
        return user

    def find(self, word: str) -> User | None:
        """Whoever is called so."""
        return next((user for user in self._users if user.is_called(word)), None)


def ada() -> User:
    """Reports what nobody else does."""
    return User("5b10a2844c20165700ede21g", "ada", "Ada Lovelace", "ada@acme.test")


def grace() -> User:
    """Solves it."""
    return User("5b10ac8d82e05b22cc7d4ef5", "grace", "Grace Hopper", "grace@acme.test")


def bridge() -> User:
    """Whose account the REST API is asked with."""
    return User("5b109f2e9729b51b54dc274d", "bridge", "Task Bridge", "bridge@acme.test")
