"""Retention: what has been handled and kept for long enough goes, in small batches between which everybody else may write."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

import structlog

from bridge.errors import StoreUnavailable
from bridge.store import Store

_BATCH = 1000
_log = structlog.get_logger()


async def retain(store: Store, keep: timedelta, clock: Callable[[], datetime]) -> None:
    """Remove handled deliveries and unlinked tickets that are older than `keep`. Links, and what is parked, stay."""
    before = clock() - keep
    try:
        deliveries = await _all(lambda: store.inbox.prune(before, _BATCH))
        tickets = await _all(lambda: store.links.prune_tickets(before, _BATCH))
    except StoreUnavailable as error:
        _log.warning("retention waits for the database", error=str(error))
        return
    if deliveries or tickets:
        _log.info("retention removed what was kept long enough", deliveries=deliveries, tickets=tickets)


async def _all(prune: Callable[[], Awaitable[int]]) -> int:
    total = 0
    while removed := await prune():
        total += removed
        if removed < _BATCH:
            break
    return total
