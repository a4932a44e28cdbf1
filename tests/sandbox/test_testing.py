"""The pytest plugin, as somebody else's tests use it."""

import re
from pathlib import Path

import pytest
import yaml

import bridge
from bridge.sandbox.orchestrator import read_seed

pytest_plugins = ["pytester"]

CONFTEST = 'pytest_plugins = ["bridge.testing"]\n'
OPTIONS = ("-W", "error", "-p", "no:cacheprovider", "-q")

TESTS = """
import asyncio
import urllib.error
import urllib.request

import httpx
import pytest

HEADERS = {"Authorization": "Bearer x", "X-UIPATH-FolderPath": "Shared"}
CREATE = "/tasks/GenericTasks/CreateTask"


def create(sandbox, title="Close Ticket"):
    return httpx.post(sandbox.url + CREATE, headers=HEADERS, json={"title": title})


def test_a_test_without_a_loop(orchestrator_sandbox):
    assert create(orchestrator_sandbox).status_code == 201
    (task,) = orchestrator_sandbox.tasks()
    assert (task["title"], task["status"]) == ("Close Ticket", 0)
    assert orchestrator_sandbox.calls() == {"CreateTask": 1}


def test_the_next_test_has_a_new_one_and_ids_begin_again(orchestrator_sandbox):
    assert orchestrator_sandbox.tasks() == []
    assert create(orchestrator_sandbox).json()["id"] == 1


def test_a_test_with_a_loop(orchestrator_sandbox):
    async def with_a_loop():
        async with httpx.AsyncClient(base_url=orchestrator_sandbox.url, headers=HEADERS) as client:
            await client.post(CREATE, json={"title": "t"})
            orchestrator_sandbox.do(lambda world: world.complete_task(1, action="close"))
            return (await client.get("/tasks/GenericTasks/GetTaskDataById?taskId=1")).json()

    assert asyncio.run(with_a_loop())["action"] == "close"
    assert orchestrator_sandbox.world.task(1).action == "close"


def test_faults(orchestrator_sandbox):
    orchestrator_sandbox.faults({"kind": "rate_limit", "retry_after": 3, "times": 1})
    refused = create(orchestrator_sandbox)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "3")
    orchestrator_sandbox.faults({"operation": "CreateTask", "kind": "drop", "when": "after"})
    with pytest.raises(httpx.TransportError):
        create(orchestrator_sandbox)
    orchestrator_sandbox.faults()
    assert create(orchestrator_sandbox).json()["id"] == 2
    with pytest.raises(ValueError, match="did you mean CreateTask"):
        orchestrator_sandbox.faults({"operation": "CreateTasks", "kind": "drop"})
    with pytest.raises(ValueError):
        orchestrator_sandbox.faults({"kind": "fire"})


def test_a_request_that_hangs_does_not_hold_up_the_end(orchestrator_sandbox):
    orchestrator_sandbox.faults({"kind": "hang"})
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(orchestrator_sandbox.url + CREATE, headers=HEADERS, json={"title": "t"}, timeout=0.05)


def test_reset(orchestrator_sandbox):
    create(orchestrator_sandbox)
    orchestrator_sandbox.reset()
    assert orchestrator_sandbox.state() == {
        "tasks": [], "calls": {}, "requests": [], "webhooks": [], "deliveries": []
    }
"""


@pytest.fixture(autouse=True)
def this_bridge(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not another one that happens to be installed."""
    monkeypatch.setenv("PYTHONPATH", str(Path(bridge.__file__).parents[1]))


def test_a_sandbox_for_each_test(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(TESTS)

    pytester.runpytest_subprocess(*OPTIONS).assert_outcomes(passed=6)


def test_the_seed_can_be_a_mapping_or_a_file(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(CONFTEST)
    pytester.makefile(".yaml", seed="tasks: [{title: from a file}]")
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture
        def orchestrator_seed(request):
            return getattr(request, "param", {"tasks": [{"title": "from a mapping"}]})

        def test_a_mapping(orchestrator_sandbox):
            assert [task["title"] for task in orchestrator_sandbox.tasks()] == ["from a mapping"]
            orchestrator_sandbox.reset()
            assert len(orchestrator_sandbox.tasks()) == 1

        @pytest.mark.parametrize("orchestrator_seed", ["seed.yaml"], indirect=True)
        def test_a_file(orchestrator_sandbox):
            assert [task["title"] for task in orchestrator_sandbox.tasks()] == ["from a file"]
        """
    )

    pytester.runpytest_subprocess(*OPTIONS).assert_outcomes(passed=2)


def test_a_jira_for_each_test(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(
        """
        import httpx
        import pytest

        from bridge.sandbox.jira import Fault

        @pytest.fixture
        def jira_options(request):
            return getattr(request, "param", {})

        def test_a_jira(jira_sandbox):
            issue, _ = jira_sandbox.do(lambda jira: jira.open("OPS", "Printer on fire"))
            found = httpx.get(f"{jira_sandbox.url}/rest/api/2/search/jql?jql=project=OPS&fields=summary").json()["issues"]
            assert [one["fields"]["summary"] for one in found] == ["Printer on fire"]
            assert found[0]["self"] == f"{jira_sandbox.url}/rest/api/2/issue/{issue.id}"
            assert jira_sandbox.calls() == {"search.jql": 1}

        def test_the_next_test_has_a_new_one(jira_sandbox, orchestrator_sandbox):
            assert jira_sandbox.world.issues == []
            assert jira_sandbox.url != orchestrator_sandbox.url

        def test_faults_and_webhooks(jira_sandbox):
            jira_sandbox.faults(Fault(status=429, retry_after=1))
            refused = httpx.get(f"{jira_sandbox.url}/rest/api/2/myself")
            assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
            jira_sandbox.faults()
            jira_sandbox.do(lambda jira: jira.hook(f"{jira_sandbox.url}/nobody"))
            jira_sandbox.do(lambda jira: jira.open("OPS", "x"))
            jira_sandbox.settled()
            assert [one.tries for one in jira_sandbox.world.hooks.deliveries] == [(404,)]

        @pytest.mark.parametrize("jira_options", [{"flavour": "server"}], indirect=True)
        def test_a_data_center(jira_sandbox):
            assert httpx.get(f"{jira_sandbox.url}/rest/api/2/search").json()["total"] == 0
        """
    )

    pytester.runpytest_subprocess(*OPTIONS).assert_outcomes(passed=4)


def test_a_wrong_seed_is_an_error_that_says_what_is_wrong(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture
        def orchestrator_seed():
            return {"task": []}

        def test_it(orchestrator_sandbox): ...
        """
    )

    result = pytester.runpytest_subprocess(*OPTIONS)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*orchestrator_seed: task: is not a key that is known here: did you mean `tasks`?*"])


def test_who_does_not_ask_for_it_does_not_have_it(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("import sys\n\n\ndef test_it():\n    assert 'bridge.testing' not in sys.modules\n")

    pytester.runpytest_subprocess(*OPTIONS).assert_outcomes(passed=1)


def test_what_the_manual_shows_works(pytester: pytest.Pytester) -> None:
    manual = (Path(__file__).parents[2] / "docs" / "sandbox.md").read_text(encoding="utf-8")
    (seed,) = re.findall(r"```yaml\n(.*?)```", manual, re.DOTALL)
    conftest, tests, jira = re.findall(r"```python\n(.*?)```", manual, re.DOTALL)
    assert len(read_seed(yaml.safe_load(seed)).tasks) == 2

    pytester.makeconftest(conftest)
    pytester.makepyfile(test_orchestrator=tests, test_jira=jira)

    pytester.runpytest_subprocess(*OPTIONS).assert_outcomes(passed=4)
