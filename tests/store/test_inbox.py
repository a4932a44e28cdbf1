"""The inbox, on both engines."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from bridge.model import DeliveryId, DeliveryState, NewDelivery
from bridge.store import DeliveryFilter, Lane, Store, Verdict
from bridge.store.inbox import STRANGE_AFTER
from tests.values import NOW

pytestmark = pytest.mark.anyio


def delivery(number: int = 1, **changes: object) -> NewDelivery:
    new = NewDelivery(
        source="jira",
        dedupe_key=f"id:{number}",
        received_at=NOW + timedelta(seconds=number),
        event="jira:issue_updated",
        ticket_id=str(10000 + number),
        body=b'{"n": "\x00\xff"}',
        headers={"user-agent": "Atlassian"},
    )
    return replace(new, **changes)  # type: ignore[arg-type]


async def judge(store: Store, state: DeliveryState, *ids: DeliveryId | None) -> None:
    async with store.database.writing() as connection:
        await store.inbox.judge(connection, [Verdict(i, state, "why", "10001") for i in ids if i is not None])


async def test_a_delivery_is_kept_as_it_came(store: Store) -> None:
    (number,) = await store.inbox.append([delivery()])
    assert number is not None
    kept = await store.inbox.get(number)
    assert kept is not None
    assert (kept.body, kept.headers, kept.received_at, kept.state) == (
        b'{"n": "\x00\xff"}',
        {"user-agent": "Atlassian"},
        NOW + timedelta(seconds=1),
        DeliveryState.PENDING,
    )


async def test_a_duplicate_is_told_and_not_kept(store: Store) -> None:
    await store.inbox.append([delivery()])
    assert await store.inbox.append([delivery()]) == [None]
    assert len(await store.inbox.list(DeliveryFilter())) == 1


async def test_the_same_key_of_another_source_is_another_delivery(store: Store) -> None:
    await store.inbox.append([delivery()])
    assert await store.inbox.append([delivery(source="other")]) != [None]


async def test_of_duplicates_that_come_together_one_is_new(store: Store) -> None:
    answers = await asyncio.gather(*(store.inbox.append([delivery(n % 10)]) for n in range(100)))
    assert sum(answer != [None] for answer in answers) == 10
    assert len(await store.inbox.list(DeliveryFilter(limit=1000))) == 10


async def test_new_deliveries_are_announced(store: Store) -> None:
    announced: list[str] = []
    told = Store(store.database, on_delivery=announced.append)
    await told.inbox.append([delivery()])
    await told.inbox.append([delivery()])
    assert announced == ["jira"]


async def test_a_replayed_delivery_is_pending_again(store: Store) -> None:
    (number,) = await store.inbox.append([delivery()])
    await judge(store, DeliveryState.PARKED, number)
    assert not (await store.inbox.pending(Lane("jira"), 10, NOW)).deliveries
    assert number is not None
    assert await store.inbox.replay([number, 999]) == 1
    assert [each.id for each in (await store.inbox.pending(Lane("jira"), 10, NOW)).deliveries] == [number]


async def test_a_list_is_filtered_and_pages_from_the_newest(store: Store) -> None:
    numbers = [(await store.inbox.append([delivery(n)]))[0] for n in range(5)]
    await judge(store, DeliveryState.PARKED, numbers[3])
    first = await store.inbox.list(DeliveryFilter(limit=2))
    assert [each.id for each in first] == [numbers[4], numbers[3]]
    rest = await store.inbox.list(DeliveryFilter(before=first[-1].id))
    assert [each.id for each in rest] == [numbers[2], numbers[1], numbers[0]]
    assert [each.id for each in await store.inbox.list(DeliveryFilter(state=DeliveryState.PARKED))] == [numbers[3]]
    assert len(await store.inbox.list(DeliveryFilter(since=NOW + timedelta(seconds=3)))) == 2
    assert await store.inbox.list(DeliveryFilter(source="other")) == []
    assert (await store.inbox.counts())["pending"] == 4


async def test_retention_removes_what_is_handled_and_old(store: Store) -> None:
    ids = [(await store.inbox.append([delivery(n)]))[0] for n in range(4)]
    await judge(store, DeliveryState.APPLIED, ids[0], ids[3])
    await judge(store, DeliveryState.PARKED, ids[1])
    assert await store.inbox.prune(NOW + timedelta(seconds=3)) == 1
    assert [each.id for each in await store.inbox.list(DeliveryFilter())] == [ids[3], ids[2], ids[1]]


async def test_parked_deliveries_of_a_lane_are_handed_on_by_their_reason(store: Store) -> None:
    ids = await store.inbox.append([delivery(number, source=source) for number, source in enumerate("aabx")])
    reasons = ["away: for a while", "broken", "away", "away"]
    async with store.database.writing() as connection:
        parked = [
            Verdict(number, DeliveryState.PARKED, reason)
            for number, reason in zip(ids, reasons, strict=True)
            if number is not None
        ]
        await store.inbox.judge(connection, parked)
    await store.inbox.unpark(Lane("a"), "away")
    assert [each.id for each in (await store.inbox.pending(Lane("a"), 10, NOW)).deliveries] == [ids[0]]
    strangers = Lane(None, but=("a", "b"))
    await store.inbox.unpark(strangers, "away")
    received = NOW + timedelta(seconds=3)
    soon, later = received + STRANGE_AFTER / 2, received + STRANGE_AFTER
    assert not (await store.inbox.pending(strangers, 10, soon)).deliveries, "a newer configuration may know the source"
    assert [each.id for each in (await store.inbox.pending(strangers, 10, later)).deliveries] == [ids[3]]
    assert not (await store.inbox.pending(Lane("b"), 10, NOW)).deliveries
