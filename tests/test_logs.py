"""Logs: their form, when they are written, and that a secret in a local variable is in no traceback."""

import asyncio
import io
import json
from collections.abc import Iterator

import pytest
import structlog

from bridge import logs


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def failing(secret: str) -> None:
    raise ValueError(f"a mistake of {len(secret)}")


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()], ids=["json", "terminal"])
def test_a_traceback_has_no_locals(stream: io.StringIO) -> None:
    logs.configure(stream=stream)
    secret = "s3cret"
    try:
        failing(secret)
    except ValueError:
        structlog.get_logger().exception("it failed", link=7)
    assert "a mistake of 6" in stream.getvalue()
    assert "s3cret" not in stream.getvalue().replace('secret = "s3cret"', "")


def test_a_line_that_is_not_for_a_terminal_is_json() -> None:
    stream = io.StringIO()
    logs.configure(stream=stream)
    structlog.get_logger().info("task created", ticket="OPS-1")
    structlog.get_logger().debug("too quiet")
    (line,) = stream.getvalue().splitlines()
    assert json.loads(line)["ticket"] == "OPS-1"


@pytest.mark.anyio
async def test_what_goes_well_is_written_together_and_what_does_not_at_once() -> None:
    stream = io.StringIO()
    logs.configure(stream=stream)
    log = structlog.get_logger()

    def told() -> list[str]:
        return [json.loads(line)["event"] for line in stream.getvalue().splitlines()]

    log.info("first")
    log.info("second")
    assert told() == []
    await asyncio.sleep(0)
    assert told() == ["first", "second"]
    log.info("third")
    log.error("fourth")
    assert told() == ["first", "second", "third", "fourth"]
    log.info("fifth")
    await asyncio.to_thread(log.info, "from a thread")
    assert told()[4:] == ["fifth", "from a thread"]


def test_the_last_lines_of_a_loop_are_written() -> None:
    stream = io.StringIO()
    logs.configure(stream=stream)

    async def last() -> None:
        structlog.get_logger().info("stopped")

    for _ in range(2):
        asyncio.run(last())
    assert len(stream.getvalue().splitlines()) == 2
