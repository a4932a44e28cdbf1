"""One process on an SQLite file: a lock beside it, which ends with its process however that ends."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from sqlalchemy import make_url

from bridge.errors import StoreUnavailable


@contextmanager
def alone_on(url: str) -> Iterator[None]:
    """Keep every other service off an SQLite file meanwhile. Raises `StoreUnavailable` if one has it. PostgreSQL takes any number."""
    parsed = make_url(url)
    path = Path(parsed.database or "")
    if (
        parsed.get_backend_name() != "sqlite" or not path.parent.is_dir()
    ):  # whoever opens the database tells what is missing
        yield
        return
    lock = FileLock(f"{path}.lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise StoreUnavailable(
            f"another `bridge run` has the database {path}: stop it first; several processes need PostgreSQL"
        ) from None
    except OSError as error:
        raise StoreUnavailable(f"{path}.lock cannot be made: {error.strerror}") from error
    try:
        yield
    finally:
        lock.release()
