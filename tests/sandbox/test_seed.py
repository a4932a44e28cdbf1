"""The seed: what a sandbox begins with, who comes in, and what is said about a wrong one."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from bridge.sandbox.orchestrator import Seed, SeedError, World, load_seed, read_seed, sandbox_serving
from bridge.sandbox.orchestrator.delivering import delivering
from tests.processes import command, sandbox_process
from tests.sandbox.conftest import SIGNED_IN, Clock

pytestmark = pytest.mark.anyio

SEED = """
require_folder: false
folders:
  - id: 1424
    path: Finance
    key: 6f1c4f0e-0d5f-4c2b-9a51-2f1d0c9b7e11
    catalogs: [Invoices]
  - {id: 1, path: Shared}
users:
  - {id: 7, email: eve@example.com, name: Eve, surname: Moneypenny, folders: [Finance], password: secret}
clients:
  - {client_id: app, client_secret: s3cret, scopes: [OR.Tasks, OR.Folders], lifetime: 10m}
tasks:
  - {title: Pay, catalog: Invoices, priority: High, external_tag: JIRA, parent_operation_id: op, data: {due: 2026-01-02}}
  - {title: Paid, folder: Shared, assigned_to: eve@example.com, completed: true, action: done}
faults:
  - {operation: GetFolders, kind: rate_limit, retry_after: 7, times: 1}
webhooks:
  - {name: us, url: "http://127.0.0.1:9/hook", events: [task.completed]}
webhook_breaker: 5m
"""
FORM = {"grant_type": "client_credentials", "client_id": "app", "client_secret": "s3cret"}
TOKEN = "/identity_/connect/token"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "seed.yaml"
    path.write_text(SEED)
    return path


@pytest.fixture
def world(file: Path) -> World:
    seed = load_seed(file)
    world = seed.world(Clock())
    seed.plant(world)
    return world


def test_without_a_file_there_are_a_folder_a_catalog_and_two_users() -> None:
    world, plain = Seed().world(), World()

    assert world.folders == plain.folders
    assert [(one.id, one.path, one.catalogs) for one in world.folders] == [(1, "Shared", ("Tickets",))]
    assert [(one.id, one.email) for one in world.users.values()] == [
        (1001, "ada@example.com"),
        (1002, "grace@example.com"),
    ]
    assert (world.require_folder, world.access.open) == (True, True)


def test_a_seed_is_a_world(world: World) -> None:
    finance, shared = world.folders
    assert (finance.id, str(finance.key), finance.catalogs) == (
        1424,
        "6f1c4f0e-0d5f-4c2b-9a51-2f1d0c9b7e11",
        ("Invoices",),
    )
    first, second = world.all_tasks()
    assert (first.folder, first.request.catalog, first.request.priority) == (finance, "Invoices", "High")
    assert first.data == {"due": "2026-01-02"}
    assert world.tasks_of_operation("op") == [first]
    assert (second.folder, second.status, second.action, second.completed_by) == (shared, 2, "done", world.users[7])
    assert world.users[7].folders == ("Finance",)
    (hook,) = world.webhooks.all()
    assert (hook.wanted.events, hook.wanted.subscribe_to_all_events) == (("task.completed",), False)
    assert world.webhooks.breaker == timedelta(minutes=5)


def test_a_reset_begins_again_with_the_seed(world: World) -> None:
    world.complete_task(1)
    world.faults.replace([])

    world.reset()

    assert [(one.request.title, one.status) for one in world.all_tasks()] == [("Pay", 0), ("Paid", 2)]
    assert [one["kind"] for one in world.faults.listed()] == ["rate_limit"]
    assert len(world.webhooks.all()) == 1


async def test_no_webhook_hears_of_the_tasks_of_a_seed(world: World) -> None:
    async with delivering(world) as sender:
        world.reset()
        await sender.idle()

    assert not world.webhooks.deliveries


# -- who comes in ------------------------------------------------------------------------------------------------------------------


async def test_only_a_token_that_was_issued_comes_in_and_only_while_it_lasts(client: httpx.AsyncClient) -> None:
    await client.delete("/sandbox/faults")
    refused = await client.get("/odata/Folders")
    assert refused.status_code == 401
    assert (refused.json()["unAuthorizedRequest"], refused.json()["__abp"]) == (True, True)

    answer = (await client.post(TOKEN, data=FORM)).json()
    assert (answer["expires_in"], answer["scope"]) == (600, "OR.Tasks OR.Folders")

    headers = {"Authorization": f"Bearer {answer['access_token']}"}
    told = [(await client.get("/odata/Folders", headers=headers)).status_code for _ in range(11)]
    assert told == [200] * 9 + [401] * 2, "the clock goes on by a minute whenever it is asked"


@pytest.mark.parametrize("path", [TOKEN, "/acme/identity_/connect/token", "/identity/connect/token"])
@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"client_secret": "wrong"}, "invalid_client"),
        ({"client_id": "other"}, "invalid_client"),
        ({"client_secret": ""}, "invalid_client"),
        ({"scope": "OR.Tasks OR.Webhooks"}, "invalid_scope"),
        ({"scope": "OR.Tasks offline_access"}, "invalid_scope"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ],
)
async def test_a_client_that_is_refused(
    client: httpx.AsyncClient, path: str, change: dict[str, str], error: str
) -> None:
    response = await client.post(path, data={**FORM, **change})

    assert (response.status_code, response.json()) == (400, {"error": error})


async def test_a_client_may_be_named_by_basic_authentication(client: httpx.AsyncClient) -> None:
    form = {"grant_type": "client_credentials", "scope": "OR.Tasks"}

    assert (await client.post(TOKEN, data=form, auth=("app", "s3cret"))).json()["scope"] == "OR.Tasks"
    assert (await client.post(TOKEN, data=form, auth=("app", "wrong"))).status_code == 400


@pytest.mark.parametrize("prefix", ["", "/acme/Default/orchestrator_"])
async def test_a_users_password_gets_a_token(client: httpx.AsyncClient, prefix: str) -> None:
    await client.delete("/sandbox/faults")
    login = {"tenancyName": "Default", "usernameOrEmailAddress": "Eve@example.com", "password": "secret"}
    path = f"{prefix}/api/Account/Authenticate"

    answer = (await client.post(path, json=login)).json()
    headers = {"Authorization": f"Bearer {answer['result']}"}
    assert (await client.get(f"{prefix}/odata/Folders", headers=headers)).status_code == 200

    for wrong in ({"password": "no"}, {"usernameOrEmailAddress": "ada@example.com"}):
        refused = await client.post(path, json={**login, **wrong})
        assert (refused.status_code, refused.json()["success"]) == (401, False)


# -- what is said about a wrong one ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seed", "told"),
    [
        ({"folder": []}, "folder: is not a key that is known here: did you mean `folders`?"),
        ({"folders": []}, "folders: must not be empty"),
        ({"folders": [{"id": 1}]}, "folders[0].path: is missing: add `path: …`"),
        ({"folders": [{"id": 0, "path": "A"}]}, "folders[0].id: must be at least 1"),
        ({"folders": [{"id": "one", "path": "A"}]}, "folders[0].id: must be a whole number"),
        ({"folders": [{"id": 2**63, "path": "A"}]}, "folders[0].id: must be less than"),
        ({"folders": [{"id": 1, "path": "/A"}]}, "folders[0].path: is not a folder's path: write it as"),
        ({"folders": [{"id": 1, "path": "A", "key": "x"}]}, "folders[0].key: must be a UUID"),
        ({"folders": [{"id": 1, "path": "A", "catalogs": "Tickets"}]}, "folders[0].catalogs: must be a list"),
        ({"folders": [{"id": 1, "path": "A"}, {"id": 1, "path": "a"}]}, "folders: 2 of them have the id 1"),
        ({"users": [{"id": 1, "email": "a", "folders": ["Share"]}]}, "users[0].folders: there is no folder `Share`"),
        ({"tasks": [{"title": "t", "folder": "X"}]}, "tasks[0].folder: there is no folder `X`; known here: Shared"),
        ({"tasks": [{"title": "t", "catalog": "Ticket"}]}, "tasks[0].catalog: there is no catalog of Shared `Ticket`"),
        ({"tasks": [{"title": "t", "assigned_to": "bob"}]}, "tasks[0].assigned_to: there is no user `bob`"),
        ({"tasks": [{"title": "t", "type": "Form"}]}, "tasks[0].type: must be one of: 'FormTask'"),
        ({"tasks": [{"title": "t" * 513}]}, "tasks[0].title: must have at most 512 characters"),
        ({"tasks": [{"title": "t", "data": [1]}]}, "tasks[0].data: must be a mapping"),
        ({"tasks": [{"title": "t", "data": {"a": 2**70}}]}, "tasks[0].data: cannot be written as JSON"),
        ({"faults": [{"kind": "drop", "operation": "CreateTasks"}]}, "faults[0].operation: is no operation: did you"),
        ({"faults": [{"kind": "fire"}]}, "faults[0].kind: must be one of: 'error'"),
        ({"faults": [{"kind": "drop", "oepration": "*"}]}, "did you mean `operation`?"),
        ({"webhooks": [{"name": "us", "url": "example.com"}]}, "webhooks[0].url: is not a URL"),
        ({"webhook_breaker": "1"}, "webhook_breaker: is not a duration: write a whole number and its unit"),
        ({"require_folder": "perhaps"}, "require_folder: must be true or false"),
        ([], "the file must be a mapping of keys to values; it is a list"),
    ],
)
def test_what_is_wrong_is_said_with_its_key_and_a_remedy(seed: Any, told: str) -> None:
    with pytest.raises(SeedError) as error:
        read_seed(seed, "seed.yaml")

    assert str(error.value).startswith("seed.yaml: ")
    assert told in str(error.value)


def test_everything_is_said_at_once() -> None:
    with pytest.raises(SeedError) as error:
        read_seed({"folders": [{"id": 0}], "users": 7})

    assert len(error.value.problems) == 3


@pytest.mark.parametrize("text", ["a: [", "a: \tb: c", "a: &x [*x]", "[" * 5000, "- 2026-99-99", "\ud800"])
def test_a_file_that_is_no_seed(tmp_path: Path, text: str) -> None:
    path = tmp_path / "seed.yaml"
    path.write_bytes(text.encode("utf-8", "surrogatepass"))

    with pytest.raises(SeedError, match=r"seed\.yaml"):
        load_seed(path)


def test_data_that_holds_itself(tmp_path: Path) -> None:
    path = tmp_path / "seed.yaml"
    path.write_text("tasks: [{title: t, data: &x {a: *x}}]")

    with pytest.raises(SeedError, match=r"tasks\[0\]\.data"):
        load_seed(path)


def test_an_empty_file_is_the_default(tmp_path: Path) -> None:
    path = tmp_path / "seed.yaml"
    path.write_text("# nothing yet\n")

    assert load_seed(path) == Seed()


# -- the command -------------------------------------------------------------------------------------------------------------------


async def test_the_command_takes_a_seed(file: Path) -> None:
    async with sandbox_process("--seed", file, "--webhook-breaker", "10m") as sandbox:
        async with httpx.AsyncClient(base_url=sandbox.url) as client:
            state = (await client.get("/sandbox/state")).json()
        assert [one["title"] for one in state["tasks"]] == ["Pay", "Paid"]
        assert "2 folders; only whom the seed names comes in; kept in memory" in str(sandbox.lines[0])
        assert await sandbox.stopped() == 0


async def test_the_command_refuses_a_wrong_seed_and_a_wrong_duration(tmp_path: Path) -> None:
    path = tmp_path / "seed.yaml"
    path.write_text("folders: [{id: 1, path: A, catalog: [x]}]")

    ended = await command("sandbox", "--seed", path)
    assert (ended.code, ended.out) == (2, "")
    assert "folders[0].catalog: is not a key that is known here: did you mean `catalogs`?" in ended.err
    assert "1 problem in" in ended.err

    missing = await command("sandbox", "--seed", tmp_path / "none.yaml")
    assert (missing.code, "cannot be read" in missing.err) == (2, True)
    wrong = await command("sandbox", "--webhook-breaker", "soon")
    assert (wrong.code, "--webhook-breaker is not a duration" in wrong.err) == (2, True)


async def test_a_fault_of_the_seed_strikes(world: World) -> None:
    async with sandbox_serving(world) as url, httpx.AsyncClient(base_url=url) as client:
        response = await client.get("/odata/Folders")

    assert (response.status_code, response.headers["retry-after"]) == (429, "7")


async def test_the_caller_and_what_is_denied_to_them() -> None:
    seed = read_seed(
        {"caller": "ada@example.com", "denied": ["Tasks.Delete", "TaskCatalogs.View"], "tasks": [{"title": "Pay"}]}
    )
    world = seed.world()
    seed.plant(world)
    world.reset()
    delete = "/odata/Tasks/UiPath.Server.Configuration.OData.DeleteTasks"

    async with sandbox_serving(world) as url, httpx.AsyncClient(base_url=url, headers=SIGNED_IN) as client:
        (task,) = world.all_tasks()
        refused = (await client.post(delete, json={"taskIds": [task.id]})).json()["value"]
        catalogs = await client.get("/odata/TaskCatalogs")
        created = (await client.post("/tasks/GenericTasks/CreateTask", json={"title": "By Ada"})).json()

    assert [(one["TaskId"], one["ErrorCode"]) for one in refused] == [(task.id, 2427)]
    assert (catalogs.status_code, created["creatorUserId"]) == (403, 1001)


@pytest.mark.parametrize(
    ("seed", "said"),
    [
        (
            {"denied": ["Tasks.Delet"]},
            r"denied\[0\]: there is no permission `Tasks.Delet`: did you mean `Tasks.Delete`?",
        ),
        ({"caller": "ad@example.com"}, "caller: there is no user `ad@example.com`: did you mean `ada@example.com`?"),
    ],
)
def test_a_caller_and_a_permission_that_are_not_there(seed: dict[str, Any], said: str) -> None:
    with pytest.raises(SeedError, match=said):
        read_seed(seed)
