"""The simulated Jira's webhooks: registered over HTTP or from Python, sent by Cloud's rules or by Data Center's."""

import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from bridge.sandbox.jira import RETRIES, SimulatedJira
from tests.sandbox.jiras import SECRET, a_jira, asking, words
from tests.sandbox.receiving import Received, Receiver, receiving

pytestmark = pytest.mark.anyio

WEBHOOKS = "../../webhooks/1.0/webhook"


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


@asynccontextmanager
async def hooked(
    receiver: Receiver, waits: list[float] | None = None, **options: Any
) -> AsyncIterator[tuple[SimulatedJira, httpx.AsyncClient]]:
    """A Jira with a hook, and a client of it."""
    jira = a_jira(**options)
    async with asking(jira, waits=waits) as client:
        jira.hook(receiver.url)
        yield jira, client


def arrived(receiver: Receiver) -> list[Received]:
    return [receiver.calls.get_nowait() for _ in range(receiver.calls.qsize())]


async def test_what_changes_over_rest_or_from_python_is_told(receiver: Receiver) -> None:
    async with hooked(receiver) as (jira, client):
        fields = {"project": {"key": "OPS"}, "summary": "x", "issuetype": {"name": "Bug"}}
        await client.post("/issue", json={"fields": fields})
        await jira.settled()
        await client.post("/issue/OPS-1/transitions", json={"transition": {"id": "31"}})
        await jira.settled()
        await client.post("/issue/OPS-1/comment", json={"body": "hello"})
        await jira.settled()
        (issue,) = jira.issues
        jira.move(issue, "NET")
        await jira.settled()
        jira.delete(issue)
        await jira.settled()
    events = [one.event for one in arrived(receiver)]

    assert [one["webhookEvent"] for one in events] == [
        "jira:issue_created",
        "jira:issue_updated",
        "comment_created",
        "jira:issue_updated",
        "jira:issue_deleted",
    ]
    assert [one["issue"]["key"] for one in events] == ["OPS-1", "OPS-1", "OPS-1", "NET-1", "NET-1"]
    assert all(one.taken for one in jira.hooks.deliveries)
    created, closed, commented, moved, _ = events
    assert created["user"]["displayName"] == "Task Bridge"
    assert "emailAddress" not in created["user"]
    assert closed["issue"]["fields"]["status"]["statusCategory"]["key"] == "done"
    assert {item["field"]: item["toString"] for item in closed["changelog"]["items"]}["status"] == "Done"
    assert commented["comment"]["body"] == "hello"
    assert {"project", "Key"} <= {item["field"] for item in moved["changelog"]["items"]}


async def test_it_is_signed_and_named(receiver: Receiver) -> None:
    async with hooked(receiver) as (jira, _):
        jira.open("OPS", "x")
        await jira.settled()
    (call,) = arrived(receiver)

    digest = hmac.new(SECRET.encode(), call.body, hashlib.sha256).hexdigest()
    assert call.headers["x-hub-signature"] == f"sha256={digest}"
    assert call.headers["x-atlassian-webhook-identifier"] == jira.hooks.deliveries[0].webhook.identifier
    assert "x-atlassian-webhook-retry" not in call.headers


@pytest.mark.parametrize("status", [408, 409, 425, 429, 500, 503])
async def test_cloud_tries_five_times_more(receiver: Receiver, status: int) -> None:
    waits: list[float] = []
    receiver.status = status
    async with hooked(receiver, waits) as (jira, _):
        jira.open("OPS", "x")
        await jira.settled()
    calls = arrived(receiver)

    assert [call.headers.get("x-atlassian-webhook-retry") for call in calls] == [None, "1", "2", "3", "4", "5"]
    assert len({call.headers["x-atlassian-webhook-identifier"] for call in calls}) == 1
    assert len({call.body for call in calls}) == 1
    assert len(waits) == RETRIES
    assert all(300 <= seconds <= 900 for seconds in waits)
    (delivery,) = jira.hooks.deliveries
    assert (delivery.tries, delivery.lost) == ((status,) * 6, True)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
async def test_cloud_does_not_try_again_what_was_refused(receiver: Receiver, status: int) -> None:
    receiver.status = status
    async with hooked(receiver) as (jira, _):
        jira.open("OPS", "x")
        await jira.settled()

    assert jira.hooks.deliveries[0].tries == (status,)


async def test_a_later_try_counts(receiver: Receiver) -> None:
    class Mended(list[float]):
        def append(self, _seconds: float) -> None:
            receiver.status = 200

    receiver.status = 500
    async with hooked(receiver, Mended()) as (jira, _):
        jira.open("OPS", "x")
        await jira.settled()

    assert [(one.tries, one.lost) for one in jira.hooks.deliveries] == [((500, 200), False)]


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/nobody", "http://[broken/"])
async def test_where_nobody_is_it_is_tried_again(url: str) -> None:
    jira = a_jira()
    async with asking(jira):
        jira.hook(url)
        jira.open("OPS", "x")
        await jira.settled()

    assert [(one.tries, one.lost) for one in jira.hooks.deliveries] == [((None,) * 6, True)]


async def test_data_center_tries_once_and_names_nothing(receiver: Receiver) -> None:
    receiver.status = 503
    async with hooked(receiver, flavour="server") as (jira, _):
        jira.open("OPS", "x")
        await jira.settled()
    (call,) = arrived(receiver)

    assert jira.hooks.deliveries[0].tries == (503,)
    assert "x-atlassian-webhook-identifier" not in call.headers
    assert call.headers["x-hub-signature"].startswith("sha256=")
    assert call.event["user"]["name"] == "ada"


async def test_a_share_of_them_gets_lost(receiver: Receiver) -> None:
    async with hooked(receiver, lose=0.5) as (jira, _):
        for number in range(40):
            jira.open("OPS", str(number))
        await jira.settled()
    lost = [one for one in jira.hooks.deliveries if one.lost]

    assert 10 < len(lost) < 30
    assert all(one.tries == () for one in lost)
    assert receiver.calls.qsize() == 40 - len(lost)


async def test_hooks_are_registered_changed_and_removed_over_http(receiver: Receiver) -> None:
    jira = a_jira()
    async with asking(jira) as client:
        asked = {
            "name": "bridge",
            "url": receiver.url,
            "events": ["jira:issue_created", "jira:issue_updated"],
            "filters": {"issue-related-events-section": "project = OPS AND priority = High"},
            "secret": "s",
        }
        created = await client.post(WEBHOOKS, json=asked)
        hook = created.json()
        jira.open("OPS", "wanted")
        jira.open("NET", "of another project")
        issue, _ = jira.open("OPS", "of another priority", priority="Low")
        jira.delete(issue)
        await jira.settled()
        assert [call.event["issue"]["fields"]["summary"] for call in arrived(receiver)] == ["wanted"]

        assert (created.status_code, hook["isSigned"], hook["enabled"]) == (201, True, True)
        assert [one["self"] for one in (await client.get(WEBHOOKS)).json()] == [hook["self"]]
        changed = (await client.put(hook["self"], json={"enabled": False})).json()
        assert changed == (await client.get(hook["self"])).json()
        assert (changed["url"], changed["enabled"]) == (receiver.url, False)
        jira.open("OPS", "unheard")
        await client.put(hook["self"], json={"enabled": True, "excludeBody": True})
        jira.open("OPS", "without a body")
        await jira.settled()
        (call,) = arrived(receiver)
        assert call.body == b""
        assert (await client.delete(hook["self"])).status_code == 204
        assert (await client.get(hook["self"])).status_code == 404
        jira.open("OPS", "unheard")
        await jira.settled()

    assert receiver.calls.empty()


@pytest.mark.parametrize(
    "changed",
    [{"url": "nowhere"}, {"url": 1}, {"name": ""}, {"events": ["x"]}, {"events": 1}, {"filters": []}],
)
async def test_a_hook_that_does_not_fit(changed: dict[str, Any]) -> None:
    async with asking(a_jira()) as client:
        answer = await client.post(WEBHOOKS, json={"name": "x", "url": "http://x.test/", **changed})

    assert words(answer).startswith("400 ")


@pytest.mark.parametrize(
    ("act", "says"),
    [
        (lambda jira, issue: jira.edit(issue, summary="y"), "edited"),
        (lambda jira, issue: jira.assign(issue, jira.grace), "assigned"),
        (lambda jira, issue: jira.transition(issue, "In Progress"), "in progress"),
        (lambda jira, issue: jira.close(issue), "closed"),
        (lambda jira, issue: jira.comment(issue, "x"), "commented"),
        (
            lambda jira, issue: jira.comment(issue, "x") and jira.reword(issue, issue.comments[0], "y"),
            "reworded a comment",
        ),
        (lambda jira, issue: jira.comment(issue, "x") and jira.unsay(issue, issue.comments[0]), "deleted a comment"),
    ],
)
async def test_without_hooks_a_webhook_is_sent_by_hand(
    receiver: Receiver, act: Callable[[SimulatedJira, Any], Any], says: str
) -> None:
    jira = a_jira()
    issue, _ = jira.open("OPS", "x")
    webhook = act(jira, issue)
    async with httpx.AsyncClient() as http:
        assert await jira.send(webhook, receiver.url, http)
        receiver.status = 400
        assert not await jira.send(webhook, receiver.url, http)

    assert (webhook.says, webhook.key) == (says, "OPS-1")
    assert json.loads(webhook.body)["issue"]["id"] == str(issue.id)
