"""The page: a person sees the tasks by folder, opens one, and does to it what Action Center lets people do."""

import httpx
import pytest

from bridge.sandbox.orchestrator import NewTask, World
from tests.html import Parsed
from tests.sandbox.conftest import FOLDERS

pytestmark = pytest.mark.anyio


@pytest.fixture
def world(world: World) -> World:
    shared, finance = FOLDERS
    world.create_task(NewTask(title="Reset a password", external_tag="JIRA", data={"ticket": "HELP-1"}), shared)
    world.create_task(NewTask(title="<script>alert(1)</script>", priority="High", catalog="Invoices"), finance)
    world.create_task(NewTask(title="Order a chair"), shared)
    world.complete_task(3, action="done", user=world.users[1002])
    return world


async def page(client: httpx.AsyncClient, path: str = "/", **query: str) -> Parsed:
    response = await client.get(path, params=query)
    assert response.status_code == 200
    return Parsed(response)


async def test_the_tasks_are_shown_by_folder_newest_first(client: httpx.AsyncClient) -> None:
    shown = await page(client)

    assert shown.of("h2") == ["Shared", "Finance/Zürich"]
    assert shown.of("a")[1:] == ["Order a chair", "Reset a password", "<script>alert(1)</script>"]
    assert [text for text in shown.of("p") if "tasks" in text] == ["3 tasks"]
    assert "/sandbox/tasks/1" in shown.links
    assert len(shown.ids) == len(set(shown.ids))


async def test_the_page_needs_nothing_from_elsewhere_and_no_script(client: httpx.AsyncClient) -> None:
    response = await client.get("/")

    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for found in ("http://", "https://", "<script>", "style="):
        assert found not in response.text
    for name, kind in (("page.css", "text/css"), ("page.js", "text/javascript")):
        static = await client.get(f"/sandbox/{name}")
        assert (static.status_code, static.headers["content-type"]) == (200, f"{kind}; charset=utf-8")


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ({"status": "Open"}, ["Reset a password", "<script>alert(1)</script>"]),
        ({"status": "Completed"}, ["Order a chair"]),
        ({"status": "Deleted"}, []),
        ({"status": "Nonsense", "folder": "Shared"}, ["Order a chair", "Reset a password"]),
        ({"text": "jira"}, ["Reset a password"]),
        ({"text": "PASSWORD", "status": "Pending"}, []),
        ({"folder": "Nowhere"}, []),
    ],
)
async def test_the_tasks_can_be_filtered(client: httpx.AsyncClient, query: dict[str, str], titles: list[str]) -> None:
    shown = await page(client, **query)

    assert shown.of("a")[1:] == titles
    (form,) = shown.forms
    assert form["fields"]["text"] == query.get("text", "")
    assert ("No task is like that." in shown.of("p")) == (not titles)


async def test_a_world_without_tasks_says_so(client: httpx.AsyncClient, world: World) -> None:
    world.reset()

    assert "No tasks yet. They appear here as soon as one is created." in (await page(client)).of("p")


async def test_a_task_is_opened(client: httpx.AsyncClient) -> None:
    shown = await page(client, "/sandbox/tasks/1")

    assert shown.of("h1") == ["Reset a password"]
    assert '"ticket": "HELP-1"' in shown.of("pre")[0]
    assert shown.of("li")[0] == "Created"
    assert "No notes." in shown.of("p")
    done = await page(client, "/sandbox/tasks/3")
    assert "Completed by grace@example.com" in done.of("li")
    assert [form["action"] for form in done.forms] == ["/sandbox/tasks/3/delete"]


async def test_a_task_is_completed_as_somebody_with_data(client: httpx.AsyncClient, world: World) -> None:
    form = {"action": "approve", "user": "1001", "data": '{"amount": 7}'}

    response = await client.post("/sandbox/tasks/1/complete", data=form)

    assert (response.status_code, response.headers["location"]) == (303, "/sandbox/tasks/1")
    task = world.task(1)
    assert (task.status, task.action, task.data, task.completed_by) == (2, "approve", {"amount": 7}, world.users[1001])
    again = await client.post("/sandbox/tasks/1/complete", data=form)
    assert again.status_code == 400
    assert "This task is in completed state" in Parsed(again).of("p")


async def test_completing_with_nothing_keeps_the_data(client: httpx.AsyncClient, world: World) -> None:
    assert (await client.post("/sandbox/tasks/1/complete")).status_code == 303

    assert (world.task(1).data, world.task(1).action) == ({"ticket": "HELP-1"}, None)


@pytest.mark.parametrize("data", ["{", "[]", "7", '{"a": ' + "[" * 300 + "]" * 300 + "}", '{"a": 1e999}', "\ud83d"])
async def test_data_that_is_no_object_is_refused_and_not_lost(
    client: httpx.AsyncClient, world: World, data: str
) -> None:
    text = data.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
    response = await client.post("/sandbox/tasks/1/complete", data={"data": text, "action": "<b>"})

    assert response.status_code == 400
    shown = Parsed(response)
    assert shown.forms[0]["fields"]["action"] == "<b>"
    assert " ".join(text.split()) in " ".join(shown.of("textarea"))
    assert world.task(1).status == 0


async def test_a_task_is_assigned_and_taken_back(client: httpx.AsyncClient, world: World) -> None:
    assert (await client.post("/sandbox/tasks/1/assign", data={"user": "1001"})).status_code == 303
    assert (world.task(1).status, world.task(1).assignee) == (1, world.users[1001])
    await client.post("/sandbox/tasks/1/assign", data={"user": "1002"})
    assert (await client.post("/sandbox/tasks/1/unassign")).status_code == 303
    assert (world.task(1).status, world.task(1).assignee) == (0, None)

    assert [one.kind for one in world.activities(1)] == ["Created", "Assigned", "Reassigned", "Unassigned"]
    assert "Reassigned to grace@example.com" in (await page(client, "/sandbox/tasks/1")).of("li")
    for form in ({}, {"user": ""}, {"user": "7"}, {"user": "x"}):
        assert (await client.post("/sandbox/tasks/1/assign", data=form)).status_code == 400
    assert (await client.post("/sandbox/tasks/3/assign", data={"user": "1001"})).status_code == 400


async def test_a_task_is_deleted_and_still_seen(client: httpx.AsyncClient, world: World) -> None:
    assert (await client.post("/sandbox/tasks/2/delete")).status_code == 303

    assert world.all_tasks()[1].deletion_time
    shown = await page(client, "/sandbox/tasks/2")
    assert "Deleted" in shown.of("span")
    assert not shown.forms
    assert (await page(client, status="Deleted")).of("a")[1:] == ["<script>alert(1)</script>"]


@pytest.mark.parametrize("path", ["7", "x", "9" * 5000, "1/burn", "7/delete", "x/delete"])
async def test_what_is_not_there_is_a_page_that_says_so(client: httpx.AsyncClient, path: str) -> None:
    response = await client.request("POST" if "/" in path else "GET", f"/sandbox/tasks/{path}")

    assert response.status_code in (400, 404)
    assert Parsed(response).of("h1") == ["That was not possible"]


async def test_forms_of_other_sites_are_refused(client: httpx.AsyncClient, world: World) -> None:
    response = await client.post("/sandbox/tasks/1/delete", headers={"Sec-Fetch-Site": "cross-site"})

    assert response.status_code == 403
    assert world.task(1).deletion_time is None


async def test_a_form_that_is_none_is_refused(client: httpx.AsyncClient) -> None:
    for content in (b"&".join([b"a=1"] * 200), b"\xff\xfe" * 10):
        response = await client.post("/sandbox/tasks/1/assign", content=content)
        assert response.status_code == 400


async def test_only_the_newest_of_many_are_shown(client: httpx.AsyncClient, world: World) -> None:
    for number in range(250):
        world.create_task(NewTask(title=f"task {number}"), FOLDERS[0])

    shown = await page(client)

    assert "253 tasks, the newest 200 shown" in shown.of("p")
    assert len(shown.of("a")) == 201
