"""`bridge backfill`: links tickets that already exist."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from bridge.cli.context import CONFIG, USAGE, AsJson, ConfigPath, configuration, fail, run_async, say, store_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from bridge.config import Config
    from bridge.sync.backfill import Progress


def backfill(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="The source's name in the configuration.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show which routes would take how many tickets.")
    ] = False,
    config: ConfigPath = CONFIG,
    as_json: AsJson = False,
) -> None:
    """Link the tickets that are open in a tracker already. Stopped, it goes on where it stood."""
    loaded = configuration(config)
    if source not in loaded.sources:
        fail(f"there is no source {source}; there are: {', '.join(loaded.sources)}", USAGE)
    if getattr(loaded.sources[source], "api", None) is None:
        fail(f"source {source} has no `api`, so its tracker cannot be asked: add it to the configuration", USAGE)
    run_async(lambda: _backfill(loaded, source, dry_run=dry_run, as_json=as_json))


async def _backfill(config: "Config", source: str, *, dry_run: bool, as_json: bool) -> None:
    from bridge import logs
    from bridge.apis import ticket_apis
    from bridge.errors import RemoteError
    from bridge.service import followers, utc_now
    from bridge.sync.backfill import Backfill

    logs.configure("warning")
    async with store_of(config) as store, ticket_apis(config, utc_now) as apis:
        work = Backfill(followers(config)[source], apis[source], store, utc_now)
        begun = await work.where()
        if begun.begun and not dry_run:
            say(f"going on where an earlier backfill stood: {begun.done} tickets are done")
        try:
            ended = await _shown(work.try_out() if dry_run else work.run(), source, begun.done if not dry_run else 0)
        except RemoteError as error:
            at = await work.where()
            fail(f"error: {error}\n{at.done} tickets are done; run the same command again to go on")
    _summary(ended, dry_run=dry_run, as_json=as_json)


async def _shown(progress: "AsyncIterator[Progress]", source: str, done: int) -> "Progress":
    """The last word of a backfill, with a bar on stderr meanwhile."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(source, total=None, completed=done, rate="")
        async for ended in progress:
            speed = bar.tasks[0].speed
            bar.update(task, completed=ended.done, total=ended.total, rate=f"{speed:.0f}/s" if speed else "")
        bar.update(task, total=ended.done)
    return ended


def _summary(ended: "Progress", *, dry_run: bool, as_json: bool) -> None:
    counts = dict(ended.routes.most_common())
    if as_json:
        typer.echo(json.dumps({"dry_run": dry_run, "tickets": ended.done, "counts": counts}, indent=2))
        return
    from bridge.cli.tables import print_table

    typer.echo(f"{ended.done} open tickets" + (", nothing was changed" if dry_run else ""))
    rows = [{"tickets": count, "taken by": name} for name, count in counts.items()]
    print_table(("tickets", "taken by"), rows, empty="none of them is to be linked")
    if not dry_run:
        typer.echo("the running service, or the next `bridge run`, creates their tasks; `bridge links list` shows them")
