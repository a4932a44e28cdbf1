"""Routes: which tickets become tasks, and how they look. Pure: a view of a ticket in, a rendered task out.

Conditions and templates are Jinja2, compiled once, in a sandbox that can change nothing, and strict: a name that this ticket lacks is an
error that names it, never an empty string. A ticket's text is only ever a value in them; it is never read as a template.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property, partial
from typing import Any, Protocol

import jinja2
import jinja2.meta
import orjson
from jinja2 import nodes
from jinja2.exceptions import SecurityError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from bridge.config import Config
from bridge.config import Route as RouteConfig
from bridge.errors import Problem, TemplateError
from bridge.model import EVENT, OWN_FACTS, Completion, Facts, Folder, Policy, TaskRequest, Ticket

PRIORITIES = ("Low", "Medium", "High", "Critical")
TITLE_LIMIT = 512
"""Characters that CreateTask takes as a title; a longer one is cut, so that a long summary never parks a ticket."""

_BRACED = re.compile(r"\{\{-?(.*?)-?\}\}", re.DOTALL)
_NAMES = ("ticket", "fields", "source", "event")
_TICKET_NAMES = tuple(Ticket.__dataclass_fields__)
_DEFAULT_DATA = {
    name: f"{{{{ ticket.{name} }}}}"
    for name in ("key", "url", "title", "status", "type", "project", "reporter", "assignee")
}


class _Render(Protocol):
    """A compiled template: the names that it sees in, its value out."""

    def __call__(self, scope: Mapping[str, Any]) -> Any: ...


@dataclass(frozen=True)
class View:
    """What conditions and templates see of a ticket."""

    ticket: Ticket
    facts: Facts
    source: str

    @cached_property
    def scope(self) -> Mapping[str, Any]:
        """The names that a template may use."""
        return {
            "ticket": {name: getattr(self.ticket, name) for name in _TICKET_NAMES},
            "fields": {name: value for name, value in self.facts.items() if name not in OWN_FACTS},
            "source": self.source,
            "event": self.facts.get(EVENT, ""),
        }


class Route:
    """One route of the configuration, compiled.

    Raises `TemplateError` when compiled from a template that does not parse, and from its methods when a template fails on a ticket.
    """

    def __init__(self, index: int, config: RouteConfig, external_tag: str, folder: Folder | None) -> None:
        key = f"routes[{index}]"
        task = config.task
        self.name = config.name
        self.source = config.source
        self.policy: Policy = config.policy
        self._external_tag = external_tag
        self._type = task.type
        self.when = config.when
        self._when = None if config.when is None else _condition(f"{key}.when", config.when)
        self._title = _value(f"{key}.task.title", task.title)
        self._catalog = None if task.catalog is None else _value(f"{key}.task.catalog", task.catalog)
        self._priority = _priority(f"{key}.task.priority", task.priority)
        self._data = _value(f"{key}.task.data", _DEFAULT_DATA if task.data is None else task.data)
        self._folder = task.folder or folder
        self._folder_value = None if task.folder is None else _value(f"{key}.task.folder_path", task.folder.value)
        self._action = _value(f"{key}.completion.action", config.completion.action)
        self._completion_data = _value(f"{key}.completion.data", config.completion.data)

    def selects(self, view: View) -> bool:
        """Whether the route takes this ticket."""
        return self._when is None or bool(self._when(view.scope))

    def seen(self, view: View) -> dict[str, Any]:
        """The names in the condition with what they are for this ticket, to explain its answer."""
        if self.when is None:
            return {}
        scope = view.scope
        tree = _parse_condition(self.when)
        dotted = {
            (node.node.name, node.attr) for node in tree.find_all(nodes.Getattr) if isinstance(node.node, nodes.Name)
        }
        known = {name: value for name, value in scope.items() if isinstance(value, Mapping)}
        return {
            f"{name}.{attribute}": known[name].get(attribute, "undefined")
            for name, attribute in sorted(dotted)
            if name in known
        }

    def request(self, view: View) -> TaskRequest:
        """The CreateTask of this ticket."""
        scope = view.scope
        body: dict[str, Any] = {
            "type": self._type,
            "title": _cut(_text(self._title(scope)).strip() or view.ticket.key, TITLE_LIMIT),
            "priority": self._priority(scope),
            "externalTag": self._external_tag,
            "data": self._data(scope),
        }
        if self._catalog is not None:
            body["taskCatalogName"] = _text(self._catalog(scope))
        folder = self._folder
        if folder is not None and self._folder_value is not None:
            folder = Folder(folder.kind, _text(self._folder_value(scope)))
        return TaskRequest(body=body, folder=folder)

    def completion(self, view: View) -> Completion:
        """The CompleteTask of this ticket."""
        scope = view.scope
        return Completion(action=_text(self._action(scope)), data=self._completion_data(scope))


class Routes:
    """The routes of a configuration, in order: the first that selects a ticket wins."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._of_source: dict[str, list[Route]] = {}
        for route in routes:
            self._of_source.setdefault(route.source, []).append(route)
        self._by_name = {route.name: route for route in routes}

    def of(self, source: str) -> Sequence[Route]:
        """The routes of a source, in order."""
        return self._of_source.get(source, [])

    def named(self, name: str) -> Route | None:
        """A route by its name; None if the configuration has it no longer."""
        return self._by_name.get(name)

    def select(self, view: View) -> Route | None:
        """The first route that takes this ticket."""
        return next((route for route in self.of(view.source) if route.selects(view)), None)


def compile_routes(config: Config) -> Routes:
    """Compile every route of a configuration that `problems` found nothing wrong with."""
    folder = config.orchestrator.folder
    return Routes([Route(i, route, _external_tag(config, route), folder) for i, route in enumerate(config.routes)])


def problems(document: Mapping[str, Any]) -> Iterator[Problem]:
    """Every condition and template in the YAML that does not parse, or that uses a name that no ticket has.

    It takes the YAML's data rather than a configuration, so that these are found beside whatever else is wrong.
    """
    routes = document.get("routes")
    for index, route in enumerate(routes if isinstance(routes, list) else []):
        if isinstance(route, Mapping):
            yield from _problems(f"routes[{index}]", route)


def _problems(route: str, written: Mapping[str, Any]) -> Iterator[Problem]:
    for part in ("task", "completion"):
        section = written.get(part)
        data = section.get("data") if isinstance(section, Mapping) else None
        try:
            orjson.dumps(data)
        except TypeError as error:
            yield Problem(f"{route}.{part}.data", f"holds what JSON cannot: {error}; write it as a text in quotes")
    for key, source in _sources(route, {name: written.get(name) for name in ("when", "task", "completion")}):
        try:
            tree = _parse_condition(source) if key.endswith(".when") else _ENVIRONMENT.parse(source)
            _compile(key, source)
        except jinja2.TemplateSyntaxError as error:
            yield Problem(key, f"is not valid Jinja2: {error.message}")
        else:
            yield from (Problem(key, message) for message in _unknown_names(tree))


def _external_tag(config: Config, route: RouteConfig) -> str:
    return config.sources[route.source].external_tag


# -- compiling ---------------------------------------------------------------------------------------------------------------------


class _Sandbox(ImmutableSandboxedEnvironment):
    """Dotted names in a template are keys of the ticket's data, never methods of Python's: `fields.items` is a field."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        if isinstance(obj, Mapping):
            try:
                return obj[attribute]
            except KeyError:
                return self.undefined(obj=obj, name=attribute)
        return super().getattr(obj, attribute)


_ENVIRONMENT = _Sandbox(
    undefined=jinja2.StrictUndefined, autoescape=False, finalize=lambda value: "" if value is None else value
)
_ENVIRONMENT.globals.clear()  # what templates see is the ticket's, nothing of ours


def _compile(key: str, source: str) -> _Render:
    return _condition(key, source) if key.endswith(".when") else _template(key, source)


def _condition(key: str, source: str) -> _Render:
    return partial(_evaluate, key, _ENVIRONMENT.compile_expression(source, undefined_to_none=False))


def _template(key: str, source: str) -> _Render:
    """A template whose value keeps its type if it is one expression, and is a text otherwise."""
    expression = _single_expression(source)
    if expression is not None:
        return _condition(key, expression)
    if "{" not in source:
        return lambda _scope: source
    return partial(_evaluate, key, _ENVIRONMENT.from_string(source).render)


def _value(key: str, value: Any) -> _Render:
    """A value of the YAML with every string in it compiled, however deep."""
    if isinstance(value, str):
        return _template(key, value)
    if isinstance(value, Mapping):
        parts = {name: _value(f"{key}.{name}", part) for name, part in value.items()}
        return lambda scope: {name: render(scope) for name, render in parts.items()}
    if isinstance(value, list):
        items = [_value(f"{key}[{i}]", item) for i, item in enumerate(value)]
        return lambda scope: [render(scope) for render in items]
    return lambda _scope: value


def _priority(key: str, priority: str | Mapping[str, str]) -> _Render:
    if isinstance(priority, str):
        chosen = _template(key, priority)
    else:
        by_name = {name: _template(f"{key}.{name}", value) for name, value in priority.items()}
        otherwise = by_name.get("*", lambda _scope: "Medium")

        def chosen(scope: Mapping[str, Any]) -> Any:
            return by_name.get(scope["ticket"]["priority"] or "*", otherwise)(scope)

    def checked(scope: Mapping[str, Any]) -> str:
        value = _text(chosen(scope))
        if value not in PRIORITIES:
            raise TemplateError(f"{key}: {value!r} is no priority of Orchestrator; use one of {', '.join(PRIORITIES)}")
        return value

    return checked


def _evaluate(key: str, render: Any, scope: Mapping[str, Any]) -> Any:
    """Run compiled code; whatever goes wrong in it is the template's, and is told with the template's key."""
    try:
        value = render(**scope)
        if isinstance(value, jinja2.Undefined):
            str(value)  # a strict undefined says its name when it is used
        orjson.dumps(value)  # what cannot be sent as JSON is better said here than by the server
    except SecurityError as error:
        raise TemplateError(f"{key}: {error}") from error
    except jinja2.UndefinedError as error:
        remedy = "correct the name, or say what to take instead with `| default(none)`"
        raise TemplateError(f"{key}: {_named(error.message)}; {remedy}") from error
    except Exception as error:
        raise TemplateError(f"{key}: {type(error).__name__}: {error}") from error
    return value


def _named(message: str | None) -> str:
    return (message or "a name is undefined").replace("'dict object' has no attribute", "this ticket has no")


def _single_expression(source: str) -> str | None:
    """`ticket.key` of the template `{{ ticket.key }}`; None if there is anything beside that one expression."""
    braced = _BRACED.fullmatch(source.strip())
    body = _ENVIRONMENT.parse(source.strip()).body
    if braced is None or len(body) != 1 or not isinstance(body[0], nodes.Output) or len(body[0].nodes) != 1:
        return None
    return None if isinstance(body[0].nodes[0], nodes.TemplateData) else braced.group(1)


# -- checking ----------------------------------------------------------------------------------------------------------------------


def _sources(key: str, value: Any) -> Iterator[tuple[str, str]]:
    """Every text with its key in the YAML."""
    if isinstance(value, str):
        yield key, value
    elif isinstance(value, Mapping):
        for name, part in value.items():
            yield from _sources(f"{key}.{name}", part)
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from _sources(f"{key}[{index}]", part)


def _parse_condition(source: str) -> nodes.Template:
    _ENVIRONMENT.compile_expression(source)  # refuses what is more than one expression
    return _ENVIRONMENT.parse("{{ " + source + " }}")


def _unknown_names(tree: nodes.Template) -> Iterator[str]:
    for name in sorted(jinja2.meta.find_undeclared_variables(tree) - set(_NAMES)):
        yield f"`{name}` is not a name that templates see{_nearest(name, _NAMES)}"
    for attribute in tree.find_all(nodes.Getattr):
        of_ticket = isinstance(attribute.node, nodes.Name) and attribute.node.name == "ticket"
        if of_ticket and attribute.attr not in _TICKET_NAMES:
            yield f"a ticket has no `{attribute.attr}`{_nearest(attribute.attr, _TICKET_NAMES)}"


def _nearest(name: str, known: Sequence[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f"; did you mean `{near[0]}`?" if near else f"; there are {', '.join(known)}"


# -- values ------------------------------------------------------------------------------------------------------------------------


def _text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode() if value is not None else ""


def _cut(text: str, limit: int) -> str:
    """Orchestrator counts UTF-16 units; a character outside the basic plane is two of them."""
    if len(text.encode("utf-16-le")) // 2 <= limit:
        return text
    return text.encode("utf-16-le")[: (limit - 1) * 2].decode("utf-16-le", errors="ignore") + "…"
