"""Retention, on both engines: what goes, what stays, and what is looked at for it."""

from datetime import datetime, timedelta

import pytest

from bridge.fold import Snapshot
from bridge.model import DeliveryId, DeliveryState
from bridge.store import DeliveryFilter, Store
from bridge.store.aged import Aged, AgedTicket
from bridge.store.refs import TicketRef
from bridge.sync.retention import retain
from tests.store.test_inbox import delivery, judge
from tests.store.test_links import kept
from tests.values import NOW

pytestmark = pytest.mark.anyio

DAY, KEEP = timedelta(days=1), timedelta(days=90)


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that all of it goes in several."""
    monkeypatch.setattr("bridge.sync.retention._BATCH", 3)


async def retained(store: Store, after: timedelta) -> None:
    """What is done so long after now."""
    await retain(store, KEEP, lambda: NOW + after)


async def come(store: Store, *ages: int) -> list[DeliveryId]:
    """Deliveries that came so many days before now."""
    new = [delivery(number, received_at=NOW - age * DAY) for number, age in enumerate(ages)]
    return [number for number in await store.inbox.append(new) if number is not None]


async def heard_of(store: Store, ticket_ids: str, at: datetime) -> None:
    """Tickets of one letter each."""
    async with store.database.writing() as connection:
        known = {("jira", ticket_id): Snapshot("1", "", {"1": {}}) for ticket_id in ticket_ids}
        await store.links.keep(connection, known, at)


async def tickets(store: Store) -> str:
    """Their ids."""
    found = await store.aged.tickets(NOW - 1000 * DAY, ("", ""), NOW + 1000 * DAY, 1000)
    return "".join(sorted(ticket.ref[1] for ticket in found))


async def test_deliveries_that_are_handled_and_old_go(store: Store) -> None:
    ids = await come(store, *range(86, 98))
    await judge(store, DeliveryState.APPLIED, *ids[:4], *ids[6:9])
    await judge(store, DeliveryState.IGNORED, *ids[9:])
    await judge(store, DeliveryState.PARKED, ids[4])
    await retained(store, timedelta(0))
    left = [each.id for each in await store.inbox.list(DeliveryFilter())]
    assert left == [
        ids[5],
        ids[4],
        ids[3],
        ids[2],
        ids[1],
        ids[0],
    ]  # 5 is pending, 4 waits for a person, 4 and later are new
    assert [each.id for each in (await store.inbox.list(DeliveryFilter(state=DeliveryState.PENDING)))] == [ids[5]]


async def test_tickets_that_were_never_linked_go(store: Store) -> None:
    link = await kept(store)
    await heard_of(store, "abcdefg", NOW)
    await heard_of(store, "yz", NOW + DAY)
    await retained(store, KEEP + DAY)
    assert await tickets(store) == f"{link.ticket_id}yz"
    await retained(store, KEEP + 2 * DAY)
    assert await tickets(store) == link.ticket_id


async def test_a_ticket_is_looked_at_once_until_it_is_heard_of_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1, 8):
        await kept(store, number)
    seen: list[AgedTicket] = []
    look = Aged.tickets

    async def looked(aged: Aged, since: datetime, after: TicketRef, before: datetime, limit: int) -> list[AgedTicket]:
        found = await look(aged, since, after, before, limit)
        seen.extend(found)
        return found

    monkeypatch.setattr(Aged, "tickets", looked)
    for after, expected in ((KEEP + DAY, 7), (KEEP + 2 * DAY, 0), (KEEP + 3 * DAY, 0)):
        seen.clear()
        await retained(store, after)
        assert len(seen) == expected
    await heard_of(store, "a", NOW + 3 * DAY)
    await retained(store, KEEP + 4 * DAY)
    assert [ticket.ref for ticket in seen] == [("jira", "a")]


async def test_a_clock_that_was_ahead_keeps_no_ticket(store: Store) -> None:
    await retained(store, 1000 * DAY)
    await heard_of(store, "a", NOW)
    await retained(store, KEEP + DAY)
    assert await tickets(store) == ""
