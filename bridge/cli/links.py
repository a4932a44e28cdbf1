"""`bridge links`: the mapping table."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bridge.cli.context import CONFIG, AsJson, ConfigPath, configuration, fail, run_async, say, store_of

if TYPE_CHECKING:
    from bridge.config import Config
    from bridge.model import Link
    from bridge.store import Store

app = typer.Typer(help="The mapping table: which ticket has which task.", no_args_is_help=True)

LinkName = Annotated[str, typer.Argument(metavar="ID", help="A link's id, or a ticket's key.")]


@app.command("list")
def list_(
    config: ConfigPath = CONFIG,
    as_json: AsJson = False,
    source: Annotated[str | None, typer.Option(help="Only of this source.")] = None,
    state: Annotated[str | None, typer.Option(help="pending, waiting, settled or parked.")] = None,
    key: Annotated[str | None, typer.Option(help="Only of this ticket's key.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many at most.")] = 50,
) -> None:
    """List links, the newest first."""
    from bridge.model import LinkState

    if state is not None and state not in list(LinkState):
        fail(f"--state is one of {', '.join(LinkState)}", 2)
    loaded = configuration(config)
    run_async(
        lambda: _list(
            loaded, {"source": source, "state": state and LinkState(state), "key": key, "limit": limit}, as_json=as_json
        )
    )


@app.command()
def show(link: LinkName, config: ConfigPath = CONFIG, as_json: AsJson = False) -> None:
    """Show a ticket's whole timeline: deliveries, attempts, generations."""
    loaded = configuration(config)
    run_async(lambda: _show(loaded, link, as_json=as_json))


@app.command()
def retry(
    links: Annotated[list[str], typer.Argument(metavar="ID…", help="Links' ids, or tickets' keys.")],
    config: ConfigPath = CONFIG,
) -> None:
    """Try links again at once, parked or waiting."""
    loaded = configuration(config)
    run_async(lambda: _retry(loaded, links))


@app.command()
def forget(link: LinkName, config: ConfigPath = CONFIG) -> None:
    """Remove a link from the table. Its task stays in Orchestrator; while that is open, a reconciliation links it again."""
    loaded = configuration(config)
    run_async(lambda: _forget(loaded, link))


async def _list(config: "Config", wanted: dict[str, Any], *, as_json: bool) -> None:
    from bridge.present import link_json
    from bridge.service import utc_now
    from bridge.store import LinkFilter

    async with store_of(config) as store:
        now = utc_now()
        found = [link_json(link, now) for link in await store.links.list(LinkFilter(**wanted), now)]
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    from bridge.cli.tables import print_table

    columns = (
        "id",
        "ticket_key",
        "ticket_state",
        "generation",
        "route",
        "task_id",
        "task_state",
        "state",
        "last_error",
    )
    print_table(columns, found, empty="no links")


async def _show(config: "Config", name: str, *, as_json: bool) -> None:
    async with store_of(config) as store:
        generations = await _generations(store, name)
        shown = [await _timeline(store, link) for link in generations]
        deliveries = await _deliveries(store, generations[0])
    if as_json:
        typer.echo(json.dumps({"links": shown, "deliveries": deliveries}, indent=2))
        return
    from bridge.cli.tables import print_timeline

    print_timeline(shown, deliveries)


async def _timeline(store: "Store", link: "Link") -> dict[str, Any]:
    from bridge.present import attempt_json, link_json
    from bridge.service import utc_now

    made = [attempt_json(attempt) for attempt in await store.links.attempts(link.id)]
    return {**link_json(link, utc_now()), "correlation_key": link.correlation_key, "attempts_made": made}


async def _deliveries(store: "Store", link: "Link") -> list[dict[str, Any]]:
    from bridge.present import delivery_json
    from bridge.store import DeliveryFilter

    of = DeliveryFilter(source=link.source, ticket_id=link.ticket_id, limit=500)
    return [delivery_json(delivery) for delivery in reversed(await store.inbox.list(of))]


async def _retry(config: "Config", names: list[str]) -> None:
    from functools import partial

    from bridge.service import followers, refresh, utc_now

    render = partial(refresh, followers(config))
    async with store_of(config) as store:
        ids = [(await _generations(store, name))[-1].id for name in names]
        count = await store.links.retry(ids, utc_now(), render)
    typer.echo(f"{count} link{'s' if count != 1 else ''} will be tried at once by the running service")


async def _forget(config: "Config", name: str) -> None:
    async with store_of(config) as store:
        link = (await _generations(store, name))[-1]
        await store.links.forget(link.id)
    typer.echo(f"link {link.id} ({link.ticket_key}, generation {link.generation}) is forgotten")
    if link.task_id is not None:
        say(f"task {link.task_id} stays as it is in Orchestrator")


async def _generations(store: "Store", name: str) -> "list[Link]":
    """The links of a ticket, the oldest first; or the one of an id."""
    from bridge.service import utc_now
    from bridge.store import LinkFilter

    if name.isascii() and name.isdecimal() and len(name) <= 18 and (link := await store.links.get(int(name))):
        return [link]
    found = await store.links.list(LinkFilter(key=name, limit=100), utc_now())
    if not found:
        fail(f"there is no link {name!r}: give a link's id or a ticket's key, as `bridge links list` shows them")
    of = LinkFilter(source=found[0].source, ticket_id=found[0].ticket_id, limit=100)
    return list(reversed(await store.links.list(of, utc_now())))
