"""The template language of the YAML: Jinja2, each text compiled once, in a sandbox that can change nothing.

It is strict: a name that this ticket lacks is an error that names it, never an empty string. What a tracker sent is only ever a value
in a template; it is never read as one.
"""

import re
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from difflib import get_close_matches
from functools import cache, partial
from typing import Any

import jinja2
import jinja2.meta
import orjson
from jinja2 import nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from bridge.errors import Problem, TemplateError

Scope = Mapping[str, Any]
Render = Callable[[Scope], Any]
"""A compiled template: the names that it sees in, its value out. Raises `TemplateError`."""

Names = Mapping[str, Sequence[str] | None]
"""The names that a template may use, each with its attributes if only those exist."""

_BRACED = re.compile(r"\{\{-?(.*?)-?\}\}", re.DOTALL)


class _Sandbox(ImmutableSandboxedEnvironment):
    """Dotted names in a template are keys of the ticket's data, never methods of Python's: `fields.items` is a field."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, Mapping):
            try:
                return obj[attribute]
            except KeyError:
                return self.undefined(obj=obj, name=attribute)
        return super().getattr(obj, attribute)

    def make_globals(self, d: MutableMapping[str, Any] | None) -> MutableMapping[str, Any]:  # noqa: ARG002 - Jinja's signature
        """None: what templates see is the ticket's, nothing of ours. Jinja's own chain of maps costs more than most templates."""
        return {}


_ENVIRONMENT = _Sandbox(
    undefined=jinja2.StrictUndefined, autoescape=False, finalize=lambda value: "" if value is None else value
)


# -- compiling ---------------------------------------------------------------------------------------------------------------------


@cache
def condition(key: str, source: str) -> Render:
    """An expression. `key` is its place in the YAML, which its errors name."""
    evaluate = partial(_evaluate, key, _ENVIRONMENT.compile_expression(source, undefined_to_none=False))
    dotted = _dotted(source)
    return evaluate if dotted is None else _lookup(*dotted, evaluate)


@cache
def template(key: str, source: str) -> Render:
    """A template whose value keeps its type if it is one expression, and is a text otherwise."""
    expression = _single_expression(source)
    if expression is not None:
        return condition(key, expression)
    if "{" not in source:
        return lambda _scope: source
    return partial(_evaluate, key, _ENVIRONMENT.from_string(source).render)


def value(key: str, written: Any) -> Render:
    """A value of the YAML with every string in it compiled, however deep."""
    if isinstance(written, str):
        return template(key, written)
    if isinstance(written, Mapping):
        parts = {name: value(f"{key}.{name}", part) for name, part in written.items()}
        return lambda scope: {name: render(scope) for name, render in parts.items()}
    if isinstance(written, list):
        items = [value(f"{key}[{i}]", item) for i, item in enumerate(written)]
        return lambda scope: [render(scope) for render in items]
    return lambda _scope: written


def as_text(rendered: Any) -> str:
    """A rendered value where a text is wanted; nothing for None, JSON for what is no text."""
    if isinstance(rendered, str):
        return rendered
    return "" if rendered is None else orjson.dumps(rendered).decode()


def _evaluate(key: str, render: Any, scope: Scope) -> Any:
    """Run compiled code; whatever goes wrong in it is the template's, and is told with the template's key."""
    try:
        rendered = render(**scope)
        if isinstance(rendered, jinja2.Undefined):
            str(rendered)  # a strict undefined says its name when it is used
        if not (isinstance(rendered, str) and rendered.isascii()):
            orjson.dumps(rendered)  # what cannot be sent as JSON is better said here than by the server
    except SecurityError as error:
        raise TemplateError(f"{key}: {error}") from error
    except jinja2.UndefinedError as error:
        remedy = "correct the name, or say what to take instead with `| default(none)`"
        raise TemplateError(f"{key}: {_named(error.message)}; {remedy}") from error
    except Exception as error:
        raise TemplateError(f"{key}: {type(error).__name__}: {error}") from error
    return rendered


def _dotted(source: str) -> tuple[str, str] | None:
    """The name and the attribute of an expression that is nothing more than those: `ticket.key`, as most are."""
    expression = _condition_tree(source).body[0].nodes[0]  # type: ignore[attr-defined]
    if not (isinstance(expression, nodes.Getattr) and isinstance(expression.node, nodes.Name)):
        return None
    return expression.node.name, expression.attr


def _lookup(name: str, attribute: str, evaluate: Render) -> Render:
    """What such an expression comes to without Jinja, where that is nothing or a plain text; anything else is left to `evaluate`."""

    def look_up(scope: Scope) -> Any:
        known = scope.get(name)
        if isinstance(known, dict) and attribute in known:
            found = known[attribute]
            if found is None or (isinstance(found, str) and found.isascii()):
                return found
        return evaluate(scope)

    return look_up


def _named(message: str | None) -> str:
    return (message or "a name is undefined").replace("'dict object' has no attribute", "this ticket has no")


def _single_expression(source: str) -> str | None:
    """`ticket.key` of the template `{{ ticket.key }}`; None if there is anything beside that one expression."""
    braced = _BRACED.fullmatch(source.strip())
    body = _ENVIRONMENT.parse(source.strip()).body
    if braced is None or len(body) != 1 or not isinstance(body[0], nodes.Output) or len(body[0].nodes) != 1:
        return None
    return None if isinstance(body[0].nodes[0], nodes.TemplateData) else braced.group(1)


# -- reading what is written -------------------------------------------------------------------------------------------------------


def problems(key: str, written: Any, names: Names, conditions: Sequence[str] = ()) -> Iterator[Problem]:
    """Every text in a value of the YAML that does not parse or uses a name that there is not.

    The texts at the keys `conditions` are expressions, all others templates.
    """
    for at, source in _texts(key, written):
        try:
            tree = _condition_tree(source) if at in conditions else _ENVIRONMENT.parse(source)
            (condition if at in conditions else template)(at, source)
        except jinja2.TemplateSyntaxError as error:
            yield Problem(at, f"is not valid Jinja2: {error.message}")
        else:
            yield from (Problem(at, message) for message in _unknown_names(tree, names))


def attributes(source: str) -> set[tuple[str, str]]:
    """Every `name.attribute` that an expression speaks of."""
    return _attributes(_condition_tree(source))


def attributes_in(written: Any) -> set[tuple[str, str]]:
    """Every `name.attribute` that the templates in a value of the YAML speak of."""
    return {found for _, source in _texts("", written) for found in _attributes(_ENVIRONMENT.parse(source))}


def _attributes(tree: nodes.Template) -> set[tuple[str, str]]:
    dotted = {(node.node.name, node.attr) for node in tree.find_all(nodes.Getattr) if isinstance(node.node, nodes.Name)}
    subscribed = {
        (node.node.name, node.arg.value)
        for node in tree.find_all(nodes.Getitem)
        if isinstance(node.node, nodes.Name) and isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str)
    }
    return dotted | subscribed


def _texts(key: str, written: Any) -> Iterator[tuple[str, str]]:
    """Every text with its key in the YAML."""
    if isinstance(written, str):
        yield key, written
    elif isinstance(written, Mapping):
        for name, part in written.items():
            yield from _texts(f"{key}.{name}", part)
    elif isinstance(written, list):
        for index, part in enumerate(written):
            yield from _texts(f"{key}[{index}]", part)


@cache
def _condition_tree(source: str) -> nodes.Template:
    _ENVIRONMENT.compile_expression(source)  # refuses what is more than one expression
    return _ENVIRONMENT.parse("{{ " + source + " }}")


def _unknown_names(tree: nodes.Template, names: Names) -> Iterator[str]:
    for name in sorted(jinja2.meta.find_undeclared_variables(tree) - set(names)):
        yield f"`{name}` is not a name that templates see{_nearest(name, list(names))}"
    for attribute in tree.find_all(nodes.Getattr):
        known = names.get(attribute.node.name) if isinstance(attribute.node, nodes.Name) else None
        if isinstance(attribute.node, nodes.Name) and known is not None and attribute.attr not in known:
            yield f"a {attribute.node.name} has no `{attribute.attr}`{_nearest(attribute.attr, known)}"


def _nearest(name: str, known: Sequence[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f"; did you mean `{near[0]}`?" if near else f"; there are {', '.join(known)}"
