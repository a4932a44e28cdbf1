"""Drift: every kind of difference, from values."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bridge.correlation import Identity, correlation_key, identity_of, is_digested
from bridge.drift import Difference, Drift, is_as_it_was, is_moving, mend, of_holder, of_link, of_owner, of_ticket
from bridge.model import (
    Folder,
    Link,
    Observation,
    SeenTask,
    Step,
    Task,
    TaskId,
    TaskRequest,
    TaskState,
    TicketState,
)
from bridge.plan import plan
from tests.values import NOW, a_link

KEY = "bridge/jira/10001/1"
HERE = Folder("id", "7")


def seen(state: TaskState = TaskState.OPEN, *, number: int = 7, key: str | None = KEY) -> SeenTask:
    return SeenTask(Task(TaskId(number), state), key, TaskRequest({"title": "t"}, HERE), NOW)


def a_settled(**changes: Any) -> Link:
    return a_link(**{"task_state": TaskState.OPEN, "task_id": TaskId(7), **changes})


def kind(found: Difference | None) -> Drift | None:
    return None if found is None else found.kind


@pytest.mark.parametrize(
    ("link", "task", "expected"),
    [
        (TaskState.OPEN, TaskState.OPEN, None),
        (TaskState.OPEN, TaskState.COMPLETED, Drift.COMPLETED),
        (TaskState.OPEN, TaskState.GONE, Drift.GONE),
        (TaskState.COMPLETED, TaskState.OPEN, Drift.OPEN),
        (TaskState.GONE, TaskState.OPEN, Drift.OPEN),
        (TaskState.COMPLETED, TaskState.GONE, None),  # Orchestrator keeps completed tasks for a while only
        (TaskState.COMPLETED, TaskState.COMPLETED, None),
    ],
)
def test_a_link_beside_its_task(link: TaskState, task: TaskState, expected: Drift | None) -> None:
    assert kind(of_holder(a_settled(task_state=link), seen(task))) is expected


def test_a_task_with_anothers_key_is_anothers() -> None:
    assert kind(of_holder(a_settled(), seen(key="bridge/jira/2/1"))) is Drift.FOREIGN
    assert of_holder(a_settled(), seen(key=None)) is None, "a server that does not show the key tells nothing"


def test_a_link_on_its_way_differs_in_nothing() -> None:
    for moving in (a_settled(due_at=NOW), a_settled(leased_until=NOW)):
        assert of_holder(moving, seen(TaskState.COMPLETED)) is None
        assert of_link(replace(moving, ticket_state=TicketState.CLOSED)) is None


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        (a_link(), Drift.ORPHAN),
        (a_link(due_at=NOW), Drift.ORPHAN),  # it would create a second one
        (a_link(task_state=TaskState.UNKNOWN, parked=True), Drift.ORPHAN),
        (a_link(task_state=TaskState.UNKNOWN, due_at=NOW), None),  # it finds it by itself
        (a_link(task_state=TaskState.UNKNOWN, due_at=NOW, leased_until=NOW), None),
    ],
)
def test_a_task_whose_link_does_not_have_it(link: Link, expected: Drift | None) -> None:
    assert kind(of_owner(link, seen())) is expected


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        (seen(number=5), Drift.DOUBLE),
        (seen(TaskState.COMPLETED, number=5), Drift.DOUBLE),
        (seen(TaskState.GONE, number=5, key=None), Drift.ORPHAN),
        (seen(number=5, key="bridge/jira/2/1"), Drift.FOREIGN),
        (None, None),  # it could not be looked at
    ],
)
def test_a_task_whose_link_has_another(own: SeenTask | None, expected: Drift | None) -> None:
    assert kind(of_owner(a_settled(task_id=TaskId(5)), seen(), own)) is expected


def test_a_lost_step_is_stale() -> None:
    lost = a_settled(ticket_state=TicketState.CLOSED)
    found = of_link(lost)
    assert found is not None
    assert (found.kind, found.remedy) == (Drift.STALE, "take the lost step: complete")
    assert of_link(replace(lost, parked=True)) is None, "that one needs a person"
    assert of_link(a_settled()) is None


def test_a_ticket_differs_by_news_alone() -> None:
    def shown(version: str, state: TicketState | None) -> Observation:
        return Observation("10001", version, {}, state)

    link = a_settled(version="5")
    assert kind(of_ticket(link, shown("6", TicketState.CLOSED))) is Drift.TICKET
    assert kind(of_ticket(link, shown("6", TicketState.DELETED))) is Drift.TICKET
    for nothing in (shown("5", TicketState.CLOSED), shown("6", TicketState.OPEN), shown("6", None)):
        assert of_ticket(link, nothing) is None


# -- mending -----------------------------------------------------------------------------------------------------------------------


links = st.builds(
    a_link,
    ticket_state=st.sampled_from(TicketState),
    task_state=st.sampled_from(TaskState),
    task_id=st.sampled_from([None, TaskId(5), TaskId(7)]),
    due_at=st.sampled_from([None, NOW]),
    leased_until=st.sampled_from([None, NOW]),
    parked=st.booleans(),
)
tasks = st.builds(
    seen,
    st.sampled_from(TaskState),
    number=st.sampled_from([5, 7]),
    key=st.sampled_from([None, KEY, "bridge/jira/2/1"]),
)


@given(link=links, its=tasks, other=tasks, own=st.none() | tasks)
def test_mended_a_link_is_due_and_no_difference_any_more(
    link: Link, its: SeenTask, other: SeenTask, own: SeenTask | None
) -> None:
    for differs in (
        lambda link: of_holder(link, its),
        lambda link: of_owner(link, other, own),
        of_link,
    ):
        found = differs(link)
        if found is None or not found.mendable:
            continue
        assert link.leased_until is None, "a call is under way"
        mended = mend(link, found, NOW)
        assert is_moving(mended)
        assert not mended.parked
        if found.kind is not Drift.STALE:
            assert plan(mended) is Step.FIND, "it looks before it does anything"
        assert differs(mended) is None


def test_an_orphan_is_found_by_its_key_in_the_folder_in_which_it_was_seen() -> None:
    link = a_link(due_at=NOW)
    mended = mend(link, Difference(Drift.ORPHAN, link, seen()), NOW)
    assert (mended.task_state, mended.task_id, mended.create_sent_at) == (TaskState.UNKNOWN, None, NOW)
    assert mended.request is not None
    assert (mended.request.body["externalTag"], mended.request.folder) == ("JIRA", HERE)


def test_a_claim_an_outcome_or_a_mending_since_is_noticed() -> None:
    before = a_settled()
    assert is_as_it_was(replace(before, version="9", ticket_key="WEB-1"), before)
    for after in ({"claim": 1}, {"leased_until": NOW}, {"task_id": TaskId(9)}, {"due_at": NOW}, {"parked": True}):
        assert not is_as_it_was(replace(before, **after), before)


# -- keys --------------------------------------------------------------------------------------------------------------------------

names = st.text(st.sampled_from("ab_-"), min_size=1, max_size=64)


@given(names.map(lambda name: name[:40]), names, st.text(min_size=1), st.integers(1, 10**6))
def test_a_key_tells_its_ticket_or_that_it_is_too_long_to(
    deployment: str, source: str, ticket_id: str, generation: int
) -> None:
    key = correlation_key(deployment, source, ticket_id, generation)
    identity = identity_of(key, deployment, {source})
    assert identity == Identity(source, ticket_id, generation) or (
        identity is None and is_digested(key, deployment, {source})
    )


@pytest.mark.parametrize(
    "key",
    [
        "",
        "bridge",
        "bridge/jira/1",
        "bridge/jira//1",
        "bridge/jira/10001/0",
        "bridge/jira/10001/01",
        "bridge/jira/10001/one",
        "bridge/jira/10001/²",
        "other/jira/10001/1",
        "bridge/other/10001/1",
        "bridge/jira/1/" + "9" * 5000,
    ],
)
def test_what_is_no_key_of_ours_tells_nothing(key: str) -> None:
    assert identity_of(key, "bridge", {"jira"}) is None
    assert not is_digested(key, "bridge", {"jira"})


def test_a_ticket_id_may_hold_a_slash() -> None:
    assert identity_of("bridge/desk/a/b/2", "bridge", {"desk"}) == Identity("desk", "a/b", 2)
