"""From a YAML file to a Config, or to the list of everything that is wrong with it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bridge.config.document import Document, parse
from bridge.config.interpolation import Interpolation
from bridge.config.model import Config
from bridge.config.rules import misfits
from bridge.config.sentences import path as key_path
from bridge.config.sentences import problems as sentences
from bridge.errors import ConfigurationError, Problem

Check = Callable[[Mapping[str, Any]], Iterable[Problem]]
"""Looks at the YAML's data, whatever else is wrong with it."""


def load(path: Path, environ: Mapping[str, str], checks: Sequence[Check] = ()) -> Config:
    """The configuration in the file at `path`, its references filled in from `environ`.

    Raises ConfigurationError with every problem at once, in the order of their lines; no message holds a value from the
    file or the environment. The `checks` see the file's data, with its references filled in, and give keys, not lines.
    """
    folder = path.absolute().parent
    document = _read(path, Interpolation(environ, folder))
    config, problems = _validate(document, folder)
    if isinstance(document.data, dict):
        told = {problem.key for problem in problems}
        found = (problem for check in checks for problem in check(document.data))
        problems = [*problems, *(problem for problem in found if problem.key not in told)]
    if config is not None and not problems:
        return config
    raise ConfigurationError(str(path), _placed(problems, document))


def _read(path: Path, interpolation: Interpolation) -> Document:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        found = "there is no such file: copy config.example.yaml to it, pass --config PATH or set BRIDGE_CONFIG"
    except UnicodeDecodeError:
        found = "the file is not text in UTF-8: save it as such"
    except OSError as error:
        found = f"the file cannot be read ({error.strerror}): check who may read it, or pass --config PATH"
    else:
        return parse(text, interpolation)
    return Document(problems=[Problem("", found)])


def _validate(document: Document, folder: Path) -> tuple[Config | None, list[Problem]]:
    """The configuration if there is no problem, else every problem, each key's first one only."""
    data = document.data
    if data is None and document.problems:
        return None, document.problems
    if not isinstance(data, dict):
        what = "the file is empty" if data is None else "the file is not a mapping of keys to values"
        return None, [Problem("", f"{what}: begin with config.example.yaml")]
    data = {"database": {}, **data}  # not left to the default: its path is relative to the folder, too
    try:
        config = Config.model_validate(data, context={"folder": folder})
    except ValidationError as error:
        return None, _without_echoes(document.problems, [*sentences(error, Config, data), *_contradictions(data)])
    return (None, document.problems) if document.problems else (config, [])


def _contradictions(data: dict[str, Any]) -> Iterator[Problem]:
    for place, sentence in misfits(data):
        yield Problem(key_path(place), sentence)


def _without_echoes(unread: list[Problem], others: list[Problem]) -> list[Problem]:
    """One problem for each key; none about the stand-in for a value that could not be read."""
    first: dict[str, Problem] = {}
    for problem in others:
        first.setdefault(problem.key, problem)
    known = {problem.key for problem in unread}
    return [*unread, *(problem for key, problem in first.items() if key not in known)]


def _placed(problems: Iterable[Problem], document: Document) -> list[Problem]:
    placed = [replace(problem, line=problem.line or document.line(problem.key)) for problem in problems]
    return sorted(placed, key=lambda problem: problem.line or 0)
