"""The whole sync core in seeded worlds of faults: the invariants hold, and every planted bug is noticed (docs/simulation.md)."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from bridge.sync.gate import FIRST_RAMP
from tests.simulation.loop import VirtualLoop
from tests.simulation.mutations import MUTATIONS
from tests.simulation.plan import ANSWERS, Change, Crash, Incident, Outage, Plan, Setting, Slip, Trouble, plan_of
from tests.simulation.shrink import shortest, story_of
from tests.simulation.world import run

SEEDS = range(200)
"""Whatever `make simulate` plays is as good; these are played every time."""

WITHIN = 1000
"""Seeds in which a planted bug has to be noticed."""

FAILED_ONCE = {
    1069: "a link that needed nothing kept the lease of its dead worker for ever",
    420345: "a task was seen open, the ticket reopened, and a CompleteTask from before ended the task",
    435906: "the same, where a later CompleteTask was refused in between",
    535766: "an edit from before took effect after a newer one, and the task went on showing the older title",
}
"""Seeds that found a bug in the core, and which."""


@pytest.mark.parametrize("start", SEEDS[::50])
def test_whatever_goes_wrong_the_invariants_hold_once_it_ends(start: int) -> None:
    broken = {seed: found for seed in range(start, start + 50) if (found := run(plan_of(seed)).violations)}
    assert not broken, "\n\n".join(story_of(plan_of(seed)) for seed in broken)


@pytest.mark.parametrize("seed", FAILED_ONCE, ids=FAILED_ONCE.get)
def test_a_seed_that_failed_once_holds(seed: int) -> None:
    assert not run(plan_of(seed)).violations, story_of(plan_of(seed))


def test_a_claim_that_was_slow_to_commit_leaves_the_call_before_a_crash_its_time() -> None:
    """Found by reading for the simulation: the wait counted from the claim, and the call may begin much later. Two tasks."""
    setting = Setting(
        engine="sqlite",
        skews=(0.0,),
        polled=False,
        on_reopen="new_task",
        on_delete="complete",
        closed_on_arrival="skip",
        follows=False,
        refresh=False,
        tracker_skew=0.0,
        index_lag=0.0,
        busy=0.0,
        concurrency=3,
    )
    incidents = (
        Trouble(1, "create", "429", "no", wait=20),
        Change(10, ticket=1, kind="opened", copies=(0.0,), told=True),
        Slip(25, replica=1, stage="committed", wait=6),
        Trouble(26, "create", "no answer", "late", wait=3),
        Crash(36.5, replica=1, moment="at once", down=0.5),
    )
    assert not run(Plan(1, setting, until=100, incidents=incidents)).violations


def test_orchestrator_is_away_for_a_day() -> None:
    """Webhooks are taken, nothing parks, the tickets take turns with the probe; when it is back one call tries, then more and more."""
    tickets, day, back = 200, 86_400.0, 87_000.0
    setting = Setting("postgresql", (0.0,), False, "new_task", "complete", "skip", False, False, 0.0, 0.0, 0.0, 50)
    opened = [Change(10 + 400.0 * number, number, "opened", (0.1,), told=True) for number in range(1, tickets + 1)]
    closed = [Change(20 + 400.0 * number, number, "closed", (0.1,), told=True) for number in range(1, tickets + 1, 2)]
    incidents: list[Incident] = [Outage(1, "Orchestrator", "connection refused", back - 1), *opened, *closed]
    incidents.sort(key=lambda one: one.at)
    world = run(Plan(1, setting, until=back, incidents=tuple(incidents)), tell=True)
    assert not world.violations
    taken = [at for at, _, what in world.story if what.startswith("acknowledges")]
    assert len(taken) == tickets * 3 // 2
    assert max(taken) < day
    calls = [(at, what) for at, _, what in world.story if "asks Orchestrator to create" in what]
    probes = [what for at, what in calls if at < back]
    assert len(probes) < day / 7.5, "the longest pause is 15 s, less at most half of it"
    assert len(set(probes[-tickets:])) == tickets
    made = [at for at, _, what in world.story if what.startswith("makes task")]
    assert back < min(made) < back + 16
    for begun, at in enumerate((at for at, _ in calls if at > back), 1):
        answered = sum(then <= at for then in made)
        assert begun <= (FIRST_RAMP + 2 * answered if answered else 1), f"a stampede at {at}"


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.__name__)
def test_a_planted_bug_is_noticed(
    mutation: Callable[[pytest.MonkeyPatch], None],
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, object], None],
) -> None:
    mutation(monkeypatch)
    noticed = next((seed for seed in range(WITHIN) if run(plan_of(seed)).violations), None)
    assert noticed is not None, f"{mutation.__doc__} Nobody noticed in {WITHIN} seeds."
    record_property("noticed_in_seeds", noticed + 1)


def test_the_same_seed_is_the_same_world() -> None:
    plans = [plan_of(seed) for seed in range(10)]
    assert plans == [plan_of(seed) for seed in range(10)]
    assert [run(plan, tell=True) for plan in plans] == [run(plan, tell=True) for plan in plans]


def test_a_story_is_shortened_to_what_breaks_the_invariant(monkeypatch: pytest.MonkeyPatch) -> None:
    mutation = next(each for each in MUTATIONS if each.__name__ == "acknowledged_too_early")
    mutation(monkeypatch)
    plan = next(plan for plan in map(plan_of, range(100)) if run(plan).violations)
    short = shortest(plan)
    assert run(short).violations
    assert len(short.incidents) < len(plan.incidents)
    for incident in short.incidents:
        rest = tuple(one for one in short.incidents if one is not incident)
        assert not run(replace(short, incidents=rest)).violations


def test_hours_pass_in_no_time() -> None:
    loop = VirtualLoop()
    try:

        async def day() -> float:
            await asyncio.sleep(86400)
            return asyncio.get_running_loop().time()

        assert loop.run_until_complete(day()) == pytest.approx(86400)
    finally:
        loop.close()


def test_the_worlds_are_as_bad_as_they_should_be() -> None:
    plans: list[Plan] = [plan_of(seed) for seed in range(1000)]
    incidents = [incident for plan in plans for incident in plan.incidents]
    crashes = {incident.moment for incident in incidents if isinstance(incident, Crash)}
    answers = {(incident.answer, incident.commit) for incident in incidents if isinstance(incident, Trouble)}
    assert crashes == {"at once", "begin", "statement", "commit", "committed", "calling", "answered"}
    assert answers == {(answer, commit) for answer, commits in ANSWERS.items() for commit in commits}
    assert {len(plan.setting.skews) for plan in plans} == {1, 2, 3}
