"""Each operation asks for what the guides and the definition say, and gives what they answer."""

import inspect
from typing import Any
from uuid import UUID

import pytest

from bridge.model import Folder
from bridge.orchestrator import Orchestrator, Page
from tests.definitions import needs_definition, requests
from tests.orchestrator.operations import BY_CLIENT, CASES, DOCUMENT, KEY, Case
from tests.orchestrator.standing_in import StandIn, answering, config, json, now, standing_in

pytestmark = pytest.mark.anyio

every_operation = pytest.mark.parametrize("case", CASES, ids=lambda case: case.client)


@every_operation
async def test_an_operation_asks_and_gives(case: Case) -> None:
    server = answering(case.status, case.answer)
    async with standing_in(server) as orchestrator:
        given = await case.call(orchestrator)
    (asked,) = server.asked
    assert (asked.method, asked.path, asked.body) == (case.method, case.path, case.body)
    assert asked.headers["authorization"] == "Bearer t"
    assert ("x-uipath-organizationunitid" in asked.headers) is case.folder
    assert (given.items if isinstance(given, Page) else given) == case.expected


@every_operation
async def test_an_operations_docstring_begins_with_its_method(case: Case) -> None:
    family, name = case.client.split(".")
    said = inspect.getdoc(getattr(getattr(Orchestrator(config("http://x")), family), name)) or ""
    assert said.startswith(f"`{case.method} ")


@needs_definition
@every_operation
async def test_an_operation_is_the_definitions(case: Case) -> None:
    operation = requests.operation_of(case.method, case.path.split("?")[0])
    assert operation is not None
    assert operation.id == case.operation


async def test_a_document_validation_task_as_the_guide_creates_it() -> None:
    body: Any = {
        "type": "DocumentValidationTask",
        "externalTag": "DV",
        "title": "Build Certificate",
        "priority": "Low",
        "data": DOCUMENT,
        "taskCatalogName": "MinodoraCertificates",
    }
    answer = {"status": 0, "data": DOCUMENT, "externalTag": "DV", "organizationUnitId": 1424, "id": 27627}
    server = answering(201, answer)
    async with standing_in(server) as orchestrator:
        assert await orchestrator.generic_tasks.create(body, folder="Shared") == answer
    assert server.asked[0].body == body


@pytest.mark.parametrize(
    "kind",
    ["FormTask", "ExternalTask", "DocumentValidationTask", "DocumentClassificationTask", "DataLabelingTask", "AppTask"],
)
async def test_a_task_of_every_type(kind: Any) -> None:
    server = answering(201, {"id": 1})
    async with standing_in(server) as orchestrator:
        await orchestrator.generic_tasks.create({"title": "t", "type": kind, "tags": [{"Name": "a"}]}, folder=1)
    assert server.asked[0].body["type"] == kind


async def test_errors_of_single_tasks_are_values() -> None:
    """One task of several may fail, and the others have changed all the same: raising would hide that."""
    case = BY_CLIENT["tasks.unassign"]
    async with standing_in(answering(case.status, case.answer)) as orchestrator:
        (error,) = await orchestrator.tasks.unassign([194, 177])
    assert (error["TaskId"], error["ErrorCode"]) == (177, 2400)


# -- folders -----------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "header", "value"),
    [
        ("Shared/Tickets", "x-uipath-folderpath", "Shared/Tickets"),
        ("Büro", "x-uipath-folderpath-encoded", "QgD8AHIAbwA="),
        (828, "x-uipath-organizationunitid", "828"),
        (UUID(KEY), "x-uipath-folderkey", KEY),
        (Folder("id", "7"), "x-uipath-organizationunitid", "7"),
    ],
)
async def test_a_folder_by_any_name(where: Any, header: str, value: str) -> None:
    server = answering(200, {"id": 1})
    async with standing_in(server) as orchestrator:
        await orchestrator.generic_tasks.get(1, folder=where)
    assert server.asked[0].headers[header] == value


async def test_the_configurations_folder_is_the_default_of_what_needs_one() -> None:
    server = StandIn(lambda _: json({"id": 1, "value": []}))
    async with standing_in(server) as stranger, Orchestrator(config(stranger._server.url, folder_id=828), now) as mine:
        await mine.generic_tasks.get(1)
        await mine.generic_tasks.get(1, folder=7)
        await mine.tasks.unassign([1])
        await mine.tasks.across_folders().page()
        await mine.webhooks.list().page()
    folders = [asked.headers.get("x-uipath-organizationunitid") for asked in server.asked]
    assert folders == ["828", "7", None, None, None]


# -- what never reaches the wire ---------------------------------------------------------------------------------------------------


async def test_a_misspelt_option_is_told() -> None:
    async with Orchestrator(config("http://127.0.0.1:9"), now) as orchestrator:
        with pytest.raises(TypeError, match="no such option: filters; there are expand, filter"):
            orchestrator.tasks.across_folders(filters="x")  # type: ignore[call-arg]
        with pytest.raises(TypeError, match="no such option: top"):
            await orchestrator.tasks.get(1, top=1)  # type: ignore[call-arg]


async def test_an_id_is_a_number_and_a_key_a_uuid() -> None:
    """Neither can smuggle a path into the URL."""
    async with Orchestrator(config("http://127.0.0.1:9"), now) as orchestrator:
        with pytest.raises(ValueError, match="format code 'd'"):
            await orchestrator.tasks.get("1)/x(")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="badly formed"):
            await orchestrator.tasks.get_by_key("1)/x(")


@needs_definition
async def test_a_request_that_is_none_of_the_definitions_fails_its_test(judged_by_the_definition: list[str]) -> None:
    async with standing_in(answering(201, {"id": 1})) as orchestrator:
        await orchestrator.generic_tasks.create({"title": "t" * 513, "priority": "Urgent"})  # type: ignore[typeddict-item]
        await orchestrator._server.send("GET", "odata/Tasks(1)?$top=1&select=Id", headers={"X-UIPATH-FolderKey": KEY})
        await orchestrator._server.send("GET", "odata/Task(1)")
    said = "\n".join(judged_by_the_definition)
    for each in ("no folder is named", "title: ", "priority: ", "has no $top", "has no select", "no such operation"):
        assert each in said
