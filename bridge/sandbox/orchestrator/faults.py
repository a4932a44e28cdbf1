"""Bad days to order: rules that say which operation fails how, how often, and whether before or after it did its work.

A fault after the work is the one that matters: the task exists, and the caller does not know.
"""

import asyncio
from collections.abc import Iterable, Iterator
from random import Random
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

When = Literal["before", "after"]


class Rule(BaseModel):
    """One fault. `after` strikes only where the operation succeeded; of several rules the first that is not a mere delay ends it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    operation: str = Field(default="*", description="an operation's name; * is every one, tokens included")
    kind: Literal["error", "rate_limit", "drop", "latency", "hang"]
    when: When = "before"
    status: int | None = Field(default=None, ge=400, le=599, description="of error (500) and rate_limit (429)")
    retry_after: int | None = Field(default=None, ge=0, description="seconds, sent as Retry-After")
    seconds: float = Field(default=1, ge=0, le=3600, description="how long latency lasts")
    rate: float = Field(default=1, ge=0, le=1, description="the share of matching requests that it strikes")
    times: int | None = Field(default=None, ge=0, description="at most so often")
    seed: int | None = Field(default=None, description="makes the rate's choices repeatable")


class _Armed:
    """A rule with what it has done so far."""

    def __init__(self, rule: Rule, rng: Random) -> None:
        self.rule = rule
        self.applied = 0
        self._rng = rng if rule.seed is None else Random(rule.seed)  # noqa: S311 - a die, not a secret

    def strikes(self, operation: str, when: When) -> bool:
        """Whether it strikes now; a strike is counted."""
        rule = self.rule
        if rule.when != when or rule.operation not in ("*", operation) or self.applied == rule.times:
            return False
        if rule.rate < 1 and self._rng.random() >= rule.rate:
            return False
        self.applied += 1
        return True


class Faults:
    """The rules in force, and the connections that hang because of them."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._armed: list[_Armed] = []
        self.hanging: set[asyncio.Transport] = set()

    def replace(self, rules: Iterable[Rule]) -> None:
        """These rules from now on, with nothing counted yet."""
        self._armed = [_Armed(rule, self._rng) for rule in rules]

    def strikes(self, operation: str, when: When) -> Iterator[Rule]:
        """The rules that strike this request now. A caller that stops early leaves the later ones uncounted."""
        return (armed.rule for armed in self._armed if armed.strikes(operation, when))

    def release(self) -> None:
        """Cut every connection that hangs, so that the server can stop."""
        for transport in tuple(self.hanging):
            transport.abort()

    def listed(self) -> list[dict[str, Any]]:
        """The rules with how often each has struck."""
        return [{**armed.rule.model_dump(), "applied": armed.applied} for armed in self._armed]
