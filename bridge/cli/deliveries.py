"""`bridge deliveries`: the inbox."""

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bridge.cli.context import CONFIG, AsJson, ConfigPath, configuration, fail, run_async, store_of

if TYPE_CHECKING:
    from bridge.config import Config
    from bridge.model import DeliveryState
    from bridge.store import DeliveryFilter, Store

app = typer.Typer(help="The inbox: the webhooks as they came.", no_args_is_help=True)

State = Annotated[str | None, typer.Option(help="pending, applied, ignored or parked.")]
Since = Annotated[str | None, typer.Option(help="Received since: a time (2026-01-31T08:00Z), or an age (2h, 7d).")]
_LARGEST_ID = 10**18
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


@app.command("list")
def list_(
    config: ConfigPath = CONFIG,
    as_json: AsJson = False,
    source: Annotated[str | None, typer.Option(help="Only of this source.")] = None,
    state: State = None,
    since: Since = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many at most.")] = 50,
) -> None:
    """List deliveries, the newest first."""
    wanted = _filter(state, since, source=source, limit=limit)
    loaded = configuration(config)
    run_async(lambda: _list(loaded, wanted, as_json=as_json))


@app.command()
def show(
    delivery: Annotated[int, typer.Argument(metavar="ID", help="A delivery's id.", max=_LARGEST_ID)],
    config: ConfigPath = CONFIG,
    as_json: AsJson = False,
) -> None:
    """Show a delivery as it came."""
    loaded = configuration(config)
    run_async(lambda: _show(loaded, delivery, as_json=as_json))


@app.command()
def replay(
    ids: Annotated[list[int] | None, typer.Argument(metavar="[ID…]", help="Deliveries' ids.", max=_LARGEST_ID)] = None,
    since: Since = None,
    state: State = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show which.")] = False,
    config: ConfigPath = CONFIG,
) -> None:
    """Hand deliveries to the intake once more; what is right already does not change."""
    if not ids and since is None and state is None:
        fail("name deliveries by their ids, or choose them by --since or --state", 2)
    wanted = None if ids else _filter(state, since, limit=1000)
    loaded = configuration(config)
    run_async(lambda: _replay(loaded, ids or [], wanted, dry_run=dry_run))


async def _list(config: "Config", wanted: "DeliveryFilter", *, as_json: bool) -> None:
    from bridge.present import delivery_json

    async with store_of(config) as store:
        found = [delivery_json(delivery) for delivery in await store.inbox.list(wanted)]
    if as_json:
        typer.echo(json.dumps(found, indent=2))
        return
    from bridge.cli.tables import print_table

    print_table(("id", "received_at", "source", "event", "ticket_id", "state", "reason"), found, empty="no deliveries")


async def _show(config: "Config", delivery_id: int, *, as_json: bool) -> None:
    from bridge.present import delivery_json

    async with store_of(config) as store:
        found = await store.inbox.get(delivery_id)
    if found is None:
        fail(f"there is no delivery {delivery_id}")
    shown = delivery_json(found, body=True)
    if as_json:
        typer.echo(json.dumps(shown, indent=2))
        return
    body = shown.pop("body")
    for name, value in shown.items():
        typer.echo(f"{name:12} {value if value is not None else '-'}")
    typer.echo(f"\n{body}")


async def _replay(config: "Config", ids: list[int], wanted: "DeliveryFilter | None", *, dry_run: bool) -> None:
    async with store_of(config) as store:
        if wanted is not None:
            ids = [found async for found in _all(store, wanted)]
        if dry_run:
            typer.echo(f"would replay {len(ids)}: {' '.join(map(str, ids))}" if ids else "nothing to replay")
            return
        count = 0
        for start in range(0, len(ids), 500):
            count += await store.inbox.replay(ids[start : start + 500])
    if ids and not count:
        fail(f"there is no delivery {' '.join(map(str, ids))}")
    typer.echo(f"{count} deliver{'ies' if count != 1 else 'y'} will be replayed by the running service")


async def _all(store: "Store", wanted: "DeliveryFilter") -> Any:
    from msgspec.structs import replace

    while page := await store.inbox.list(wanted):
        for delivery in page:
            yield delivery.id
        wanted = replace(wanted, before=page[-1].id)


def _filter(state: str | None, since: str | None, **others: Any) -> "DeliveryFilter":
    from bridge.store import DeliveryFilter

    return DeliveryFilter(state=_state(state), since=_since(since), **others)


def _state(text: str | None) -> "DeliveryState | None":
    from bridge.model import DeliveryState

    if text is not None and text not in list(DeliveryState):
        fail(f"--state is one of {', '.join(DeliveryState)}", 2)
    return None if text is None else DeliveryState(text)


def _since(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        if text[:-1].isdecimal() and text[-1] in _UNITS:
            return datetime.now(UTC) - timedelta(**{_UNITS[text[-1]]: int(text[:-1])})
        at = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        fail(f"--since {text!r} is neither a time (2026-01-31T08:00Z) nor an age (30m, 2h, 7d)", 2)
    return at if at.tzinfo else at.replace(tzinfo=UTC)
