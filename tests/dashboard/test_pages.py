"""The dashboard, from outside: what its pages show, what a person can do there, and who may."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

from bridge.sandbox.orchestrator import World, sandbox_serving
from tests.dashboard.values import ROUTES, TOKEN
from tests.driving import Bridge, bridge_and_service, bridge_running, configured, judged, until
from tests.html import Parsed
from tests.values import NOW, body_of, jira_event

pytestmark = pytest.mark.anyio

HOSTILE = "<script>harm()</script>"


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    async with (
        sandbox_serving(World()) as orchestrator,
        bridge_running(configured(tmp_path, orchestrator, routes=ROUTES)) as running,
    ):
        yield running


async def page(bridge: Bridge, path: str = "/", status: int = 200, **query: str) -> Parsed:
    answer = await bridge.http.get(path, params=query or None)
    assert answer.status_code == status
    return Parsed(answer)


async def at_rest(bridge: Bridge) -> list[dict[str, Any]]:
    """Every link, once each is settled or parked."""
    await judged(bridge)

    async def quiet() -> bool:
        return all(link["state"] in ("settled", "parked") for link in await bridge.links())

    await until(quiet, "every link is settled or parked")
    return await bridge.links()


def rows(shown: Parsed) -> list[str]:
    return [href for href in shown.links if href.startswith("/links/")]


# -- what is shown -----------------------------------------------------------------------------------------------------------------


async def test_an_empty_dashboard_says_what_will_be_there(bridge: Bridge) -> None:
    shown = await page(bridge)
    assert any(text.startswith("No links yet.") for text in shown.of("p"))
    assert (await page(bridge, "/deliveries")).of("p") == ["No deliveries yet."]


async def test_links_are_shown_the_newest_first_with_what_waits_above_them(bridge: Bridge) -> None:
    for number, project in enumerate(["OPS", "BAD", "LACK"], 1):
        await bridge.hook(jira_event(number, project=project))
    await at_rest(bridge)

    shown = await page(bridge)
    assert rows(shown) == ["/links/2", "/links/1"]
    assert shown.of("strong") == ["0", "0", "1", "0", "1"]
    assert "parked" in shown.of("span")
    assert any("No task catalog exists with name Nowhere." in text for text in shown.of("span"))
    assert len(shown.ids) == len(set(shown.ids))


async def test_the_filters_choose_and_stay_in_the_form(bridge: Bridge) -> None:
    for number, project in enumerate(["OPS", "BAD"], 1):
        await bridge.hook(jira_event(number, project=project))
    await at_rest(bridge)

    assert rows(await page(bridge, state="parked", key="", source="")) == ["/links/2"]
    shown = await page(bridge, key="OPS-1")
    assert (rows(shown), shown.forms[0]["fields"]["key"]) == (["/links/1"], "OPS-1")
    assert "No link is like that." in (await page(bridge, source="crm")).of("p")


async def test_older_ones_are_a_link_away(bridge: Bridge) -> None:
    for number in range(1, 53):
        await bridge.hook(jira_event(number))
    await at_rest(bridge)

    newest = await page(bridge, source="jira")
    (older,) = [href for href in newest.links if "cursor" in href]
    assert (len(rows(newest)), older) == (50, "/?source=jira&cursor=3")
    assert rows(await page(bridge, older)) == ["/links/2", "/links/1"]
    inbox = await page(bridge, "/deliveries")
    (older,) = [href for href in inbox.links if "cursor" in href]
    assert older == "/deliveries?cursor=3"


async def test_a_link_shows_its_tickets_whole_timeline(bridge: Bridge) -> None:
    await bridge.hook(jira_event(1))
    await at_rest(bridge)
    await bridge.hook(jira_event(1, at=1, closed=True))
    await at_rest(bridge)

    for name in ("1", "OPS-1"):
        shown = await page(bridge, f"/links/{name}")
        assert shown.of("h1") == ["OPS-1"]
        assert [text.split(":")[0] for text in shown.of("li")] == ["create", "complete"]
        assert [href for href in shown.links if href.startswith("/deliveries/")] == ["/deliveries/2", "/deliveries/1"]
        assert "bridge/jira/10001/1" in shown.of("dd")


async def test_a_long_timeline_shows_its_end(bridge: Bridge, tmp_path: Path) -> None:
    await bridge.hook(jira_event(1))
    await at_rest(bridge)
    with sqlite3.connect(tmp_path / "bridge.db") as database:
        database.execute(
            "INSERT INTO attempts (link_id, step, started_at, took_ms, outcome, detail) "
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 600) "
            "SELECT 1, 'edit', 0, 1, 'unknown', 'try ' || i FROM n"
        )
    shown = (await page(bridge, "/links/1")).of("li")
    assert (len(shown), shown[0], shown[-1]) == (500, "edit: unknown, try 101", "edit: unknown, try 600")
    assert len((await bridge.http.get("/api/v1/links/1")).json()["attempts_made"]) == 601


async def test_a_number_that_begins_with_a_zero_is_a_key(bridge: Bridge) -> None:
    for number, key in ((1, "OPS-1"), (2, "00000001")):
        event = jira_event(number)
        event["issue"]["key"] = key
        await bridge.hook(event)
    await at_rest(bridge)
    assert (await page(bridge, "/links/00000001")).of("h1") == ["00000001"]
    assert (await page(bridge, "/links/1")).of("h1") == ["OPS-1"]


async def test_what_came_from_outside_is_text_and_leads_nowhere(bridge: Bridge) -> None:
    event = jira_event(1, summary=HOSTILE)
    event["issue"]["key"] = HOSTILE
    event["issue"]["self"] = "javascript:harm()/rest/api"
    await bridge.hook(event, **{"User-Agent": HOSTILE})
    await at_rest(bridge)

    for path in ("/", "/links/1", "/deliveries", "/deliveries/1"):
        answer = await bridge.http.get(path)
        assert "<script>harm" not in answer.text
        assert not any("javascript" in href for href in Parsed(answer).links)


async def test_a_body_is_shown_as_it_came_and_no_longer_than_one_reads(bridge: Bridge) -> None:
    await bridge.hook(jira_event(1))
    await bridge.hook(jira_event(2, description="x" * 200_000))
    await judged(bridge)
    (shown,) = (await page(bridge, "/deliveries/1")).of("pre")
    assert '"webhookEvent": "jira:issue_updated"' in shown
    (shown,) = (await page(bridge, "/deliveries/2")).of("pre")
    assert 90_000 < len(shown) < 110_000
    assert "characters more" in shown


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("/?state=odd", 400, "state is one of pending, waiting, settled, parked"),
        ("/?cursor=x", 400, "cursor is a number"),
        ("/deliveries?state=odd", 400, "state is one of pending, applied, ignored, parked"),
        ("/links/OPS-999", 404, "there is no such link"),
        ("/links/%00", 404, "there is no such link"),
        ("/deliveries/999", 404, "there is no such delivery"),
    ],
)
async def test_what_cannot_be_shown_is_told_on_a_page(bridge: Bridge, path: str, status: int, told: str) -> None:
    assert told in (await page(bridge, path, status)).of("p")


async def test_a_database_that_is_gone_is_told_on_a_page(bridge: Bridge, tmp_path: Path) -> None:
    (tmp_path / "bridge.db").rename(tmp_path / "elsewhere.db")
    shown = await page(bridge, status=503)
    assert any("is gone" in text for text in shown.of("p"))


async def test_a_poll_that_fails_is_told(tmp_path: Path) -> None:
    api = {"url": "http://127.0.0.1:1", "email": "bot@acme.test", "token": "t"}
    source = {"type": "jira", "secrets": ["s"], "api": api, "poll": "100ms"}
    async with bridge_running(configured(tmp_path, sources={"jira": source})) as bridge:

        async def told() -> bool:
            return any("The poll of jira has failed" in text for text in (await page(bridge)).of("p"))

        await until(told, "the dashboard tells of the poll")


# -- what one does -----------------------------------------------------------------------------------------------------------------


async def test_a_parked_link_is_tried_again(tmp_path: Path) -> None:
    world = World()
    async with sandbox_serving(world) as orchestrator:
        async with bridge_running(configured(tmp_path, orchestrator, routes=ROUTES)) as bridge:
            await bridge.hook(jira_event(1, project="BAD"))
            await at_rest(bridge)
        mended = [{**ROUTES[1], "task": {"catalog": "Tickets"}}]
        async with bridge_running(configured(tmp_path, orchestrator, routes=mended)) as bridge:
            answer = await bridge.http.post("/links/1/retry")
            assert (answer.status_code, answer.headers["location"]) == (303, "/links/1")
            (link,) = await at_rest(bridge)
            assert (link["state"], link["task_state"], len(list(world.tasks()))) == ("settled", "open", 1)
            assert (await bridge.http.post("/links/999/retry")).status_code == 404


async def test_a_link_that_cannot_be_rendered_says_why(tmp_path: Path) -> None:
    async with sandbox_serving(World()) as orchestrator:
        async with bridge_running(configured(tmp_path, orchestrator, routes=ROUTES)) as bridge:
            await bridge.hook(jira_event(1, project="BAD"))
            await at_rest(bridge)
        changed = [{**ROUTES[1], "task": {"title": "{{ fields.nope }}"}}]
        async with bridge_running(configured(tmp_path, orchestrator, routes=changed)) as bridge:
            answer = await bridge.http.post("/links/1/retry")
            assert answer.status_code == 409
            assert any("has no 'nope'" in text for text in Parsed(answer).of("p"))


async def test_a_parked_delivery_is_replayed(tmp_path: Path) -> None:
    async with sandbox_serving(World()) as orchestrator:
        async with bridge_running(configured(tmp_path, orchestrator, routes=ROUTES)) as bridge:
            await bridge.hook(jira_event(1, project="LACK"))
            assert [delivery["state"] for delivery in await judged(bridge)] == ["parked"]
        mended = [{**ROUTES[2], "task": {"title": "{{ ticket.title }}", "catalog": "Tickets"}}]
        async with bridge_running(configured(tmp_path, orchestrator, routes=mended)) as bridge:
            answer = await bridge.http.post("/deliveries/1/replay")
            assert (answer.status_code, answer.headers["location"]) == (303, "/deliveries/1")
            (link,) = await at_rest(bridge)
            assert link["task_state"] == "open"
            assert (await bridge.http.post("/deliveries/999/replay")).status_code == 404


async def test_a_page_of_another_site_may_not_do_it(bridge: Bridge) -> None:
    await bridge.hook(jira_event(1, project="BAD"))
    await at_rest(bridge)
    for path in ("/links/1/retry", "/deliveries/1/replay"):
        answer = await bridge.http.post(path, headers={"Origin": "https://evil.test"})
        assert answer.status_code == 403
    assert len((await bridge.http.get("/api/v1/links/1")).json()["attempts_made"]) == 1


# -- who may -----------------------------------------------------------------------------------------------------------------------


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[Bridge]:
    async with bridge_running(configured(tmp_path, server={"admin_token": TOKEN})) as running:
        yield running


async def sign_in(http: httpx.AsyncClient, token: str = TOKEN, **headers: str) -> httpx.Response:
    return await http.post("/sign-in", data={"token": token}, headers=headers)


PATHS = ("/", "/links/1", "/deliveries", "/deliveries/1")


async def test_who_does_not_know_the_token_is_asked_for_it(guarded: Bridge) -> None:
    await guarded.hook(jira_event(1))
    for path in PATHS:
        answer = await guarded.http.get(path)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        shown = Parsed(answer)
        assert shown.of("h1") == ["Sign in"]
        assert "OPS-1" not in answer.text
    for path in ("/links/1/retry", "/deliveries/1/replay"):
        assert (await guarded.http.post(path)).status_code == 401


async def test_a_wrong_token_is_told_and_begins_nothing(guarded: Bridge) -> None:
    for token in ("wrong", "", TOKEN[:-1], "x" * 10_000):
        answer = await sign_in(guarded.http, token)
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers
        assert "That is not the admin token." in Parsed(answer).of("p")


async def test_the_token_opens_the_dashboard_the_api_and_the_metrics(guarded: Bridge) -> None:
    answer = await sign_in(guarded.http)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=lax" in cookie
    assert "secure" not in cookie
    assert TOKEN not in cookie
    for path in ("/", "/deliveries", "/api/v1/links", "/api/v1/summary", "/metrics"):
        assert (await guarded.http.get(path)).status_code == 200

    left = await guarded.http.post("/sign-out")
    assert left.status_code == 303
    assert (await guarded.http.get("/")).status_code == 401


async def test_a_bearer_token_opens_the_dashboard_too(guarded: Bridge) -> None:
    assert (await guarded.http.get("/", headers={"Authorization": f"Bearer {TOKEN}"})).status_code == 200


async def test_behind_tls_the_cookie_goes_nowhere_else(guarded: Bridge) -> None:
    for proto in ("https", "HTTPS", "https, http"):
        answer = await sign_in(guarded.http, **{"X-Forwarded-Proto": proto})
        assert "secure" in answer.headers["set-cookie"].lower()


async def test_another_site_signs_nobody_in_or_out(guarded: Bridge) -> None:
    """Or a proxy that hides under which name the bridge was called: the person must be able to tell."""
    for path, status in (("/sign-in", 403), ("/sign-out", 303)):
        answer = await guarded.http.post(path, data={"token": TOKEN}, headers={"Origin": "https://evil.test"})
        assert answer.status_code == status
        assert "set-cookie" not in answer.headers
    shown = Parsed(await sign_in(guarded.http, Origin="https://evil.test"))
    assert any("must pass it on" in text for text in shown.of("p"))


async def test_a_proxy_may_name_the_port_that_goes_without_saying(guarded: Bridge) -> None:
    headers = {"Origin": "https://bridge.example", "Host": "bridge.example:443"}
    assert (await sign_in(guarded.http, **headers)).headers["location"] == "/"


@pytest.mark.parametrize(
    ("wanted", "there"),
    [
        ("/links/OPS-1", "/links/OPS-1"),
        ("/deliveries?state=parked&key=a%20b", "/deliveries?state=parked&key=a%20b"),
        ("//evil.test/", "/"),
        ("/\\evil.test/", "/"),
        ("https://evil.test/", "/"),
        ("/a\r\nX: y", "/"),
    ],
)
async def test_signing_in_leads_where_one_wanted_to_go_and_never_away(guarded: Bridge, wanted: str, there: str) -> None:
    answer = await guarded.http.post("/sign-in", data={"token": TOKEN, "wanted": wanted})
    assert (answer.status_code, answer.headers["location"]) == (303, there)


async def test_the_form_remembers_where_one_wanted_to_go(guarded: Bridge) -> None:
    shown = Parsed(await guarded.http.get("/deliveries?state=parked"))
    assert shown.hidden == {"wanted": "/deliveries?state=parked"}


async def test_wrong_tries_are_logged_without_what_was_tried(
    guarded: Bridge, capsys: pytest.CaptureFixture[str]
) -> None:
    await sign_in(guarded.http, "a wrong token")
    logged = capsys.readouterr()
    told = logged.out + logged.err
    assert "signing in to the dashboard failed" in told
    assert "127.0.0.1" in told
    assert "a wrong token" not in told


async def test_a_form_that_is_cut_off_is_no_mistake_of_ours(
    guarded: Bridge, capsys: pytest.CaptureFixture[str]
) -> None:
    host, port = guarded.url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST /sign-in HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\ntoken=a")
    await writer.drain()
    writer.close()
    await writer.wait_closed()

    async def told() -> bool:
        return "signing in to the dashboard failed" in capsys.readouterr().out

    await until(told, "the cut form is a wrong try")


@pytest.mark.parametrize(
    ("path", "there"),
    [
        ("/sign-in", "/"),
        ("/links/1/retry", "/links/1"),
        ("/deliveries/2/replay", "/deliveries/2"),
    ],
)
async def test_the_address_of_a_form_leads_back_to_its_page(guarded: Bridge, path: str, there: str) -> None:
    answer = await guarded.http.get(path)
    assert (answer.status_code, answer.headers["location"]) == (303, there)


async def test_an_address_that_looks_like_another_site_leads_nowhere(guarded: Bridge) -> None:
    assert (await guarded.http.get(f"{guarded.url}//evil.test/b/retry")).status_code == 404


async def test_a_session_ends(tmp_path: Path) -> None:
    now = NOW

    def clock() -> datetime:
        return now

    async with bridge_and_service(configured(tmp_path, server={"admin_token": TOKEN}), clock) as (bridge, _):
        await sign_in(bridge.http)
        now = NOW + timedelta(hours=11, minutes=59)
        assert (await bridge.http.get("/")).status_code == 200
        now = NOW + timedelta(hours=12)
        assert (await bridge.http.get("/")).status_code == 401


async def test_a_session_is_not_forged(guarded: Bridge, tmp_path: Path) -> None:
    ends = {"aud": "dashboard", "exp": 4_000_000_000}
    forged = [
        "",
        "x",
        "a.b.c",
        "ÿ",
        jwt.encode(ends, "", algorithm="none"),
        jwt.encode(ends, "another key, which is long enough.", algorithm="HS256"),
        jwt.encode(ends, TOKEN.ljust(32), algorithm="HS256"),
    ]
    other = tmp_path / "other"
    other.mkdir()
    async with bridge_running(configured(other, server={"admin_token": "another"})) as bridge:
        answer = await sign_in(bridge.http, "another")
        forged += answer.cookies.values()
    ours = next(iter((await sign_in(guarded.http)).cookies))
    guarded.http.cookies.clear()
    for cookie in forged:
        header = f"{ours}={cookie}".encode()
        assert (await guarded.http.get("/", headers={b"Cookie": header})).status_code == 401


async def test_without_a_token_only_this_machine_may_look(bridge: Bridge) -> None:
    for host in ("localhost", "127.0.0.1:8080", "[::1]:80", "127.0.0.2"):
        assert (await bridge.http.get("/", headers={"Host": host})).status_code == 200
    public = [
        "bridge.example",
        "bridge.example:",
        "bridge.example:99999",
        "[",
        "[::1",
        "127.0.0.1@evil",
        "127.0.0.1:8080:1",
        "",
    ]
    for host in public:
        for path in ("/", "/api/v1/links", "/metrics"):
            assert (await bridge.http.get(path, headers={"Host": host})).status_code == 401
    answer = await bridge.http.get("/", headers={"Host": "bridge.example.com"})
    assert answer.status_code == 401
    assert any("loopback" in text for text in Parsed(answer).of("p"))
    assert (await sign_in(bridge.http, "")).status_code == 303


async def test_a_page_needs_nothing_from_elsewhere(bridge: Bridge) -> None:
    await bridge.hook(body_of(jira_event(1)))
    await at_rest(bridge)
    for path in PATHS:
        answer = await bridge.http.get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["cache-control"] == "no-store"
        assert "style=" not in answer.text
    for name, kind in (("page.css", "text/css"), ("page.js", "text/javascript")):
        static = await bridge.http.get(f"/static/{name}")
        assert (static.status_code, static.headers["content-type"]) == (200, f"{kind}; charset=utf-8")


async def test_a_bridge_of_another_name_says_which_it_is(tmp_path: Path) -> None:

    async with bridge_running(configured(tmp_path, name="acme-test")) as bridge:
        assert "bridge acme-test" in (await page(bridge)).of("a")
