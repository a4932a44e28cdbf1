"""Bridges in processes of their own: started, watched, stopped and killed as an operator's would be."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.definitions.judging import COMPLAINT
from tests.driving import PATIENCE_S, Bridge

COMMAND = (sys.executable, "-W", "error", "-m", "bridge")
JUDGED_COMMAND = (sys.executable, "-W", "error", "-m", "tests.definitions.judging")
"""The same commands, which complain on standard error about what is not Orchestrator's definition."""
PROJECT = Path(__file__).parents[1]


@dataclass
class BridgeProcess:
    """A `bridge run`; its log is read as it is written, so that it never blocks."""

    process: asyncio.subprocess.Process
    url: str
    lines: list[dict[str, Any]] = field(default_factory=list)

    def kill(self) -> None:
        """kill -9."""
        self.process.kill()

    async def stopped(self) -> int:
        """SIGTERM, and its exit code."""
        self.process.terminate()
        return await self.process.wait()


@asynccontextmanager
async def bridge_process(config: Path, *arguments: str, **environment: str) -> AsyncIterator[BridgeProcess]:
    """A running `bridge run`; killed on leaving if it still runs."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        "run",
        "--config",
        str(config),
        *arguments,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **environment},
    )
    assert process.stderr is not None
    lines: list[dict[str, Any]] = []
    url = ""
    while not url:
        line = await process.stderr.readline()
        assert line, f"bridge run ended: {lines}"
        lines.append(_read(line))
        if lines[-1].get("event") == "listening":
            url = lines[-1]["url"]
    running = BridgeProcess(process, url, lines)
    reading = asyncio.create_task(_follow(process.stderr, lines))
    try:
        yield running
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await reading


@dataclass(frozen=True)
class Replica(Bridge):
    """A bridge in a process of its own, as its users see it and as its operator does."""

    process: BridgeProcess


@asynccontextmanager
async def replica(config: Path, **environment: str) -> AsyncIterator[Replica]:
    """A running `bridge run`, one of several on the same database or the only one."""
    async with (
        bridge_process(config, **environment) as process,
        httpx.AsyncClient(base_url=process.url, timeout=PATIENCE_S, verify=False) as http,  # noqa: S501 - loopback
    ):
        yield Replica(process.url, http, process)


async def _follow(stream: asyncio.StreamReader, lines: list[dict[str, Any]]) -> None:
    while line := await stream.readline():
        lines.append(_read(line))


def _read(line: bytes) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(line)
    except ValueError:
        return {"event": line.decode(errors="replace").rstrip()}
    return found


@dataclass(frozen=True)
class Ended:
    """A command that has ended."""

    code: int
    out: str
    err: str


async def command(*arguments: str | Path, stdin: bytes = b"", cwd: Path | None = None, **environment: str) -> Ended:
    """Run one of bridge's commands to its end."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        *map(str, arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=cwd,
        env={**os.environ, **environment},
    )
    out, err = await process.communicate(stdin)
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), err.decode())


@asynccontextmanager
async def sandbox_process(*arguments: str | Path) -> AsyncIterator[BridgeProcess]:
    """A running `bridge sandbox` on a free port; killed on leaving if it still runs."""
    process = await asyncio.create_subprocess_exec(
        *JUDGED_COMMAND,
        "sandbox",
        "--port",
        "0",
        *map(str, arguments),
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
    )
    assert process.stderr is not None
    first = (await process.stderr.readline()).decode()
    assert first.startswith("Orchestrator sandbox: "), first + (await process.stderr.read()).decode()
    running = BridgeProcess(process, first.split()[2], [_read(first.encode())])
    reading = asyncio.create_task(_follow(process.stderr, running.lines))
    try:
        yield running
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
        await reading
    assert [line for line in running.lines if line["event"].startswith(COMPLAINT)] == []
