"""`bridge check`, `explain` and `schema`: what a configuration says and does, without running it."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bridge.cli.addresses import address
from bridge.cli.context import CONFIG, FAILED, AsJson, ConfigPath, configuration, fail, run_async

if TYPE_CHECKING:
    from bridge.config import Config


def check(
    config: ConfigPath = CONFIG,
    online: Annotated[
        bool, typer.Option("--online", help="Also try what it names: token, folder, catalogs, filter, trackers.")
    ] = False,
) -> None:
    """Validate the configuration; every problem with its line, its key and its remedy."""
    loaded = configuration(config)
    sources, routes = len(loaded.sources), len(loaded.routes)
    typer.echo(
        f"{config}: valid; {sources} source{_s(sources)}, {routes} route{_s(routes)}, database {loaded.database.display}"
    )
    for name, source in loaded.sources.items():
        typer.echo(f"  webhooks of {name}: POST {address(name, source)}")
    if online:
        run_async(lambda: _check_online(loaded))


def explain(
    source: Annotated[str, typer.Argument(help="The source's name in the configuration.")],
    file: Annotated[str, typer.Argument(help="A saved payload; - for standard input.")],
    config: ConfigPath = CONFIG,
    as_json: AsJson = False,
) -> None:
    """Say what a saved payload means, which route takes it, and the exact request that it would lead to. Calls nothing."""
    from bridge.explain import explain as explained
    from bridge.service import followers, utc_now

    loaded = configuration(config)
    if source not in loaded.sources:
        fail(f"the configuration has no source {source!r}; it has {', '.join(loaded.sources)}", 2)
    try:
        body = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        fail(f"cannot read {file}: {error.strerror}", 2)
    found = explained(loaded, followers(loaded)[source], body, utc_now())
    typer.echo(json.dumps(found, indent=2, default=str) if as_json else _in_words(found))
    if found["outcome"] == "refused":
        raise typer.Exit(FAILED)


def schema() -> None:
    """Print the JSON Schema of the YAML, for editors."""
    from bridge.config.schema import json_schema

    typer.echo(json.dumps(json_schema(), indent=2))


async def _check_online(config: "Config") -> None:
    from bridge.online import probe

    failed = False
    async for result in probe(config):
        typer.echo(f"  {'ok    ' if result.ok else 'FAILED'}  {result.what}: {result.detail}")
        failed |= not result.ok
    if failed:
        raise typer.Exit(FAILED)


def _in_words(found: dict[str, Any]) -> str:
    lines = [f"event     {found['event'] or '-'}", f"outcome   {found['outcome']}: {found['reason']}"]
    if ticket := found.get("ticket"):
        lines += ["", "ticket"] + [
            f"  {name:9} {value if value is not None else '-'}" for name, value in ticket.items()
        ]
    if routes := found.get("routes"):
        lines += ["", "routes"] + [
            f"  {'takes it ' if r['selects'] else 'does not '} {r['name']}: {r['why']}" for r in routes
        ]
    for number, record in enumerate(found.get("records", []), 1):
        lines += ["", f"{number} of {len(found['records'])}", *(f"  {line}" for line in _in_words(record).splitlines())]
    for step in found.get("steps", []):
        lines += ["", f"{step['when']}:", f"  {step['method']} {step['url']}"]
        lines += [f"  {name}: {value}" for name, value in step.get("headers", {}).items()]
        lines += [f"  {line}" for line in json.dumps(step["body"], indent=2, ensure_ascii=False).splitlines()]
    return "\n".join(lines)


def _s(count: int) -> str:
    return "" if count == 1 else "s"
