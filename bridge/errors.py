"""The error tree. A class is a policy: what the bridge does about an error follows from where it stands here, and from nothing else.

BridgeError
├── ConfigurationError        the YAML is wrong: do not start
├── TemplateError             a condition or template failed on this ticket: park the delivery
├── StoreUnavailable          the database is locked, full or gone: answer 503, try again
├── ConstraintViolated        what was to be written contradicts what is there: the caller knows what that means
├── Unstorable                the database will never take this value: park or refuse the one thing that holds it
├── MalformedBody             the request's body is not what the tracker sends: 400
├── Refused                   the request does not prove that the tracker sent it: 401
└── RemoteError               of Orchestrator or a tracker's API
    ├── Unavailable           it was not reached, or says that it is away: pause the destination, no limit on attempts
    │   └── RateLimited       it says when to come back: wait as told, not an attempt
    ├── Unauthorized          401 with a fresh token: pause the destination, alert; 403: back off with the link
    ├── Rejected              it understood and said no: park the link with its words
    │   └── NotFound          404: what was asked for is not there
    └── Unknown               the request may have taken effect: find out before doing it again
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta


class BridgeError(Exception):
    """Whatever the bridge raises on purpose."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a configuration: where it is, what it is, and what to do."""

    key: str  # dotted path in the YAML: `routes[0].task.title`; "" for the file itself
    message: str  # one sentence, and the remedy
    line: int | None = None  # 1-based

    def __str__(self) -> str:
        """The line that `bridge check` prints."""
        where = f"line {self.line}: " if self.line else ""
        return f"{where}{self.key}: {self.message}" if self.key else f"{where}{self.message}"


class ConfigurationError(BridgeError):
    """Every problem of a configuration at once."""

    def __init__(self, path: str, problems: Sequence[Problem]) -> None:
        self.path = path
        self.problems = tuple(problems)
        super().__init__("\n".join(f"{path}: {problem}" for problem in self.problems))


class TemplateError(BridgeError):
    """A route's condition or template failed on a ticket; the message names the template and the field."""


class StoreUnavailable(BridgeError):
    """The database could not take or give what was asked; nothing was changed."""


class Deadlock(StoreUnavailable):
    """Two transactions waited for each other, and the database has undone this one; done again at once, it goes well."""


class ConstraintViolated(BridgeError):
    """A constraint of the database does not allow it, such as one task for two links; nothing was changed."""


class Unstorable(BridgeError):
    """A value that no repetition will store: nested too deeply, too large a number, a text that the engine cannot hold."""


class MalformedBody(BridgeError):
    """The body is not well formed, or not of a kind that this source sends."""


class Refused(BridgeError):
    """The request does not prove itself; the message says what it lacks, never what was expected."""


class RemoteError(BridgeError):
    """An error of the server that was called, in its own words."""

    def __init__(
        self, message: str, *, status: int | None = None, code: int | str | None = None, trace_id: str | None = None
    ) -> None:
        self.status = status
        self.code = code
        self.trace_id = trace_id
        super().__init__(message)

    def __str__(self) -> str:
        """The server's words with its status, code and trace id."""
        marks = [
            f"HTTP {self.status}" if self.status else "",
            f"error {self.code}" if self.code else "",
            f"trace {self.trace_id}" if self.trace_id else "",
        ]
        told = ", ".join(mark for mark in marks if mark)
        return f"{super().__str__()} ({told})" if told else super().__str__()


class Unavailable(RemoteError):
    """Not reached, or 502/503/504. If `sent`, a change may have taken effect all the same."""

    def __init__(
        self,
        message: str,
        *,
        sent: bool,
        status: int | None = None,
        code: int | str | None = None,
        trace_id: str | None = None,
    ) -> None:
        self.sent = sent
        super().__init__(message, status=status, code=code, trace_id=trace_id)


class RateLimited(Unavailable):
    """429, or 503 with Retry-After: come back after `retry_after`. A 429 has certainly changed nothing."""

    def __init__(
        self,
        message: str,
        *,
        retry_after: timedelta,
        status: int,
        code: int | str | None = None,
        trace_id: str | None = None,
    ) -> None:
        self.retry_after = retry_after
        super().__init__(message, sent=status != 429, status=status, code=code, trace_id=trace_id)


class Postponed(RemoteError):
    """The call was not made: the server was paused, or no place was free in time. It is no attempt."""


class Unauthorized(RemoteError):
    """401 with a fresh token, no token to be had, or 403. A 403 may be one folder's, so it never stops the other tickets."""


class Rejected(RemoteError):
    """A 4xx that no repetition will change: a missing catalog (2451), no folder (1100, 1101), a bad body."""


class NotFound(Rejected):
    """404."""


class Unknown(RemoteError):
    """A timeout, a connection that broke after sending, a 500, half an answer: it may have taken effect.

    `answered` says that the server had finished with the request, so that nothing of it is still under way.
    """

    def __init__(
        self,
        message: str,
        *,
        answered: bool,
        status: int | None = None,
        code: int | str | None = None,
        trace_id: str | None = None,
    ) -> None:
        self.answered = answered
        super().__init__(message, status=status, code=code, trace_id=trace_id)
