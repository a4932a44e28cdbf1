"""A simulated Jira by a clock that stands still, and clients of it."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import httpx

from bridge.sandbox.jira import SimulatedJira, jira_serving
from tests.definitions.jira_answers import complaints

NOON = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
SECRET = "It's a Secret to Everybody"


class Clock:
    """Noon, until a test moves it on."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now

    def passes(self, **span: float) -> None:
        self.now += timedelta(**span)


def a_jira(clock: Clock | None = None, **options: Any) -> SimulatedJira:
    return SimulatedJira(SECRET, clock or Clock(), Random(1), **options)  # noqa: S311 - a die, not a secret


@asynccontextmanager
async def asking(
    jira: SimulatedJira, version: str = "2", waits: list[float] | None = None
) -> AsyncIterator[httpx.AsyncClient]:
    """A client below one version of the API. Instead of waiting, the Jira notes for how long it would have."""

    async def wait(seconds: float) -> None:
        if waits is not None:
            waits.append(seconds)

    hooks: dict[str, list[Any]] = {"response": [_judge] if jira.flavour == "cloud" else []}
    async with (
        jira_serving(jira, sleep=wait) as url,
        httpx.AsyncClient(base_url=f"{url}/rest/api/{version}", event_hooks=hooks) as client,
    ):
        yield client


async def _judge(response: httpx.Response) -> None:
    """Every answer that a test of Cloud gets is the definition's."""
    content = await response.aread()
    request = response.request
    wrong = complaints(request.method, request.url.path, response.status_code, json.loads(content) if content else None)
    assert not wrong, f"{request.method} {request.url.path} -> {response.status_code}: {wrong}"


def keys(answer: httpx.Response) -> list[str]:
    """The keys of the issues that were answered."""
    assert answer.status_code == 200, answer.text
    return [issue["key"] for issue in answer.json()["issues"]]


def words(answer: httpx.Response) -> str:
    """What an error says, after its status; always in the same shape."""
    body = answer.json()
    assert set(body) == {"errorMessages", "errors"}
    return f"{answer.status_code} {'; '.join([*body['errorMessages'], *map(' '.join, body['errors'].items())])}"
