"""The dashboard in a real browser, as a person has it: with and without scripts, and on a narrow screen."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from bridge.sandbox.orchestrator import World, sandbox_serving
from tests.browser import A_REFRESH_MS, BEYOND_THE_EDGE, Visit, visiting
from tests.dashboard.values import ROUTES, TOKEN
from tests.driving import Bridge, bridge_running, configured, until
from tests.values import jira_event

pytestmark = pytest.mark.anyio

ADMIN = {"Authorization": f"Bearer {TOKEN}"}
UNBROKEN = "Donaudampfschifffahrtsgesellschaft" * 6
HOSTILE = [
    "<script>harm()</script>",
    "</title></pre><img src=x onerror='harm()'>",
    '" autofocus onfocus="harm()" x="',
    UNBROKEN,
]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """One loop for the module, so that one browser serves it."""
    return "asyncio"


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    async with sandbox_serving(World()) as orchestrator:
        config = configured(tmp_path, orchestrator, routes=ROUTES, server={"admin_token": TOKEN})
        async with bridge_running(config) as bridge:
            bridge.http.headers.update(ADMIN)
            yield bridge


@pytest.fixture
def visit(browser: Browser, bridge: Bridge) -> Visit:
    """A visit begins where one is asked to sign in: that is the answer that is refused."""
    return lambda refused=1, **options: visiting(
        browser, bridge.url, "a ticket's script ran", refused=refused, **options
    )


@pytest.fixture(params=[True, False], ids=["with scripts", "without"])
async def page(request: pytest.FixtureRequest, visit: Visit) -> AsyncIterator[Page]:
    async with visit(java_script_enabled=request.param) as page:
        await sign_in(page)
        yield page


async def sign_in(page: Page) -> None:
    await page.get_by_label("Admin token").fill(TOKEN)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Links")


async def parked(bridge: Bridge, how_many: int) -> None:
    async def there() -> bool:
        return len(await bridge.links(state="parked")) == how_many

    await until(there, f"{how_many} links are parked")


async def test_who_is_wrong_is_told_and_may_try_again(visit: Visit) -> None:
    async with visit(refused=2) as page:
        await page.get_by_label("Admin token").fill("wrong")
        await page.get_by_role("button", name="Sign in").click()
        await expect(page.get_by_role("alert")).to_have_text("That is not the admin token.")
        await sign_in(page)


async def test_a_person_finds_what_is_parked_and_tries_it_again(page: Page, bridge: Bridge) -> None:
    await bridge.hook(jira_event(1, project="OPS"))
    await bridge.hook(jira_event(2, project="BAD"))
    await parked(bridge, 1)
    await page.reload()

    await page.get_by_role("link", name="1 link parked").click()
    await expect(page.locator("td.title")).to_have_count(1)
    await page.get_by_role("link", name="BAD-2").click()
    await expect(page.get_by_text("create: rejected")).to_have_count(1)
    await page.get_by_role("button", name="Try again now").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("BAD-2")

    async def tried() -> bool:
        return len((await bridge.http.get("/api/v1/links/2")).json()["attempts_made"]) == 2

    await until(tried, "it was tried again")
    await page.reload()
    await expect(page.get_by_text("create: rejected")).to_have_count(2)


async def test_a_person_reads_a_parked_delivery_and_replays_it(page: Page, bridge: Bridge) -> None:
    await bridge.hook(jira_event(1, project="LACK"))

    async def there() -> bool:
        return bool(await bridge.deliveries(state="parked"))

    await until(there, "it is parked")
    await page.reload()
    await page.get_by_role("link", name="1 delivery parked").click()
    await page.get_by_role("link", name="jira:issue_updated").click()
    await expect(page.get_by_text("this ticket has no 'nope'")).to_be_visible()
    await page.get_by_role("button", name="Replay").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Delivery 1")


async def test_the_list_stays_up_to_date(visit: Visit, bridge: Bridge) -> None:
    async with visit() as page:
        await sign_in(page)
        await page.get_by_label("Ticket").fill("half writt")
        await bridge.hook(jira_event(2, project="BAD"))
        await parked(bridge, 1)
        await page.clock.run_for(A_REFRESH_MS)
        await expect(page.get_by_role("link", name="BAD-2")).to_be_visible()
        await expect(page.get_by_role("link", name="1 link parked")).to_be_visible()
        await expect(page.get_by_label("Ticket")).to_have_value("half writt")


async def test_hostile_tickets_do_no_harm_and_fit_on_a_narrow_screen(visit: Visit, bridge: Bridge) -> None:
    for number, text in enumerate(HOSTILE, 1):
        event = jira_event(number, project="BAD", summary=text)
        event["issue"]["key"] = text
        event["webhookEvent"] = text
        await bridge.hook(event)
    await parked(bridge, len(HOSTILE))
    async with visit(viewport={"width": 320, "height": 640}) as page:
        await sign_in(page)
        paths = ["/", "/deliveries", *(f"/{kind}/{n}" for kind in ("links", "deliveries") for n in range(1, 5))]
        for path in paths:
            await page.goto(path)
            await page.clock.run_for(A_REFRESH_MS)
            assert await page.evaluate(BEYOND_THE_EDGE) == [], path


async def test_who_signs_out_is_out(visit: Visit) -> None:
    async with visit(refused=2) as page:
        await sign_in(page)
        await page.get_by_role("button", name="Sign out").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


async def test_who_was_signed_out_meanwhile_sees_no_old_figures(visit: Visit) -> None:
    async with visit(refused=3) as page:  # the form, what the script asked, and the form
        await sign_in(page)
        await page.context.clear_cookies()
        await page.clock.run_for(A_REFRESH_MS)
        await expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")


async def test_figures_that_are_old_say_so(visit: Visit, tmp_path: Path) -> None:
    async with visit(refused=2) as page:
        await sign_in(page)
        (tmp_path / "bridge.db").rename(tmp_path / "elsewhere.db")
        async with page.expect_response(lambda answer: answer.status == 503):
            await page.clock.run_for(A_REFRESH_MS)
        await expect(page.locator("#stale")).to_contain_text("Not up to date since")
        await expect(page.get_by_role("heading", level=1)).to_have_text("Links")
        (tmp_path / "elsewhere.db").rename(tmp_path / "bridge.db")
        await page.clock.run_for(10 * A_REFRESH_MS)
        await expect(page.locator("#stale")).to_be_hidden()
