"""Bad days to order: which requests are answered with which error, how often, and whether before or after they did their work.

A fault after the work is the one that matters: the comment is there, and the caller does not know.
"""

import fnmatch
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Literal

from bridge.sandbox.jira.failures import Failure
from bridge.sandbox.jira.people import Flavour

When = Literal["before", "after"]


@dataclass(slots=True)
class Fault:
    """One fault, with how often it has struck. `path` is a pattern such as `*/issue/*/comment`; `drop` cuts the connection.

    A 429 carries the headers of Jira's rate limits, with `reason` as Cloud tells it. `times` is at most so often, None for ever.
    """

    path: str = "*"
    method: str = "*"
    status: int = 500
    message: str = "The sandbox was told to fail."
    times: int | None = 1
    rate: float = 1.0
    retry_after: int | None = None
    reason: str = "jira-burst-based"
    kind: Literal["error", "drop", "latency"] = "error"
    seconds: float = 1.0
    when: When = "before"
    struck: int = 0

    def strikes(self, method: str, path: str, when: When, random: Random) -> bool:
        """Whether it strikes now; a strike is counted."""
        if self.when != when or self.struck == self.times or self.method not in ("*", method):
            return False
        if not fnmatch.fnmatchcase(path, self.path) or (self.rate < 1 and random.random() >= self.rate):
            return False
        self.struck += 1
        return True

    def failure(self, flavour: Flavour, now: datetime) -> Failure:
        """The error to answer."""
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        if self.status == 429:
            headers |= _limits(flavour, now, self.retry_after or 1, self.reason)
        return Failure(self.status, self.message, headers=headers)


def striking(faults: Iterable[Fault], method: str, path: str, when: When, random: Random) -> Iterator[Fault]:
    """The faults that strike this request now. A caller that stops early leaves the later ones uncounted."""
    return (fault for fault in faults if fault.strikes(method, path, when, random))


def _limits(flavour: Flavour, now: datetime, seconds: int, reason: str) -> dict[str, str]:
    if flavour == "server":
        return {
            "X-RateLimit-Limit": "100",
            "X-RateLimit-Remaining": "0",
            "X-RateLimit-Interval-Seconds": "1",
            "X-RateLimit-FillRate": "10",
            "Retry-After": str(seconds),
        }
    return {
        "X-RateLimit-Limit": "100",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": f"{now + timedelta(seconds=seconds):%Y-%m-%dT%H:%MZ}",
        "X-RateLimit-NearLimit": "true",
        "RateLimit-Reason": reason,
        "Retry-After": str(seconds),
    }
