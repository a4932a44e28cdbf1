"""The judge around the sandbox: it hears what our client asks and what the sandbox answers, whoever asks."""

import asyncio
from dataclasses import replace

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

from bridge.sandbox.orchestrator import World, app
from bridge.sandbox.orchestrator.endpoints import OPERATIONS
from bridge.sandbox.orchestrator.endpoints.operation import json_response
from bridge.serving import serving
from tests.definitions import needs_definition
from tests.definitions.judging import OURS

SIGNED_IN = {"Authorization": "Bearer anything", "X-UIPATH-OrganizationUnitId": "1"}
pytestmark = [pytest.mark.anyio, needs_definition]

CREATE = "/tasks/GenericTasks/CreateTask"


async def test_what_is_wrong_at_a_sandbox_fails_its_test(judged_by_the_definition: list[str]) -> None:
    create = next(one for one in OPERATIONS if one.path == CREATE)
    wrong = replace(create, answer=lambda _: json_response({"id": "one"}, 201))
    answering = app.Answering(World(), wrong, asyncio.sleep)  # type: ignore[attr-defined]

    async with (
        serving(Starlette(routes=[Route(CREATE, answering, methods=["POST"])])) as url,
        httpx.AsyncClient(base_url=url, headers=SIGNED_IN) as client,
    ):
        await client.post(CREATE, json={"title": 1})
        assert [one.split(":")[0] for one in judged_by_the_definition] == [f"POST {CREATE} -> 201"]
        judged_by_the_definition.clear()
        await client.post(CREATE, json={"title": 1}, headers={"User-Agent": OURS})

    assert "GenericTasks_CreateTask: title: " in judged_by_the_definition[0]
    assert f"POST {CREATE} -> 201: id: " in judged_by_the_definition[1]
