"""Sending one event to one address, by each flavour's rules.

Cloud signs the raw bytes, names every try of one event by the same identifier, and retries up to five times: only on 408, 409, 425,
429, 5xx, a broken connection or a time-out. Data Center tries once, and no identifier is documented. Source: Atlassian's webhook
pages.
"""

import hashlib
import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import httpx

from bridge.sandbox.jira.people import Flavour

RETRIES = 5
_RETRIED = frozenset({408, 409, 425, 429})

Pause = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Webhook:
    """One event on its way: its body as it is sent again and again, and Jira's identifier of it."""

    identifier: str
    body: bytes
    key: str
    says: str
    event: str


@dataclass(frozen=True, slots=True)
class Sender:
    """Knows the address, the secret (empty for none) and the rules."""

    http: httpx.AsyncClient
    url: str
    secret: str
    flavour: Flavour
    exclude_body: bool = False

    async def send(self, webhook: Webhook, pause: Pause) -> list[int | None]:
        """The status of every try, None where there was no answer; before each retry it pauses."""
        tries: list[int | None] = []
        while True:
            tries.append(await self._try(webhook, len(tries)))
            if len(tries) > self._retries or not retried(tries[-1]):
                return tries
            await pause()

    @property
    def _retries(self) -> int:
        return RETRIES if self.flavour == "cloud" else 0

    async def _try(self, webhook: Webhook, retry: int) -> int | None:
        body = b"" if self.exclude_body else webhook.body
        headers = {"Content-Type": "application/json"}
        if self.secret:
            headers["X-Hub-Signature"] = f"sha256={_signature(self.secret, body)}"
        if self.flavour == "cloud":
            headers |= {"X-Atlassian-Webhook-Identifier": webhook.identifier, "X-Atlassian-Webhook-Flow": "Primary"}
        if retry:
            headers["X-Atlassian-Webhook-Retry"] = str(retry)
        try:
            return (await self.http.post(self.url, content=body, headers=headers)).status_code
        except (httpx.TransportError, httpx.InvalidURL):
            return None


def taken(tries: list[int | None]) -> bool:
    """Whether the last try was a success."""
    last = tries[-1] if tries else None
    return last is not None and 200 <= last < 300


def retried(status: int | None) -> bool:
    """Whether Jira Cloud tries again after this."""
    return status is None or status in _RETRIED or status >= 500


def _signature(secret: str, body: bytes) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
