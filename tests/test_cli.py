"""The commands, as a person types them."""

import json
import sqlite3
import sys
from pathlib import Path

import httpx
import pytest

from tests.driving import SECRET, bridge_running, configured, until, written
from tests.processes import bridge_process, command, sandbox_process
from tests.values import body_of, jira_event

pytestmark = pytest.mark.anyio

LACKING = [{"name": "all", "source": "jira", "task": {"data": {"customer": "{{ fields.customfield_9 }}"}}}]


async def test_help_names_every_command() -> None:
    ended = await command("--help")
    assert ended.code == 0
    for name in ("run", "demo", "sandbox", "check", "explain", "links", "deliveries", "database", "schema"):
        assert f"  {name} " in ended.out


async def test_check_says_that_all_is_well(tmp_path: Path) -> None:
    ended = await command("check", "--config", written(tmp_path))
    assert (ended.code, ended.err) == (0, "")
    assert "valid; 1 source, 1 route" in ended.out


async def test_a_wrong_configuration_never_starts_and_tells_all_its_mistakes_at_once(tmp_path: Path) -> None:
    path = written(tmp_path)
    path.write_text(
        path.read_text()
        .replace("timeout: 2s", "timeout: 2")
        .replace("catalog:", "catalogue:")
        .replace("when:", "wehn:")
    )
    for name in ("run", "check", "links"):
        arguments = ("links", "list") if name == "links" else (name,)
        ended = await command(*arguments, "--config", path)
        assert ended.code == 2
        assert "line" in ended.err
        assert "did you mean `catalog`?" in ended.err
        assert "did you mean `when`?" in ended.err
        assert "30s" in ended.err
        assert "3 problems" in ended.err
    assert not (tmp_path / "bridge.db").exists()


async def test_a_template_that_cannot_work_is_found_by_check_with_its_line(tmp_path: Path) -> None:
    ended = await command(
        "check", "--config", written(tmp_path, routes=[{"name": "a", "source": "jira", "when": "ticket.typ == 1"}])
    )
    assert ended.code == 2
    assert "routes[0].when: a ticket has no `typ`; did you mean `type`?" in ended.err
    assert "line " in ended.err


async def test_a_template_that_cannot_work_is_found_beside_other_mistakes(tmp_path: Path) -> None:
    routes = [{"name": "a", "source": "jura", "when": "ticket.typ == 1", "task": {"titel": "x"}}]
    ended = await command("check", "--config", written(tmp_path, routes=routes))
    assert "3 problems" in ended.err
    assert "did you mean `jira`?" in ended.err
    assert "did you mean `type`?" in ended.err
    assert "did you mean `title`?" in ended.err


async def test_a_missing_configuration_says_what_to_do(tmp_path: Path) -> None:
    ended = await command("run", cwd=tmp_path)
    assert ended.code == 2
    assert "config.yaml" in ended.err
    assert "Traceback" not in ended.err


async def test_explain_shows_the_exact_request(tmp_path: Path) -> None:
    payload = tmp_path / "payload.json"
    payload.write_bytes(body_of(jira_event(7)))
    ended = await command("explain", "jira", payload, "--config", written(tmp_path))
    assert ended.code == 0
    assert "POST http://127.0.0.1:1/tasks/GenericTasks/CreateTask" in ended.out
    assert "X-UIPATH-FolderPath: Shared" in ended.out
    assert '"parentOperationId": "bridge/jira/10007/1"' in ended.out
    assert "takes it  incidents" in ended.out


async def test_explain_of_another_project_says_why_the_route_does_not_take_it(tmp_path: Path) -> None:
    ended = await command(
        "explain", "jira", "-", "--config", written(tmp_path), stdin=body_of(jira_event(project="WEB"))
    )
    assert "ignored: no route selects this ticket" in ended.out
    assert "is false: ticket.project is 'WEB'" in ended.out


@pytest.mark.parametrize(
    ("arguments", "told"),
    [(("explain", "jura", "-"), "no source 'jura'"), (("explain", "jira", "nowhere.json"), "cannot read nowhere.json")],
)
async def test_explain_of_what_is_not_there(tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    ended = await command(*arguments, "--config", written(tmp_path))
    assert ended.code == 2
    assert told in ended.err


async def test_schema_is_json() -> None:
    ended = await command("schema")
    assert json.loads(ended.out)["title"]


async def test_a_database_is_upgraded_and_says_how_far_it_is(tmp_path: Path) -> None:
    path = written(tmp_path)
    assert "schema empty; this version needs" in (await command("database", "current", "--config", path)).out
    listed = await command("links", "list", "--config", path)
    assert listed.code == 1
    assert "run `bridge database upgrade`" in listed.err
    assert "upgraded from empty" in (await command("database", "upgrade", "--config", path)).out
    assert "is up to date" in (await command("database", "upgrade", "--config", path)).out
    assert (await command("links", "list", "--config", path)).out == "no links\n"


async def test_a_database_of_a_newer_version_is_refused_with_the_right_remedy(tmp_path: Path) -> None:
    path = written(tmp_path)
    await command("database", "upgrade", "--config", path)
    with sqlite3.connect(tmp_path / "bridge.db") as newer:
        newer.execute("UPDATE alembic_version SET version_num = '9999'")
    newer.close()
    for arguments in (("run",), ("database", "upgrade"), ("links", "list")):
        ended = await command(*arguments, "--config", path)
        assert ended.code == 1
        assert "newer version of the bridge" in ended.err
        assert "Traceback" not in ended.err


async def test_a_database_that_cannot_be_opened_is_told_with_its_place(tmp_path: Path) -> None:
    ended = await command("run", "--config", written(tmp_path, database={"url": "sqlite:///nowhere/bridge.db"}))
    assert ended.code == 1
    assert f"{tmp_path}/nowhere/bridge.db" in ended.err
    assert "check database.url" in ended.err
    assert "Traceback" not in ended.err


async def test_deliveries_and_links_are_listed_shown_and_mended(tmp_path: Path) -> None:
    """Scenario 14: a template refers to a field that this ticket lacks; it is parked with the field's name and replayed."""
    async with bridge_running(configured(tmp_path, routes=LACKING)) as bridge:
        await bridge.hook(jira_event(7))

        async def parked() -> bool:
            return bool(await bridge.deliveries(state="parked"))

        await until(parked, "the delivery is parked")
    path = tmp_path / "config.yaml"

    listed = json.loads((await command("deliveries", "list", "--json", "--state", "parked", "--config", path)).out)
    assert [delivery["id"] for delivery in listed] == [1]
    assert "customfield_9" in listed[0]["reason"]
    shown = await command("deliveries", "show", "1", "--config", path)
    assert '"key":"OPS-7"' in shown.out

    path.write_text(path.read_text().replace("fields.customfield_9", "fields.customfield_9 | default(none)"))
    dry = await command("deliveries", "replay", "--state", "parked", "--dry-run", "--config", path)
    assert dry.out == "would replay 1: 1\n"
    assert (
        "1 delivery will be replayed"
        in (await command("deliveries", "replay", "--state", "parked", "--config", path)).out
    )
    async with bridge_running(configured(tmp_path, routes=[{"name": "all", "source": "jira"}])) as bridge:

        async def linked() -> bool:
            return bool(await bridge.links(key="OPS-7"))

        await until(linked, "the replayed delivery made a link")

    links = json.loads((await command("links", "list", "--json", "--key", "OPS-7", "--config", path)).out)
    assert links[0]["ticket_id"] == "10007"
    assert "OPS-7" in (await command("links", "list", "--config", path)).out
    timeline = await command("links", "show", "OPS-7", "--config", path)
    assert "jira:issue_updated" in timeline.out
    assert "bridge/jira/10007/1" in timeline.out
    assert "1 link will be tried at once" in (await command("links", "retry", "OPS-7", "--config", path)).out
    assert "is forgotten" in (await command("links", "forget", "OPS-7", "--config", path)).out
    gone = await command("links", "show", "OPS-7", "--config", path)
    assert gone.code == 1
    assert "there is no link 'OPS-7'" in gone.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("deliveries", "replay"),
        ("deliveries", "replay", "--since", "yesterday"),
        ("deliveries", "list", "--state", "odd"),
        ("links", "list", "--state", "odd"),
        ("nonsense",),
        ("run", "--log-level", "loud"),
    ],
)
async def test_wrong_usage_is_exit_code_2(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    written(tmp_path)
    ended = await command(*arguments, cwd=tmp_path)
    assert ended.code == 2
    assert ended.err


async def test_a_configuration_is_found_by_its_variable(tmp_path: Path) -> None:
    ended = await command("check", BRIDGE_CONFIG=str(written(tmp_path)))
    assert ended.code == 0


async def test_run_says_where_it_listens_and_stops_on_sigterm(tmp_path: Path) -> None:
    sources = {
        "desk": {"type": "jira", "secrets": [SECRET], "verify": "query"},
        "jira": {"type": "jira", "secrets": [SECRET]},
        "shop": {"type": "jira", "secrets": ["s3cret"], "verify": "path"},
    }
    async with bridge_process(written(tmp_path, sources=sources)) as process:
        told = {line["event"]: line for line in process.lines}
        assert told["listening"]["database"].endswith("bridge.db")
        code = await process.stopped()
    assert code == 0
    addresses = [line["url"] for line in process.lines if line["event"] == "webhook address"]
    assert addresses == [f"{process.url}/hooks/{path}" for path in ("desk?token=…", "jira", "shop/…")]
    assert process.lines[-1]["event"] == "stopped"
    assert not any(secret in json.dumps(process.lines) for secret in (SECRET, "s3cret"))


async def test_an_address_that_is_taken_is_told(tmp_path: Path) -> None:
    async with bridge_process(written(tmp_path)) as process:
        port = int(process.url.rsplit(":", 1)[1])
        (tmp_path / "other").mkdir()
        ended = await command("run", "--config", written(tmp_path / "other", server={"port": port}))
    assert ended.code == 1
    assert f"cannot listen on 127.0.0.1:{port}" in ended.err
    assert "Traceback" not in ended.err


def _status(pid: int) -> str:
    return Path(f"/proc/{pid}/status").read_text()


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
async def test_an_idle_service_is_small(tmp_path: Path) -> None:
    async with bridge_process(written(tmp_path)) as process:
        status = _status(process.process.pid)
    resident_kb = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    assert resident_kb < 120_000


async def test_the_sandbox_serves_a_jira_beside_it() -> None:
    async def told_twice() -> bool:
        return len(sandbox.lines) > 1

    async with sandbox_process("--jira", "--jira-flavour", "server") as sandbox, httpx.AsyncClient() as http:
        await until(told_twice, "no second line")
        told = sandbox.lines[1]["event"].split()
        info = (await http.get(f"{told[2]}/rest/api/2/serverInfo")).json()

    assert told[:2] == ["Jira", "sandbox:"]
    assert info["deploymentType"] == "Server"
    assert (await command("sandbox", "--jira-flavour", "onprem")).err == "--jira-flavour is one of cloud, server\n"
