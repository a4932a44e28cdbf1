"""Sessions: tokens that end some time after their last use. Nobody is told when: a client finds out by a 401."""

from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random

_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._"


class Sessions:
    """The sessions of one org, by their tokens."""

    def __init__(self, clock: Callable[[], datetime], random: Random, organization_id: str, seconds: int) -> None:
        self._clock = clock
        self._random = random
        self._organization_id = organization_id
        self._life = timedelta(seconds=seconds)
        self._last_used: dict[str, datetime] = {}

    def start(self) -> str:
        """A new session's token."""
        token = f"{self._organization_id[:15]}!{''.join(self._random.choices(_CHARACTERS, k=96))}"
        self._last_used[token] = self._clock()
        return token

    def use(self, token: str) -> bool:
        """Whether the token is good; using it lets it live on."""
        now, last_used = self._clock(), self._last_used.get(token)
        if last_used is None or now - last_used >= self._life:
            self._last_used.pop(token, None)
            return False
        self._last_used[token] = now
        return True

    def expire(self) -> None:
        """End every session now."""
        self._last_used.clear()
