"""The gate: who may go when, while a destination is away."""

from datetime import datetime, timedelta
from random import Random

import pytest

from bridge.errors import RateLimited, RemoteError, Unauthorized, Unavailable
from bridge.model import Step, Task, TaskId, TaskState
from bridge.outcome import Outcome
from bridge.store import Store
from bridge.sync.gate import LAST_RAMP, Gate
from tests.values import NOW

pytestmark = pytest.mark.anyio

SECOND = timedelta(seconds=1)
AWAY = Unavailable("away", sent=False)
WAIT = RateLimited("slow down", retry_after=20 * SECOND, status=429)
DONE = Task(TaskId(1), TaskState.OPEN)


class World:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> World:
    return World()


@pytest.fixture
def gate(store: Store, clock: World) -> Gate:
    return Gate("orchestrator", store.pauses, Random(1), clock)  # noqa: S311 - jitter


async def places(gate: Gate, free: int, under_way: int, clock: World) -> int:
    return gate.places(free, under_way, await gate._pauses.get(gate.destination), clock.now)


def outcome(clock: World, error: RemoteError | None = None, *, began: datetime | None = None) -> Outcome:
    return Outcome(Step.CREATE, began or clock.now, clock.now, None if error else DONE, error)


async def test_all_places_are_free_while_all_goes_well(gate: Gate, clock: World) -> None:
    assert await places(gate, 16, 3, clock) == 16


async def test_fewer_than_no_places_are_none(gate: Gate, clock: World) -> None:
    """A turn gives away the places of results whose steps have not gone yet. A claim of -1 links is an error, or of all there are."""
    assert await places(gate, -1, 17, clock) == 0


async def test_nobody_goes_during_a_pause_and_one_probes_after_it(gate: Gate, clock: World) -> None:
    await gate.learn(outcome(clock, WAIT))
    assert await places(gate, 16, 0, clock) == 0
    assert gate.opens_at(clock.now) == clock.now + 20 * SECOND
    clock.now += 20 * SECOND
    assert await places(gate, 16, 0, clock) == 1
    assert await places(gate, 15, 1, clock) == 0


async def test_a_probe_that_goes_well_opens_it(gate: Gate, clock: World) -> None:
    await gate.learn(outcome(clock, WAIT))
    clock.now += 20 * SECOND
    await places(gate, 16, 0, clock)
    await gate.learn(outcome(clock))
    assert await places(gate, 16, 0, clock) == 2  # the backlog does not fall on it all at once
    await gate.learn(outcome(clock))
    assert await places(gate, 14, 2, clock) == 1
    for _ in range(LAST_RAMP):
        await gate.learn(outcome(clock))
    assert await places(gate, 16, 0, clock) == 16


async def test_another_replica_begins_slowly_too(gate: Gate, store: Store, clock: World) -> None:
    other = Gate("orchestrator", store.pauses, Random(2), clock)  # noqa: S311 - jitter
    await gate.learn(outcome(clock, WAIT))
    assert await places(other, 16, 0, clock) == 0
    clock.now += 20 * SECOND
    await places(gate, 16, 0, clock)
    await gate.learn(outcome(clock))
    assert await places(other, 16, 0, clock) == 2


async def test_an_answer_to_a_call_of_before_the_pause_does_not_open_it(gate: Gate, clock: World) -> None:
    """Scenario 7: told to wait is told to wait, whatever else was under way."""
    began = clock.now
    await gate.learn(outcome(clock, WAIT))
    clock.now += SECOND
    await gate.learn(outcome(clock, began=began))
    assert await places(gate, 16, 0, clock) == 0


async def test_failures_that_were_under_way_together_count_once(gate: Gate, clock: World) -> None:
    for _ in range(16):
        await gate.learn(outcome(clock, AWAY))
    opens_at = gate.opens_at(clock.now)
    assert opens_at is not None
    assert opens_at <= clock.now + SECOND / 4


async def test_pauses_grow_to_their_limit(gate: Gate, clock: World) -> None:
    waits = []
    for _ in range(12):
        await places(gate, 16, 0, clock)
        await gate.learn(outcome(clock, AWAY))
        opens_at = gate.opens_at(clock.now)
        assert opens_at is not None
        waits.append(opens_at - clock.now)
        clock.now = opens_at
    assert waits[0] <= SECOND / 4
    assert waits[3] > waits[0]
    assert 7.5 * SECOND <= waits[-1] <= 15 * SECOND


async def test_a_retry_after_of_nothing_still_waits(gate: Gate, clock: World) -> None:
    await gate.learn(outcome(clock, RateLimited("now", retry_after=timedelta(0), status=429)))
    assert await places(gate, 16, 0, clock) == 0


async def test_a_refused_token_pauses_and_a_forbidden_folder_does_not(gate: Gate, clock: World) -> None:
    await gate.learn(outcome(clock, Unauthorized("not this folder", status=403)))
    assert await places(gate, 16, 0, clock) == 16
    await gate.learn(outcome(clock, Unauthorized("who are you", status=401)))
    assert await places(gate, 16, 0, clock) == 0


async def test_a_probe_that_goes_well_does_not_undo_what_another_replica_was_told(
    store: Store, second_store: Store, clock: World
) -> None:
    """Both probe when a pause has ended; one is told to wait again, the other is answered."""
    one, other = (Gate("orchestrator", each.pauses, Random(1), clock) for each in (store, second_store))  # noqa: S311 - jitter
    await one.learn(outcome(clock, WAIT))
    clock.now += 20 * SECOND
    began = clock.now
    assert [await places(gate, 16, 0, clock) for gate in (one, other)] == [1, 1]
    clock.now += SECOND / 10
    await other.learn(outcome(clock, WAIT, began=began))
    await one.learn(outcome(clock, began=began))
    clock.now += SECOND
    assert [await places(gate, 16, 0, clock) for gate in (one, other)] == [0, 0]


async def test_many_429_of_one_moment_are_one_pause(gate: Gate, store: Store, clock: World) -> None:
    told = RateLimited("slow down", retry_after=SECOND, status=429)
    assert await places(gate, 16, 0, clock) == 16
    for _ in range(16):
        await gate.learn(outcome(clock, told))
    pause = await store.pauses.get("orchestrator")
    assert pause is not None
    assert (pause.until, pause.failures) == (clock.now + SECOND, 1)
