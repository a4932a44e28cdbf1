"""Order does not matter (G3): for any permutation and duplication of a ticket's history the link is the same."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from bridge.config import Config
from bridge.correlation import CORRELATION_KEY_LIMIT, correlation_key
from bridge.errors import TemplateError
from bridge.fold import Snapshot
from bridge.model import Link, Observation, Refusal, Step, TaskId, TaskState, TicketState
from bridge.plan import plan
from bridge.routes import compile_routes
from bridge.sync.follow import Follower, Known, next_generation
from tests.values import JIRA, NOW, body_of, jira_event

ROUTES: list[dict[str, Any]] = [
    {
        "name": "bugs",
        "source": "jira",
        "when": 'ticket.project == "OPS" and ticket.type == "Bug"',
        "task": {"catalog": "Bugs"},
        "update": ["title"],
    },
    {
        "name": "others",
        "source": "jira",
        "when": 'ticket.project == "OPS"',
        "closed_on_arrival": "create_and_complete",
        "completion": {"data": {"resolution": "{{ ticket.resolution }}"}},
        "update": ["title", "priority"],
        "assign": True,
    },
]


def follower(routes: list[dict[str, Any]] = ROUTES) -> Follower:
    config = Config.model_validate(
        {
            "orchestrator": {"url": "https://o.test", "auth": {"type": "token", "token": "t"}, "folder_path": "Shared"},
            "sources": {"jira": {"type": "jira", "secrets": ["s"]}},
            "routes": routes,
        }
    )
    return Follower("bridge", "jira", "orchestrator", JIRA, compile_routes(config))


FOLLOWER = follower()


def observation(**said: Any) -> Observation:
    found = JIRA.read(body_of(jira_event(**said)), NOW)
    assert isinstance(found, Observation)
    return found


def followed(history: Sequence[Observation], known: Known | None = None, by: Follower = FOLLOWER) -> Known:
    known = known or Known(Snapshot())
    for each in history:
        known = by.follow(known, each, NOW)
    return known


def link_of(*history: Observation, by: Follower = FOLLOWER) -> Link:
    link = followed(history, by=by).link
    assert link is not None
    return link


# -- the properties ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class History:
    observations: list[Observation]
    shuffled: list[Observation]


def partial(lacks: frozenset[str], **said: Any) -> Observation:
    """An observation that lacks some facts, as a comment's event or a post-function sends it."""
    event = jira_event(**said)
    event["issue"]["fields"] = {name: value for name, value in event["issue"]["fields"].items() if name not in lacks}
    found = JIRA.read(body_of(event), NOW)
    assert isinstance(found, Observation)
    return found


@st.composite
def histories(draw: st.DrawFn) -> History:
    """What a ticket can go through, with gaps, ties and duplicates, and the same in any order."""
    said = st.builds(
        partial,
        # what routes ask for is never lacking: a route judges what an observation says
        lacks=st.frozensets(
            st.sampled_from(["summary", "priority", "status", "resolution", "labels", "assignee", "updated"])
        ),
        at=st.integers(0, 6),
        closed=st.booleans(),
        project=st.sampled_from(["OPS", "OPS", "WEB"]),
        event=st.sampled_from(["jira:issue_created", "jira:issue_updated", "jira:issue_updated", "jira:issue_deleted"]),
        summary=st.sampled_from(["a", "b", "c"]),
        issuetype=st.sampled_from([{"name": "Bug"}, {"name": "Task"}]),
        priority=st.sampled_from([{"name": "High"}, {"name": "Low"}, None, {}]),
        assignee=st.sampled_from([None, {"emailAddress": "ada@x.test"}, {"displayName": "Grace"}]),
    )
    observations = draw(st.lists(said, min_size=1, max_size=7))
    again = draw(st.lists(st.sampled_from(observations), max_size=4))
    return History(observations, draw(st.permutations(observations + again)))


@given(histories())
def test_any_order_and_any_duplicates_make_the_same_link(history: History) -> None:
    assert followed(history.shuffled) == followed(history.observations)


@given(histories())
def test_hearing_it_all_again_changes_nothing(history: History) -> None:
    known = followed(history.observations)
    assert followed(history.shuffled, known) == known


@given(histories(), st.sampled_from(["Bug", "Task"]))
def test_what_is_heard_while_the_task_is_open_is_heard_in_any_order(history: History, kind: str) -> None:
    def opened(known: Known) -> Known:
        link = known.link
        assert link is not None
        return replace(known, link=replace(link, task_state=TaskState.OPEN, task_id=TaskId(7)))

    first = observation(at=0, event="jira:issue_created", issuetype={"name": kind})
    start = opened(followed([first]))
    assert followed(history.shuffled, start) == followed(history.observations, start)


def test_all_orders_of_a_life() -> None:
    life = [
        observation(at=0, event="jira:issue_created"),
        observation(at=1, summary="renamed"),
        observation(at=2, project="WEB"),
        observation(at=3, closed=True, project="WEB"),
    ]
    links = {repr(link_of(*order)) for order in permutations(life)}
    assert len(links) == 1
    link = link_of(*life)
    assert (link.ticket_key, link.ticket_state, plan(link)) == ("WEB-1", TicketState.CLOSED, Step.CREATE)


# -- the rules, one by one ---------------------------------------------------------------------------------------------------------


def test_a_ticket_that_no_route_selects_has_no_link() -> None:
    assert followed([observation(project="WEB")]).link is None


def test_a_ticket_that_was_selected_once_stays_linked_when_it_moves_away() -> None:
    link = link_of(observation(at=0), observation(at=1, project="WEB"))
    assert (link.ticket_key, link.route) == ("WEB-1", "bugs")


def test_a_late_first_event_links_a_ticket_that_has_moved_away_already() -> None:
    link = link_of(observation(at=1, project="WEB"), observation(at=0))
    assert (link.ticket_key, link.route) == ("WEB-1", "bugs")


def test_the_newest_selected_state_decides_the_route_until_the_task_is_asked_for() -> None:
    assert link_of(observation(at=0), observation(at=1, issuetype={"name": "Task"})).route == "others"
    known = followed([observation(at=0)])
    assert known.link is not None
    asked = replace(known, link=replace(known.link, task_state=TaskState.UNKNOWN, create_sent_at=NOW))
    after = followed([observation(at=1, issuetype={"name": "Task"})], asked).link
    assert after is not None
    assert after.route == "bugs"


def test_an_older_state_changes_nothing() -> None:
    link = link_of(observation(at=5, closed=True, summary="new"), observation(at=4, summary="old"))
    assert link.ticket_state is TicketState.CLOSED
    assert link.request is not None
    assert link.request.body["data"]["title"] == "new"


def test_a_fact_that_an_observation_lacks_is_left_alone() -> None:
    lacking = partial(frozenset({"summary", "status", "resolution"}), at=1)
    link = link_of(observation(at=0, closed=True, summary="kept"), lacking)
    assert link.ticket_state is TicketState.CLOSED
    assert followed([observation(at=0, summary="kept"), lacking]).snapshot.facts["summary"] == "kept"


def test_of_one_instant_the_close_wins_over_the_open_state() -> None:
    for order in permutations([observation(at=1), observation(at=1, closed=True)]):
        assert link_of(*order).ticket_state is TicketState.CLOSED


def test_a_ticket_that_is_closed_on_its_first_sight_needs_no_task() -> None:
    link = link_of(observation(closed=True))
    assert plan(link) is None
    assert link.due_at is None


def test_a_newer_state_of_a_parked_link_is_tried_at_once() -> None:
    known = followed([observation(at=1)])
    assert known.link is not None
    parked = replace(known, link=replace(known.link, parked=True, due_at=None, attempts=3, last_error="no catalog"))
    older = followed([observation(at=0)], parked).link
    newer = followed([observation(at=2)], parked).link
    assert older is not None
    assert older.parked
    assert newer is not None
    assert (newer.parked, newer.attempts, newer.due_at) == (False, 0, NOW)


def test_a_failing_template_changes_nothing_and_names_the_field() -> None:
    by = follower([{"name": "all", "source": "jira", "task": {"data": {"customer": "{{ fields.customfield_9 }}"}}}])
    with pytest.raises(TemplateError, match=r"routes\[0\]\.task\.data\.customer: .*customfield_9"):
        followed([observation()], by=by)


def test_the_completion_is_rendered_when_the_ticket_has_closed() -> None:
    link = link_of(
        observation(at=0, issuetype={"name": "Task"}), observation(at=1, closed=True, issuetype={"name": "Task"})
    )
    assert link.completion is not None
    assert link.completion.data == {"resolution": "Fixed"}


def test_the_request_stays_as_it_was_sent() -> None:
    by = follower([{"name": "all", "source": "jira", "task": {"folder_path": "Shared/{{ ticket.project }}"}}])
    known = followed([observation(at=0)], by=by)
    assert known.link is not None
    asked = replace(known, link=replace(known.link, task_state=TaskState.OPEN, task_id=TaskId(7)))
    after = followed([observation(at=1, project="WEB", summary="new")], asked, by=by).link
    assert after is not None
    assert after.request is not None
    assert after.request.folder is not None
    assert after.request.folder.value == "Shared/OPS"


# -- what follows the ticket -------------------------------------------------------------------------------------------------------


FOLLOWING = follower([{"name": "all", "source": "jira", "update": ["title", "priority"], "assign": True}])


def with_task(**changes: Any) -> Known:
    known = followed([observation(at=0, summary="first")], by=FOLLOWING)
    assert known.link is not None
    return replace(
        known, link=replace(known.link, task_state=TaskState.OPEN, task_id=TaskId(7), due_at=None, **changes)
    )


def heard(known: Known, *history: Observation) -> Link:
    link = followed(history, known, FOLLOWING).link
    assert link is not None
    return link


def test_an_open_task_should_show_what_the_ticket_says_now() -> None:
    ada = {"displayName": "Ada", "emailAddress": "ada@x.test"}
    said = observation(at=1, summary="second", priority={"name": "Low"}, assignee=ada)
    link = heard(with_task(), said)
    assert link.untold == {"title": "[OPS-1] second", "priority": "Low", "assignee": "ada@x.test"}
    assert (plan(link), link.due_at) == (Step.EDIT, NOW)
    assert link.request is not None
    assert link.request.body["title"] == "[OPS-1] first"


def test_a_change_and_a_change_back_need_no_call() -> None:
    ada = {"emailAddress": "ada@x.test"}
    link = heard(with_task(), observation(at=1, summary="x", assignee=ada), observation(at=2, summary="first"))
    assert (plan(link), link.due_at) == (None, None)


def test_what_changes_before_the_task_is_there_is_in_its_creation() -> None:
    link = followed([observation(at=0, summary="first"), observation(at=1, summary="second")], by=FOLLOWING).link
    assert link is not None
    assert (plan(link), link.untold) == (Step.CREATE, {})


def test_what_follows_no_ticket_is_as_the_route_says() -> None:
    known = followed([observation(at=0)], by=follower([{"name": "all", "source": "jira"}]))
    assert known.link is not None
    assert known.link.shows == {}


def test_a_template_that_fails_at_the_close_does_not_hold_the_completion_up() -> None:
    by = follower([{"name": "a", "source": "jira", "update": ["title"], "task": {"title": "{{ fields.labels[0] }}"}}])
    known = followed([observation(at=0)], by=by)
    assert known.link is not None
    known = replace(known, link=replace(known.link, task_state=TaskState.OPEN, task_id=TaskId(7)))
    with pytest.raises(TemplateError):
        followed([observation(at=1, labels=[])], known, by)
    link = followed([observation(at=2, labels=[], closed=True)], known, by).link
    assert link is not None
    assert plan(link) is Step.COMPLETE


def test_a_parked_link_is_completed_when_its_ticket_closes() -> None:
    parked = with_task(parked=True, last_error="no")
    link = heard(parked, observation(at=1, summary="x", closed=True))
    assert (link.parked, plan(link), link.due_at) == (False, Step.COMPLETE, NOW)


def test_a_refusal_speaks_as_long_as_the_ticket_wants_the_same() -> None:
    known = with_task(refused={"assignee": Refusal("ada@x.test", "nobody has it")})
    same = heard(known, observation(at=1, summary="first", assignee={"emailAddress": "ada@x.test"}))
    assert (same.note, plan(same)) == ("nobody has it", None)
    other = heard(known, observation(at=1, summary="first", assignee={"emailAddress": "grace@x.test"}))
    assert (other.note, plan(other)) == (None, Step.ASSIGN)


def test_a_new_generation_begins_without_a_task_and_with_a_key_of_its_own() -> None:
    ended = replace(
        link_of(observation()),
        task_state=TaskState.COMPLETED,
        task_id=TaskId(7),
        ended_version="9",
        attempts=2,
        told={"title": "x"},
    )
    link = next_generation(ended, "bridge", NOW)
    assert (link.generation, link.correlation_key) == (2, "bridge/jira/10001/2")
    assert (link.task_state, link.task_id, link.ended_version, plan(link)) == (TaskState.ABSENT, None, "", Step.CREATE)
    assert link.told == {}


def test_a_reopened_ticket_gets_a_task_as_it_looks_now() -> None:
    known = followed([observation(at=0, summary="old"), observation(at=1, closed=True)])
    assert known.link is not None
    ended = replace(known.link, task_state=TaskState.COMPLETED, task_id=TaskId(7), ended_version=known.link.version)
    known = followed([observation(at=2, summary="new")], replace(known, link=ended))
    assert known.link is not None
    assert plan(known.link) is Step.REOPEN
    begun = FOLLOWER.reopen(known.link, known.snapshot, NOW)
    assert begun.request is not None
    assert begun.request.body["title"] == "[OPS-1] new"
    assert (begun.generation, begun.due_at, plan(begun)) == (2, NOW, Step.CREATE)


def test_a_correlation_key_always_fits() -> None:
    assert correlation_key("bridge", "jira", "10001", 1) == "bridge/jira/10001/1"
    long = [correlation_key("d" * 40, "s" * 64, "9" * 40, generation) for generation in (1, 2)]
    assert [len(key) for key in long] == [CORRELATION_KEY_LIMIT] * 2
    assert long[0] != long[1]
