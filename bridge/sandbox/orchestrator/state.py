"""Keeping the world in a file: what a request changed is committed to SQLite before it is answered, so a killed sandbox forgets nothing.

Every attribute of the world is kept, whatever it is called, but for those that are named here as not to be; a dictionary has a row
for each of its keys. Tasks are many, so of them only those are written that a change was recorded of since the
last time; everything else is compared with what was written last.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from bridge.sandbox.orchestrator.encoding import decode, encode
from bridge.sandbox.orchestrator.failures import Failure
from bridge.sandbox.orchestrator.seed import Seed
from bridge.sandbox.orchestrator.world import Activity, Task, World

VERSION = 1

_NOT_KEPT = {
    "": {"folders", "users", "require_folder", "clock", "rng", "faults", "journal", "access", "webhooks"}
    | {"keep", "touched", "resets", "listeners", "caller", "denied", "catalogs", "_by_key", "_by_parent"},
    "webhooks": {"breaker", "post", "deliveries"},
    "catalogs": {"_folders", "_clock", "_rng", "_by_name"},
}
"""From the seed, of this process alone, or an index that is made anew; by whose they are."""

_RECORDED = ("_tasks",)
"""Dictionaries by the id of a task."""

Place = tuple[str, str]
"""A row's: the attribute, and the key in it as JSON (empty for an attribute that is no dictionary)."""


class StateError(Exception):
    """The file cannot be used; the message says what to do."""


class StateFile:
    """A world in a file. It is read when this is made, and written by `save`, which is also what `world.keep` does then."""

    def __init__(self, path: Path, world: World) -> None:
        self._path = path
        self._world = world
        self._written: dict[Place, str] = {}
        self._known: dict[str, set[int]] = {name: set() for name in _RECORDED}
        self._changed: set[int] = set()
        self._file = self._opened()
        rows = self._rows()
        self.fresh = not rows
        """Whether there was nothing in it."""
        self._read(rows)
        world.listeners.append(self._note)
        world.touched = self._touch
        world.keep = self.save

    def save(self) -> None:
        """Commit what has changed. A `Failure` of status 500 if the file cannot be written; the next one tries that, too."""
        new: dict[Place, str] = {}
        gone: set[Place] = set()
        for name, value in self._attributes():
            if name in _RECORDED:
                self._recorded(name, value, new, gone)
            else:
                self._compared(name, value, new, gone)
        if new or gone:
            self._commit(new, gone)
        self._changed.clear()

    def close(self) -> None:
        """Save for the last time."""
        self.save()
        self._world.keep = lambda: None
        self._world.listeners.remove(self._note)
        self._file.close()

    def _note(self, activity: Activity) -> None:
        self._touch(activity.task)

    def _touch(self, task: Task) -> None:
        self._changed.add(task.id)

    # -- writing -------------------------------------------------------------------------------------------------------------------

    def _recorded(self, name: str, value: dict[int, Any], new: dict[Place, str], gone: set[Place]) -> None:
        """The rows of tasks that something happened to, and of those that have come or gone without a word."""
        known = self._known[name]
        if self._changed or len(known) != len(value):
            for key in (self._changed & value.keys()) | (value.keys() - known):
                new[name, str(key)] = _text(encode(value[key], whole=True))
            gone.update((name, str(key)) for key in known - value.keys())

    def _compared(self, name: str, value: Any, new: dict[Place, str], gone: set[Place]) -> None:
        """The rows that are not as they were written last."""
        if isinstance(value, dict):
            rows = {(name, _text(encode(key))): _text(encode(one, whole=True)) for key, one in value.items()}
        else:
            rows = {(name, ""): _text(encode(value))}
        new.update((place, text) for place, text in rows.items() if self._written.get(place) != text)
        gone.update(place for place in self._written if place[0] == name and place not in rows)

    def _commit(self, new: dict[Place, str], gone: set[Place]) -> None:
        try:
            with self._file:
                self._file.executemany("DELETE FROM entry WHERE name = ? AND key = ?", gone)
                self._file.executemany(
                    "INSERT INTO entry (name, key, value) VALUES (?, ?, ?)"
                    " ON CONFLICT (name, key) DO UPDATE SET value = excluded.value",
                    [(*place, text) for place, text in new.items()],
                )
        except sqlite3.Error as error:
            raise Failure(500, 0, f"The state file {self._path} cannot be written: {error}.") from error
        for place in gone:
            self._forget(place)
        for place, text in new.items():
            self._remember(place, text)

    def _remember(self, place: Place, text: str) -> None:
        name, key = place
        if name in _RECORDED:
            self._known[name].add(int(key))
        else:
            self._written[place] = text

    def _forget(self, place: Place) -> None:
        name, key = place
        if name in _RECORDED:
            self._known[name].discard(int(key))
        else:
            del self._written[place]

    def _attributes(self) -> Iterator[tuple[str, Any]]:
        for owner, held in _owners(self._world).items():
            for name, value in vars(held).items():
                if name not in _NOT_KEPT[owner]:
                    yield f"{owner}.{name}".removeprefix("."), value

    # -- reading -------------------------------------------------------------------------------------------------------------------

    def _opened(self) -> sqlite3.Connection:
        try:
            file = sqlite3.connect(self._path, timeout=0)
        except sqlite3.Error as error:
            raise StateError(
                f"{self._path}: cannot be opened ({error}): check its folder, or name another file"
            ) from error
        try:
            file.execute("PRAGMA locking_mode = EXCLUSIVE")  # two sandboxes would not see each other's changes
            file.execute("PRAGMA journal_mode = WAL")
            file.execute("PRAGMA synchronous = NORMAL")  # outlives the process; a power cut may cost the last moments
            (version,) = file.execute("PRAGMA user_version").fetchone()
            with file:
                file.execute("BEGIN IMMEDIATE")
                if version == 0 and _empty(file):
                    file.execute(
                        "CREATE TABLE entry (name TEXT, key TEXT, value TEXT NOT NULL, PRIMARY KEY (name, key))"
                    )
                    file.execute(f"PRAGMA user_version = {VERSION}")
                    version = VERSION
        except sqlite3.Error as error:
            file.close()
            raise StateError(f"{self._path}: {_remedy(error)}") from error
        if version != VERSION:
            file.close()
            raise StateError(f"{self._path}: is of another program or version; name another file")
        return file

    def _rows(self) -> list[tuple[str, str, str]]:
        try:
            return self._file.execute("SELECT name, key, value FROM entry ORDER BY rowid").fetchall()
        except sqlite3.Error as error:
            self._file.close()
            raise StateError(f"{self._path}: {_remedy(error)}") from error

    def _read(self, rows: list[tuple[str, str, str]]) -> None:
        world = self._world
        owners = {name: vars(held) for name, held in _owners(world).items()}
        try:
            for name, key, text in sorted(rows, key=lambda row: _order(row[0])):
                owner, _, attribute = name.rpartition(".")
                held, value = owners[owner], decode(orjson.loads(text), world)
                if key:
                    held.setdefault(attribute, {})[decode(orjson.loads(key), world)] = value
                else:
                    held[attribute] = value
                self._remember((name, key), text)
        except (KeyError, TypeError, ValueError, Failure) as error:
            self._file.close()
            raise StateError(
                f"{self._path}: does not fit the seed's folders and users ({type(error).__name__} {error}):"
                " start with the seed that it was made with, or name another file"
            ) from error
        world.catalogs.index()


@contextmanager
def beginning(seed: Seed, path: Path | None = None) -> Iterator[World]:
    """A world as the file has it; as the seed has it where there is no file yet, or none at all. Raises `StateError`.

    Folders, users, clients and faults are the seed's in any case.
    """
    world = seed.world()
    file = None if path is None else StateFile(path, world)
    if file is None or file.fresh:
        seed.plant(world)
    else:
        seed.arm(world)
    world.keep()
    try:
        yield world
    finally:
        if file is not None:
            file.close()


def _owners(world: World) -> dict[str, object]:
    """Whose attributes are kept."""
    return {"": world, "webhooks": world.webhooks, "catalogs": world.catalogs}


def _order(name: str) -> int:
    """Tasks first, for the others refer to them."""
    return _RECORDED.index(name) if name in _RECORDED else len(_RECORDED)


def _empty(file: sqlite3.Connection) -> bool:
    return bool(file.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,))


def _remedy(error: sqlite3.Error) -> str:
    if "locked" in str(error):
        return "another sandbox uses it: end that one, or name another file"
    return f"cannot be used ({error}): name another file, or a new one"


def _text(value: Any) -> str:
    return orjson.dumps(value).decode()
