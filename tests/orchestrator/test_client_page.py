"""The client for a script: how it connects, and that what its page shows works as it stands there."""

import re
import textwrap
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

import bridge.orchestrator
from bridge.errors import ConfigurationError, Rejected
from bridge.orchestrator import Orchestrator, literal
from bridge.sandbox.orchestrator import NewTask, World, sandbox_serving
from tests.orchestrator.operations import KEY
from tests.orchestrator.standing_in import StandIn, json, standing_in

pytestmark = pytest.mark.anyio

PAGE = (Path(__file__).parents[2] / "docs" / "orchestrator-client.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
PRINTED = [
    r"\d+ 0\n",
    r"\['Shared'\]\n",
    r"2 close {'resolution': 'done'}\n",
    r"4711 1002 Task does not exist\.\n",
    r"1 first\n1 of 1\n",
    r"400 2451 No task catalog exists with name Nowhere\. \(HTTP 400, error 2451, trace 00-.*\)\n",
]


@pytest.fixture
async def url() -> AsyncIterator[str]:
    world = World()
    world.create_task(NewTask(title="first", external_tag="it's"))
    async with sandbox_serving(world) as base:
        yield base


@pytest.mark.parametrize("number", range(len(PRINTED)))
async def test_an_example_prints_what_it_should(number: int, url: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = f"async def example():\n{textwrap.indent(EXAMPLES[number], '    ')}"
    names: dict[str, Any] = {
        "Orchestrator": Orchestrator,
        "literal": literal,
        "Rejected": Rejected,
        "url": url,
        "token": "t",
        "secret": "s",
        "tag": "it's",
    }
    exec(compile(code, "docs/orchestrator-client.md", "exec"), names)  # noqa: S102 - our own page
    await names["example"]()
    assert re.fullmatch(PRINTED[number], capsys.readouterr().out)


def test_every_example_is_run() -> None:
    assert len(EXAMPLES) == len(PRINTED)


def test_what_is_public() -> None:
    assert bridge.orchestrator.__all__ == ["Listing", "Orchestrator", "Page", "Where", "folder_header", "literal"]


@pytest.mark.parametrize(
    ("where", "header"),
    [
        ("Shared/Tickets", {"x-uipath-folderpath": "Shared/Tickets"}),
        (828, {"x-uipath-organizationunitid": "828"}),
        (UUID(KEY), {"x-uipath-folderkey": KEY}),
        (None, {}),
    ],
)
async def test_the_folder_of_a_connection(
    where: Any, header: dict[str, str], judged_by_the_definition: list[str]
) -> None:
    server = StandIn(lambda _: json({"id": 1}))
    async with (
        standing_in(server) as other,
        Orchestrator.connect(other._server.url, token="t", folder=where) as orchestrator,
    ):
        await orchestrator.generic_tasks.get(1)
    sent = {name: value for name, value in server.asked[0].headers.items() if name.startswith("x-uipath")}
    assert sent == header
    if where is None:
        judged_by_the_definition.clear()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "give either `token`, or `client_id` and `client_secret`"),
        ({"token": "t", "client_id": "me", "client_secret": "s3cret"}, "give either"),
        ({"client_id": "me"}, "give either"),
        ({"client_secret": "s3cret"}, "give either"),
        ({"token": "t", "url": "ftp://x"}, "url: "),
        ({"token": ""}, "token: "),
        ({"token": "t", "folder": 0}, "folder_id: "),
        ({"token": "t", "folder": ""}, "folder_path: "),
        ({"client_id": "me", "client_secret": "s3cret", "token_url": "nowhere"}, "token_url: "),
    ],
)
def test_what_cannot_be_is_told_without_a_secret(arguments: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Orchestrator.connect(**{"url": "https://orchestrator.test", **arguments})
    assert said in str(caught.value)
    assert "s3cret" not in str(caught.value)


async def test_a_connection_takes_its_time() -> None:
    async with Orchestrator.connect("http://x.test/", token="t", timeout=timedelta(seconds=3)) as orchestrator:
        assert orchestrator._server.client.timeout.read == 3
        assert orchestrator._server.url == "http://x.test"
