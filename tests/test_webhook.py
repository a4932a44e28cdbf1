"""Any tracker that posts JSON: three whose bodies differ in all that they can, and everything that a source of `type: webhook` may say.

The bodies have the shapes that GitLab, ServiceNow and Zendesk document; none was copied.
"""

import base64
import hashlib
import hmac
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from bridge.config import WebhookSource
from bridge.errors import ConfigurationError, MalformedBody, TemplateError
from bridge.model import EVENT, KEY, URL, Observation, TicketState
from bridge.sandbox.orchestrator import Folder, World, sandbox_serving
from bridge.trackers import Ignored
from bridge.trackers.webhook import Webhook
from tests.driving import PATIENCE_S, Bridge, bridge_running, configured, judged, settled, tasks_are
from tests.processes import bridge_process
from tests.values import NOW, body_of

SECRET = "w3bhook"
Body = dict[str, Any]


# -- three trackers ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Tracker:
    """A tracker: how its source is configured, what it posts, how it proves itself, and what its tickets become."""

    source: Body
    route: Body
    body: Callable[..., Body]
    path: str
    title: str
    priority: str
    tag: str
    headers: Callable[[bytes], dict[str, str]] = field(default=lambda _body: {})


def gitlab_issue(*, at: int = 0, closed: bool = False, **changes: Any) -> Body:
    """An issue hook of GitLab."""
    return {
        "object_kind": "issue",
        "event_type": "issue",
        "user": {"id": 1, "name": "Ada Lovelace", "username": "ada"},
        "project": {"id": 5, "name": "Ops", "path_with_namespace": "acme/ops"},
        "object_attributes": {
            "id": 301,
            "iid": 23,
            "title": "Printer on fire",
            "description": "It burns",
            "state": "closed" if closed else "opened",
            "severity": "critical",
            "action": "close" if closed else "open",
            "url": "https://gitlab.acme.test/acme/ops/-/issues/23",
            "created_at": "2026-01-02 09:00:00 UTC",
            "updated_at": f"2026-01-02 10:00:{at:02} UTC",
            **changes,
        },
        "labels": [{"id": 206, "title": "API"}, {"id": 207, "title": "bug"}],
        "assignees": [{"name": "Grace Hopper"}],
    }


GITLAB = Tracker(
    source={
        "type": "webhook",
        "verify": "bearer",
        "header": "X-Gitlab-Token",
        "secrets": [SECRET],
        "external_tag": "GitLab",
        "ticket": {
            "id": "{{ fields.object_attributes.id }}",
            "key": "{{ fields.project.path_with_namespace }}#{{ fields.object_attributes.iid }}",
            "title": "{{ fields.object_attributes.title }}",
            "status": "{{ fields.object_attributes.state }}",
            "closed": "{{ fields.object_attributes.state == 'closed' }}",
            "updated": "{{ fields.object_attributes.updated_at }}",
            "created": "{{ fields.object_attributes.created_at }}",
            "url": "{{ fields.object_attributes.url }}",
            "priority": "{{ fields.object_attributes.severity }}",
            "labels": "{{ fields.labels | map(attribute='title') | list }}",
            "event": "{{ fields.object_kind }}_{{ fields.object_attributes.action }}",
        },
    },
    route={"task": {"catalog": "Tickets", "priority": {"critical": "Critical"}}},
    body=gitlab_issue,
    path="/hooks/tracker",
    headers=lambda _body: {"X-Gitlab-Token": SECRET},
    title="[acme/ops#23] Printer on fire",
    priority="Critical",
    tag="GitLab",
)


def servicenow_incident(*, at: int = 0, closed: bool = False, **changes: Any) -> Body:
    """What a business rule of ServiceNow posts: every value is a text."""
    return {
        "sys_id": "9d385017c611228701d22104cc95c371",
        "number": "INC0010042",
        "short_description": "Printer on fire",
        "state": "7" if closed else "2",
        "active": "false" if closed else "true",
        "priority": "1",
        "sys_updated_on": f"2026-01-02 10:00:{at:02}",
        **changes,
    }


SERVICENOW = Tracker(
    source={
        "type": "webhook",
        "verify": "query",
        "secrets": [SECRET],
        "ticket": {
            "id": "{{ fields.sys_id }}",
            "key": "{{ fields.number }}",
            "title": "{{ fields.short_description }}",
            "status": "{{ fields.state }}",
            "closed": ["6", "7"],
            "updated": "{{ fields.sys_updated_on }}",
            "priority": "{{ fields.priority }}",
        },
    },
    route={"task": {"catalog": "Tickets", "priority": {"1": "Critical", "2": "High"}}},
    body=servicenow_incident,
    path=f"/hooks/tracker?token={SECRET}",
    title="[INC0010042] Printer on fire",
    priority="Critical",
    tag="tracker",
)

SERVICENOW_BY_ACTIVE = Tracker(
    **{
        **SERVICENOW.__dict__,
        "source": {
            **SERVICENOW.source,
            "ticket": {**SERVICENOW.source["ticket"], "closed": "{{ fields.active == 'false' }}"},
        },
    }
)


def zendesk_event(*, at: int = 0, closed: bool = False, **changes: Any) -> Body:
    """A ticket event of Zendesk."""
    return {
        "account_id": 22129848,
        "id": "2b24ef10-19d5-4740-93cf-8f98ec4776c0",
        "type": "zen:event-type:ticket.status_changed",
        "subject": "zen:ticket:5158",
        "time": f"2026-01-02T10:00:{at:02}.123456789Z",
        "zendesk_event_version": "2022-06-20",
        "event": {"previous": "OPEN", "current": "SOLVED" if closed else "OPEN"},
        "detail": {
            "id": "5158",
            "status": "SOLVED" if closed else "OPEN",
            "subject": "Printer on fire",
            "priority": "URGENT",
            "created_at": "2026-01-02T09:00:00Z",
            "updated_at": f"2026-01-02T10:00:{at:02}Z",
            "tags": ["printer", "fire"],
            **changes,
        },
    }


def in_base64(body: bytes) -> str:
    return base64.b64encode(hmac.new(SECRET.encode(), body, hashlib.sha256).digest()).decode()


ZENDESK = Tracker(
    source={
        "type": "webhook",
        "verify": "hmac",
        "header": "X-Body-Signature",  # a gateway's: Zendesk's own signature is over a timestamp, too
        "secrets": ["old", SECRET],
        "external_tag": "Zendesk",
        "ticket": {
            "id": "{{ fields.detail.id }}",
            "title": "{{ fields.detail.subject }}",
            "status": "{{ fields.detail.status }}",
            "closed": ["Solved", "Closed"],
            "updated": "{{ fields.detail.updated_at }}",
            "priority": "{{ fields.detail.priority }}",
            "labels": "{{ fields.detail.tags }}",
            "event": "{{ fields.type }}",
        },
    },
    route={
        "when": "event == 'zen:event-type:ticket.status_changed'",
        "task": {"catalog": "Tickets", "priority": {"URGENT": "Critical", "HIGH": "High"}},
    },
    body=zendesk_event,
    path="/hooks/tracker",
    headers=lambda body: {"X-Body-Signature": in_base64(body)},
    title="[5158] Printer on fire",
    priority="Critical",
    tag="Zendesk",
)

TRACKERS = {
    "gitlab": GITLAB,
    "servicenow": SERVICENOW,
    "servicenow by active": SERVICENOW_BY_ACTIVE,
    "zendesk": ZENDESK,
}
every_tracker = pytest.mark.parametrize("tracker", TRACKERS.values(), ids=TRACKERS.keys())


@pytest.fixture
def world() -> World:
    return World(folders=[Folder(id=1, path="Shared", catalogs=("Tickets",))])


@pytest.fixture
async def orchestrator(world: World) -> AsyncIterator[str]:
    async with sandbox_serving(world) as url:
        yield url


@asynccontextmanager
async def bridge_for(tracker: Tracker, folder: Path, orchestrator: str) -> AsyncIterator[Bridge]:
    routes = [{"name": "all", "source": "tracker", **tracker.route}]
    config = configured(folder, orchestrator, sources={"tracker": tracker.source}, routes=routes)
    async with bridge_running(config) as bridge:
        yield bridge


async def sent(bridge: Bridge, tracker: Tracker, *bodies: Body) -> None:
    for body in bodies:
        content = body_of(body)
        answer = await bridge.http.post(tracker.path, content=content, headers=tracker.headers(content))
        assert answer.status_code == 202, answer.text


@pytest.mark.anyio
@every_tracker
async def test_a_ticket_becomes_a_task_and_its_closing_completes_it(
    tracker: Tracker, world: World, orchestrator: str, tmp_path: Path
) -> None:
    async with bridge_for(tracker, tmp_path, orchestrator) as bridge:
        await sent(bridge, tracker, tracker.body(at=0))
        (task,) = await tasks_are(world, 0)
        assert (task.request.title, task.request.priority) == (tracker.title, tracker.priority)
        assert task.request.external_tag == tracker.tag
        await sent(bridge, tracker, tracker.body(at=9, closed=True))
        await tasks_are(world, 1)


@pytest.mark.anyio
@every_tracker
async def test_out_of_order_and_repeated_bodies_are_one_task(
    tracker: Tracker, world: World, orchestrator: str, tmp_path: Path
) -> None:
    opened, changed, closed = tracker.body(at=0), tracker.body(at=5), tracker.body(at=9, closed=True)
    async with bridge_for(tracker, tmp_path, orchestrator) as bridge:
        await sent(bridge, tracker, changed)
        await tasks_are(world, 0)
        await sent(bridge, tracker, closed, opened, changed, closed, opened)
        await tasks_are(world, 1)
        assert [delivery["state"] for delivery in await judged(bridge)] == ["applied"] * 3
        (link,) = await settled(bridge)
        assert (link["ticket_state"], link["task_state"], link["generation"]) == ("closed", "completed", 1)


@pytest.mark.anyio
async def test_a_route_selects_by_what_happened(world: World, orchestrator: str, tmp_path: Path) -> None:
    async with bridge_for(ZENDESK, tmp_path, orchestrator) as bridge:
        await sent(bridge, ZENDESK, {**zendesk_event(), "type": "zen:event-type:ticket.comment_added"})
        (delivery,) = await judged(bridge)
        assert delivery["state"] == "ignored"
        assert "no route" in delivery["reason"]
    assert not world.all_tasks()


@pytest.mark.anyio
async def test_a_deleted_ticket_completes_its_task(world: World, orchestrator: str, tmp_path: Path) -> None:
    ticket = {**SERVICENOW.source["ticket"], "deleted": "{{ fields.operation == 'delete' }}"}
    tracker = Tracker(**{**SERVICENOW.__dict__, "source": {**SERVICENOW.source, "ticket": ticket}})
    async with bridge_for(tracker, tmp_path, orchestrator) as bridge:
        await sent(bridge, tracker, servicenow_incident(operation="update"))
        await tasks_are(world, 0)
        await sent(bridge, tracker, servicenow_incident(at=5, operation="delete"))
        await tasks_are(world, 1)
        (link,) = await settled(bridge)
        assert link["ticket_state"] == "deleted"


# -- what the answer is ------------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def bridge_with(folder: Path, **source: Any) -> AsyncIterator[Bridge]:
    """A bridge with one source named `tracker` that nothing has to prove itself to, unless `source` says how."""
    ticket = {"id": "{{ fields.id }}", "updated": "{{ fields.updated | default(none) }}"}
    whole = {"type": "webhook", "verify": "none", "ticket": ticket, **source}
    route = {"name": "all", "source": "tracker", "task": {"title": "{{ ticket.key }}"}}
    async with bridge_running(configured(folder, sources={"tracker": whole}, routes=[route])) as bridge:
        yield bridge


@pytest.mark.anyio
async def test_a_body_is_answered_with_its_deliveries_and_duplicates(tmp_path: Path) -> None:
    async with bridge_with(tmp_path) as bridge:
        first = await bridge.http.post("/hooks/tracker", json={"id": 1, "updated": 1767348000})
        assert first.status_code == 202
        assert first.headers["content-type"] == "application/json"
        assert first.json() == {"deliveries": [1], "duplicates": 0}
        again = await bridge.http.post("/hooks/tracker", json={"id": 1, "updated": 1767348000})
        assert (again.status_code, again.json()) == (202, {"deliveries": [], "duplicates": 1})


@pytest.mark.anyio
async def test_without_a_time_the_same_body_may_truly_come_again(tmp_path: Path) -> None:
    async with bridge_with(tmp_path, ticket={"id": "{{ fields.id }}"}) as bridge:
        for number in (1, 2):
            assert (await bridge.http.post("/hooks/tracker", json={"id": 1})).json()["deliveries"] == [number]


@pytest.mark.anyio
@pytest.mark.parametrize("body", [b"", b"[]", b"3", b"{", b"<xml/>", b"\xff"])
async def test_what_is_no_json_object_is_refused(tmp_path: Path, body: bytes) -> None:
    async with bridge_with(tmp_path) as bridge:
        answer = await bridge.http.post("/hooks/tracker", content=body)
        assert answer.status_code == 400
        assert answer.headers["content-type"] == "application/problem+json"
        assert await bridge.deliveries() == []


@pytest.mark.anyio
async def test_the_external_tag_is_the_sources_name_unless_another_is_given(tmp_path: Path) -> None:
    for folder, tag, source in (("a", "tracker", {}), ("b", "Desk", {"external_tag": "Desk"})):
        (tmp_path / folder).mkdir()
        async with bridge_with(tmp_path / folder, **source) as bridge:
            await bridge.http.post("/hooks/tracker", json={"id": 1})
            await judged(bridge)
            (link,) = await bridge.links()
            assert link["external_tag"] == tag


# -- who may call ------------------------------------------------------------------------------------------------------------------

BODY = body_of({"id": 1, "updated": 1767348000})
DIGEST = hmac.new(SECRET.encode(), BODY, hashlib.sha256).hexdigest()
BASE64 = in_base64(BODY)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("source", "path", "headers", "status"),
    [
        ({"verify": "hmac"}, "", {"X-Hub-Signature": f"sha256={DIGEST}"}, 202),
        ({"verify": "hmac"}, "", {"X-Hub-Signature": f"sha256={DIGEST.upper()}"}, 202),
        ({"verify": "hmac"}, "", {"X-Hub-Signature": f"sha256={BASE64}"}, 202),
        ({"verify": "hmac"}, "", {"X-Hub-Signature": DIGEST}, 401),
        ({"verify": "hmac"}, "", {"X-Hub-Signature": "sha256=" + "0" * 64}, 401),
        ({"verify": "hmac"}, "", {"X-Hub-Signature": f"sha1={DIGEST}"}, 401),
        ({"verify": "hmac"}, "", {}, 401),
        ({"verify": "hmac", "header": "X-Sig"}, "", {"X-Sig": BASE64}, 202),
        ({"verify": "hmac", "header": "X-Sig"}, "", {"x-sig": DIGEST}, 202),
        ({"verify": "hmac", "header": "X-Sig"}, "", {"X-Sig": f"sha256={DIGEST}"}, 202),
        ({"verify": "hmac", "header": "X-Sig"}, "", {"X-Sig": BASE64.swapcase()}, 401),
        ({"verify": "hmac", "header": "X-Sig"}, "", {"X-Sig": "sha256="}, 401),
        ({"verify": "hmac", "header": "X-Sig"}, "", {"X-Sig": ""}, 401),
        ({"verify": "hmac", "header": "X-Sig"}, "", {"X-Hub-Signature": f"sha256={DIGEST}"}, 401),
        ({"verify": "bearer"}, "", {"Authorization": f"Bearer {SECRET}"}, 202),
        ({"verify": "bearer"}, "", {"Authorization": f"bearer {SECRET}"}, 202),
        ({"verify": "bearer"}, "", {"Authorization": SECRET}, 401),
        ({"verify": "bearer"}, "", {"Authorization": "Bearer wrong"}, 401),
        ({"verify": "bearer"}, "", {}, 401),
        ({"verify": "bearer", "header": "X-Gitlab-Token"}, "", {"X-Gitlab-Token": SECRET}, 202),
        ({"verify": "bearer", "header": "X-Gitlab-Token"}, "", {"X-Gitlab-Token": f"Bearer {SECRET}"}, 202),
        ({"verify": "bearer", "header": "X-Gitlab-Token"}, "", {"X-Gitlab-Token": "wrong"}, 401),
        ({"verify": "bearer", "header": "X-Gitlab-Token"}, "", {"X-Gitlab-Token": ""}, 401),
        ({"verify": "bearer", "header": "X-Gitlab-Token"}, "", {"Authorization": f"Bearer {SECRET}"}, 401),
        ({"verify": "query"}, f"?token={SECRET}", {}, 202),
        ({"verify": "query"}, "?token=wrong", {}, 401),
        ({"verify": "query"}, "?token=", {}, 401),
        ({"verify": "query"}, "", {}, 401),
        ({"verify": "path"}, f"/{SECRET}", {}, 202),
        ({"verify": "path"}, "/wrong", {}, 401),
        ({"verify": "path"}, "", {}, 401),
        ({"verify": "path"}, f"?token={SECRET}", {}, 401),
        ({"verify": "path"}, f"/{SECRET}/more", {}, 404),
        ({"verify": "query"}, f"/{SECRET}", {}, 404),
        ({"verify": "query"}, f"/{SECRET}?token={SECRET}", {}, 404),
        ({"verify": "bearer"}, f"/{SECRET}", {"Authorization": f"Bearer {SECRET}"}, 404),
        ({"verify": "hmac"}, f"/{SECRET}", {"X-Hub-Signature": f"sha256={DIGEST}"}, 404),
        ({"verify": "none"}, f"/{SECRET}", {}, 404),
        ({"verify": "none"}, "", {}, 202),
    ],
)
async def test_who_may_call(
    tmp_path: Path, source: dict[str, str], path: str, headers: dict[str, str], status: int
) -> None:
    secrets = {} if source["verify"] == "none" else {"secrets": ["old", SECRET]}
    async with bridge_with(tmp_path, **source, **secrets) as bridge:
        answer = await bridge.http.post(f"/hooks/tracker{path}", content=BODY, headers=headers)
        assert answer.status_code == status, answer.text
        assert len(await bridge.deliveries()) == (status == 202)
        if status == 401:
            assert answer.headers["content-type"] == "application/problem+json"
            assert not any(told in answer.text for told in (SECRET, DIGEST, BASE64))


@pytest.mark.anyio
async def test_a_token_in_the_path_may_be_rotated_and_hold_any_character(tmp_path: Path) -> None:
    async with bridge_with(tmp_path, verify="path", secrets=["old", "neu ß ?"]) as bridge:
        for token, status in (("old", 202), ("neu%20%C3%9F%20%3F", 202), ("neu", 401), ("%FF", 401)):
            answer = await bridge.http.post(f"/hooks/tracker/{token}", content=BODY)
            assert (token, answer.status_code) == (token, status)


# -- templates that fail -----------------------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_a_missing_field_parks_the_delivery_until_the_configuration_is_corrected(tmp_path: Path) -> None:
    async with bridge_with(tmp_path, ticket={"id": "{{ fields.id }}", "title": "{{ fields.sumary }}"}) as bridge:
        assert (await bridge.http.post("/hooks/tracker", json={"id": 1, "summary": "Fire"})).status_code == 202
        (delivery,) = await judged(bridge)
        assert delivery["state"] == "parked"
        assert "sources.tracker.ticket.title" in delivery["reason"]
        assert "sumary" in delivery["reason"]
        assert await bridge.links() == []
    async with bridge_with(tmp_path, ticket={"id": "{{ fields.id }}", "title": "{{ fields.summary }}"}) as bridge:
        assert (await bridge.http.post("/api/v1/deliveries/1/replay")).status_code == 202
        (delivery,) = await judged(bridge)
        assert delivery["state"] == "applied"
        (link,) = await bridge.links()
        assert link["ticket_id"] == "1"


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("ticket", "told"),
    [
        ({"closed": "{{ fields.state }}"}, ["sources.tracker.ticket.closed", "'maybe'", "neither true nor false"]),
        ({"deleted": "{{ fields.state }}"}, ["sources.tracker.ticket.deleted", "neither true nor false"]),
        ({"updated": "{{ fields.state }}"}, ["sources.tracker.ticket.updated", "'maybe'", "no time"]),
        ({"id": "{{ fields.issue.id }}"}, ["sources.tracker.ticket.id", "issue"]),
        ({"labels": "{{ fields.tags | map(attribute='x') }}"}, ["sources.tracker.ticket.labels"]),
        ({"title": "{{ fields.id.__class__.__mro__ }}"}, ["sources.tracker.ticket.title"]),
    ],
)
async def test_what_cannot_be_read_parks_with_the_templates_key(
    tmp_path: Path, ticket: dict[str, str], told: list[str]
) -> None:
    async with bridge_with(tmp_path, ticket={"id": "{{ fields.id }}", **ticket}) as bridge:
        await bridge.http.post("/hooks/tracker", json={"id": 1, "state": "maybe", "tags": [{"x": 1}]})
        (delivery,) = await judged(bridge)
        assert delivery["state"] == "parked"
        for words in told:
            assert words in delivery["reason"]


@pytest.mark.anyio
async def test_an_empty_id_is_of_no_ticket(tmp_path: Path) -> None:
    async with bridge_with(tmp_path) as bridge:
        for nothing in ("", "  ", None):
            await bridge.http.post("/hooks/tracker", json={"id": nothing, "updated": 1767348000})
        for delivery in await judged(bridge):
            assert delivery["state"] == "ignored"
            assert "sources.tracker.ticket.id is empty" in delivery["reason"]


@pytest.mark.anyio
async def test_a_body_nested_without_end_does_not_stop_the_others(tmp_path: Path) -> None:
    source = {"type": "webhook", "verify": "none", "ticket": {"id": "{{ fields.id }}"}}
    configured(tmp_path, sources={"tracker": source}, routes=[{"name": "all", "source": "tracker"}])
    async with (
        bridge_process(tmp_path / "config.yaml") as process,
        httpx.AsyncClient(base_url=process.url, timeout=PATIENCE_S) as http,
    ):
        deep = b'{"id": 1, "x": ' + b"[" * 900 + b"]" * 900 + b"}"
        assert (await http.post("/hooks/tracker", content=deep)).status_code in (202, 400)
        assert (await http.post("/hooks/tracker", json={"id": 2})).status_code == 202
        assert (await judged(Bridge(process.url, http)))[-1]["state"] == "applied"


# -- templates that cannot work are found by `bridge check` ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ticket", "key", "told"),
    [
        ({"title": "{{ fields.a"}, "title", "not valid Jinja2"),
        ({"title": "{{ fields.a | nosuchfilter }}"}, "title", "nosuchfilter"),
        ({"title": "{% if fields.a %}x"}, "title", "not valid Jinja2"),
        ({"title": "{{ feilds.a }}"}, "title", "did you mean `fields`?"),
        ({"closed": "{{ ticket.status == 'x' }}"}, "closed", "`ticket` is not a name"),
        ({"updated": "{{ now() }}"}, "updated", "`now` is not a name"),
        ({"id": "{{ fields.a }"}, "id", "not valid Jinja2"),
        ({"titel": "x"}, "titel", "did you mean `title`?"),
    ],
)
def test_a_broken_template_is_named_with_its_line(tmp_path: Path, ticket: Body, key: str, told: str) -> None:
    source = {"type": "webhook", "secrets": ["s"], "ticket": {"id": "{{ fields.id }}", **ticket}}
    with pytest.raises(ConfigurationError) as wrong:
        configured(tmp_path, sources={"tracker": source})
    (problem,) = wrong.value.problems
    assert problem.key == f"sources.tracker.ticket.{key}"
    assert told in problem.message
    assert problem.line is not None
    assert f"{key}:" in (tmp_path / "config.yaml").read_text().splitlines()[problem.line - 1]


def test_every_broken_template_is_named_at_once(tmp_path: Path) -> None:
    source = {"type": "webhook", "secrets": ["s"], "ticket": {"id": "{{ x }}", "title": "{{", "closed": "{{ y }}"}}
    with pytest.raises(ConfigurationError) as wrong:
        configured(tmp_path, sources={"tracker": source})
    assert {problem.key.rpartition(".")[2] for problem in wrong.value.problems} == {"id", "title", "closed"}


@pytest.mark.parametrize(
    ("source", "key"),
    [
        ({"secrets": ["s"]}, "ticket"),
        ({"secrets": ["s"], "ticket": {}}, "ticket.id"),
        ({"ticket": {"id": "x"}}, "secrets"),
        ({"secrets": ["s"], "verify": "token", "ticket": {"id": "x"}}, "verify"),
    ],
)
def test_what_a_source_needs(tmp_path: Path, source: Body, key: str) -> None:
    with pytest.raises(ConfigurationError) as wrong:
        configured(tmp_path, sources={"tracker": {"type": "webhook", **source}})
    assert f"sources.tracker.{key}" in [problem.key for problem in wrong.value.problems]


@pytest.mark.parametrize("ticket", [{"closed": []}, {"closed": ["Done"]}], ids=["empty", "without a status"])
def test_closed_statuses_that_can_never_close_anything_are_named(tmp_path: Path, ticket: Body) -> None:
    """A list of no statuses, or one where nothing says which status a ticket has: every task would stay open for good."""
    source = {"type": "webhook", "secrets": ["s"], "ticket": {"id": "{{ fields.id }}", **ticket}}
    with pytest.raises(ConfigurationError) as wrong:
        configured(tmp_path, sources={"tracker": source})
    assert "sources.tracker.ticket.closed" in [problem.key for problem in wrong.value.problems]


def test_a_list_of_closed_statuses_is_no_template(tmp_path: Path) -> None:
    ticket = {"id": "{{ fields.id }}", "status": "{{ fields.state }}", "closed": ["{{ odd", "Done"]}
    config = configured(tmp_path, sources={"tracker": {"type": "webhook", "secrets": ["s"], "ticket": ticket}})
    assert "tracker" in config.sources


# -- what a body says --------------------------------------------------------------------------------------------------------------


def webhook(**ticket: Any) -> Webhook:
    whole = {"id": "{{ fields.id }}", **ticket}
    return Webhook("desk", WebhookSource.model_validate({"type": "webhook", "secrets": ["s"], "ticket": whole}))


def said(body: Body, **ticket: Any) -> Observation:
    found = webhook(**ticket).read(body_of({"id": 1, **body}), NOW)
    assert isinstance(found, Observation)
    return found


def time_of(observation: Observation) -> datetime:
    return datetime.fromtimestamp(int(observation.version.split(".")[0]) / 1000, UTC)


@pytest.mark.parametrize(
    "told",
    [
        1767348000,
        1767348000.0,
        1767348000000,
        "1767348000",
        "1767348000000",
        "2026-01-02T10:00:00Z",
        "2026-01-02T10:00:00.000+00:00",
        "2026-01-02T12:00:00+0200",
        "2026-01-02 10:00:00",
        "2026-01-02 10:00:00 UTC",
        " 2026-01-02T10:00:00Z\n",
    ],
)
def test_the_version_is_the_time_that_the_body_tells(told: object) -> None:
    """As seconds or milliseconds since 1970, as a number or a text, or as ISO 8601."""
    expected = datetime(2026, 1, 2, 10, tzinfo=UTC)
    assert time_of(said({"updated": told}, updated="{{ fields.updated }}")) == expected


def test_a_fraction_of_a_second_counts() -> None:
    told = said({"updated": 1767348000.25}, updated="{{ fields.updated }}")
    assert time_of(told) == datetime(2026, 1, 2, 10, 0, 0, 250_000, tzinfo=UTC)


@pytest.mark.parametrize("told", ["soon", "", "-1", -1, 0, 10**18, 1e300, True, [], {}, "2026-13-01", "9" * 5000])
def test_a_time_that_is_none_fails_with_the_templates_key(told: object) -> None:
    with pytest.raises(TemplateError, match=r"sources\.desk\.ticket\.updated"):
        said({"updated": told}, updated="{{ fields.updated }}")


def test_without_a_time_the_arrivals_is_taken() -> None:
    assert time_of(said({})) == NOW
    assert time_of(said({"updated": None}, updated="{{ fields.updated }}")) == NOW


@pytest.mark.parametrize(
    ("closed", "body", "state"),
    [
        ("{{ fields.done }}", {"done": True}, TicketState.CLOSED),
        ("{{ fields.done }}", {"done": False}, TicketState.OPEN),
        ("{{ fields.done }}", {"done": "True"}, TicketState.CLOSED),
        ("{{ fields.done }}", {"done": " false "}, TicketState.OPEN),
        ("{{ fields.done }}", {"done": None}, None),
        ("{{ fields.done | default(none) }}", {}, None),
        ("{{ fields.state in ['a', 'b'] }}", {"state": "b"}, TicketState.CLOSED),
        ("{% if fields.state == 'a' %}true{% else %}false{% endif %}", {"state": "a"}, TicketState.CLOSED),
        ("true", {}, TicketState.CLOSED),
        (None, {"state": "closed"}, None),
        (["Done", "7"], {"state": "DONE"}, TicketState.CLOSED),
        (["Done", "7"], {"state": 7}, TicketState.CLOSED),
        (["Done", "7"], {"state": "Open"}, TicketState.OPEN),
        (["Done", "7"], {"state": None}, None),
    ],
)
def test_what_closed_means(closed: Any, body: Body, state: TicketState | None) -> None:
    assert said({"state": "x", **body}, closed=closed, status="{{ fields.state }}").state is state


@pytest.mark.parametrize("value", ["maybe", "", "closed", 0, 1, [], {}, ["true"]])
@pytest.mark.parametrize("part", ["closed", "deleted"])
def test_what_is_neither_true_nor_false_fails_with_the_templates_key(part: str, value: object) -> None:
    with pytest.raises(TemplateError, match=rf"sources\.desk\.ticket\.{part}: .* neither true nor false"):
        said({"x": value}, **{part: "{{ fields.x }}"})


def test_deleted_wins_over_closed() -> None:
    templates = {"closed": "{{ fields.done }}", "deleted": "{{ fields.gone }}"}
    assert said({"done": False, "gone": True}, **templates).state is TicketState.DELETED
    assert said({"done": True, "gone": False}, **templates).state is TicketState.CLOSED


@pytest.mark.parametrize(
    ("told", "labels"),
    [
        (["API", "bug"], ("API", "bug")),
        ("API, bug", ("API", "bug")),
        ("API", ("API",)),
        ([1, "x"], ("1", "x")),
        ([], ()),
        ("", ()),
        (None, ()),
    ],
)
def test_labels(told: object, labels: tuple[str, ...]) -> None:
    tracker = webhook(labels="{{ fields.tags }}")
    found = said({"tags": told}, labels="{{ fields.tags }}")
    assert tracker.ticket("1", found.facts).labels == labels


def test_the_whole_of_a_ticket() -> None:
    config = WebhookSource.model_validate(GITLAB.source)
    tracker = Webhook("gitlab", config)
    found = tracker.read(body_of(gitlab_issue()), NOW)
    assert isinstance(found, Observation)
    assert (found.facts[KEY], found.facts[EVENT]) == ("acme/ops#23", "issue_open")
    assert found.facts[URL] == "https://gitlab.acme.test/acme/ops/-/issues/23"
    ticket = tracker.ticket(found.ticket_id, found.facts)
    assert (ticket.id, ticket.key, ticket.title, ticket.status) == ("301", "acme/ops#23", "Printer on fire", "opened")
    assert (ticket.labels, ticket.created) == (("API", "bug"), "2026-01-02 09:00:00 UTC")
    assert not ticket.closed
    assert found.facts["user"]["name"] == "Ada Lovelace"  # routes see the whole body as `fields`


def test_without_a_key_people_call_it_by_its_id() -> None:
    assert webhook().ticket("1", said({}).facts).key == "1"


@pytest.mark.parametrize("told", ["", "  ", None])
def test_an_id_that_is_empty_is_ignored(told: object) -> None:
    found = webhook().read(body_of({"id": told}), NOW)
    assert isinstance(found, Ignored)
    assert "sources.desk.ticket.id" in found.reason


def test_what_a_tracker_sends_is_never_read_as_a_template() -> None:
    found = said({"t": "{{ fields.id }}{% x"}, title="{{ fields.t }}")
    assert webhook().ticket("1", found.facts).title == "{{ fields.id }}{% x"


def test_a_name_of_ours_in_the_body_is_not_taken_for_ours() -> None:
    found = said({"@deleted": True, "@closed": True, "@key": "evil"})
    assert found.state is None
    assert KEY not in found.facts


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b'{"a": NaN}', b"[" * 100_000])
def test_what_is_no_json_object_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedBody):
        webhook().recognise({}, body, NOW)


# -- what a message does not tell --------------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_without_a_time_a_ticket_may_look_as_it_did_before(
    world: World, orchestrator: str, tmp_path: Path
) -> None:
    """`updated` is configured, and these bodies have none: opened, closed and opened again are three deliveries."""
    ticket = {
        "id": "{{ fields.id }}",
        "closed": "{{ fields.state == 'closed' }}",
        "updated": "{{ fields.at | default(none) }}",
    }
    source = {"type": "webhook", "verify": "none", "ticket": ticket}
    routes = [{"name": "all", "source": "desk", "task": {"catalog": "Tickets"}}]
    async with bridge_running(configured(tmp_path, orchestrator, sources={"desk": source}, routes=routes)) as bridge:
        for state, completions in (("open", [0]), ("closed", [1]), ("open", [1, 0])):
            answer = await bridge.http.post("/hooks/desk", json={"id": 1, "state": state})
            assert answer.json()["duplicates"] == 0
            await tasks_are(world, *completions)


@pytest.mark.anyio
async def test_the_header_with_the_token_is_not_kept(tmp_path: Path) -> None:
    name = "X-Atlassian-Token"
    async with bridge_with(tmp_path, verify="bearer", header=name, secrets=["s3cret-token"]) as bridge:
        assert (await bridge.http.post("/hooks/tracker", json={"id": 1}, headers={name: "s3cret-token"})).is_success
        assert "s3cret-token" not in (await bridge.http.get("/api/v1/deliveries/1")).text


@pytest.mark.anyio
async def test_a_plus_in_the_addresss_token_need_not_be_encoded(tmp_path: Path) -> None:
    async with bridge_with(tmp_path, verify="query", secrets=["ab+c/d="]) as bridge:
        for token in ("ab+c/d=", "ab%2Bc%2Fd%3D"):
            assert (await bridge.http.post(f"/hooks/tracker?token={token}", json={"id": 1})).status_code == 202


@pytest.mark.parametrize("found", [{"id": 1}, [1], True, 1.5, "x" * 256])
def test_an_id_that_is_none_fails_with_the_templates_key(found: object) -> None:
    source = WebhookSource.model_validate({"type": "webhook", "secrets": ["s"], "ticket": {"id": "{{ fields.issue }}"}})
    with pytest.raises(TemplateError, match=r"sources\.desk\.ticket\.id: gives .* which is no id"):
        Webhook("desk", source).observe({"issue": found}, NOW)
