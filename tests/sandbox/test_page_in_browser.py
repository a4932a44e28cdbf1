"""The page in a real browser, as a person has it: with and without scripts, with the keyboard alone, on a narrow screen."""

import re
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Locator, Page, expect

from bridge.sandbox.orchestrator import Folder, NewTask, User, World
from bridge.sandbox.orchestrator.model import Assignment
from tests.browser import A_REFRESH_MS, BEYOND_THE_EDGE, Visit, visiting
from tests.sandbox.conftest import FOLDERS, Clock, Create

pytestmark = pytest.mark.anyio

UNBROKEN = "Donaudampfschifffahrtsgesellschaft" * 12
LONG_USER = User(1003, f"{'augusta.' * 12}king@example.com", "Augusta", "King")
HOSTILE = [
    "<script>harm()</script>",
    "</title></textarea></pre><img src=x onerror='harm()'>",
    "' autofocus onfocus='harm()' x='",
    '" autofocus onfocus="harm()" x="',
    "javascript:harm() {{ 7 * 7 }} {% raw %} &lt;b&gt; &amp;",
    "\U0001f469\u200d\U0001f680 ネコ שלום \u202egnirts \u0000\u0007 e\u0301",
    UNBROKEN,
]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """One loop for the module, so that one browser serves it."""
    return "asyncio"


@pytest.fixture
def world() -> World:
    users = World().users.values()
    world = World(folders=[*FOLDERS, Folder(id=900, path=UNBROKEN)], users=[*users, LONG_USER], clock=Clock())
    shared, finance = FOLDERS
    world.create_task(NewTask(title="Reset a password", external_tag="JIRA", data={"ticket": "HELP-1"}), shared)
    world.create_task(NewTask(title="Pay an invoice", priority="High", catalog="Invoices"), finance)
    world.create_task(NewTask(title="Order a chair"), shared)
    world.complete_task(3, action="done", user=world.users[1002])
    return world


@pytest.fixture
def visit(browser: Browser, url: str) -> Visit:
    return lambda **options: visiting(browser, url, harm="a task's script ran", **options)


@pytest.fixture(params=[True, False], ids=["with scripts", "without"])
async def page(request: pytest.FixtureRequest, visit: Visit) -> AsyncIterator[Page]:
    async with visit(java_script_enabled=request.param) as page:
        yield page


def titles(page: Page) -> Locator:
    return page.locator("td.title")


def fact(page: Page, name: str) -> Locator:
    return page.locator("dt", has_text=re.compile(f"^{name}$")).locator("xpath=following-sibling::dd[1]")


async def opened(page: Page, title: str) -> None:
    await page.get_by_role("link", name=title).click()
    await expect(page.get_by_role("heading", level=1)).to_have_text(title)


# -- what a person does ------------------------------------------------------------------------------------------------------------


async def test_a_person_sees_the_tasks_by_folder_and_filters_them(page: Page) -> None:
    await expect(page.get_by_role("heading", level=2)).to_have_text(["Shared", "Finance/Zürich"])
    await expect(titles(page)).to_have_text(["Order a chair", "Reset a password", "Pay an invoice"])

    await page.get_by_label("Status").select_option("Open")
    await page.get_by_role("button", name="Show").click()
    await expect(titles(page)).to_have_text(["Reset a password", "Pay an invoice"])
    await page.get_by_label("Folder").select_option("Finance/Zürich")
    await page.get_by_label("Text").fill("INVOICE")
    await page.get_by_label("Text").press("Enter")

    await expect(titles(page)).to_have_text(["Pay an invoice"])
    await expect(page.get_by_label("Status")).to_have_value("Open")
    await page.get_by_label("Text").fill("nothing like it")
    await page.get_by_role("button", name="Show").click()
    await expect(page.get_by_text("No task is like that.")).to_be_visible()


async def test_a_person_completes_a_task_as_somebody(page: Page, world: World) -> None:
    await opened(page, "Reset a password")
    await page.get_by_label("Action").fill("approve")
    await page.get_by_role("combobox", name="As").select_option("ada@example.com")
    await expect(page.get_by_role("textbox", name="Data")).to_have_value('{\n  "ticket": "HELP-1"\n}')
    await page.get_by_role("textbox", name="Data").fill('{"ticket": "HELP-1",\n "größe": 7}')
    await page.get_by_role("button", name="Complete").click()

    await expect(fact(page, "Status")).to_have_text("Completed")
    await expect(fact(page, "Action")).to_have_text("approve")
    await expect(fact(page, "Completed by")).to_have_text("ada@example.com")
    await expect(page.get_by_role("listitem")).to_contain_text(["Created", "Completed by ada@example.com"])
    await expect(page.get_by_role("button")).to_have_text(["Delete this task"])
    assert world.task(1).data == {"ticket": "HELP-1", "größe": 7}


async def test_a_person_assigns_a_task_and_takes_it_back(page: Page) -> None:
    await opened(page, "Pay an invoice")
    for user in ("ada@example.com", "grace@example.com"):
        await page.get_by_role("combobox", name="To").select_option(user)
        await page.get_by_role("button", name="Assign", exact=True).click()
        await expect(fact(page, "Assignee")).to_have_text(user)
    await expect(fact(page, "Status")).to_have_text("Pending")
    await expect(page.get_by_role("combobox", name="As").locator("option:checked")).to_have_text("grace@example.com")

    await page.get_by_role("button", name="Unassign").click()

    await expect(fact(page, "Assignee")).to_have_text("nobody")
    await expect(fact(page, "Status")).to_have_text("Unassigned")
    await expect(page.get_by_role("button", name="Unassign")).to_have_count(0)


async def test_a_person_deletes_a_task(page: Page) -> None:
    await opened(page, "Pay an invoice")
    await page.get_by_role("button", name="Delete this task").click()
    await expect(fact(page, "Status")).to_have_text("Deleted")
    await expect(page.get_by_role("button")).to_have_count(0)

    await page.get_by_role("link", name="All tasks").click()
    await expect(titles(page)).to_have_text(["Order a chair", "Reset a password"])
    await page.get_by_label("Status").select_option("Deleted")
    await page.get_by_role("button", name="Show").click()
    await expect(titles(page)).to_have_text(["Pay an invoice"])


# -- what goes wrong ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
async def test_a_refusal_is_told_in_orchestrators_words(visit: Visit, world: World, scripts: bool) -> None:
    async with visit(java_script_enabled=scripts, refused=1) as page:
        await opened(page, "Reset a password")
        world.complete_task(1, action="done", user=world.users[1002])
        await page.get_by_role("button", name="Complete").click()

        await expect(page.get_by_role("alert")).to_have_text("This task is in completed state")
        await expect(fact(page, "Completed by")).to_have_text("grace@example.com")
        await expect(page.get_by_role("button")).to_have_text(["Delete this task"])


async def test_what_was_written_is_kept_when_it_is_refused_and_the_page_stays_up_to_date(
    visit: Visit, world: World
) -> None:
    async with visit(refused=1) as page:
        await opened(page, "Reset a password")
        await page.get_by_label("Action").fill("approve")
        await page.get_by_role("textbox", name="Data").fill("{")
        await page.get_by_role("button", name="Complete").click()
        await expect(page.get_by_role("alert")).to_contain_text("The data is not JSON")
        await page.get_by_label("Action").focus()

        world.complete_task(1, action="done", user=world.users[1002])
        await page.clock.run_for(A_REFRESH_MS)

        await expect(fact(page, "Status")).to_have_text("Completed")
        await expect(page.get_by_label("Action")).to_have_value("approve")
        await expect(page.get_by_role("textbox", name="Data")).to_have_value("{")


async def test_hostile_tasks_do_no_harm(visit: Visit, world: World) -> None:
    for title in HOSTILE:
        hostile = NewTask(title=title, external_tag=title, data={"key": title, title: [title]}, catalog="Tickets")
        world.complete_task(world.create_task(hostile, FOLDERS[0]).id, action=title)
        world.create_task(hostile, FOLDERS[0])
    async with visit() as page:
        for title, task in zip(reversed(HOSTILE), reversed(world.all_tasks()[4::2]), strict=True):
            shown = " ".join(title.replace("\0", "").split())
            await page.get_by_label("Text").fill(title)
            await page.get_by_role("button", name="Show").click()
            await expect(titles(page)).to_have_text([shown, shown])
            await page.clock.run_for(A_REFRESH_MS)
            await titles(page).first.get_by_role("link").click()
            await expect(page.get_by_role("heading", level=1)).to_have_text(shown)
            await expect(fact(page, "External tag")).to_have_text(shown)
            await page.get_by_label("Action").fill(title)
            await page.get_by_role("button", name="Complete").click()
            await expect(fact(page, "Action")).to_have_text(shown)
            assert task.data == {"key": title, title: [title]}
            await page.get_by_role("link", name="All tasks").click()
        await expect(titles(page)).to_have_count(3 + 2 * len(HOSTILE))


async def test_a_task_that_is_not_there_is_told(visit: Visit) -> None:
    async with visit(refused=1) as page:
        await page.goto("/sandbox/tasks/4711")
        await expect(page.get_by_role("alert")).to_have_text("There is no such task.")
        await page.clock.run_for(A_REFRESH_MS)
        await page.get_by_role("link", name="Back to the start").click()
        await expect(titles(page)).to_have_count(3)


# -- up to date --------------------------------------------------------------------------------------------------------------------


async def test_the_list_shows_a_task_as_soon_as_it_is_created(visit: Visit, create: Create) -> None:
    async with visit() as page:
        await page.get_by_label("Text").fill("half writt")
        await create("Close Ticket")
        await page.clock.run_for(A_REFRESH_MS)

        await expect(titles(page).first).to_have_text("Close Ticket")
        await expect(page.locator("#summary")).to_have_text("4 tasks")
        await expect(page.get_by_label("Text")).to_have_value("half writt")
        await expect(page.get_by_label("Text")).to_be_focused()


async def test_the_list_stays_up_to_date_under_the_hands_of_whoever_uses_it(visit: Visit, create: Create) -> None:
    async with visit() as page:
        link = page.get_by_role("link", name="Reset a password")
        await link.focus()
        await create("Close Ticket")
        await page.clock.run_for(A_REFRESH_MS)
        await expect(titles(page).first).to_have_text("Close Ticket")
        await expect(link).to_be_focused()

        await page.locator("#summary").click()
        await page.get_by_role("region", name="Shared").click(position={"x": 5, "y": 5})
        await create("Close another")
        await page.clock.run_for(A_REFRESH_MS)
        await expect(titles(page).first).to_have_text("Close another")


async def test_what_somebody_marks_to_copy_stays(visit: Visit, create: Create) -> None:
    async with visit() as page:
        await titles(page).first.select_text()
        await create("Close Ticket")
        for _ in range(2):  # the second time it asks, it is done with the first answer
            async with page.expect_response("/"):
                await page.clock.run_for(A_REFRESH_MS)
        assert await page.evaluate("getSelection().toString()") == "Order a chair"

        await page.evaluate("getSelection().removeAllRanges()")
        await page.clock.run_for(A_REFRESH_MS)
        await expect(titles(page).first).to_have_text("Close Ticket")


# -- for everybody -----------------------------------------------------------------------------------------------------------------


async def test_a_task_is_completed_with_the_keyboard_alone(page: Page, world: World) -> None:
    async def tab_to(wanted: Locator) -> None:
        for _ in range(30):
            await page.keyboard.press("Tab")
            if await wanted.evaluate("one => one === document.activeElement"):
                assert await wanted.evaluate("one => getComputedStyle(one).outlineStyle") == "solid", "it shows"
                return
        pytest.fail(f"the keyboard does not lead to {wanted}")

    await tab_to(page.get_by_role("link", name="Reset a password"))
    await page.keyboard.press("Enter")
    await tab_to(page.get_by_label("Action"))
    await page.keyboard.type("approve")
    await tab_to(page.get_by_role("combobox", name="As"))
    await page.keyboard.type("grace")
    await tab_to(page.get_by_role("textbox", name="Data"))
    await tab_to(page.get_by_role("button", name="Complete"))
    await page.keyboard.press("Enter")

    await expect(fact(page, "Status")).to_have_text("Completed")
    assert (world.task(1).action, world.task(1).completed_by) == ("approve", world.users[1002])


@pytest.mark.parametrize("width", [320, 400])
async def test_it_is_readable_on_a_narrow_screen(visit: Visit, world: World, width: int) -> None:
    long = NewTask(
        title=UNBROKEN, external_tag=UNBROKEN[:40], parent_operation_id=UNBROKEN, data={"a": UNBROKEN, UNBROKEN: 1}
    )
    task = world.create_task(long, world.folders[-1])
    world.assign(Assignment(task_id=task.id, user_id=LONG_USER.id))
    async with visit(viewport={"width": width, "height": 800}) as page:
        for path in ("/", "/?text=nothing", f"/sandbox/tasks/{task.id}", "/sandbox/tasks/3"):
            await page.goto(path)
            assert await page.evaluate(BEYOND_THE_EDGE) == []
