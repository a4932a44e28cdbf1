"""The world's values as JSON that says what each was, so that a new kind of value needs no code here if it is a dataclass.

A folder, a user and a task are written as a reference wherever they stand in something else: what is read back is the world's own.
An object with a `$` key is ours; a key of the users' that begins with `$` gets another one.
"""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import Any
from uuid import UUID

from bridge.sandbox.orchestrator import model, webhooks
from bridge.sandbox.orchestrator.model import Folder, Task, User
from bridge.sandbox.orchestrator.world import World

_KINDS: dict[str, type] = {
    name: kind
    for module in (model, webhooks)
    for name, kind in vars(module).items()
    if isinstance(kind, type) and (is_dataclass(kind) or issubclass(kind, Enum))
}
_REFERENCES: dict[type, str] = {Folder: "$folder", User: "$user", Task: "$task"}
_PLAIN = (type(None), bool, int, float, str)


def encode(value: Any, *, whole: bool = False) -> Any:
    """JSON for a value; `whole` writes a thing itself where otherwise its reference would stand. TypeError for what has no form."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind in _REFERENCES and not whole:
        return {_REFERENCES[kind]: value.id}
    if kind.__name__ in _KINDS and isinstance(value, Enum):
        return {"$enum": kind.__name__, "value": encode(value.value)}
    if _KINDS.get(kind.__name__) is kind:
        return {"$": kind.__name__, **{one.name: encode(getattr(value, one.name)) for one in fields(value)}}
    if kind in _WRITERS:
        return _WRITERS[kind](value)
    raise TypeError(f"the state file has no form for {kind.__name__}: add one to {__name__}")


def decode(value: Any, world: World) -> Any:
    """The value that this JSON was written for. KeyError for a reference to what the world does not have."""
    if isinstance(value, list):
        return [decode(one, world) for one in value]
    if not isinstance(value, dict):
        return value
    if "$" in value:
        return _object(value, world)
    for mark, reader in _READERS.items():
        if mark in value:
            return reader(value, world)
    return {_unmarked(name): decode(one, world) for name, one in value.items()}


def _object(value: Mapping[str, Any], world: World) -> Any:
    """A dataclass's object. A field that it has no more is left out, one that it has since then gets its default."""
    kind = _KINDS[value["$"]]
    if kind is Task:
        return _task(value, world)
    names = {one.name for one in fields(kind) if one.init}
    return kind(**{name: decode(one, world) for name, one in value.items() if name in names})


def _task(value: Mapping[str, Any], world: World) -> Task:
    """A task before its notes and activities, which refer to it."""
    lists = ("notes", "activities")
    names = {one.name for one in fields(Task) if one.name not in lists}
    task = Task(**{name: decode(one, world) for name, one in value.items() if name in names})
    world.index(task)
    task.notes, task.activities = (decode(value.get(name, []), world) for name in lists)
    return task


def _mapping(value: Mapping[Any, Any]) -> Any:
    if all(type(key) is str for key in value):
        return {"$" + key if key.startswith("$") else key: encode(one) for key, one in value.items()}
    return {"$items": [[encode(key), encode(one)] for key, one in value.items()]}


def _unmarked(name: str) -> str:
    return name.removeprefix("$")


def _next(counter: Any) -> int:
    """The number that a counter gives next, which it tells in no other way without giving it."""
    return int(repr(counter).removeprefix("count(").removesuffix(")"))


_WRITERS: dict[type, Callable[[Any], Any]] = {
    dict: _mapping,
    list: lambda value: [encode(one) for one in value],
    tuple: lambda value: {"$tuple": [encode(one) for one in value]},
    set: lambda value: {"$set": [encode(one) for one in value]},
    frozenset: lambda value: {"$frozenset": [encode(one) for one in value]},
    UUID: lambda value: {"$uuid": str(value)},
    datetime: lambda value: {"$time": value.isoformat()},
    itertools.count: lambda value: {"$count": _next(value)},
}
_READERS: dict[str, Callable[[Mapping[str, Any], World], Any]] = {
    "$folder": lambda value, world: {folder.id: folder for folder in world.folders}[value["$folder"]],
    "$user": lambda value, world: world.users[value["$user"]],
    "$task": lambda value, world: world.task_ever(value["$task"]),
    "$enum": lambda value, world: _KINDS[value["$enum"]](decode(value["value"], world)),
    "$items": lambda value, world: {decode(key, world): decode(one, world) for key, one in value["$items"]},
    "$tuple": lambda value, world: tuple(decode(value["$tuple"], world)),
    "$set": lambda value, world: set(decode(value["$set"], world)),
    "$frozenset": lambda value, world: frozenset(decode(value["$frozenset"], world)),
    "$uuid": lambda value, _world: UUID(value["$uuid"]),
    "$time": lambda value, _world: datetime.fromisoformat(value["$time"]),
    "$count": lambda value, _world: itertools.count(value["$count"]),
}
