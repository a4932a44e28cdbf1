"""The inbox, on both engines."""

import asyncio
import os
from collections.abc import Sequence
from datetime import timedelta

import pytest
from msgspec.structs import replace
from sqlalchemy import LargeBinary, bindparam, text

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
    return replace(new, **changes)


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


@pytest.mark.parametrize("body", [b"{}", b'{"summary": "' + b"printer " * 1000 + b'"}', os.urandom(6000)])
async def test_a_body_comes_back_as_it_went_whatever_space_it_takes(store: Store, body: bytes) -> None:
    (number,) = await store.inbox.append([delivery(body=body)])
    assert number is not None
    kept = await store.inbox.get(number)
    (listed,) = await store.inbox.list(DeliveryFilter())
    assert kept is not None
    assert (kept.body, kept.size, listed.size) == (body, len(body), len(body))


async def test_a_long_body_takes_little_space(store: Store) -> None:
    await store.inbox.append([delivery(body=b'{"summary": "' + b"printer " * 1000 + b'"}')])
    async with store.database.reading() as connection:
        length = (await connection.execute(text("SELECT length(body) FROM deliveries"))).scalar_one()
    assert length < 1000


async def test_bodies_of_an_older_version_are_read_as_they_lie_there(store: Store) -> None:
    (number,) = await store.inbox.append([delivery()])
    assert number is not None
    plain = bindparam("plain", type_=LargeBinary)
    async with store.database.writing() as connection:
        await connection.execute(
            text("UPDATE deliveries SET body = :plain, size = NULL").bindparams(plain), {"plain": b'{"old": true}'}
        )
    kept = await store.inbox.get(number)
    (listed,) = await store.inbox.list(DeliveryFilter())
    batch = await store.inbox.pending(Lane("jira"), 10, NOW)
    assert kept is not None
    assert (kept.body, kept.size, listed.size) == (b'{"old": true}', 13, 13)
    assert [each.body for each in batch.deliveries] == [b'{"old": true}']


@pytest.mark.parametrize("known", [(), (5, 99)])
async def test_many_deliveries_of_one_request_each_get_their_id(store: Store, known: Sequence[int]) -> None:
    """They are inserted many at once, whatever their number and however many of them are there already."""
    await store.inbox.append([delivery(number) for number in (*known, 1000)])
    ids = await store.inbox.append([delivery(number) for number in range(150)])
    assert [number for number, id_ in enumerate(ids) if id_ is None] == [*known]
    kept = [await store.inbox.get(id_) for id_ in ids if id_ is not None]
    assert [each and each.dedupe_key for each in kept] == [
        f"id:{number}" for number in range(150) if number not in known
    ]


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
