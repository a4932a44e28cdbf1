"""`bridge run`: the service."""

import asyncio
import gc
import signal
from typing import TYPE_CHECKING, Annotated

import structlog
import typer

from bridge.cli.addresses import address
from bridge.cli.context import CONFIG, USAGE, ConfigPath, configuration, fail, run_async
from bridge.cli.workers import inherited_socket, run_workers, watch_lifeline

if TYPE_CHECKING:
    from socket import socket

    from bridge.config import Config
    from bridge.service import Service

_log = structlog.get_logger()


def run(
    config: ConfigPath = CONFIG,
    log_level: Annotated[str, typer.Option(help="debug, info, warning or error.", envvar="BRIDGE_LOG_LEVEL")] = "info",
    workers: Annotated[
        int, typer.Option(min=1, max=64, help="Processes that share the port; more than one needs PostgreSQL.")
    ] = 1,
) -> None:
    """Run the service: receiver, worker and scheduler."""
    from bridge import logs

    if log_level.lower() not in ("debug", "info", "warning", "error"):
        fail("--log-level is one of debug, info, warning, error", 2)
    loaded = configuration(config)
    logs.configure(log_level)
    given = inherited_socket()
    if workers > 1 and given is None:
        if loaded.database.url.startswith("sqlite:"):
            fail(
                "--workers needs PostgreSQL: an SQLite file is for one process; set database.url, or leave it out",
                USAGE,
            )
        run_async(lambda: _supervise(loaded, workers))
    else:
        run_async(lambda: _serve(loaded, given))


async def _serve(config: "Config", given: "socket | None") -> None:
    from bridge.service import running
    from bridge.serving import serving
    from bridge.store import alone_on
    from bridge.web import create_app

    host, port = config.server.host, config.server.port
    with alone_on(config.database.url):
        await _prepare_database(config)
        stop = _stop_event()
        watch_lifeline(stop)
        async with (
            running(config) as service,
            serving(create_app(service), host, port, on=given, proxy_headers=False) as url,
        ):
            _announce(service, url)
            gc.collect()
            gc.freeze()  # what a service is made of stays: no collection needs to look through it
            await stop.wait()
            _log.info("stopping: what is under way ends first")
    _log.info("stopped")


async def _supervise(config: "Config", workers: int) -> None:
    from bridge.serving import listen

    await _prepare_database(config)
    stop = _stop_event()
    with listen(config.server.host, config.server.port) as listening:
        await run_workers(workers, listening, stop)
    _log.info("all workers stopped")


async def _prepare_database(config: "Config") -> None:
    """An SQLite database is brought up to date; another one is other people's too, so it is not."""
    from bridge.errors import StoreUnavailable
    from bridge.service import open_store
    from bridge.store import revisions, upgrade

    database = open_store(config).database
    try:
        if database.is_sqlite:
            before = await upgrade(database)
            if not before.up_to_date:
                _log.info("database migrated", database=database.display, schema=before.head)
            return
        found = await revisions(database)
        if not found.up_to_date:
            fail(
                f"the database {database.display} has schema {found.current or 'none'}, this version needs {found.head}: "
                f"{found.remedy}"
            )
    except StoreUnavailable as error:
        fail(
            f"error: {error}\nthe database is {database.display}: check database.url, and that its folder is there and writable"
        )
    finally:
        await database.close()


def _announce(service: "Service", url: str) -> None:
    log, config = _log, service.config
    log.info("listening", url=url, database=service.store.database.display, orchestrator=config.orchestrator.url)
    for name, source in config.sources.items():
        log.info(
            "webhook address", source=name, url=url + address(name, source), verify=source.verify, type=source.type
        )
    for job, trigger in service.scheduler.schedule().items():
        log.info("scheduled", job=job, trigger=trigger)


def _stop_event() -> asyncio.Event:
    """Set by SIGTERM or SIGINT; a second signal ends the process at once."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def on_signal(number: signal.Signals) -> None:
        stop.set()
        loop.remove_signal_handler(number)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal, number)
    return stop
