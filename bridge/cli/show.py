"""`bridge demo` and `bridge sandbox`: the whole job on this machine, and the Orchestrator that it is done with."""

import asyncio
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bridge.cli.context import FAILED, USAGE, fail, run_async, say

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, MutableMapping
    from contextlib import AbstractAsyncContextManager

    from bridge.demo import Summary
    from bridge.sandbox.orchestrator import Seed


def demo(
    exit_when_done: Annotated[
        bool, typer.Option("--exit-when-done", help="End with a summary when every task is completed.")
    ] = False,
    tickets: Annotated[int, typer.Option(min=1, max=10_000, help="How many tickets to simulate.")] = 12,
    seed: Annotated[int, typer.Option(help="The same seed tells the same story.")] = 1,
    lose_webhooks: Annotated[
        float, typer.Option(min=0, max=1, help="The share of webhooks that never come: the bridge finds out by itself.")
    ] = 0.0,
) -> None:
    """Show the whole job on this machine: a bridge, a sandbox Orchestrator, a simulated Jira and Salesforce."""
    run_async(lambda: _demo(tickets, seed, lose_webhooks, exit_when_done=exit_when_done))


def sandbox(
    host: Annotated[str, typer.Option(help="Address to bind.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to bind; 0 takes a free one.")] = 8090,
    seed: Annotated[
        Path | None,
        typer.Option(help="YAML: folders, catalogs, users, clients, tasks, webhooks, faults.", dir_okay=False),
    ] = None,
    state: Annotated[
        Path | None, typer.Option(help="Keep everything in this SQLite file; without, in memory.", dir_okay=False)
    ] = None,
    webhook_breaker: Annotated[
        str | None,
        typer.Option(help="How long a webhook is silent after a failed call, such as 10m.", show_default="1h"),
    ] = None,
    jira: Annotated[bool, typer.Option("--jira", help="Serve a simulated Jira beside it.")] = False,
    jira_port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="The Jira's port.", show_default="the next one")
    ] = None,
    jira_flavour: Annotated[str, typer.Option(help="Which Jira it is: cloud or server.")] = "cloud",
) -> None:
    """Run the Orchestrator-compatible server alone. It lets anybody in, unless the seed names clients."""
    if jira_flavour not in ("cloud", "server"):
        fail("--jira-flavour is one of cloud, server", USAGE)
    if jira_port is None:
        jira_port = port and port + 1
    beside = _jira(host, jira_port, jira_flavour) if jira else nullcontext()
    run_async(lambda: _sandbox(host, port, seed, state, webhook_breaker, beside))


async def _demo(tickets: int, seed: int, lose: float, *, exit_when_done: bool) -> None:
    from random import Random

    from bridge.demo import PATIENCE, demo, play

    tell, random = _teller(), Random(seed)  # noqa: S311 - a story, not a secret
    _account(tell)
    async with demo(random, lose) as running:
        typer.echo(
            "A bridge, an Orchestrator sandbox, a simulated Jira and a simulated Salesforce run on this machine:\n"
        )
        typer.echo(f"  bridge    {running.bridge}/api/v1/links")
        typer.echo(f"  sandbox   {running.sandbox}/ (its tasks, as a page)")
        typer.echo(f"  webhooks  {running.bridge}/hooks/jira and {running.bridge}/hooks/crm\n")
        try:
            summary = await play(running, tickets, random, tell)
        except TimeoutError:
            fail(f"after {PATIENCE.total_seconds():.0f} s not every task is completed: see the lines above")
        _summarise(summary)
        if not exit_when_done:
            typer.echo("\nAll of it goes on running; look at their pages, and end them with Ctrl-C.")
            await asyncio.Event().wait()
        if not summary.right:
            raise typer.Exit(FAILED)


def _teller() -> "Callable[[str, str], None]":
    """Prints a line of the account: when, who, what."""
    from time import monotonic

    from rich.console import Console
    from rich.markup import escape

    console, began = Console(soft_wrap=True, highlight=False), monotonic()
    colours = {"jira": "blue", "crm": "cyan", "bridge": "green"}

    def tell(who: str, what: str) -> None:
        console.print(f"[dim]{monotonic() - began:6.2f}s[/dim]  [{colours[who]}]{who:6}[/]  {escape(what)}")

    return tell


def _account(tell: "Callable[[str, str], None]") -> None:
    """The bridge's decisions, which are the lines of its log, as lines of the account."""
    import structlog

    def as_account(_logger: object, _method: str, line: "MutableMapping[str, Any]") -> str:
        subject = " ".join(str(line[name]) for name in ("ticket", "source") if name in line).split(" ")[0]
        task = f" {line['task']}" if "task" in line else ""
        reason = line.get("error") or line.get("reason")
        tell("bridge", f"{subject} {line['event']}{task}{f': {reason}' if reason else ''}".strip())
        raise structlog.DropEvent

    structlog.configure(processors=[as_account], wrapper_class=structlog.make_filtering_bound_logger(20))


def _summarise(summary: "Summary") -> None:
    lost = f"; {summary.lost} more were lost" if summary.lost else ""
    typer.echo(
        f"\n{summary.webhooks} webhooks ({summary.duplicates} of them twice, some late{lost}) of {summary.tickets} tickets"
        f" and {summary.others} that no route selects:"
    )
    typer.echo(f"{summary.tasks} tasks created, {summary.completed} completed.")
    missing, doubled = max(summary.tickets - summary.tasks, 0), max(summary.tasks - summary.tickets, 0)
    typer.echo(f"{missing} lost, {doubled} doubled.")


async def _sandbox(
    host: str,
    port: int,
    seed: Path | None,
    state: Path | None,
    breaker: str | None,
    beside: "AbstractAsyncContextManager[None]",
) -> None:
    import signal

    from bridge.sandbox.orchestrator import StateError, beginning, sandbox_serving

    chosen = _seed(seed, breaker)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    try:
        with beginning(chosen, state) as world:
            async with sandbox_serving(world, host, port) as url:
                say(f"Orchestrator sandbox: {url} ({_described(chosen, state)}; its tasks are on the page)")
                async with beside:
                    await stop.wait()
    except StateError as error:
        fail(f"error: {error}")


@asynccontextmanager
async def _jira(host: str, port: int, flavour: str) -> "AsyncIterator[None]":
    """A Jira while this lasts."""
    from random import Random

    from bridge.sandbox.jira import SimulatedJira, jira_serving
    from bridge.service import utc_now

    jira = SimulatedJira("secret", utc_now, Random(), flavour="server" if flavour == "server" else "cloud")  # noqa: S311 - a die
    async with jira_serving(jira, host, port) as url:
        kind = "Jira Cloud" if flavour == "cloud" else "Jira Data Center"
        say(
            f"Jira sandbox: {url} ({kind}; project {', '.join(jira.catalog.projects)}; any credentials; kept in memory)"
        )
        yield


def _seed(path: Path | None, breaker: str | None) -> "Seed":
    from bridge.sandbox.orchestrator import Seed, SeedError, load_seed, read_duration

    try:
        seed = load_seed(path) if path else Seed()
        return seed.model_copy(update={"webhook_breaker": read_duration(breaker)}) if breaker else seed
    except SeedError as error:
        count = len(error.problems)
        fail(f"{error}\n{count} problem{'s' if count > 1 else ''} in {path}; nothing was started", USAGE)
    except ValueError as error:
        fail(f"--webhook-breaker {error}", USAGE)


def _described(seed: "Seed", state: Path | None) -> str:
    """What somebody who starts it needs to know."""
    folders = seed.folders
    first, catalogs = folders[0], ", ".join(folders[0].catalogs) or "none"
    where = f"folder {first.path}, catalog {catalogs}" if len(folders) == 1 else f"{len(folders)} folders"
    door = "only whom the seed names comes in" if not seed.open else "any bearer token"
    return f"{where}; {door}; {f'kept in {state}' if state else 'kept in memory'}"
