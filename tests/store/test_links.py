"""The mapping table, on both engines: claims, leases, fencing."""

import asyncio
from datetime import date, timedelta
from typing import Any

import pytest
from markupsafe import Markup
from msgspec.structs import replace
from sqlalchemy import text

from bridge.errors import RateLimited, Rejected, Unavailable, Unknown
from bridge.fold import Snapshot
from bridge.model import (
    ASSIGNEE,
    Completion,
    Folder,
    Link,
    LinkId,
    LinkState,
    Policy,
    Refusal,
    Step,
    Task,
    TaskId,
    TaskRequest,
    TaskState,
    TicketState,
)
from bridge.outcome import Outcome, Waits, due
from bridge.plan import plan
from bridge.store import Claimed, LinkFilter, Outlook, Pause, Result, Store, Terms, Wish
from bridge.store.tables import links
from bridge.sync.follow import next_generation
from tests.values import NOW, a_link

pytestmark = pytest.mark.anyio

SECOND = timedelta(seconds=1)
LEASE = timedelta(seconds=90)
TERMS = Terms(LEASE, 30 * SECOND, lambda link, _snapshot, now: next_generation(link, "bridge", now))
DESTINATION = "orchestrator"


async def kept(store: Store, number: int = 1, **changes: Any) -> Link:
    new = a_link(
        id=LinkId(0),
        ticket_id=f"{10000 + number}",
        ticket_key=f"OPS-{number}",
        correlation_key=f"bridge/jira/{10000 + number}/1",
        **{"due_at": NOW, **changes},
    )
    async with store.database.writing() as connection:
        await store.links.save(connection, [new], NOW)
        ref = (new.source, new.ticket_id)
        await store.links.keep(connection, {ref: Snapshot("1", "", {"1": {"@key": new.ticket_key}})}, NOW)
        _, link = (await store.links.known(connection, [ref], NOW))[ref]
    assert link is not None
    return link


async def claim(store: Store, limit: int = 10, at: timedelta = timedelta(0)) -> list[Claimed]:
    return await store.claims.claim(DESTINATION, limit, NOW + at, TERMS)


def result(claimed: Claimed, *, task: int | None = None, error: Unknown | Rejected | None = None) -> Result:
    made = None if task is None else Task(TaskId(task), TaskState.OPEN)
    outcome = Outcome(claimed.step, NOW, NOW + SECOND, made, error)
    return Result(claimed, outcome, Waits(30 * SECOND, SECOND))


async def test_a_link_survives_the_store(store: Store) -> None:
    link = await kept(store)
    assert replace(link, id=LinkId(1), updated_at=None) == a_link(
        ticket_id="10001", correlation_key="bridge/jira/10001/1", due_at=NOW
    )


async def test_what_templates_make_of_a_ticket_survives_the_store(store: Store) -> None:
    """A text of `tojson` or `escape` is marked as safe; a constant of the YAML may be a date."""
    data = {"labels": Markup('["a"]'), "since": date(2026, 1, 1), "none": None, "part": {"count": 2**63, "share": 1e22}}
    completion = Completion("Closed", {"why": Markup("a &amp; b")})
    link = a_link(id=0, request=TaskRequest({"data": data}, Folder("path", "Shared/IT")), completion=completion)
    async with store.database.writing() as connection:
        await store.links.save(connection, [link], NOW)
    stored = await store.links.get(1)
    assert stored is not None
    assert stored.request is not None
    assert stored.request.folder == Folder("path", "Shared/IT")
    assert stored.request.body == {"data": {**data, "since": "2026-01-01"}}
    assert stored.completion == completion


def test_a_links_columns_are_its_fields_in_their_order() -> None:
    named = ["safe_at" if name == "create_safe_at" else name for name in links.c.keys()]  # noqa: SIM118 - to iterate gives the columns
    assert named == list(Link.__struct_fields__)


async def test_a_claim_leases_and_commits_the_intent(store: Store) -> None:
    link = await kept(store)
    (claimed,) = await claim(store)
    assert claimed.step is Step.CREATE
    stored = await store.links.get(link.id)
    assert stored is not None
    assert (stored.task_state, stored.create_sent_at, stored.claim, stored.leased_until) == (
        TaskState.UNKNOWN,
        NOW,
        1,
        NOW + LEASE,
    )


STANDS: dict[Step, dict[str, Any]] = {
    Step.CREATE: {},
    Step.FIND: {"task_state": TaskState.UNKNOWN, "create_sent_at": NOW, "safe_at": NOW + SECOND},
    Step.EDIT: {"task_state": TaskState.OPEN, "task_id": TaskId(7), "shows": {"title": "new"}},
    Step.ASSIGN: {"task_state": TaskState.OPEN, "task_id": TaskId(7), "shows": {ASSIGNEE: "a@b.c"}},
    Step.COMPLETE: {"ticket_state": TicketState.CLOSED, "task_state": TaskState.OPEN, "task_id": TaskId(7)},
    Step.DELETE: {"ticket_state": TicketState.DELETED, "task_state": TaskState.OPEN, "task_id": TaskId(7)},
}
ENDINGS: tuple[dict[str, Any], ...] = (
    {"task": Task(TaskId(7), TaskState.OPEN), "told": {"title": "new"}},
    {"task": Task(TaskId(7), TaskState.OPEN), "refused": {"title": Refusal("new", "no")}},
    {"task": Task(TaskId(7), TaskState.COMPLETED)},
    {},
    {"error": Unknown("lost", answered=False)},
    {"error": Unavailable("away", sent=True)},
    {"error": Rejected("no")},
    {"error": RateLimited("slow down", retry_after=SECOND, status=429)},
)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("step", STANDS)
async def test_all_that_a_step_changes_is_stored(store: Store, step: Step, ending: dict[str, Any]) -> None:
    """A claim and an outcome write the columns of the work alone: nothing that they change may be another one's."""

    async def stored() -> Link | None:
        found = await store.links.get(link.id)
        return found and replace(found, updated_at=None)

    link = await kept(store, policy=Policy(on_delete="delete"), **STANDS[step])
    (claimed,) = await claim(store)
    assert claimed.step is step
    assert await stored() == replace(claimed.link, updated_at=None)
    outcome = Outcome(step, NOW, NOW + SECOND, **ending)
    settled = await store.claims.settle(Result(claimed, outcome, Waits(30 * SECOND, SECOND)))
    assert settled is not None
    assert await stored() == replace(settled, updated_at=None)


async def test_what_follows_the_ticket_survives_the_store(store: Store) -> None:
    kept_so: dict[str, Any] = {
        "shows": {"title": "new", "assignee": ""},
        "told": {"title": None, "assignee": "ada@x.test"},
        "refused": {"title": Refusal("new", "no")},
    }
    link = await kept(store, **kept_so)
    assert {name: getattr(link, name) for name in kept_so} == kept_so


async def test_what_is_being_told_is_not_known_until_the_answer_is(store: Store) -> None:
    """After a crash meanwhile, a ticket that has changed back is told again."""
    shows = {"title": "new", "priority": "Low", "assignee": "ada@x.test"}
    link = await kept(store, task_state=TaskState.OPEN, task_id=TaskId(7), shows=shows, told={"priority": "Low"})
    (claimed,) = await claim(store)
    assert claimed.step is Step.EDIT
    stored = await store.links.get(link.id)
    assert stored is not None
    assert (stored.task_state, stored.told) == (TaskState.OPEN, {"priority": "Low", "title": None})
    assert plan(replace(stored, shows={"title": "t"})) is Step.EDIT


async def test_a_retry_asks_for_what_was_refused(store: Store) -> None:
    refused = {"title": Refusal("new", "no")}
    link = await kept(store, task_state=TaskState.OPEN, task_id=TaskId(7), shows={"title": "new"}, refused=refused)
    assert (await claim(store)) == []
    await store.links.retry([link.id], NOW, lambda link, _snapshot: link)
    (claimed,) = await claim(store)
    assert claimed.step is Step.EDIT


async def test_a_claimed_link_is_not_claimed_again_until_its_lease_ends(store: Store, second_store: Store) -> None:
    await kept(store)
    assert len(await claim(store)) == 1
    assert await claim(second_store) == []
    (again,) = await claim(second_store, at=LEASE)
    assert (again.step, again.link.claim) == (Step.FIND, 2)


async def test_what_the_claimer_has_under_way_is_not_claimed_again_whatever_the_clock_says(store: Store) -> None:
    link = await kept(store)
    await claim(store)
    assert await store.claims.claim(DESTINATION, 10, NOW + 2 * LEASE, TERMS, [link.id]) == []


async def test_completing_is_an_intent_too(store: Store) -> None:
    """A crash while CompleteTask is under way leads to a look, also if the ticket is open again by then."""
    link = await kept(store, ticket_state=TicketState.CLOSED, version="2", task_state=TaskState.OPEN, task_id=TaskId(7))
    (claimed,) = await claim(store)
    assert claimed.step is Step.COMPLETE
    stored = await store.links.get(link.id)
    assert stored is not None
    assert (stored.task_state, stored.ended_version) == (TaskState.UNKNOWN, "2")


async def test_a_ticket_that_two_replicas_meet_for_the_first_time_is_folded_by_one_after_the_other(
    store: Store, second_store: Store
) -> None:
    ref = ("jira", "10001")

    async def second() -> Snapshot:
        async with second_store.database.writing() as connection:
            return (await second_store.links.known(connection, [ref], NOW))[ref][0]

    async with store.database.writing() as connection:
        await store.links.known(connection, [ref], NOW)
        waiting = asyncio.create_task(second())
        done, _ = await asyncio.wait([waiting], timeout=0.3)
        assert not done
        await store.links.keep(connection, {ref: Snapshot("5", "", {"5": {"a": 1}})}, NOW)
    assert await waiting == Snapshot("5", "", {"5": {"a": 1}})


async def test_the_longest_due_are_claimed_first_and_no_more_than_asked(store: Store) -> None:
    for number in (1, 2, 3):
        await kept(store, number, due_at=NOW - number * SECOND)
    assert [each.link.ticket_key for each in await claim(store, 2)] == ["OPS-3", "OPS-2"]


async def test_what_is_due_later_or_parked_or_elsewhere_is_not_claimed(store: Store) -> None:
    await kept(store, 1, due_at=NOW + SECOND)
    await kept(store, 2, due_at=None, parked=True)
    await kept(store, 3, destination="other")
    assert await claim(store) == []
    assert (await store.claims.outlook(DESTINATION, NOW)).next_due == NOW + SECOND


async def test_an_outcome_settles_its_link_and_is_in_the_audit_trail(store: Store) -> None:
    await kept(store)
    (claimed,) = await claim(store)
    settled = await store.claims.settle(result(claimed, task=7))
    assert settled is not None
    assert (settled.task_id, settled.task_state, settled.due_at) == (7, TaskState.OPEN, None)
    (attempt,) = await store.links.attempts(claimed.link.id)
    assert (attempt.step, attempt.outcome, attempt.detail) == (Step.CREATE, "ok", "task 7 open")


def wishing(store: Store) -> list[list[Claimed] | None]:
    """A worker that would claim two links at every turn; what it got."""
    got: list[list[Claimed] | None] = []
    store.claims.claim_for(lambda _results: Wish(DESTINATION, 2, NOW + SECOND, TERMS, ()), got.append)
    return got


async def test_what_is_due_is_claimed_in_the_transaction_in_which_a_result_is_written(store: Store) -> None:
    for number in (1, 2, 3, 4):
        await kept(store, number, due_at=NOW - (5 - number) * SECOND)
    (first,) = await claim(store, 1)
    got = wishing(store)
    settled = await store.claims.settle(result(first, task=7))
    assert settled is not None
    assert settled.task_id == 7
    (claimed,) = got
    assert [each.link.ticket_key for each in claimed or ()] == ["OPS-2", "OPS-3"]
    kept_as = await store.links.get((claimed or [])[0].link.id)
    assert kept_as is not None
    assert (kept_as.claim, kept_as.task_state) == (1, TaskState.UNKNOWN)  # the intent is committed


async def test_a_turn_without_results_claims_too_and_tells_what_is_due_next(store: Store) -> None:
    await kept(store, 1, due_at=NOW + 9 * SECOND)
    got = wishing(store)
    assert await store.claims.turn() == Outlook(None, NOW + 9 * SECOND)
    await kept(store, 2)
    assert await store.claims.turn() is not None
    assert [[each.link.ticket_key for each in claimed or ()] for claimed in got] == [[], ["OPS-2"]]


async def test_a_result_is_written_though_its_destination_is_paused_and_nothing_is_claimed(store: Store) -> None:
    for number in (1, 2):
        await kept(store, number)
    (first,) = await claim(store, 1)
    await store.pauses.pause(DESTINATION, Pause(NOW + 60 * SECOND, 1, "away"), NOW)
    got = wishing(store)
    assert await store.claims.settle(result(first, task=7)) is not None
    assert await store.claims.turn() is None
    assert got == [[], []]


async def test_a_turn_leaves_a_next_generation_to_a_claim(store: Store) -> None:
    await kept(
        store, task_state=TaskState.COMPLETED, task_id=TaskId(7), version="3", closed_version="2", ended_version="2"
    )
    got = wishing(store)
    assert await store.claims.turn() is None
    assert got == [[]]
    await claim(store)
    (claimed,) = await claim(store)
    assert (claimed.step, claimed.link.generation) == (Step.CREATE, 2)


async def test_a_result_that_cannot_be_written_takes_no_other_with_it_and_claims_go_on(store: Store) -> None:
    for number in (1, 2, 3):
        await kept(store, number, due_at=NOW - (4 - number) * SECOND)
    first, second = await claim(store, 2)
    got = wishing(store)
    settled = await asyncio.gather(
        store.claims.settle(result(first, task=7)), store.claims.settle(result(second, task=7))
    )
    assert sorted(link is not None and link.parked for link in settled) == [False, True]
    claimed = [each.link.ticket_key for each_turn in got for each in each_turn or ()]
    assert claimed == ["OPS-3"]


async def test_an_outcome_whose_lease_was_lost_changes_nothing(store: Store) -> None:
    await kept(store)
    (late,) = await claim(store)
    (current,) = await claim(store, at=LEASE)
    assert await store.claims.settle(result(current, task=7)) is not None
    assert await store.claims.settle(result(late, task=8)) is None
    link = await store.links.get(late.link.id)
    assert link is not None
    assert link.task_id == 7


async def test_a_task_belongs_to_one_link(store: Store) -> None:
    for number in (1, 2):
        await kept(store, number)
    first, second = await claim(store)
    await store.claims.settle(result(first, task=7))
    settled = await store.claims.settle(result(second, task=7))
    assert settled is not None
    assert settled.parked
    assert "belongs to another" in (settled.last_error or "")


async def test_a_reopened_ticket_gets_its_next_generation(store: Store) -> None:
    link = await kept(
        store, task_state=TaskState.COMPLETED, task_id=TaskId(7), version="3", closed_version="2", ended_version="2"
    )
    assert await claim(store) == []
    (claimed,) = await claim(store)
    assert (claimed.step, claimed.link.generation) == (Step.CREATE, 2)
    first = await store.links.get(link.id)
    assert first is not None
    assert (first.ticket_state, first.task_id, first.due_at) == (TicketState.CLOSED, 7, None)


async def test_a_next_generation_that_cannot_be_made_parks_the_link(store: Store) -> None:
    def refuse(*_: object) -> Link:
        raise Rejected("the template fails")

    link = await kept(
        store, task_state=TaskState.COMPLETED, task_id=TaskId(7), version="3", closed_version="2", ended_version="2"
    )
    await store.claims.claim(DESTINATION, 10, NOW, replace(TERMS, reopen=refuse))
    parked = await store.links.get(link.id)
    assert parked is not None
    assert (parked.state(NOW), parked.last_error) == (LinkState.PARKED, "the template fails")


async def test_a_parked_link_is_retried_when_a_person_says_so(store: Store) -> None:
    await kept(store)
    (claimed,) = await claim(store)
    await store.claims.settle(result(claimed, error=Rejected("no catalog")))
    assert await claim(store, at=SECOND) == []
    assert await store.links.retry([claimed.link.id], NOW, lambda link, _: link) == 1
    assert len(await claim(store)) == 1


async def test_release_frees_what_a_killed_process_had_leased(store: Store) -> None:
    await kept(store)
    await claim(store)
    assert await store.claims.release(NOW + 60 * SECOND) == 1
    (again,) = await claim(store)
    assert (again.step, again.link.safe_at) == (Step.FIND, NOW + 60 * SECOND)


async def test_a_dead_workers_lease_of_a_link_that_needs_nothing_any_more_is_freed(store: Store) -> None:
    link = await kept(store, leased_until=NOW + LEASE)
    wanting_nothing = replace(
        link, task_state=TaskState.OPEN, ticket_state=TicketState.DELETED, policy=Policy(on_delete="ignore")
    )
    async with store.database.writing() as connection:
        await store.links.save(connection, [due(replace(wanting_nothing, due_at=None), NOW)], NOW)
    assert await claim(store, at=LEASE) == []
    freed = await store.links.get(link.id)
    assert freed is not None
    assert (freed.leased_until, freed.due_at) == (None, None)


async def test_a_link_with_a_call_under_way_is_not_forgotten(store: Store) -> None:
    link = await kept(store)
    await claim(store)
    with pytest.raises(Rejected, match="may be under way"):
        await store.links.forget(link.id)


async def test_forgetting_the_last_link_forgets_the_ticket(store: Store) -> None:
    link = await kept(store)
    (claimed,) = await claim(store)
    await store.claims.settle(result(claimed, task=7))
    assert await store.links.forget(link.id)
    assert not await store.links.forget(link.id)
    async with store.database.writing() as connection:
        known = await store.links.known(connection, [("jira", "10001")], NOW)
    assert known == {("jira", "10001"): (Snapshot(), None)}


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"due_at": NOW}, LinkState.PENDING),
        ({"due_at": NOW + SECOND, "leased_until": NOW + SECOND}, LinkState.PENDING),
        ({"due_at": NOW + SECOND}, LinkState.WAITING),
        ({"due_at": None}, LinkState.SETTLED),
        ({"due_at": None, "parked": True}, LinkState.PARKED),
    ],
)
async def test_a_state_means_the_same_in_a_filter_as_in_the_link(
    store: Store, changes: dict[str, Any], state: LinkState
) -> None:
    link = await kept(store, **changes)
    assert link.state(NOW) is state
    for each in LinkState:
        listed = await store.links.list(LinkFilter(state=each), NOW)
        assert bool(listed) == (each is state)
    assert (await store.links.counts(NOW))[state] == 1


async def test_a_list_is_filtered_and_pages_from_the_newest(store: Store) -> None:
    links = [await kept(store, number) for number in (1, 2, 3)]
    assert [each.id for each in await store.links.list(LinkFilter(limit=2), NOW)] == [links[2].id, links[1].id]
    assert [each.id for each in await store.links.list(LinkFilter(before=links[1].id), NOW)] == [links[0].id]
    assert [each.id for each in await store.links.list(LinkFilter(key="OPS-2"), NOW)] == [links[1].id]
    assert await store.links.list(LinkFilter(source="other"), NOW) == []


async def test_what_is_known_of_a_ticket_takes_little_space(store: Store) -> None:
    snapshot = Snapshot("1", "", {"1": {"description": "printer " * 1000}})
    async with store.database.writing() as connection:
        await store.links.keep(connection, {("jira", "9"): snapshot}, NOW)
        size = "length" if store.database.is_sqlite else "pg_column_size"
        length = (await connection.execute(text(f"SELECT {size}(layers) FROM tickets"))).scalar_one()  # noqa: S608
        known = await store.links.known(connection, [("jira", "9")], NOW)
    assert length < 1000
    assert known == {("jira", "9"): (snapshot, None)}


async def test_what_an_older_version_has_written_of_a_ticket_is_read(store: Store) -> None:
    async with store.database.writing() as connection:
        await store.links.keep(connection, {("jira", "9"): Snapshot("1", "", {"1": {}})}, NOW)
        await connection.execute(text("UPDATE tickets SET layers = :plain"), {"plain": '{"1": {"a": 1}}'})
        known = await store.links.known(connection, [("jira", "9")], NOW)
    assert known == {("jira", "9"): (Snapshot("1", "", {"1": {"a": 1}}), None)}
