"""What every command needs: the configuration, the way out, and errors that leave without a trace."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

if TYPE_CHECKING:
    from bridge.config import Config
    from bridge.store import Store

FAILED = 1
USAGE = 2

ConfigPath = Annotated[
    Path,
    typer.Option(
        "--config", "-c", envvar="BRIDGE_CONFIG", help="The configuration.", show_default="config.yaml", dir_okay=False
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
CONFIG = Path("config.yaml")


def say(text: str) -> None:
    """A message for the person, on stderr."""
    typer.echo(text, err=True)


def fail(text: str, code: int = FAILED) -> NoReturn:
    """End with a message."""
    say(text)
    raise typer.Exit(code)


def configuration(path: Path) -> "Config":
    """The valid configuration; otherwise every problem of it, and exit code 2."""
    from bridge import routes, trackers
    from bridge.config import load
    from bridge.errors import ConfigurationError

    try:
        return load(path, os.environ, checks=[routes.problems, trackers.problems])
    except ConfigurationError as error:
        count = len(error.problems)
        fail(f"{error}\n{count} problem{'s' if count > 1 else ''} in {path}; nothing was started", USAGE)


def run_async(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a command's coroutine on the fast loop where there is one; the bridge's own errors end it with their message."""
    from bridge.errors import BridgeError

    try:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(work())
    except (BridgeError, OSError) as error:
        fail(f"error: {error}")
    except KeyboardInterrupt:
        raise typer.Exit(FAILED) from None


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    import uvloop

    return uvloop.new_event_loop


@asynccontextmanager
async def store_of(config: "Config") -> "AsyncIterator[Store]":
    """The store of a configuration, for a command beside the service. Its schema must be current."""
    from bridge.service import open_store
    from bridge.store import revisions

    store = open_store(config, beside=True)
    try:
        found = await revisions(store.database)
        if not found.up_to_date:
            fail(
                f"the database {store.database.display} has schema {found.current or 'none'}, this version needs {found.head}: "
                f"{found.remedy}"
            )
        yield store
    finally:
        await store.database.close()
