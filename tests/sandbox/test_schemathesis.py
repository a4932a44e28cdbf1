"""Schemathesis makes up requests from UiPath's definition, right ones and wrong ones: no operation answers 500, or what is undeclared.

The statuses that the definition does not declare and that are answered all the same are `answers.UNDECLARED_ERRORS`. Every answer
is judged as in the other tests.
"""

from copy import deepcopy
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import status_code_conformance

from bridge.sandbox.orchestrator import NewTask, World
from bridge.sandbox.orchestrator.endpoints import OPERATIONS
from bridge.sandbox.orchestrator.model import Assignment
from tests import definitions
from tests.definitions import answers, needs_definition
from tests.sandbox.conftest import FOLDERS
from tests.sandbox.threads import sandbox_in_thread

pytestmark = needs_definition

EXAMPLES = 12
"""Of each kind for each operation: about a minute for all."""
SOME_IDS = [1, 2, 3, 4, 5, 1001]
"""Ids of tasks, catalogs, folders and users: right requests have no others, so that they reach what they ask for."""


def operations() -> list[tuple[str, str]]:
    """Method and path of every operation that both sides have."""
    if not definitions.FILE.exists():
        return []
    return [
        (one.method, path)
        for one in OPERATIONS
        for path, methods in definitions.document()["paths"].items()
        if one.method.lower() in methods and _shape(one.path) == _shape(path)
    ]


def _shape(path: str) -> str:
    """A path without its parameters' names."""
    parts = path.replace("}", "{").split("{")
    return "{}".join(parts[::2])


def _schema(method: str, path: str) -> Any:
    """The definition of one operation: in a folder that is there, of ids that may be, in plain JSON, with its errors."""
    document = deepcopy(
        {key: value for key, value in definitions.document().items() if key not in ("servers", "paths")}
    )
    operation = deepcopy(definitions.document()["paths"][path][method.lower()])
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "header":
            parameter["schema"]["enum"] = [1]
    content = operation.get("requestBody", {}).get("content", {})
    for media in list(content)[1:]:
        del content[media]
    if content:
        content["application/json"] = content.pop(next(iter(content)))
    for status in answers.UNDECLARED_ERRORS:
        operation["responses"].setdefault(str(status), {"description": "An error."})
    document["paths"] = {path: {method.lower(): operation}}
    _know_ids(document)
    return schemathesis.openapi.from_dict(document)


def _know_ids(node: Any) -> None:
    """Let every number of 64 bits be one of ours."""
    if isinstance(node, dict) and node.get("format") == "int64":
        node.setdefault("enum", SOME_IDS)
    for one in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        _know_ids(one)


def _world() -> World:
    """Tasks 1 to 4: nobody's, Ada's, completed, deleted."""
    world = World(folders=FOLDERS)
    for _ in range(4):
        world.create_task(NewTask(title="A ticket", catalog="Tickets", tags=[]))
    world.assign(Assignment(task_id=2, user_id=1001))
    world.comment(2, "On it.")
    world.complete_task(3)
    world.delete_task(4)
    return world


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["right", "wrong"])
@pytest.mark.parametrize(("method", "path"), operations(), ids=lambda text: text.rpartition(".")[2])
def test_made_up_requests(method: str, path: str, mode: GenerationMode) -> None:
    cases = _schema(method, path)[path][method].as_strategy(generation_mode=mode)

    with sandbox_in_thread(_world()) as url:

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=cases)
        def hold(case: schemathesis.Case[Any]) -> None:
            response = case.call(base_url=url, headers={"Authorization": "Bearer anything"})
            case.validate_response(response, checks=[not_a_server_error, status_code_conformance])

        hold()
