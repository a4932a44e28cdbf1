"""The page that lists every operation is true, and misses none."""

import inspect

import pytest

from bridge.orchestrator import Orchestrator
from bridge.sandbox.orchestrator.endpoints import OPERATIONS
from tests.definitions import needs_definition, requests
from tests.orchestrator.api_table import FILE, NOT_IN_THE_SANDBOX_YET, NOT_SPOKEN, page
from tests.orchestrator.operations import BY_CLIENT, CASES
from tests.orchestrator.sandbox_table import sandbox_name
from tests.orchestrator.standing_in import config

pytestmark = pytest.mark.anyio
FAMILIES = ("generic_tasks", "tasks", "catalogs", "notes", "activities", "folders", "webhooks")


def rows() -> list[list[str]]:
    lines = [line for line in FILE.read_text().splitlines() if line.startswith("|")][2:]
    return [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in lines]


def test_the_page_is_as_it_would_be_written_now() -> None:
    assert FILE.read_text() == page(), "run `python -m tests.orchestrator.api_table`"


def test_no_cell_is_empty_and_the_sandboxs_names_are_its_own() -> None:
    names = {operation.name for operation in OPERATIONS}
    for operation, path, client, sandbox, scenes in rows():
        assert operation
        assert path
        assert scenes
        assert sandbox in names or (sandbox == "not yet" and client in NOT_IN_THE_SANDBOX_YET)


def test_what_the_sandbox_has_learnt_is_off_the_list() -> None:
    assert {client for client in NOT_IN_THE_SANDBOX_YET if sandbox_name(BY_CLIENT[client])} == set()


async def test_every_method_of_the_client_has_its_row() -> None:
    async with Orchestrator(config("http://127.0.0.1:9")) as orchestrator:
        methods = {
            f"{family}.{name}"
            for family in FAMILIES
            for name, _ in inspect.getmembers(getattr(orchestrator, family), inspect.ismethod)
            if not name.startswith("_")
        }
    assert methods == {client for _, _, client, _, _ in rows()} == set(BY_CLIENT)


@needs_definition
def test_every_operation_of_the_definition_is_spoken_or_left_out_for_a_reason() -> None:
    spoken = {case.operation for case in CASES}
    assert spoken <= set(requests.operations())
    left_out = {name.split("_")[0] for name in set(requests.operations()) - spoken}
    assert left_out == set(NOT_SPOKEN)
