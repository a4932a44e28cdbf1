"""Who comes in, what they may do, and what they see."""

import base64
import binascii
from collections.abc import Mapping

from bridge.sandbox.jira import failures
from bridge.sandbox.jira.issues import Issue
from bridge.sandbox.jira.people import Flavour, People, User

PERMISSIONS = (
    "BROWSE_PROJECTS",
    "CREATE_ISSUES",
    "EDIT_ISSUES",
    "TRANSITION_ISSUES",
    "RESOLVE_ISSUES",
    "CLOSE_ISSUES",
    "ASSIGN_ISSUES",
    "ADD_COMMENTS",
    "DELETE_ISSUES",
    "MOVE_ISSUES",
    "ADMINISTER",
)


class Access:
    """The door. Without tokens everybody comes in, as the given user."""

    def __init__(self, flavour: Flavour, people: People, everybody: User, tokens: Mapping[str, str]) -> None:
        self._flavour = flavour
        self._people = people
        self.everybody = everybody
        self.tokens = dict(tokens)
        """Whose each token is: a user's address or name."""
        self.revoked = False
        self.forbidden = False
        self.denied: set[str] = set()
        """Permissions that nobody has who asks over the API."""
        self._hidden: set[str] = set()

    def enter(self, authorization: str) -> User:
        """Who asks. 401 or 403 if nobody may."""
        user = self._who(authorization) if self.tokens else self.everybody
        if self.revoked or user is None:
            raise failures.not_signed_in()
        if self.forbidden:
            raise failures.forbidden()
        return user

    def _who(self, authorization: str) -> User | None:
        """Cloud takes `address:token` by basic authentication, Data Center a personal access token as a bearer."""
        scheme, _, given = authorization.partition(" ")
        if self._flavour == "server":
            owner = self.tokens.get(given.strip()) if scheme.lower() == "bearer" else None
            return self._people.find(owner) if owner else None
        address, _, token = _decoded(given).partition(":") if scheme.lower() == "basic" else ("", "", "")
        owner = self.tokens.get(token)
        user = self._people.find(owner) if owner else None
        return user if user is not None and user.email.casefold() == address.casefold() else None

    def hide(self, what: Issue | str) -> None:
        """Nobody sees the issue, or the issues of the project of this key, any more."""
        self._hidden.add(_handle(what))

    def show(self, what: Issue | str) -> None:
        """It is seen again."""
        self._hidden.discard(_handle(what))

    def sees(self, issue: Issue) -> bool:
        """Whether the issue is seen."""
        return not self._hidden & {_handle(issue), issue.project}

    def sees_project(self, key: str) -> bool:
        """Whether the project is seen."""
        return key not in self._hidden


def _handle(what: Issue | str) -> str:
    return what if isinstance(what, str) else str(what.id)


def _decoded(given: str) -> str:
    try:
        return base64.b64decode(given, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
