"""`bridge demo` and `bridge sandbox`: the whole job on this machine, and the Orchestrator that it is done with."""

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bridge.cli.context import FAILED, fail, run_async, say

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping

    from bridge.demo import Summary


def demo(
    exit_when_done: Annotated[
        bool, typer.Option("--exit-when-done", help="End with a summary when every task is completed.")
    ] = False,
    tickets: Annotated[int, typer.Option(min=1, max=10_000, help="How many tickets to simulate.")] = 12,
    seed: Annotated[int, typer.Option(help="The same seed tells the same story.")] = 1,
) -> None:
    """Show the whole job on this machine: a bridge, a sandbox Orchestrator, a simulated Jira and Salesforce."""
    run_async(lambda: _demo(tickets, seed, exit_when_done=exit_when_done))


def sandbox(
    host: Annotated[str, typer.Option(help="Address to bind.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to bind; 0 takes a free one.")] = 8090,
) -> None:
    """Run the Orchestrator-compatible server alone. Its state is in memory, and it lets anybody in."""
    run_async(lambda: _sandbox(host, port))


async def _demo(tickets: int, seed: int, *, exit_when_done: bool) -> None:
    from random import Random

    from bridge.demo import PATIENCE, demo, play

    tell = _teller()
    _account(tell)
    async with demo() as running:
        typer.echo(
            "A bridge, an Orchestrator sandbox, a simulated Jira and a simulated Salesforce run on this machine:\n"
        )
        typer.echo(f"  bridge    {running.bridge}/api/v1/links")
        typer.echo(f"  sandbox   {running.sandbox}/ (its tasks, as a page)")
        typer.echo(f"  webhooks  {running.bridge}/hooks/jira and {running.bridge}/hooks/crm\n")
        try:
            summary = await play(running, tickets, Random(seed), tell)  # noqa: S311 - a story, not a secret
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
    typer.echo(
        f"\n{summary.webhooks} webhooks ({summary.duplicates} of them twice, some late) of {summary.tickets} tickets"
        f" and {summary.others} that no route selects:"
    )
    typer.echo(f"{summary.tasks} tasks created, {summary.completed} completed.")
    lost, doubled = max(summary.tickets - summary.tasks, 0), max(summary.tasks - summary.tickets, 0)
    typer.echo(f"{lost} lost, {doubled} doubled.")


async def _sandbox(host: str, port: int) -> None:
    import signal

    from bridge.sandbox.orchestrator import World, sandbox_serving

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with sandbox_serving(World(), host, port) as url:
        say(
            f"Orchestrator sandbox: {url} (folder Shared, catalog Tickets; any bearer token; its tasks are on the page)"
        )
        await stop.wait()
