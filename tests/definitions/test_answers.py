"""The judge of the sandbox's answers: it is there, and it finds fault with what is wrong."""

from typing import Any

import pytest

from bridge.sandbox.orchestrator.endpoints import OPERATIONS
from tests.definitions import answers, needs_definition

pytestmark = needs_definition

CREATE = "/tasks/GenericTasks/CreateTask"
OTHERS = {"Token", "Authenticate"}
"""What the definition does not have: identity, and a login that it has no more."""


def test_every_operation_is_the_definitions() -> None:
    for operation in OPERATIONS:
        known = answers.operation(operation.method, operation.path.replace("{", "").replace("}", ""))
        assert (known is not None) or operation.name in OTHERS, operation.name


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (CREATE, {"status": "Unassigned"}),
        (CREATE, {"id": "1"}),
        (CREATE, {"title": "x", "invented": 1}),
        (CREATE, {"key": "1"}),
        (CREATE, {"creationTime": "yesterday"}),
        (CREATE, {"tags": [{"name": "camelCase"}]}),
        ("/odata/TaskNotes/UiPath.Server.Configuration.OData.CreateTaskNote", {"CreatorUser": {"name": "Ada"}}),
        ("/odata/TaskNotes/UiPath.Server.Configuration.OData.CreateTaskNote", {"text": "x"}),
        ("/acme/Default/orchestrator_" + CREATE, {"priority": "Highest"}),
    ],
)
def test_an_answer_that_is_wrong(path: str, body: dict[str, Any]) -> None:
    assert answers.complaints("POST", path, 201, body)


def test_an_answer_that_is_right() -> None:
    body = {"status": 0, "id": 1, "type": "ExternalTask", "assignedToUser": None}

    assert answers.complaints("POST", CREATE, 201, body) == []
    assert answers.complaints("POST", "/tasks/GenericTasks/CompleteTask", 204, None) == []


@pytest.mark.parametrize(("status", "body"), [(200, {}), (418, None), (404, {"Message": "x"}), (204, None)])
def test_a_status_and_an_error_that_are_wrong(status: int, body: Any) -> None:
    assert answers.complaints("POST", CREATE, status, body)
