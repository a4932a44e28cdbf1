"""`bridge reconcile`: what differs between the links, Orchestrator and the trackers, and its mending."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bridge.cli.context import CONFIG, AsJson, ConfigPath, configuration, fail, run_async, say, store_of

if TYPE_CHECKING:
    from bridge.config import Config
    from bridge.drift import Difference
    from bridge.sync.mending import Mended

COLUMNS = ("kind", "source", "ticket", "link", "task", "remedy")


def reconcile(
    config: ConfigPath = CONFIG,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what differs.")] = False,
    as_json: AsJson = False,
) -> None:
    """Compare links with Orchestrator and the trackers, show what differs, and mend it."""
    loaded = configuration(config)
    run_async(lambda: _reconcile(loaded, dry_run=dry_run, as_json=as_json))


async def _reconcile(config: "Config", *, dry_run: bool, as_json: bool) -> None:
    from bridge.apis import ticket_apis
    from bridge.errors import RemoteError
    from bridge.orchestrator import Orchestrator
    from bridge.service import reconciliation, utc_now

    async with (
        store_of(config) as store,
        Orchestrator(config.orchestrator, utc_now) as orchestrator,
        ticket_apis(config, utc_now) as apis,
    ):
        reconciling = reconciliation(config, store, orchestrator, apis, utc_now)
        try:
            findings = await reconciling.find(thorough=True)
            for problem in findings.unasked:
                say(problem)
            if not as_json:
                _print(findings.differences)
            mended = None if dry_run or not findings.differences else await reconciling.mend(findings.differences)
        except RemoteError as error:
            fail(
                f"error: Orchestrator could not be asked: {error}\n`bridge check --online` tries it; then reconcile again"
            )
    for problem in mended.problems if mended else ():
        say(problem)
    if as_json:
        rows = [_row(difference) for difference in findings.differences]
        typer.echo(json.dumps({"differences": rows, "mended": mended.count if mended else 0}, indent=2))
    elif findings.differences:
        typer.echo(_in_words(findings.differences, mended))


def _print(differences: "list[Difference]") -> None:
    from bridge.cli.tables import print_table

    print_table(COLUMNS, [_row(difference) for difference in differences], empty="no differences")


def _row(difference: "Difference") -> dict[str, Any]:
    link, seen, identity = difference.link, difference.seen, difference.identity
    of = link or identity
    return {
        "kind": difference.kind.value,
        "source": of.source if of else None,
        "ticket": link.ticket_key if link else identity.ticket_id if identity else None,
        "link": link.id if link else None,
        "task": seen.task.id if seen else link.task_id if link else None,
        "remedy": difference.remedy,
    }


def _in_words(differences: "list[Difference]", mended: "Mended | None") -> str:
    found = f"{len(differences)} difference{'' if len(differences) == 1 else 's'}"
    if mended is None:
        return f"\n{found}; nothing was changed"
    by_hand = sum(not difference.mendable for difference in differences)
    person = f", {by_hand} to be mended by hand" if by_hand else ""
    return (
        f"\n{found}{person}; {mended.count} link{'' if mended.count == 1 else 's'} made due: "
        "the running service takes the steps, or `bridge run` when it is started"
    )
