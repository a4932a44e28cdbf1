"""`bridge database`: migrations."""

from typing import TYPE_CHECKING

import typer

from bridge.cli.context import CONFIG, ConfigPath, configuration, run_async

if TYPE_CHECKING:
    from bridge.config import Config

app = typer.Typer(help="Migrations.", no_args_is_help=True)


@app.command()
def upgrade(config: ConfigPath = CONFIG) -> None:
    """Bring the database's schema to this version's."""
    loaded = configuration(config)
    run_async(lambda: _upgrade(loaded))


@app.command()
def current(config: ConfigPath = CONFIG) -> None:
    """Show which schema the database has, and which this version needs."""
    loaded = configuration(config)
    run_async(lambda: _current(loaded))


async def _upgrade(config: "Config") -> None:
    from bridge.service import migrate

    before = await migrate(config)
    done = "is up to date" if before.up_to_date else f"upgraded from {before.current or 'empty'}"
    typer.echo(f"{config.database.display}: schema {before.head}, {done}")


async def _current(config: "Config") -> None:
    from bridge.service import open_store
    from bridge.store import revisions

    database = open_store(config).database
    try:
        found = await revisions(database)
    finally:
        await database.close()
    need = "" if found.up_to_date else f"; this version needs {found.head}: {found.remedy}"
    typer.echo(f"{database.display}: schema {found.current or 'empty'}{need}")
