"""Retention: what has been handled and kept for long enough goes, in small batches between which everybody else may write."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import structlog

from bridge.errors import StoreUnavailable
from bridge.store import Store

_BATCH = 250
_BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
_TICKETS = "retention/tickets"
_log = structlog.get_logger()


async def retain(store: Store, keep: timedelta, clock: Callable[[], datetime]) -> None:
    """Remove handled deliveries and unlinked tickets that are older than `keep`. Links, and what is parked, stay."""
    now = clock()
    try:
        deliveries = await _deliveries(store, now - keep)
        tickets = await _tickets(store, now - keep, now)
    except StoreUnavailable as error:
        _log.warning("retention waits for the database", error=str(error))
        return
    if deliveries or tickets:
        _log.info("retention removed what was kept long enough", deliveries=deliveries, tickets=tickets)


async def _deliveries(store: Store, before: datetime) -> int:
    removed, since = 0, _BEGINNING
    while found := await store.aged.deliveries(since, before, _BATCH):
        gone = await store.aged.remove_deliveries([delivery.id for delivery in found])
        if not gone:
            break  # somebody has work for them: the next time
        removed, since = removed + gone, found[-1].received_at
    return removed


async def _tickets(store: Store, before: datetime, now: datetime) -> int:
    """A ticket that has a link keeps it, so none is looked at again until it has been heard of again."""
    removed = 0
    done = await store.cursors.get(_TICKETS)
    since = datetime.fromisoformat(done["before"]) if done else _BEGINNING
    after = since if since <= before else _BEGINNING, ("", "")  # the clock may have been set back
    while found := await store.aged.tickets(*after, before, _BATCH):
        if unlinked := [ticket.ref for ticket in found if not ticket.linked]:
            removed += await store.aged.remove_tickets(unlinked, before)
        after = found[-1].updated_at, found[-1].ref
    await store.cursors.put(_TICKETS, {"before": before.isoformat()}, now)
    return removed
