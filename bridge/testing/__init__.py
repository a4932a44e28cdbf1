"""A pytest plugin: an Orchestrator and a Jira to test against, for bots, integrations and scripts that use them.

    pytest_plugins = ["bridge.testing"]     # in the topmost conftest.py

    def test_my_script(orchestrator_sandbox, jira_sandbox):
        jira_sandbox.do(lambda jira: jira.open("OPS", "Printer on fire"))
        my_script(jira_sandbox.url, orchestrator_sandbox.url)
        assert [task["title"] for task in orchestrator_sandbox.tasks()] == ["Printer on fire"]

Each server runs in a thread with an event loop of its own, so it serves tests with a loop and without one. It is started once in a
session; every test has a world of its own in it, as the fixtures `orchestrator_seed` and `jira_options` say.
"""

from bridge.testing.jira import JiraSandbox, _jira_server, jira_options, jira_sandbox
from bridge.testing.orchestrator import (
    OrchestratorSandbox,
    _orchestrator_server,
    orchestrator_sandbox,
    orchestrator_seed,
)

__all__ = [
    "JiraSandbox",
    "OrchestratorSandbox",
    "_jira_server",
    "_orchestrator_server",
    "jira_options",
    "jira_sandbox",
    "orchestrator_sandbox",
    "orchestrator_seed",
]
