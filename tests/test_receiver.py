"""The receiver, from outside: what `POST /hooks/{source}` answers, and what it keeps."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.driving import SECRET, Bridge, bridge_running, configured, signature, until
from tests.values import body_of, jira_event

pytestmark = pytest.mark.anyio

SOURCES: dict[str, Any] = {
    "jira": {"type": "jira", "secrets": ["old", SECRET]},
    "bearer": {"type": "jira", "secrets": ["old", "b3arer"], "verify": "bearer"},
    "query": {"type": "jira", "secrets": ["qu3ry"], "verify": "query"},
    "path": {"type": "jira", "secrets": ["p4th"], "verify": "path"},
    "open": {"type": "jira", "verify": "none"},
}
BODY = body_of(jira_event())


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    async with bridge_running(configured(tmp_path, sources=SOURCES, server={"max_body_bytes": 100_000})) as running:
        yield running


def assert_problem(answer: httpx.Response, status: int, told: str) -> None:
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert told in problem["detail"]


async def test_a_signed_webhook_is_accepted_and_kept(bridge: Bridge) -> None:
    answer = await bridge.hook(BODY, **{"X-Atlassian-Webhook-Identifier": "w1", "Cookie": "secret=1"})
    assert answer.status_code == 202
    assert answer.json() == {"deliveries": [1], "duplicates": 0}
    kept = (await bridge.http.get("/api/v1/deliveries/1")).json()
    assert kept["body"].encode() == BODY
    assert kept["headers"]["x-atlassian-webhook-identifier"] == "w1"
    assert not {"cookie", "x-hub-signature"} & set(kept["headers"])


async def test_a_duplicate_is_answered_and_not_kept(bridge: Bridge) -> None:
    await bridge.hook(BODY)
    assert (await bridge.hook(BODY)).json() == {"deliveries": [], "duplicates": 1}


async def test_any_of_several_secrets_may_sign(bridge: Bridge) -> None:
    """Scenario 13: a secret is rotated without downtime."""
    for secret in ("old", SECRET):
        answer = await bridge.http.post("/hooks/jira", content=BODY, headers=signature(BODY, secret))
        assert answer.status_code == 202


async def test_atlassians_published_vector(bridge: Bridge) -> None:
    header = {"X-Hub-Signature": "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9"}
    answer = await bridge.http.post("/hooks/jira", content=b"Hello World!", headers=header)
    assert_problem(answer, 400, "not JSON")  # the signature is right: it is the body that is not


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        ({}, "missing"),
        ({"X-Hub-Signature": ""}, "missing"),
        ({"X-Hub-Signature": "sha256="}, "missing"),
        ({"X-Hub-Signature": "sha1=" + "0" * 40}, "only sha256"),
        ({"X-Hub-Signature": "sha256=" + "0" * 64}, "does not match"),
        ({"X-Hub-Signature": "sha256=\u00e9"}, "does not match"),
        ({"Authorization": f"Bearer {SECRET}"}, "missing"),
    ],
)
async def test_a_wrong_signature_is_refused_and_nothing_is_kept(
    bridge: Bridge, headers: dict[str, str], told: str
) -> None:
    encoded = {name.encode(): value.encode() for name, value in headers.items()}
    answer = await bridge.http.post("/hooks/jira", content=BODY, headers=encoded)
    assert_problem(answer, 401, told)
    assert SECRET not in answer.text
    assert await bridge.deliveries() == []


async def test_the_other_ways_to_prove_oneself(bridge: Bridge) -> None:
    async def status(path: str, **headers: str) -> int:
        return (await bridge.http.post(path, content=BODY, headers=headers)).status_code

    assert await status("/hooks/bearer", Authorization="Bearer b3arer") == 202
    assert await status("/hooks/query?token=qu3ry") == 202
    assert await status("/hooks/path/p4th") == 202
    assert await status("/hooks/open") == 202


@pytest.mark.parametrize(
    ("path", "headers", "told"),
    [
        ("/hooks/bearer", {"Authorization": "Bearer wrong"}, "in the Authorization header is none of this source's"),
        ("/hooks/bearer", {"Authorization": "Basic b3arer"}, "the Authorization header carries no token: send `Auth"),
        ("/hooks/bearer", {"Authorization": "Bearer"}, "the Authorization header carries no token"),
        ("/hooks/bearer", {}, "the Authorization header carries no token"),
        ("/hooks/query?token=wrong", {}, "the token in the address is none of this source's secrets"),
        ("/hooks/query?token=", {}, "the address carries no token: add `?token=…`"),
        ("/hooks/query", {}, "the address carries no token"),
        ("/hooks/path/wrong", {}, "the token in the address is none of this source's secrets"),
        ("/hooks/path", {}, "the address carries no token: it is /hooks/NAME/TOKEN"),
    ],
)
async def test_a_missing_token_is_told_from_a_wrong_one(
    bridge: Bridge, path: str, headers: dict[str, str], told: str
) -> None:
    answer = await bridge.http.post(path, content=BODY, headers=headers)

    assert_problem(answer, 401, told)
    assert not any(secret in answer.text for secret in ("b3arer", "qu3ry", "p4th", "wrong"))
    assert await bridge.deliveries() == []


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"<xml/>", b"\x00"])
async def test_a_malformed_body_is_refused(bridge: Bridge, body: bytes) -> None:
    assert_problem(await bridge.hook(body), 400, "the body is")
    assert await bridge.deliveries() == []


async def test_an_unknown_source_is_not_found(bridge: Bridge) -> None:
    assert_problem(await bridge.hook(BODY, source="jura"), 404, "no source of that name")


async def test_another_method_is_not_allowed(bridge: Bridge) -> None:
    assert_problem(await bridge.http.get("/hooks/jira"), 405, "GET is not for /hooks/jira")


async def test_a_body_over_the_limit_is_refused_without_being_read(bridge: Bridge) -> None:
    """The declared length is enough: a hundred gigabytes are never sent."""
    reader, writer = await asyncio.open_connection(*httpx.URL(bridge.url).netloc.decode().split(":"))
    writer.write(b"POST /hooks/open HTTP/1.1\r\nHost: localhost\r\nContent-Length: 107374182400\r\n\r\n" + b"x" * 1000)
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 413 ")
    writer.close()


async def test_a_body_over_the_limit_without_a_length_is_cut_off(bridge: Bridge) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 50_000_000:
            sent += 65_536
            yield b"x" * 65_536

    try:
        answer = await bridge.http.post("/hooks/open", content=endless())
    except httpx.TransportError:
        answer = None  # the connection was closed while we were still sending
    assert answer is None or answer.status_code == 413
    assert sent < 50_000_000


async def test_what_concerns_no_ticket_is_accepted_and_ignored_with_its_reason(bridge: Bridge) -> None:
    await bridge.hook({"webhookEvent": "project_created", "project": {"id": 1}})
    await until(lambda: _has(bridge, state="ignored"), "the delivery is ignored")
    (delivery,) = await bridge.deliveries()
    assert delivery["reason"] == "project_created: carries no issue"


async def _has(bridge: Bridge, **filters: str) -> bool:
    return bool(await bridge.deliveries(**filters))


async def test_a_delivery_that_cannot_be_committed_is_503_and_the_service_recovers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Scenario 16: the database is locked, then gone, then back."""
    monkeypatch.setattr("bridge.store.database.LOCK_TIMEOUT_S", 0.1)
    file = tmp_path / "bridge.db"
    async with bridge_running(configured(tmp_path)) as bridge:
        other = sqlite3.connect(file, isolation_level=None, timeout=10)
        other.execute("BEGIN EXCLUSIVE")
        answer = await bridge.hook(BODY)
        assert_problem(answer, 503, "send it again")
        assert int(answer.headers["retry-after"]) > 0
        other.execute("ROLLBACK")
        other.close()
        assert (await bridge.hook(BODY)).json() == {"deliveries": [1], "duplicates": 0}

        file.rename(tmp_path / "away.db")
        assert_problem(await bridge.hook(body_of(jira_event(2))), 503, "send it again")
        assert (await bridge.http.get("/readyz")).status_code == 503
        (tmp_path / "away.db").rename(file)
        assert (await bridge.hook(body_of(jira_event(2)))).status_code == 202
        assert (await bridge.http.get("/readyz")).status_code == 200


async def test_what_cannot_be_held_is_refused_and_what_is_held_is_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than 64 MiB at once, while no commit ends. A sender is read to its end before it is refused, so that it sees the answer."""
    monkeypatch.setattr("bridge.store.database.LOCK_TIMEOUT_S", 60)
    monkeypatch.setattr("bridge.web.room.REFUSED_AFTER_S", 0.01)
    bodies = [body_of(jira_event(number, padding="x" * 8_000_000)) for number in range(1, 13)]
    async with bridge_running(configured(tmp_path)) as bridge:
        other = sqlite3.connect(tmp_path / "bridge.db", isolation_level=None, timeout=10)
        other.execute("BEGIN EXCLUSIVE")
        sending = [asyncio.create_task(bridge.hook(body)) for body in bodies]
        refused, waiting = await asyncio.wait(sending, return_when=asyncio.FIRST_COMPLETED)
        assert waiting
        for task in refused:
            answer = task.result()
            assert_problem(answer, 503, "more webhooks are under way than can be held; send it again")
            assert int(answer.headers["retry-after"]) > 0
        other.execute("ROLLBACK")
        other.close()
        statuses = [answer.status_code for answer in await asyncio.gather(*sending)]
        assert 1 <= statuses.count(202) <= 8
        assert statuses.count(503) == len(bodies) - statuses.count(202)
        assert len(await bridge.deliveries()) == statuses.count(202)
        whole = [body_of(jira_event(number, padding="x" * 8_000_000)) for number in range(13, 20)]
        assert [(await bridge.hook(body)).status_code for body in whole] == [202] * 7  # what was refused holds nothing


async def test_a_body_that_does_not_come_is_waited_for_so_long(bridge: Bridge, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes room that is everybody's."""
    monkeypatch.setattr("bridge.web.hooks.BODY_WITHIN_S", 0.2)

    reader, writer = await asyncio.open_connection("127.0.0.1", int(bridge.url.rpartition(":")[2]))
    head = f"POST /hooks/jira HTTP/1.1\r\nHost: x\r\nContent-Length: {len(BODY)}\r\n"
    head += "".join(f"{name}: {value}\r\n" for name, value in signature(BODY).items())
    writer.write(head.encode() + b"\r\n" + BODY[:10])
    answer = (await reader.read()).decode()  # to the end: the connection is closed
    assert answer.startswith("HTTP/1.1 408")
    assert "the body did not come within 0.2 seconds; send it again" in answer
    writer.close()
    assert (await bridge.hook(BODY)).status_code == 202


# -- who may see what --------------------------------------------------------------------------------------------------------------


async def test_without_a_token_only_this_machine_sees_the_api(bridge: Bridge) -> None:
    assert (await bridge.http.get("/api/v1/links")).status_code == 200
    foreign = {"Host": "bridge.acme.test"}
    assert (await bridge.http.get("/api/v1/links", headers=foreign)).status_code == 401
    assert (await bridge.http.get("/metrics", headers=foreign)).status_code == 401
    assert (await bridge.http.get("/healthz", headers=foreign)).status_code == 200


async def test_a_page_of_another_site_cannot_act(bridge: Bridge) -> None:
    await bridge.hook(BODY)
    answer = await bridge.http.post("/api/v1/deliveries/1/replay", headers={"Origin": "https://evil.test"})
    assert answer.status_code == 403
    assert (await bridge.http.post("/api/v1/deliveries/1/replay")).status_code == 202


async def test_the_admin_token_opens_the_api(tmp_path: Path) -> None:
    async with bridge_running(configured(tmp_path, server={"admin_token": "adm1n"})) as bridge:
        for path in ("/api/v1/links", "/api/v1/deliveries", "/api/v1/summary", "/metrics"):
            assert (await bridge.http.get(path)).status_code == 401
            assert (await bridge.http.get(path, headers={"Authorization": "Bearer wrong"})).status_code == 401
            assert (await bridge.http.get(path, headers={"Authorization": "Bearer adm1n"})).status_code == 200


async def test_metrics_are_prometheus_text(bridge: Bridge) -> None:
    await bridge.hook(BODY)
    text = (await bridge.http.get("/metrics")).text
    assert 'bridge_webhooks_total{result="accepted",source="jira"} 1.0' in text


@pytest.mark.parametrize("query", ["limit=0", "limit=9999", "limit=x", "cursor=x", "state=odd"])
async def test_a_filter_that_makes_no_sense_is_told(bridge: Bridge, query: str) -> None:
    assert_problem(await bridge.http.get(f"/api/v1/links?{query}"), 400, query.split("=", maxsplit=1)[0])


@pytest.mark.parametrize("name", ["999", "9" * 20, "9" * 5000, "OPS-999", "%00", "²"])
async def test_what_is_not_there_is_not_found(bridge: Bridge, name: str) -> None:
    assert_problem(await bridge.http.get(f"/api/v1/links/{name}"), 404, "no such link")
    assert_problem(await bridge.http.get(f"/api/v1/deliveries/{name}"), 404, "no such delivery")
    assert (await bridge.http.post(f"/api/v1/deliveries/{name}/replay")).status_code == 404


async def test_an_origin_that_is_none_is_refused(bridge: Bridge) -> None:
    answer = await bridge.http.post("/api/v1/links/1/retry", headers={"Origin": "http://["})
    assert answer.status_code == 403


async def test_a_hook_with_a_slash_behind_is_no_redirect(bridge: Bridge) -> None:
    assert (await bridge.http.post("/hooks/jira/", content=BODY)).status_code == 404


async def test_a_secret_beyond_ascii_matches(tmp_path: Path) -> None:
    sources = {"b": {"type": "jira", "secrets": ["schlüssel"], "verify": "bearer"}}
    route = [{"name": "all", "source": "b"}]
    async with bridge_running(
        configured(tmp_path, sources=sources, routes=route, server={"admin_token": "größe"})
    ) as bridge:
        headers = {b"Authorization": "Bearer schlüssel".encode()}
        assert (await bridge.http.post("/hooks/b", content=BODY, headers=headers)).status_code == 202
        admin = {b"Authorization": "Bearer größe".encode()}
        assert (await bridge.http.get("/api/v1/links", headers=admin)).status_code == 200
