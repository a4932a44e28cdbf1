"""The command line: one function a command. What a command needs is imported when it runs, so that `--help` is quick."""

import gc
import sys
from typing import Annotated

import typer

import bridge
from bridge.cli import backfill, database, deliveries, inspect, links, reconcile, run, show

_BETWEEN_COLLECTIONS = 20_000
"""New objects. What a command imports stays, and by default Python would look through it a hundred times meanwhile."""

app = typer.Typer(
    name="bridge",
    help="Keeps Jira and Salesforce tickets and UiPath Orchestrator tasks in step.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"bridge {bridge.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Keeps Jira and Salesforce tickets and UiPath Orchestrator tasks in step."""


app.command("run")(run.run)
app.command("demo")(show.demo)
app.command("sandbox")(show.sandbox)
app.command("check")(inspect.check)
app.command("explain")(inspect.explain)
app.command("schema")(inspect.schema)
app.command("backfill")(backfill.backfill)
app.command("reconcile")(reconcile.reconcile)
app.add_typer(links.app, name="links")
app.add_typer(deliveries.app, name="deliveries")
app.add_typer(database.app, name="database")


def main() -> None:
    """The console script."""
    gc.set_threshold(_BETWEEN_COLLECTIONS)
    try:
        app()
    except BrokenPipeError:  # the reader of our output has gone; that is its business
        sys.stderr.close()
