"""The org: what people do in it, what it tells others, and what it holds.

Time and randomness are handed in. Sessions, limits and the outbound queue go by the handed-in clock; records by a clock of the
org's own, which every change moves on.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any

import httpx

from bridge.sandbox.orchestrator.journal import Journal
from bridge.sandbox.salesforce.cursors import Cursors
from bridge.sandbox.salesforce.delivering import Delivered, Sender
from bridge.sandbox.salesforce.envelope import Entry, envelope
from bridge.sandbox.salesforce.faults import Fault
from bridge.sandbox.salesforce.ids import Ids
from bridge.sandbox.salesforce.oauth import ConnectedApp
from bridge.sandbox.salesforce.outbound import MOST_IN_A_MESSAGE, MessageOptions, Notification, Outbox
from bridge.sandbox.salesforce.records import Records
from bridge.sandbox.salesforce.schema import Schema, SObject
from bridge.sandbox.salesforce.sessions import Sessions
from bridge.sandbox.salesforce.usage import Usage

_API = "/services/data/v61.0"


class SimulatedSalesforce:
    """One org. Every change moves its own clock on, so that no two states of a record share a `SystemModstamp`.

    It moves on by a second, or up to the handed-in clock if that is ahead.
    """

    def __init__(
        self,
        clock: Callable[[], datetime],
        random: Random,
        *,
        organization_id: str = "00D000000000001EAA",
        client_id: str = "connected-app",
        client_secret: str = "demo",  # noqa: S107 - a demo's secret, secret to nobody
        username: str = "bridge@acme.test",
        public_key: str | None = None,
        session_seconds: int = 7200,
        daily_limit: int = 15000,
        page_size: int = 2000,
    ) -> None:
        self.clock = clock
        self.organization_id = organization_id
        self.page_size = page_size
        self.statuses = {"New": False, "Working": False, "Escalated": False, "Closed": True, "Resolved": True}
        self.messages = [MessageOptions()]
        self.faults: list[Fault] = []
        self.journal = Journal()
        self.schema = Schema()
        self.app = ConnectedApp(client_id, client_secret, username, public_key)
        self.sessions = Sessions(clock, random, organization_id, session_seconds)
        self.usage = Usage(clock, daily_limit)
        self._ids = Ids()
        self.cursors = Cursors(clock, self._ids)
        self.store = Records(self.schema, self._ids, lambda: self.statuses)
        self._outbox = Outbox(self._ids)
        self._actions: dict[MessageOptions, str] = {}
        self._random = random
        self._now = _whole(clock())

    # -- what people do ------------------------------------------------------------------------------------------------------------

    def open(
        self,
        object: str = "Case",  # noqa: A002 - Salesforce's own word
        **fields: Any,
    ) -> dict[str, Any]:
        """Create a record; the live one is returned. An object or a field that is new to the org is set up by it."""
        return self.create(self.schema.learn(object), fields)

    def edit(self, record_id: str, **fields: Any) -> None:
        """Change fields of a record."""
        self.change(record_id, fields)

    def close(self, record_id: str, status: str = "Closed") -> None:
        """Set a status that closes."""
        self._set_status(record_id, status)

    def reopen(self, record_id: str, status: str = "Working") -> None:
        """Set a status that opens again."""
        self._set_status(record_id, status)

    def delete(self, record_id: str) -> None:
        """Put a record into the recycle bin. No outbound message tells of it."""
        self.store.delete(record_id, self._tick())

    def undelete(self, record_id: str) -> None:
        """Take a record out of the recycle bin."""
        self.store.undelete(record_id, self._tick())

    def purge(self, record_id: str) -> None:
        """Delete a record from the recycle bin too: not even `queryAll` shows it any more."""
        self.store.purge(record_id, self._tick())

    def hide(self, *record_ids: str) -> None:
        """Share records with the API's user no more. Nothing tells of it."""
        self.store.hidden.update(record_ids)

    def show(self) -> None:
        """Share every record with it again."""
        self.store.hidden.clear()

    def expire_sessions(self) -> None:
        """End every session: whoever uses a token from before is told to sign in again."""
        self.sessions.expire()

    def create(self, sobject: SObject, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Create a record of an object that the org has."""
        record = self.store.create(sobject, fields, self._tick())
        self._tell(record)
        return record

    def change(self, record_id: str, fields: Mapping[str, Any]) -> None:
        """Change fields of a record. Raises `Failure` if it is deleted or was never there."""
        self._tell(self.store.update(record_id, fields, self._tick()))

    # -- looking -------------------------------------------------------------------------------------------------------------------

    def records(
        self,
        object: str,  # noqa: A002 - Salesforce's own word
    ) -> list[dict[str, Any]]:
        """The live records of an object that are not deleted, oldest first."""
        sobject = self.schema.find(object)
        return self.store.of(sobject) if sobject else []

    @property
    def queue(self) -> list[Notification]:
        """The notifications that wait to be sent, or sent again."""
        return self._outbox.waiting

    def now(self) -> datetime:
        """The later of both clocks."""
        return max(self._now, self.clock())

    # -- telling others ------------------------------------------------------------------------------------------------------------

    async def deliver(
        self,
        url: str,
        http: httpx.AsyncClient,
        *,
        batch: int = MOST_IN_A_MESSAGE,
        now: datetime | None = None,
        again: float = 0.0,
        shuffle: bool = False,
    ) -> Delivered:
        """Send every notification that is due at `now`, by default the clock's.

        `again` is the share of messages that are sent twice although they were acknowledged.
        """
        sender = Sender(url, http, self.message, self._random, batch, again, shuffle)
        return await sender.round(self._outbox, now or self.clock())

    def lose(self, share: float) -> int:
        """Forget about this share of what waits to be sent, as an org does after 24 hours; how many."""
        gone = [one for one in self.queue if share and self._random.random() < share]
        self._outbox.taken(gone)
        return len(gone)

    def message(self, notifications: Sequence[Notification]) -> bytes:
        """The SOAP envelope for notifications of one set-up, with the fields as they are now."""
        options = notifications[0].options if notifications else MessageOptions()
        session_id = self.sessions.start() if options.send_session_id else None
        return envelope(self.organization_id, self._action_id(options), session_id, map(self._entry, notifications))

    async def post_callout(self, record_id: str, url: str, http: httpx.AsyncClient, **headers: str) -> httpx.Response:
        """A Flow's or Apex's callout: JSON with every field of the record, sent once and never again."""
        record = self.store.live(record_id)
        name = self.store.sobject_of(record).name
        attributes = {"type": name, "url": f"{_API}/sobjects/{name}/{record['Id']}"}
        body = {
            "event": "updated",
            "organizationId": self.organization_id,
            "object": name,
            "record": {"attributes": attributes, **record},
        }
        return await http.post(url, json=body, headers=headers)

    # -- small things --------------------------------------------------------------------------------------------------------------

    def _set_status(self, record_id: str, status: str) -> None:
        sobject = self.store.sobject_of(self.store.live(record_id))
        self.change(record_id, {sobject.status_field: status})

    def _tick(self) -> datetime:
        self._now = max(self._now + timedelta(seconds=1), _whole(self.clock()))
        return self._now

    def _tell(self, record: Mapping[str, Any]) -> None:
        name = self.store.sobject_of(record).name
        for options in self.messages:
            if options.object == name:
                self._outbox.add(options, record["Id"], self.clock())

    def _entry(self, notification: Notification) -> Entry:
        record = self.store.find(notification.record_id)
        sobject = self.schema.learn(notification.object)
        names = notification.options.fields
        fields = [sobject.field(name) for name in names if sobject.has(name)]
        return Entry(notification.id, sobject.name, None if record is None or record["IsDeleted"] else record, fields)

    def _action_id(self, options: MessageOptions) -> str:
        if options not in self._actions:
            self._actions[options] = self._ids.next("04k")
        return self._actions[options]


def _whole(at: datetime) -> datetime:
    """Salesforce's stamps have whole seconds."""
    return at.replace(microsecond=0)
