"""Sending what waits, by Salesforce's rules: only HTTP 200 with an Ack counts, everything else comes again."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random

import httpx

from bridge.sandbox.salesforce.envelope import acknowledged
from bridge.sandbox.salesforce.outbound import Notification, Outbox, messages

_HEADERS = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": '""'}


@dataclass(frozen=True, slots=True)
class Delivered:
    """What one round did. `sent` counts messages, repeated ones too; the others count notifications, each once."""

    sent: int = 0
    notifications: int = 0
    acknowledged: int = 0
    failed: int = 0
    dropped: int = 0


@dataclass(frozen=True, slots=True)
class Sender:
    """Sends to one listener, in a given order and with a given share of repetitions."""

    url: str
    http: httpx.AsyncClient
    write: Callable[[Sequence[Notification]], bytes]
    random: Random
    batch: int
    again: float
    shuffle: bool

    async def round(self, outbox: Outbox, now: datetime) -> Delivered:
        """Send everything that is due, drop what is too old, and set the time of what failed."""
        dropped = outbox.drop_old(now)
        due = outbox.due(now)
        if self.shuffle:
            self.random.shuffle(due)
        sent = taken = 0
        for message in messages(due, self.batch):
            sent += 1
            if not await self._post(message):
                outbox.failed(message, now)
                continue
            outbox.taken(message)
            taken += len(message)
            if self.random.random() < self.again:
                sent += 1
                await self._post(message)
        return Delivered(sent, len(due), taken, len(due) - taken, dropped)

    async def _post(self, message: Sequence[Notification]) -> bool:
        """Whether it was taken."""
        try:
            answer = await self.http.post(self.url, content=self.write(message), headers=_HEADERS)
        except httpx.HTTPError:
            return False
        return answer.status_code == httpx.codes.OK and acknowledged(answer.content)
