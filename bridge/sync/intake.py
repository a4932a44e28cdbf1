"""The intake: deliveries become observations, observations are folded into links. One transaction a batch.

Each source has an intake of its own, so that a tracker that answers slowly delays no other's tickets.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import datetime, timedelta

import structlog
from msgspec import Struct

from bridge.errors import BridgeError, StoreUnavailable, TemplateError
from bridge.model import Delivery, DeliveryState, Link, Observation
from bridge.store import Connection, Lane, Store, Verdict
from bridge.store.refs import TicketRef
from bridge.sync.follow import Follower, Known
from bridge.sync.look import Look, Looked
from bridge.sync.waker import Waker
from bridge.trackers import Ignored

BATCH = 50
"""Deliveries of one transaction on SQLite. Nobody else writes while it lasts: whoever waits for an acknowledgement waits for it."""

BATCH_ON_POSTGRESQL = 100
"""There the others go on meanwhile, and a batch is a dozen trips, however large it is."""

_STRIDE = 10
"""Messages that are read in one go: others have their turns in between."""

COURTESY = timedelta(milliseconds=500)
"""How long a batch lets those go first who wait for an acknowledgement, at most: a tracker gives up, the inbox does not."""

IN_A_CROWD = 5
"""Deliveries of a transaction while many wait for an acknowledgement: it is the longest that any of them waits beside its own commit."""

UNASKED = "its tracker could not be asked"
"""How the reason begins of a delivery that was decided without it, or waits for it."""

Said = Observation | Ignored | BridgeError
"""What a delivery says, or why it cannot be read."""

Read = Looked | Ignored | BridgeError
"""The same, once its tracker was asked where that is wanted."""

_log = structlog.get_logger()


class Judgement(Struct, frozen=True):
    """What one delivery came to: its verdict, and what is known of its ticket afterwards if that changed."""

    verdict: Verdict
    known: Known | None = None


class Intake:
    """Takes a lane's deliveries from the inbox. `on_due` is called when a link of a batch became due."""

    def __init__(
        self,
        store: Store,
        lane: Lane,
        follower: Follower | None,
        look: Look | None,
        clock: Callable[[], datetime],
        on_due: Callable[[], None],
    ) -> None:
        self._store = store
        self._lane = lane
        self._follower = follower
        self._look = look
        self._clock = clock
        self._on_due = on_due
        self._owes = look is not None
        self._most = BATCH if store.database.is_sqlite else BATCH_ON_POSTGRESQL
        self._waker = Waker(f"the intake of {lane.source or 'unknown sources'}", self.drain)
        self.wake = self._waker.wake
        self.run = self._waker.run
        self.stop = self._waker.stop

    async def drain(self) -> None:
        """Take every delivery that is there, until stopped, and first those that waited for the tracker, once it can be asked again."""
        if self._owes and self._look is not None and not self._look.pausing:
            await self._store.inbox.unpark(self._lane, UNASKED)
            self._owes = False
        more = True
        while more and not self._waker.stopping:
            size = self._most if await self._store.inbox.lull(COURTESY) else IN_A_CROWD
            batch = await self._store.inbox.pending(self._lane, size, self._clock())
            more = batch.more
            try:
                if not batch.deliveries or not await self._take(batch.deliveries):
                    return  # another replica has them
            except StoreUnavailable:
                raise
            except Exception:  # noqa: BLE001 - one of them cannot be stored: the others shall not wait for it
                for delivery in batch.deliveries:
                    await self._take_alone(delivery)

    async def _take_alone(self, delivery: Delivery) -> None:
        """Take one delivery, or park it if its ticket cannot be stored."""
        try:
            await self._take([delivery])
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001 - it is told with the delivery
            _log.error("delivery parked", source=delivery.source, delivery=delivery.id, reason=str(error))
            reason = f"its ticket cannot be stored: {type(error).__name__}: {error}"
            verdict = Verdict(delivery.id, DeliveryState.PARKED, reason, delivery.ticket_id)
            async with self._store.database.writing() as connection:
                if await self._store.inbox.lock(connection, [delivery.id]):
                    await self._store.inbox.judge(connection, [verdict])

    async def _take(self, batch: Sequence[Delivery]) -> int:
        """Fold deliveries into their tickets and links; how many. They are read before the transaction, which is everybody's."""
        now = self._clock()
        read = await self._looked([(delivery, self._read(delivery)) async for delivery in _gently(batch)])

        async def work(
            connection: Connection,
        ) -> tuple[list[Delivery], list[Verdict], dict[TicketRef, Known], list[Link]]:
            ours = await self._store.inbox.lock(connection, [delivery.id for delivery in batch])
            taken = [(delivery, said) for delivery, said in read if delivery.id in ours]
            refs = {(d.source, looked.said.ticket_id) for d, looked in taken if isinstance(looked, Looked)}
            found = await self._store.links.known(connection, refs, now)
            before = {ref: Known(*known) for ref, known in found.items()}
            after = dict(before)
            verdicts = [self._apply(delivery, said, after, now) for delivery, said in taken]
            changed = {ref: known for ref, known in after.items() if known is not before[ref]}
            await self._store.links.keep(connection, {ref: known.snapshot for ref, known in changed.items()}, now)
            links = [
                known.link
                for ref, known in changed.items()
                if known.link is not None and known.link != before[ref].link
            ]
            await self._store.links.save(connection, links, now)
            await self._store.inbox.judge(connection, verdicts)
            return [delivery for delivery, _ in taken], verdicts, after, links

        taken, verdicts, after, links = await self._store.database.write(work)
        self._tell(taken, verdicts, after)
        if any(link.due_at is not None for link in links):
            self._on_due()
        return len(taken)

    async def _looked(self, read: Sequence[tuple[Delivery, Said]]) -> Sequence[tuple[Delivery, Read]]:
        """The same, with what the tracker shows of the tickets where that is wanted."""
        said = [said for _, said in read if isinstance(said, Observation)]
        looked = iter([Looked(one) for one in said] if self._look is None else await self._look.look(said))
        return [(delivery, next(looked) if isinstance(said, Observation) else said) for delivery, said in read]

    def _read(self, delivery: Delivery) -> Said:
        if self._follower is None:
            return BridgeError(f"the configuration has no source {delivery.source!r} any more; add it, then replay")
        try:
            return self._follower.tracker.read(delivery.body, delivery.received_at)
        except TemplateError as error:
            return error
        except Exception as error:  # noqa: BLE001 - one delivery that we cannot read must not stop the others
            _log.exception("a delivery cannot be read", delivery=delivery.id, source=delivery.source)
            return BridgeError(f"cannot be read: {type(error).__name__}: {error}")

    def _apply(
        self,
        delivery: Delivery,
        said: Read,
        known: dict[TicketRef, Known],
        now: datetime,
    ) -> Verdict:
        """The delivery's verdict; `known` holds its ticket as it is afterwards."""
        match said:
            case Ignored(reason):
                return Verdict(delivery.id, DeliveryState.IGNORED, reason, delivery.ticket_id)
            case Looked(said=Observation(ticket_id=ticket_id)):
                assert self._follower is not None  # noqa: S101 - without one nothing is read
                judgement = judge(self._follower, delivery, said, known[delivery.source, ticket_id], now)
                if judgement.known is not None:
                    known[delivery.source, ticket_id] = judgement.known
                self._owes |= said.missed and judgement.verdict.state is DeliveryState.PARKED
                return judgement.verdict
            case error:
                return Verdict(delivery.id, DeliveryState.PARKED, str(error), delivery.ticket_id)

    def _tell(self, batch: Sequence[Delivery], verdicts: Sequence[Verdict], known: Mapping[TicketRef, Known]) -> None:
        log = _log.bind()
        everything = log.is_enabled_for(logging.DEBUG)
        for delivery, verdict in zip(batch, verdicts, strict=True):
            if not (everything or verdict.state is DeliveryState.PARKED):
                continue
            what = {"source": delivery.source, "delivery": delivery.id, **_ticket(delivery, verdict, known)}
            match verdict.state:
                case DeliveryState.PARKED if (verdict.reason or "").startswith(UNASKED):
                    log.warning("delivery waits for its tracker", reason=verdict.reason, **what)
                case DeliveryState.PARKED:
                    remedy = f"correct it, then `bridge deliveries replay {delivery.id}`"
                    log.error("delivery parked", reason=verdict.reason, remedy=remedy, **what)
                case DeliveryState.IGNORED:
                    log.debug("delivery ignored", reason=verdict.reason, **what)
                case _:
                    log.debug("delivery applied", note=verdict.reason, **what)


async def _gently(batch: Sequence[Delivery]) -> AsyncIterator[Delivery]:
    for number, delivery in enumerate(batch, 1):
        yield delivery
        if number % _STRIDE == 0:
            await asyncio.sleep(0)


def judge(follower: Follower, delivery: Delivery, looked: Looked, known: Known, now: datetime) -> Judgement:
    """Fold what a delivery says, and what its tracker showed. What fails on this ticket parks the delivery and changes nothing."""
    ticket_id = looked.said.ticket_id
    try:
        known = known if looked.beside is None else follower.learn(known, looked.beside)
        after = follower.follow(known, looked.deciding, now)
    except TemplateError as error:
        reason = f"{UNASKED}, and its message alone does not do: {error}" if looked.missed else str(error)
        return Judgement(Verdict(delivery.id, DeliveryState.PARKED, reason, ticket_id))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is this delivery's
        _log.exception("a delivery cannot be applied", delivery=delivery.id, source=delivery.source)
        reason = f"cannot be applied: {type(error).__name__}: {error}"
        return Judgement(Verdict(delivery.id, DeliveryState.PARKED, reason, ticket_id))
    unasked = f"{UNASKED}: its message decided alone" if looked.missed else None
    if after.link is None:
        reason = f"no route of source {follower.source!r} selects this ticket"
        reason = f"{reason}; {unasked}" if unasked else reason
        return Judgement(Verdict(delivery.id, DeliveryState.IGNORED, reason, ticket_id), after)
    older = looked.deciding.version < after.snapshot.version
    note = "older than what is known of the ticket" if older else unasked
    return Judgement(Verdict(delivery.id, DeliveryState.APPLIED, note, ticket_id), after)


def _ticket(delivery: Delivery, verdict: Verdict, known: Mapping[TicketRef, Known]) -> dict[str, object]:
    found = known.get((delivery.source, verdict.ticket_id or ""))
    link: Link | None = found.link if found else None
    return {"ticket": link.ticket_key, "link": link.id or None} if link else {"ticket_id": verdict.ticket_id}
