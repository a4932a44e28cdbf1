"""A YAML file as plain data, with the line of every key and all that is wrong with it as YAML.

PyYAML's constructors forget where a value stood, let the last of two equal keys win, and turn `00123` into 83. So the
data is built here from PyYAML's node tree.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from bridge.config.interpolation import Interpolation, InterpolationError
from bridge.errors import Problem

_TAG = "tag:yaml.org,2002:"
_TYPED = {_TAG + kind for kind in ("int", "float", "bool", "null")}
_MERGE = _TAG + "merge"
_TEXT = {_TAG + kind for kind in ("str", "timestamp", "value", "merge")}
_QUOTE = "put the value in quotes"


def at(path: str, key: str | int) -> str:
    """The path of `key` in the mapping or list at `path`: `routes[0].task`."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else key


def parent(path: str) -> str:
    """The path of what holds the value at `path`."""
    return path[: max(path.rfind("."), path.rfind("["), 0)]


@dataclass(slots=True)
class Document:
    """What a file says. Where `problems` speak of a key, `data` holds a stand-in for its value."""

    data: Any = None
    lines: dict[str, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def line(self, path: str) -> int | None:
        """The 1-based line of the key, or of the nearest thing around it that the file has."""
        while path and path not in self.lines:
            path = parent(path)
        return self.lines.get(path)


def parse(text: str, interpolation: Interpolation) -> Document:
    """The document in `text`. Never raises: a syntax error is a problem like any other."""
    document = Document()
    try:
        loader = yaml.SafeLoader(text)
        root = loader.get_single_node()
    except yaml.YAMLError as error:
        document.problems.append(_syntax(error, text))
        return document
    if root is not None:
        document.data = _Builder(document, loader, interpolation).build(root, "")
    return document


class _Builder:
    """Turns nodes into data, and notes lines and problems on the way."""

    def __init__(self, document: Document, loader: yaml.SafeLoader, interpolation: Interpolation) -> None:
        self._document = document
        self._loader = loader
        self._interpolation = interpolation
        self._open: set[int] = set()  # the nodes that we are inside of: an alias can point back at one

    def build(self, node: yaml.Node, path: str) -> Any:
        self._document.lines.setdefault(path, _line(node))
        if id(node) in self._open:
            return self._problem(path, node, "holds itself through an alias: write the value out")
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.ScalarNode):
                return self._scalar(node, path)
            if isinstance(node, yaml.SequenceNode) and node.tag == _TAG + "seq":
                return [self.build(item, at(path, index)) for index, item in enumerate(node.value)]
            if isinstance(node, yaml.MappingNode) and node.tag == _TAG + "map":
                return self._mapping(node, path)
            return self._tagged(node, path)
        finally:
            self._open.discard(id(node))

    def _scalar(self, node: yaml.ScalarNode, path: str) -> Any:
        if node.tag in _TEXT:
            return self._filled(node, path)
        if node.tag not in _TYPED:
            return self._tagged(node, path)
        try:
            value = self._loader.construct_object(node)
        except (ValueError, yaml.YAMLError):
            return node.value
        if isinstance(value, int) and not isinstance(value, bool) and str(value) != node.value:
            return node.value  # 00123, 1_000 and 12:30 are text to anyone who did not write YAML 1.1
        return value

    def _filled(self, node: yaml.ScalarNode, path: str) -> str:
        try:
            return self._interpolation.fill(node.value)
        except InterpolationError as error:
            self._problem(path, node, str(error))
            return str(node.value)

    def _tagged(self, node: yaml.Node, path: str) -> None:
        self._problem(path, node, f"has a YAML tag (`!…`), which is not supported: remove it, or {_QUOTE}")

    def _mapping(self, node: yaml.MappingNode, path: str) -> dict[str, Any]:
        data: dict[str, Any] = {}
        first: dict[str, int] = {}
        for source in _merge_sources(node):
            data = {**self._merged(source, path), **data}
        for key, value in node.value:
            if key.tag == _MERGE:
                continue
            if not isinstance(key, yaml.ScalarNode):
                self._problem(path, key, 'has a key that is not text: a template such as "{{ … }}" belongs in quotes')
            elif key.value in first:
                self._twice(key, at(path, key.value), first[key.value])
            else:
                first[key.value] = self._document.lines[at(path, key.value)] = _line(key)
                data[key.value] = self.build(value, at(path, key.value))
        return data

    def _merged(self, node: yaml.Node, path: str) -> dict[str, Any]:
        """What `<<` brings in; its lines are those of the place that it comes from."""
        data = self.build(node, path)
        if isinstance(data, dict):
            return data
        self._problem(path, node, "merges (`<<`) what is not a mapping: name an anchored mapping")
        return {}

    def _twice(self, key: yaml.Node, path: str, first: int) -> None:
        self._problem(path, key, f"is given twice, first on line {first}: keep one of them")

    def _problem(self, path: str, node: yaml.Node, message: str) -> None:
        self._document.problems.append(Problem(path, message, _line(node)))


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _merge_sources(node: yaml.MappingNode) -> Iterator[yaml.Node]:
    """What `<<` names in this mapping: one node, or several of which the first has the last word."""
    for key, value in node.value:
        if key.tag == _MERGE:
            yield from value.value if isinstance(value, yaml.SequenceNode) else [value]


def _syntax(error: yaml.YAMLError, text: str) -> Problem:
    if isinstance(error, yaml.reader.ReaderError):
        line = text.count("\n", 0, error.position) + 1
        return Problem("", "has a character that YAML does not allow: remove it", line)
    mark = getattr(error, "problem_mark", None)
    return Problem("", f"is not YAML: {_explain(error)}", mark.line + 1 if mark else None)


def _explain(error: yaml.YAMLError) -> str:
    """PyYAML's words and our remedy, without what it quotes from the file: an alias may be half a password."""
    told = str(getattr(error, "problem", None) or "it cannot be read")
    safe = re.sub(r"'([^']*)'|\"([^\"]*)\"", _unquoted, told)
    if "alias" in told:
        return f"`*` begins an alias, and there is no such anchor; if it is not meant as one, {_QUOTE}"
    if "another document" in told:
        return "it has a second document (`---`): keep one"
    if "\\t" in told:
        return "a tab cannot indent: use spaces"
    if "'{'" in told:
        return f"{safe}; inside {{ … }} and [ … ] a ${{NAME}} belongs in quotes: {_QUOTE}"
    return f"{safe}; check the indentation, and quote values with `:`, `#`, `{{` or `@` in them"


def _unquoted(match: re.Match[str]) -> str:
    """PyYAML's own marks and token names stay; anything longer is the file's."""
    inner = match[1] or match[2] or ""
    return match[0] if len(inner) <= 2 or inner.startswith("<") else "one"
