"""The poller against a tracker that is slow to find, has a clock of its own and forgets: what changed is found all the same."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import update

from bridge.apis import Message, Page
from bridge.errors import RateLimited, Rejected, RemoteError, Unauthorized, Unavailable
from bridge.model import NewDelivery, TicketState
from bridge.routes import compile_routes
from bridge.store import Database, DeliveryFilter, Lane, LinkFilter, Store, upgrade
from bridge.store.tables import links
from bridge.sync.follow import Follower
from bridge.sync.intake import Intake
from bridge.sync.poller import Polled, Poller, poll_of
from tests.driving import configured
from tests.values import JIRA, NOW, body_of, jira_event

pytestmark = pytest.mark.anyio

EVERY = timedelta(minutes=5)
LAG = timedelta(minutes=2)
SKEW = timedelta(minutes=5)


@dataclass
class Clock:
    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Tracker:
    """Issues with their past. A search sees them as they were a while ago; reading by id sees them as they are."""

    clock: Clock
    lag: timedelta = timedelta()
    skew: timedelta = timedelta()  # how far its clock is ahead of ours
    at_once: int = 3
    past: dict[str, list[tuple[datetime, dict[str, Any]]]] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    forbidden: str | None = None  # how the keys begin of what is hidden, and not deleted
    rest: timedelta = timedelta()
    fails: list[RemoteError] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def set(self, number: int, *, closed: bool = False, **fields: Any) -> None:
        own = self.clock.now + self.skew
        event = jira_event(number, closed=closed, updated=own.isoformat(timespec="milliseconds"), **fields)
        self.past.setdefault(str(10000 + number), []).append((self.clock.now, event["issue"]))

    def delete(self, number: int) -> None:
        del self.past[str(10000 + number)]

    async def look(self, ticket_ids: Sequence[str], within: timedelta) -> Mapping[str, Message]:
        raise AssertionError(f"nobody waits {within} for {ticket_ids}: this is a poll")

    async def read(self, ticket_ids: Sequence[str]) -> Mapping[str, Message]:
        self._answer("read")
        assert len(ticket_ids) <= self.at_once
        return {each: self._message(self.past[each][-1][1]) for each in ticket_ids if self._shows(each)}

    async def confirm(self, ticket_id: str, key: str) -> Message | None:
        self._answer("confirm")
        if self.forbidden is not None and key.startswith(self.forbidden):
            raise Unauthorized(f"{key} may not be seen", status=404)
        return self._message(self.past[ticket_id][-1][1]) if ticket_id in self.past else None

    def gone(self, ticket_id: str, key: str, at: int) -> Message:
        issue = {"id": ticket_id, "key": key, "fields": {}}
        return {"webhookEvent": "poll", "issue_event_type_name": "issue_deleted", "timestamp": at, "issue": issue}

    async def changed(self, since: datetime, cursor: str | None) -> Page:
        """A page of three in the order of their ids; what leaves or enters meanwhile does not move the others."""
        self._answer("changed")
        indexed = self.clock.now - self.lag
        found = []
        for ticket_id in sorted(self.past):
            known = [issue for at, issue in self.past[ticket_id] if at <= indexed]
            if known and self._shows(ticket_id) and datetime.fromisoformat(known[-1]["fields"]["updated"]) >= since:
                found.append((ticket_id, known[-1]))
        after = [(ticket_id, issue) for ticket_id, issue in found if ticket_id > (cursor or "")]
        page = after[:3]
        return Page([self._message(issue) for _, issue in page], page[-1][0] if len(after) > 3 else None)

    async def opened(self, cursor: str | None) -> Page:
        raise AssertionError(f"a poll does not ask for what is open, {cursor}")

    def ease(self) -> timedelta:
        return self.rest

    def _shows(self, ticket_id: str) -> bool:
        return ticket_id in self.past and ticket_id not in self.hidden

    def _answer(self, what: str) -> None:
        self.asked.append(what)
        if self.fails:
            raise self.fails.pop(0)

    def _message(self, issue: dict[str, Any]) -> Message:
        return {"webhookEvent": "poll", "timestamp": int(self.clock.now.timestamp() * 1000), "issue": issue}


@dataclass
class Setting:
    clock: Clock
    tracker: Tracker
    store: Store
    follower: Follower
    poller: Poller
    slept: list[float]

    async def cycle(self, after: timedelta = EVERY) -> None:
        """A poll, and what it found taken in."""
        self.clock.now += after
        await self.poller.poll()
        await self.take_in()

    async def take_in(self) -> None:
        intake = Intake(self.store, Lane(self.follower.source), self.follower, None, self.clock, lambda: None)
        await intake.drain()

    async def states(self) -> dict[str, TicketState]:
        links = await self.store.links.list(LinkFilter(source=self.follower.source, limit=1000), self.clock.now)
        return {link.ticket_id: link.ticket_state for link in reversed(links)}

    async def pause(self) -> str | None:
        pause = await self.store.pauses.get(poll_of(self.follower.source))
        return None if pause is None else pause.reason


def a_setting(
    store: Store, folder: Path, source: str = "jira", completion: dict[str, Any] | None = None, **tracker: Any
) -> Setting:
    clock, slept = Clock(), []
    routes = [
        {"name": "all", "source": source, "task": {"title": "{{ ticket.title }}"}, "completion": completion or {}}
    ]
    config = configured(folder, sources={source: {"type": "jira", "secrets": ["s"]}}, routes=routes)
    follower = Follower("bridge", source, "orchestrator", JIRA, compile_routes(config))
    api = Tracker(clock, **tracker)

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        clock.now += timedelta(seconds=seconds)

    poller = Poller(Polled(source, JIRA, api, EVERY), store, clock, sleep)
    return Setting(clock, api, store, follower, poller, slept)


@pytest.fixture
def setting(store: Store, tmp_path: Path) -> Setting:
    return a_setting(store, tmp_path)


# -- the main path -----------------------------------------------------------------------------------------------------------------


async def test_what_no_webhook_told_is_found(setting: Setting) -> None:
    for number in range(1, 8):
        setting.tracker.set(number)
    await setting.cycle()
    assert set((await setting.states()).values()) == {TicketState.OPEN}
    setting.clock.now += timedelta(seconds=1)
    setting.tracker.set(4, closed=True)
    await setting.cycle()
    states = await setting.states()
    assert [number for number in range(1, 8) if states[str(10000 + number)] is TicketState.CLOSED] == [4]


async def test_what_is_known_is_told_once(setting: Setting) -> None:
    setting.tracker.set(1)
    for _ in range(4):
        await setting.cycle()
    assert len(await setting.store.inbox.list(DeliveryFilter())) == 1


async def test_a_webhook_in_time_leaves_nothing_to_tell(setting: Setting) -> None:
    setting.tracker.set(1)
    issue = setting.tracker.past["10001"][-1][1]
    told = {"webhookEvent": "jira:issue_created", "timestamp": int(NOW.timestamp() * 1000), "issue": issue}
    await setting.store.inbox.append([a_delivery(told)])
    await setting.take_in()
    await setting.cycle()
    assert len(await setting.store.inbox.list(DeliveryFilter())) == 1


async def test_a_deleted_ticket_is_deleted_and_an_absent_one_is_not(setting: Setting) -> None:
    setting.tracker.set(1)
    setting.tracker.set(2)
    await setting.cycle()
    setting.tracker.delete(1)
    setting.tracker.hidden.add("10002")  # from lists alone
    await setting.cycle()
    assert await setting.states() == {"10001": TicketState.DELETED, "10002": TicketState.OPEN}


async def test_a_ticket_that_was_edited_by_a_clock_ahead_of_ours_can_be_deleted(store: Store, tmp_path: Path) -> None:
    setting = a_setting(store, tmp_path, skew=timedelta(hours=1))
    setting.tracker.set(1)
    await setting.cycle()
    setting.tracker.delete(1)
    await setting.cycle()
    assert await setting.states() == {"10001": TicketState.DELETED}


async def test_a_new_key_is_news_though_nobody_touched_the_ticket(setting: Setting) -> None:
    setting.tracker.set(1)
    await setting.cycle()
    at, issue = setting.tracker.past["10001"][-1]
    setting.tracker.past["10001"].append((at, {**issue, "key": "NEW-1"}))
    await setting.cycle()
    (link,) = await setting.store.links.list(LinkFilter(), setting.clock.now)
    assert link.ticket_key == "NEW-1"


# -- what goes wrong ---------------------------------------------------------------------------------------------------------------


async def test_a_lost_permission_is_no_deletion(setting: Setting) -> None:
    setting.tracker.set(1)
    await setting.cycle()
    setting.tracker.hidden.add("10001")
    setting.tracker.forbidden = ""
    await setting.cycle()
    assert await setting.states() == {"10001": TicketState.OPEN}
    assert "OPS-1 may not be seen" in (await setting.pause() or "")
    setting.tracker.hidden.clear()
    setting.tracker.forbidden = None
    await setting.cycle()
    assert await setting.pause() is None


async def test_hidden_tickets_do_not_hide_a_deletion_elsewhere(setting: Setting) -> None:
    """A project of many tickets is hidden for good: a ticket of another one is found to be deleted all the same."""
    for number in range(1, 26):
        setting.tracker.set(number, project="OLD")
    setting.tracker.set(26)
    await setting.cycle()
    setting.tracker.hidden |= {str(10000 + number) for number in range(1, 26)}
    setting.tracker.forbidden = "OLD-"
    setting.tracker.delete(26)
    await setting.cycle()
    states = await setting.states()
    assert states.pop("10026") is TicketState.DELETED
    assert set(states.values()) == {TicketState.OPEN}
    assert setting.tracker.asked.count("confirm") == 20 + 1


async def test_a_search_that_is_refused_does_not_stop_the_reading_by_id(setting: Setting) -> None:
    """The `jql` names a project that was deleted, say."""
    setting.tracker.set(1)
    await setting.cycle()
    setting.clock.now += timedelta(seconds=1)
    setting.tracker.set(1, closed=True)
    setting.tracker.fails = [Rejected("The value 'OLD' does not exist for the field 'project'.", status=400)]
    await setting.cycle()
    assert await setting.states() == {"10001": TicketState.CLOSED}
    assert "OLD" in (await setting.pause() or "")


async def test_a_ticket_that_cannot_be_read_stops_no_other(setting: Setting) -> None:
    """Deeper than any JSON writer goes: whoever may write a ticket could stop the poll."""
    deep: dict[str, Any] = {}
    for _ in range(300):
        deep = {"content": [deep]}
    setting.tracker.set(1)
    setting.tracker.set(2)
    await setting.cycle()
    setting.clock.now += timedelta(seconds=1)
    setting.tracker.set(1, description=deep)
    setting.tracker.set(2, closed=True)
    await setting.cycle()
    assert await setting.states() == {"10001": TicketState.OPEN, "10002": TicketState.CLOSED}


async def test_a_deletion_that_is_parked_is_told_once(store: Store, tmp_path: Path) -> None:
    completion = {"data": {"why": "{{ fields.resolution.name }}"}}  # a ticket that was deleted open has none
    setting = a_setting(store, tmp_path, completion=completion)
    setting.tracker.set(1)
    await setting.cycle()
    async with store.database.writing() as connection:
        await connection.execute(update(links).values(task_state="open", task_id=1))
    setting.tracker.delete(1)
    for _ in range(3):
        await setting.cycle()
    assert [each.state for each in await store.inbox.list(DeliveryFilter())] == ["parked", "applied"]


async def test_a_clock_that_was_set_back_stops_no_poll(setting: Setting) -> None:
    setting.clock.now += timedelta(days=3650)
    await setting.cycle()
    setting.clock.now = NOW
    setting.tracker.set(1)
    await setting.cycle()
    setting.clock.now += timedelta(seconds=1)
    setting.tracker.set(2)
    await setting.cycle()
    assert set(await setting.states()) == {"10001", "10002"}


@pytest.mark.parametrize("asked", [1, 2, 3, 4])
async def test_a_poll_that_failed_goes_on_where_it_stood(setting: Setting, asked: int) -> None:
    for number in range(1, 10):
        setting.tracker.set(number)
    await setting.cycle()
    setting.clock.now += timedelta(seconds=1)
    for number in range(1, 10):
        setting.tracker.set(number, closed=True)
    setting.clock.now += timedelta(hours=5)  # for which the overlap is too short
    real = setting.tracker._answer

    def fail_once(what: str) -> None:
        real(what)
        if len(setting.tracker.asked) == asked:
            raise Unavailable("away", sent=False)

    setting.tracker.asked.clear()
    setting.tracker._answer = fail_once  # type: ignore[method-assign]
    await setting.cycle()
    assert "away" in (await setting.pause() or "")
    await setting.cycle()
    assert set((await setting.states()).values()) == {TicketState.CLOSED}


async def test_a_limit_is_waited_for(setting: Setting) -> None:
    setting.tracker.set(1)
    setting.tracker.fails.append(RateLimited("slow down", retry_after=timedelta(minutes=20), status=429))
    await setting.cycle()
    assert setting.tracker.asked == ["changed"]
    await setting.cycle(timedelta(minutes=19))
    assert setting.tracker.asked == ["changed"]
    await setting.cycle(timedelta(minutes=2))
    assert await setting.states() == {"10001": TicketState.OPEN}


async def test_a_limit_that_comes_near_leaves_room_for_others(setting: Setting) -> None:
    setting.tracker.set(1)
    setting.tracker.rest = timedelta(seconds=7)
    await setting.cycle()
    assert setting.slept[0] == 7
    setting.tracker.rest = timedelta(minutes=15)
    setting.tracker.asked.clear()
    await setting.cycle()
    assert setting.tracker.asked == []
    assert "the rest is for others" in (await setting.pause() or "")


async def test_the_requests_for_open_tickets_are_spread(setting: Setting) -> None:
    for number in range(1, 10):
        setting.tracker.set(number)
    await setting.cycle()
    setting.slept.clear()
    await setting.cycle()
    assert setting.slept == [80.0, 80.0, 80.0]  # three chunks in four minutes


# -- several replicas --------------------------------------------------------------------------------------------------------------


async def test_no_two_poll_a_source_at_once(setting: Setting, second_store: Store) -> None:
    setting.tracker.set(1)
    entered, leave = asyncio.Event(), asyncio.Event()
    changed = setting.tracker.changed

    async def held(since: datetime, cursor: str | None) -> Page:
        entered.set()
        await leave.wait()
        return await changed(since, cursor)

    setting.tracker.changed = held  # type: ignore[method-assign]
    other = Tracker(setting.clock)
    second = Poller(Polled("jira", JIRA, other, EVERY), second_store, setting.clock)
    polling = asyncio.create_task(setting.poller.poll())
    await entered.wait()
    await second.poll()
    assert other.asked == []
    leave.set()
    await polling
    await second.poll()
    assert other.asked == []  # it has just been done
    setting.clock.now += EVERY
    await second.poll()
    assert other.asked == ["changed"]


async def test_a_poll_of_a_dead_replica_is_taken_over(setting: Setting, second_store: Store) -> None:
    setting.tracker.set(1)
    entered = asyncio.Event()

    async def hangs(since: datetime, cursor: str | None) -> Page:
        entered.set()
        await asyncio.Event().wait()
        raise AssertionError(since, cursor)

    real = setting.tracker.changed
    setting.tracker.changed = hangs  # type: ignore[method-assign]
    polling = asyncio.create_task(setting.poller.poll())
    await entered.wait()
    second = Poller(Polled("jira", JIRA, setting.tracker, EVERY), second_store, setting.clock)
    setting.tracker.changed = real  # type: ignore[method-assign]
    setting.clock.now += timedelta(minutes=3)
    await second.poll()
    await setting.take_in()
    assert await setting.states() == {"10001": TicketState.OPEN}
    polling.cancel()
    await asyncio.gather(polling, return_exceptions=True)


# -- whatever happens when ---------------------------------------------------------------------------------------------------------

_runs = count()
Deeds = list[tuple[int, int, bool]]
"""What happens after so many seconds to which ticket: it is edited, or closed."""


@asynccontextmanager
async def a_store(folder: Path) -> AsyncIterator[Store]:
    database = Database(f"sqlite:///{folder}/property.db")
    await upgrade(database)
    yield Store(database)
    await database.close()


@pytest.mark.parametrize("skew", [-SKEW, timedelta(), SKEW], ids=["behind", "equal", "ahead"])
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(deeds=st.lists(st.tuples(st.integers(0, 400), st.integers(1, 6), st.booleans()), min_size=1, max_size=25))
def test_no_ticket_is_missed(tmp_path: Path, skew: timedelta, deeds: Deeds) -> None:
    """An index that is two minutes late, and a clock that is five minutes off; reopened and edited at any moment."""

    async def check() -> None:
        async with a_store(tmp_path) as store:
            setting = a_setting(store, tmp_path, f"jira{next(_runs)}", lag=LAG, skew=skew)
            await setting.cycle()
            next_poll = setting.clock.now + EVERY
            for after, number, closed in deeds:
                setting.clock.now += timedelta(seconds=after)
                while setting.clock.now >= next_poll:
                    await setting.cycle(timedelta())
                    next_poll += EVERY
                setting.tracker.set(number, closed=closed)
            for _ in range(2):
                await setting.cycle()
            seen = await store.watched.seen(setting.follower.source, setting.tracker.past)
            for ticket_id, past in setting.tracker.past.items():
                truth = JIRA.observe({"issue": past[-1][1]}, setting.clock.now)
                known = seen[ticket_id]
                assert truth.state is known.state, (ticket_id, truth.state, known)  # type: ignore[union-attr]

    asyncio.run(check())


async def test_a_ticket_that_is_edited_every_second_is_found(setting: Setting) -> None:
    setting.tracker.lag = LAG
    for _ in range(3):
        for _ in range(150):
            setting.clock.now += timedelta(seconds=2)
            setting.tracker.set(1)
        await setting.cycle(timedelta())
    assert await setting.states() == {"10001": TicketState.OPEN}
    setting.tracker.set(1, closed=True)
    await setting.cycle()
    assert await setting.states() == {"10001": TicketState.CLOSED}


def a_delivery(event: dict[str, Any]) -> NewDelivery:
    (told,) = JIRA.recognise({}, body_of(event), NOW)
    return NewDelivery("jira", told.dedupe_key, NOW, told.event, told.ticket_id, told.body, {})
