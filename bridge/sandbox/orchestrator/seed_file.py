"""From a YAML file to a seed, or to everything that is wrong with it: the key, what is wrong, and what to do."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from bridge.sandbox.orchestrator.control import unknown_operations
from bridge.sandbox.orchestrator.faults import Rule
from bridge.sandbox.orchestrator.model import PERMISSIONS
from bridge.sandbox.orchestrator.seed import Seed, SeedClient, SeedFolder, SeedTask, SeedUser, SeedWebhook


class SeedError(Exception):
    """Everything that is wrong with a seed, a line each: the key, what is wrong, and what to do."""

    def __init__(self, where: str, problems: Sequence[str]) -> None:
        super().__init__("\n".join(f"{where}: {problem}" for problem in problems))
        self.problems = tuple(problems)


def load_seed(path: Path) -> Seed:
    """The seed in a YAML file. Raises `SeedError` with everything that is wrong."""
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise SeedError(str(path), [f"the file cannot be read ({error.strerror}): check --seed"]) from error
    except UnicodeDecodeError as error:
        raise SeedError(str(path), ["the file is not text in UTF-8: save it as such"]) from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise SeedError(str(path), [f"the file is not YAML: {' '.join(str(error).split())}"]) from error
    return read_seed({} if data is None else data, str(path))


def read_seed(data: Any, where: str = "seed") -> Seed:
    """The seed in what YAML or a test has said. Raises `SeedError` with everything that is wrong."""
    try:
        seed = Seed.model_validate(data)
    except ValidationError as error:
        raise SeedError(where, [_sentence(one, data) for one in error.errors(include_url=False)]) from error
    except RecursionError as error:
        raise SeedError(where, ["is nested too deeply: write it flatter"]) from error
    if problems := list(_contradictions(seed)):
        raise SeedError(where, problems)
    return seed


# -- what fits together ------------------------------------------------------------------------------------------------------------


def _contradictions(seed: Seed) -> Iterator[str]:
    for what, key, values in (
        ("folders", "id", [one.id for one in seed.folders]),
        ("folders", "path", [one.path.casefold() for one in seed.folders]),
        ("users", "id", [one.id for one in seed.users]),
        ("users", "email", [one.email.casefold() for one in seed.users]),
        ("clients", "client_id", [one.client_id for one in seed.clients]),
    ):
        yield from _repeated(what, key, values)
    paths = [one.path for one in seed.folders]
    for number, user in enumerate(seed.users):
        for path in user.folders or ():
            yield from _unknown(f"users[{number}].folders", path, paths, "folder")
    catalogs = {one.path: one.catalogs for one in seed.folders}
    emails = [one.email for one in seed.users]
    yield from _unknown("caller", seed.caller, emails, "user")
    for number, name in enumerate(seed.denied):
        yield from _unknown(f"denied[{number}]", name, PERMISSIONS, "permission")
    for number, task in enumerate(seed.tasks):
        folder = task.folder or paths[0]
        yield from _unknown(f"tasks[{number}].folder", folder, paths, "folder")
        yield from _unknown(f"tasks[{number}].assigned_to", task.assigned_to, emails, "user")
        if folder in catalogs:
            yield from _unknown(f"tasks[{number}].catalog", task.catalog, catalogs[folder], f"catalog of {folder}")
    for wrong in unknown_operations(seed.faults):
        yield f"faults[{wrong['where'][0]}].operation: {wrong['what']}"


def _repeated(what: str, key: str, values: Iterable[object]) -> Iterator[str]:
    for value, count in Counter(values).items():
        if count > 1:
            yield f"{what}: {count} of them have the {key} {value}: give each one of its own"


def _unknown(place: str, name: str | None, known: Sequence[str], what: str) -> Iterator[str]:
    if name is not None and name not in known:
        yield f"{place}: there is no {what} `{name}`{_near(name, known)}"


# -- what a value is ---------------------------------------------------------------------------------------------------------------

_SENTENCES: dict[str, Callable[[Any], str]] = {
    "value_error": lambda context: str(context["error"]),
    "literal_error": lambda context: f"must be one of: {context['expected']}",
    "enum": lambda context: f"must be one of: {context['expected']}",
    "greater_than_equal": lambda context: f"must be at least {context['ge']}",
    "less_than_equal": lambda context: f"must be at most {context['le']}",
    "less_than": lambda context: f"must be less than {context['lt']}",
    "too_short": lambda _context: "must not be empty: fill it in, or remove the key",
    "string_too_short": lambda _context: "must not be empty: fill it in, or remove the key",
    "string_too_long": lambda context: f"must have at most {context['max_length']} characters",
    "string_type": lambda _context: "must be text: put it in quotes",
    "int_type": lambda _context: "must be a whole number",
    "int_parsing": lambda _context: "must be a whole number",
    "bool_parsing": lambda _context: "must be true or false",
    "bool_type": lambda _context: "must be true or false",
    "list_type": lambda _context: "must be a list: write each entry on its own line after `- `",
    "dict_type": lambda _context: "must be a mapping: write `key: value` lines, indented beneath it",
    "model_type": lambda _context: "must be a mapping: write `key: value` lines, indented beneath it",
    "uuid_parsing": lambda _context: "must be a UUID, such as 6f1c4f0e-0d5f-4c2b-9a51-2f1d0c9b7e11",
}


def _sentence(details: ErrorDetails, data: Any) -> str:
    place = "".join(f"[{one}]" if isinstance(one, int) else f".{one}" for one in details["loc"]).removeprefix(".")
    kind, context = details["type"], details.get("ctx", {})
    if kind == "extra_forbidden":
        known = _known_keys(details["loc"][:-1])
        return f"{place}: is not a key that is known here{_near(str(details['loc'][-1]), known)}"
    if kind == "missing":
        return f"{place}: is missing: add `{details['loc'][-1]}: …`"
    if not place:
        return f"the file must be a mapping of keys to values; it is a {type(data).__name__}"
    tell = _SENTENCES.get(kind)
    return f"{place}: {tell(context) if tell else details['msg']}"


_SECTIONS: dict[str, type[BaseModel]] = {
    "folders": SeedFolder,
    "users": SeedUser,
    "clients": SeedClient,
    "tasks": SeedTask,
    "faults": Rule,
    "webhooks": SeedWebhook,
}


def _known_keys(place: tuple[int | str, ...]) -> list[str]:
    model = _SECTIONS[str(place[0])] if place else Seed
    return list(model.model_fields)


def _near(word: str, known: Sequence[str]) -> str:
    found = get_close_matches(word.lower(), known, n=1)
    return f": did you mean `{found[0]}`?" if found else f"; known here: {', '.join(known) or 'none'}"
