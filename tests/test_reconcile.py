"""Reconciliation, with a real Orchestrator's worth of sockets on one side and a real database on the other."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import delete, update
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bridge.apis import ticket_apis
from bridge.config import Config
from bridge.errors import Unavailable
from bridge.orchestrator import Orchestrator
from bridge.sandbox.orchestrator import NewTask, Rule, Task, World, sandbox_serving
from bridge.service import DESTINATION, migrate, open_store, reconciliation, utc_now
from bridge.serving import serving
from bridge.store import Pause, Store
from bridge.store.tables import deliveries, links, tickets
from bridge.sync.reconciliation import Reconciliation
from tests.driving import (
    PATIENCE_S,
    Bridge,
    bridge_and_service,
    bridge_running,
    configured,
    judged,
    settled,
    tasks_are,
    until,
)
from tests.processes import Ended, bridge_process, command
from tests.values import jira_event

pytestmark = pytest.mark.anyio


@dataclass
class Setting:
    """An Orchestrator, a Jira that can be asked, and the configuration of a bridge between them."""

    config: Config
    path: Path
    world: World
    issues: dict[str, dict[str, Any]]

    async def opened(self, *numbers: int) -> None:
        """Tickets that the bridge has made its tasks of; it has ended since."""
        self.issues |= {str(10000 + number): jira_event(number)["issue"] for number in numbers}
        async with bridge_running(self.config) as bridge:
            await sent(bridge, *(jira_event(number) for number in numbers))
            await settled(bridge)

    def task(self, number: int, generation: int = 1) -> Task:
        (found,) = self.world.tasks_of_operation(key(number, generation))
        return found

    async def change(self, number: int, **values: Any) -> None:
        """Write into the table as no bridge would."""
        async with self.store() as store, store.database.writing() as connection:
            of_ticket = links.c.ticket_id == str(10000 + number)
            await connection.execute(update(links).where(of_ticket).values(**values))

    @asynccontextmanager
    async def store(self) -> AsyncIterator[Store]:
        store = open_store(self.config)
        try:
            yield store
        finally:
            await store.database.close()

    @asynccontextmanager
    async def reconciling(self) -> AsyncIterator[Reconciliation]:
        async with (
            self.store() as store,
            Orchestrator(self.config.orchestrator) as orchestrator,
            ticket_apis(self.config, utc_now) as apis,
        ):
            yield reconciliation(self.config, store, orchestrator, apis, utc_now)

    async def reconcile(self, *options: str) -> Ended:
        return await command("reconcile", "--config", self.path, *options)

    async def differences(self, *options: str) -> list[tuple[str, str, int | None]]:
        """What `bridge reconcile --json` tells: kind, ticket, task."""
        ended = await self.reconcile("--json", *options)
        assert (ended.code, ended.err) == (0, "")
        return [(row["kind"], row["ticket"], row["task"]) for row in json.loads(ended.out)["differences"]]


def key(number: int, generation: int = 1) -> str:
    return f"bridge/jira/{10000 + number}/{generation}"


def task_of(parent_operation_id: str) -> NewTask:
    return NewTask(title="t", catalog="Tickets", external_tag="JIRA", parent_operation_id=parent_operation_id)


async def sent(bridge: Bridge, *events: dict[str, Any]) -> None:
    for event in events:
        answer = await bridge.hook(event)
        assert answer.status_code == 202, answer.text


@asynccontextmanager
async def a_setting(folder: Path, database: str = "sqlite:///bridge.db", *, api: bool = True) -> AsyncIterator[Setting]:
    world, issues = World(), dict[str, dict[str, Any]]()

    async def issue(request: Request) -> Response:
        found = issues.get(request.path_params["id"])
        return JSONResponse(found or {"errorMessages": ["gone"]}, 200 if found else 404)

    async with (
        sandbox_serving(world) as orchestrator,
        serving(Starlette(routes=[Route("/rest/api/2/issue/{id}", issue)])) as jira,
    ):
        source: dict[str, Any] = {"type": "jira", "secrets": ["It's a Secret to Everybody"]}
        if api:
            source |= {"api": {"url": jira, "token": "t"}, "poll": "off"}
        config = configured(folder, orchestrator, database={"url": database}, sources={"jira": source})
        yield Setting(config, folder / "config.yaml", world, issues)


@pytest.fixture
async def setting(tmp_path: Path) -> AsyncIterator[Setting]:
    async with a_setting(tmp_path) as given:
        yield given


@pytest.fixture
async def on_either(tmp_path: Path, database_url: str) -> AsyncIterator[Setting]:
    async with a_setting(tmp_path, database_url) as given:
        yield given


# -- every kind --------------------------------------------------------------------------------------------------------------------


async def test_one_difference_of_each_kind_is_shown_mended_and_gone(on_either: Setting) -> None:
    setting, world = on_either, on_either.world
    await setting.opened(1, 2, 4, 5, 6, 7)
    world.complete_task(setting.task(1).id)
    world.delete_task(setting.task(2).id)
    orphan = world.create_task(task_of(key(3)))
    setting.issues["10003"] = jira_event(3)["issue"]
    foreign = world.create_task(task_of("other/jira/1/1"))
    await setting.change(4, task_id=foreign.id)
    world.faults.replace([Rule(operation="CompleteTask", kind="error", status=403)])
    async with bridge_running(setting.config) as bridge:
        await sent(bridge, jira_event(5, at=9, closed=True))

        async def waits() -> bool:
            return bool(await bridge.links(state="waiting"))

        await until(waits, "the step waits")
    world.faults.replace([])
    await setting.change(5, due_at=None, leased_until=None)
    setting.issues["10006"] = jira_event(6, at=9, closed=True)["issue"]

    expected = [
        ("foreign", "OPS-4", foreign.id),
        ("orphan", "10003", orphan.id),
        ("completed", "OPS-1", setting.task(1).id),
        ("gone", "OPS-2", 2),
        ("stale", "OPS-5", setting.task(5).id),
        ("ticket", "OPS-6", setting.task(6).id),
    ]
    before = world.journal.calls.copy()
    assert await setting.differences("--dry-run") == expected
    assert await setting.differences("--dry-run") == expected, "a dry run changes nothing"
    shown = await setting.reconcile()
    assert (shown.code, shown.err) == (0, "")
    assert [line.split()[0] for line in shown.out.splitlines()[1:7]] == [kind for kind, _, _ in expected]
    assert "6 differences; 6 links made due" in shown.out
    assert await setting.differences() == [], "they are on their way"
    assert world.journal.calls["CreateTask"] == before["CreateTask"]

    async with bridge_running(setting.config) as bridge:
        found = {link["ticket_key"]: link for link in await settled(bridge)}
        assert await setting.differences() == []
    states = {key: (link["ticket_state"], link["task_state"], link["task_id"]) for key, link in found.items()}
    assert states == {
        "OPS-1": ("open", "completed", setting.task(1).id),
        "OPS-2": ("open", "gone", 2),
        "OPS-3": ("open", "open", orphan.id),
        "OPS-4": ("open", "open", setting.task(4).id),
        "OPS-5": ("closed", "completed", setting.task(5).id),
        "OPS-6": ("closed", "completed", setting.task(6).id),
        "OPS-7": ("open", "open", setting.task(7).id),
    }
    assert foreign.completions == 0
    assert world.journal.calls["CreateTask"] == before["CreateTask"]


async def test_a_table_for_people(setting: Setting) -> None:
    await setting.opened(1)
    nothing = await setting.reconcile()
    assert (nothing.code, nothing.out.strip()) == (0, "no differences")
    setting.world.complete_task(1)
    shown = await setting.reconcile("--dry-run")
    assert shown.out.splitlines()[0].split() == ["kind", "source", "ticket", "link", "task", "remedy"]
    assert "1 difference; nothing was changed" in shown.out


async def test_a_second_task_with_a_links_key_is_for_a_person(setting: Setting) -> None:
    await setting.opened(1)
    second = setting.world.create_task(task_of(key(1)))
    shown = await setting.reconcile()
    assert shown.code == 0
    assert "by hand: end one of the two tasks" in shown.out
    assert "1 difference, 1 to be mended by hand; 0 links made due" in shown.out
    setting.world.delete_task(second.id)
    assert await setting.differences() == []


async def test_a_task_whose_link_would_make_another_is_adopted(setting: Setting) -> None:
    """The table is from before its CreateTask was recorded: absent, and due."""
    await setting.opened(1)
    lost = {
        "task_state": "absent",
        "task_id": None,
        "create_sent_at": None,
        "create_safe_at": None,
        "due_at": utc_now(),
    }
    await setting.change(1, **lost)
    assert await setting.differences() == [("orphan", "OPS-1", 1)]
    async with bridge_running(setting.config) as bridge:
        (link,) = await settled(bridge)
        assert (link["task_id"], len(setting.world.all_tasks())) == (1, 1)


async def test_two_links_whose_tasks_were_exchanged_get_their_own(setting: Setting) -> None:
    await setting.opened(1, 2)
    own = {number: setting.task(number).id for number in (1, 2)}
    await setting.change(1, task_id=99)
    await setting.change(2, task_id=own[1])
    await setting.change(1, task_id=own[2])
    found = await setting.differences()
    assert [kind for kind, _, _ in found] == ["foreign", "foreign"]
    async with bridge_running(setting.config) as bridge:
        await settled(bridge)
        assert {link["ticket_key"]: link["task_id"] for link in await bridge.links()} == {
            "OPS-1": own[1],
            "OPS-2": own[2],
        }
        assert await setting.differences() == []


async def test_a_key_too_long_to_tell_its_ticket_is_told_so(setting: Setting) -> None:
    long = "bridge/jira/" + "x" * 51 + "/" + "0" * 64
    setting.world.create_task(task_of(long))
    await migrate(setting.config)
    shown = await setting.reconcile()
    assert "by hand: its key is too long to tell its ticket" in shown.out


@pytest.mark.parametrize("away", ["Orchestrator", "database"])
async def test_who_cannot_be_asked_is_named_with_what_to_do(setting: Setting, away: str) -> None:
    await setting.opened(1)
    if away == "Orchestrator":
        setting.world.faults.replace([Rule(operation="GetTasksAcrossFolders", kind="error", status=503)])
    else:
        (setting.path.parent / "bridge.db").unlink()
    ended = await setting.reconcile()
    assert (ended.code, ended.out) == (1, "")
    assert ("bridge check --online" if away == "Orchestrator" else "bridge database upgrade") in ended.err


async def test_a_tracker_that_is_away_hinders_nothing_else(setting: Setting) -> None:
    await setting.opened(1, 2)
    setting.world.complete_task(setting.task(1).id)
    document = setting.path.read_text().replace(setting.config.sources["jira"].api.url, "http://127.0.0.1:1")  # type: ignore[union-attr]
    setting.path.write_text(document)
    ended = await setting.reconcile()
    assert ended.code == 0
    assert "the tickets of jira are not compared" in ended.err
    assert "1 difference; 1 link made due" in ended.out


# -- restored and lost -------------------------------------------------------------------------------------------------------------


async def test_18_the_table_is_restored_from_yesterdays_backup(setting: Setting, tmp_path: Path) -> None:
    """Of what happened since: a ticket that is new, one that closed, one that closed and reopened; one is as it was."""
    database, backup = tmp_path / "bridge.db", tmp_path / "yesterday.db"
    await setting.opened(1, 2, 3)
    shutil.copy(database, backup)
    today = [
        jira_event(2, at=10, closed=True),
        jira_event(3, at=10, closed=True),
        jira_event(3, at=20),
        jira_event(4, at=10),
    ]
    setting.issues |= {event["issue"]["id"]: event["issue"] for event in today}
    async with bridge_running(setting.config) as bridge:
        for event in today:
            await sent(bridge, event)
            await settled(bridge)
        before = await settled(bridge)
    forgotten(tmp_path)
    shutil.copy(backup, database)

    found = await setting.differences("--dry-run")
    assert [(kind, ticket) for kind, ticket, _ in found] == [
        ("orphan", "10003"),
        ("orphan", "10004"),
        ("completed", "OPS-2"),
        ("completed", "OPS-3"),
        ("ticket", "OPS-2"),
    ]
    assert (await setting.reconcile()).code == 0
    async with bridge_running(setting.config) as bridge:
        after = await settled(bridge)
        await sent(bridge, *today, *today)
        assert await settled(bridge) == await settled(bridge)
        assert await setting.differences() == []
        for event in (jira_event(3, at=30, closed=True), jira_event(4, at=30, closed=True)):
            await sent(bridge, event)
        await settled(bridge)
    assert as_told(after) == as_told(before)
    assert [task.completions for task in setting.world.all_tasks()] == [0, 1, 1, 1, 1]


def forgotten(folder: Path) -> None:
    for leftover in folder.glob("bridge.db*"):
        leftover.unlink()


def as_told(found: list[dict[str, Any]]) -> list[Any]:
    names = ("ticket_key", "generation", "ticket_state", "task_state", "task_id", "route")
    return sorted(tuple(link[name] for name in names) for link in found)


@pytest.mark.parametrize("api", [True, False], ids=["with the tracker", "without it"])
async def test_the_table_is_lost_and_rebuilt_from_the_tasks(tmp_path: Path, api: bool) -> None:
    async with a_setting(tmp_path, api=api) as setting:
        await setting.opened(1, 2, 3)
        async with bridge_running(setting.config) as bridge:
            for event in (jira_event(2, at=10, closed=True), jira_event(3, at=10, closed=True), jira_event(3, at=20)):
                setting.issues[event["issue"]["id"]] = event["issue"]
                await sent(bridge, event)
                await settled(bridge)
            before = await settled(bridge)
        forgotten(tmp_path)
        await migrate(setting.config)

        found = await setting.differences()
        assert [kind for kind, _, _ in found] == ["orphan"] * 4
        async with bridge_running(setting.config) as bridge:
            after = await settled(bridge)
            assert await setting.differences() == []
            if api:
                assert as_told(after) == as_told(before)
            else:  # who tells of its tickets but their tasks? their next webhooks
                assert [link[2:] for link in as_told(after) if link[1] == 2] == [("open", "open", 4, "incidents")]
                assert {link["ticket_key"] for link in after if link["task_state"] == "open"} == {"OPS-1", "OPS-3"}
            await sent(
                bridge, jira_event(1, at=30, closed=True), jira_event(2, at=30), jira_event(3, at=30, closed=True)
            )
            await settled(bridge)
        assert len(setting.world.all_tasks()) == (5 if api else 4)  # 2 reopened, if it is known that it was closed
        assert all(task.completions == 1 for task in setting.world.all_tasks()[:4])


# -- meanwhile ---------------------------------------------------------------------------------------------------------------------


async def test_killed_between_mending_and_adoption(setting: Setting) -> None:
    """The service is killed while it asks for the orphan's task; the next start finds it."""
    await migrate(setting.config)
    setting.world.create_task(task_of(key(1)))
    setting.issues["10001"] = jira_event(1)["issue"]
    assert (await setting.reconcile()).code == 0
    setting.world.faults.replace([Rule(operation="GetTasksAcrossFolders", kind="hang", when="before", times=1)])
    async with bridge_process(setting.path) as process:

        async def asking() -> bool:
            return setting.world.journal.calls["GetTasksAcrossFolders"] > 1

        await until(asking, "the orphan is looked for")
        process.kill()
    async with (
        bridge_process(setting.path) as process,
        httpx.AsyncClient(base_url=process.url, timeout=PATIENCE_S) as http,
    ):
        (link,) = await settled(Bridge(process.url, http))
    assert (link["ticket_key"], link["task_id"]) == ("OPS-1", 1)
    assert len(setting.world.all_tasks()) == 1


@pytest.mark.parametrize("first", ["webhook", "mending", "both at once"])
async def test_the_orphans_ticket_is_heard_of_while_it_is_adopted(on_either: Setting, first: str) -> None:
    """The webhook makes a link that would create; Orchestrator is away for a moment, so that it has not yet."""
    setting = on_either
    setting.world.create_task(task_of(key(1)))
    setting.issues["10001"] = jira_event(1)["issue"]
    await migrate(setting.config)
    async with setting.reconciling() as reconciling:
        findings = await reconciling.find(thorough=True)
        assert [difference.kind for difference in findings.differences] == ["orphan"]
        async with bridge_and_service(setting.config) as (bridge, service):
            moment = Pause(utc_now() + timedelta(seconds=3), 1, "it is away")
            await service.store.pauses.pause(DESTINATION, moment, utc_now())
            if first == "mending":
                assert (await reconciling.mend(findings.differences)).count == 1
                await sent(bridge, jira_event(1))
            elif first == "webhook":
                await sent(bridge, jira_event(1))

                await judged(bridge)
                assert (await reconciling.mend(findings.differences)).count == 1
            else:
                await asyncio.gather(reconciling.mend(findings.differences), sent(bridge, jira_event(1)))
                await reconciling.mend((await reconciling.find(thorough=True)).differences)
            (link,) = await settled(bridge)
    assert (link["task_id"], len(setting.world.all_tasks())) == (1, 1)


async def test_what_has_moved_since_it_was_seen_is_left_alone(on_either: Setting) -> None:
    setting = on_either
    await setting.opened(1, 2)
    setting.world.complete_task(setting.task(1).id)
    setting.world.complete_task(setting.task(2).id)
    async with setting.reconciling() as reconciling:
        findings = await reconciling.find(thorough=False)
        await setting.change(1, leased_until=utc_now())
        async with bridge_running(setting.config) as bridge:
            await sent(bridge, jira_event(2, at=9, closed=True))
            await settled(bridge)
        await setting.change(1, leased_until=utc_now())
        assert (await reconciling.mend(findings.differences)).count == 0


# -- by itself ---------------------------------------------------------------------------------------------------------------------


async def test_11_the_service_notices_that_a_person_completed_the_task(tmp_path: Path) -> None:
    """Before the ticket closes: no error, no loop; told in the log and as a metric."""
    async with a_setting(tmp_path, api=False) as setting:
        config = setting.config.model_copy(update={"reconcile": None})
        async with bridge_running(config) as bridge, setting.reconciling() as reconciling:
            await sent(bridge, jira_event(1))
            await settled(bridge)
            setting.world.complete_task(1)
            await reconciling.run()
            assert reconciling.drift()["completed"] == 1
            (link,) = await settled(bridge)
            assert (link["task_state"], link["last_error"]) == ("completed", None)
            await reconciling.run()
            assert set(reconciling.drift().values()) == {0}
            await sent(bridge, jira_event(1, at=9, closed=True))
            await settled(bridge)
            await tasks_are(setting.world, 1)
            assert "CompleteTask" not in setting.world.journal.calls


async def test_on_schedule(tmp_path: Path) -> None:
    async with a_setting(tmp_path, api=False) as setting:
        document = setting.path.read_text() + "reconcile: 1s\n"
        setting.path.write_text(document)
        async with (
            bridge_process(setting.path) as process,
            httpx.AsyncClient(base_url=process.url, timeout=PATIENCE_S) as http,
        ):
            bridge = Bridge(process.url, http)
            await sent(bridge, jira_event(1))
            await settled(bridge)
            setting.world.complete_task(1)

            async def noticed() -> bool:
                return [link["task_state"] for link in await bridge.links()] == ["completed"]

            await until(noticed, "the reconciliation has noticed")
            metrics = (await http.get("/metrics")).text
            assert 'bridge_drift{kind="completed"}' in metrics
            told = [line for line in process.lines if line["event"] == "difference found"]
            assert [(line["kind"], line["ticket"], line["link"]) for line in told] == [("completed", "OPS-1", 1)]


async def test_a_run_that_orchestrator_fails_is_done_again(setting: Setting) -> None:
    await setting.opened(1)
    setting.world.complete_task(1)
    setting.world.faults.replace([Rule(operation="GetTasksAcrossFolders", kind="error", status=503, times=1)])
    async with setting.reconciling() as reconciling:
        with pytest.raises(Unavailable):
            await reconciling.find(thorough=False)
        await reconciling.run()
        assert reconciling.drift()["completed"] == 1


async def test_nothing_is_known_of_any_ticket(on_either: Setting) -> None:
    """The table lost but for its schema; the orphans' tracker does not show them; two runs at once."""
    setting = on_either
    await setting.opened(1, 2, 3)
    setting.issues.clear()
    async with setting.store() as store, store.database.writing() as connection:
        for table in (links, tickets, deliveries):
            await connection.execute(delete(table))
    async with setting.reconciling() as one, setting.reconciling() as other:
        await asyncio.gather(one.run(), other.run())
    async with bridge_running(setting.config) as bridge:
        assert sorted(link["ticket_key"] for link in await settled(bridge)) == ["OPS-1", "OPS-2", "OPS-3"]
    assert len(setting.world.all_tasks()) == 3
