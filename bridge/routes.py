"""Routes: which tickets become tasks, and how they look. Pure: a view of a ticket in, a rendered task out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import orjson

from bridge import templates
from bridge.config import Config
from bridge.config import Route as RouteConfig
from bridge.errors import Problem, TemplateError
from bridge.model import ASSIGNEE, EVENT, Completion, Facts, Folder, Policy, TaskRequest, Ticket, fields_of
from bridge.templates import Render, Scope, as_text

PRIORITIES = ("Low", "Medium", "High", "Critical")
TITLE_LIMIT = 512
"""Characters that CreateTask takes as a title; a longer one is cut, so that a long summary never parks a ticket."""

_NAMES: templates.Names = {"ticket": Ticket._fields, "fields": None, "source": None, "event": None}
_DEFAULT_DATA = {
    name: f"{{{{ ticket.{name} }}}}"
    for name in ("key", "url", "title", "status", "type", "project", "reporter", "assignee")
}


@dataclass(frozen=True)
class View:
    """What conditions and templates see of a ticket."""

    ticket: Ticket
    facts: Facts
    source: str

    @cached_property
    def scope(self) -> Scope:
        """The names that a template may use."""
        return {
            "ticket": self.ticket._asdict(),
            "fields": fields_of(self.facts),
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
        self.refresh = config.refresh
        self._update = config.update
        self._assign = config.assign
        self._external_tag = external_tag
        self._type = task.type
        self.when = config.when
        self._when = None if config.when is None else templates.condition(f"{key}.when", config.when)
        self._title = templates.value(f"{key}.task.title", task.title)
        self._catalog = None if task.catalog is None else templates.value(f"{key}.task.catalog", task.catalog)
        self._priority = _priority(f"{key}.task.priority", task.priority)
        self._data = templates.value(f"{key}.task.data", _DEFAULT_DATA if task.data is None else task.data)
        self._folder = task.folder or folder
        self._folder_value = (
            None if task.folder is None else templates.value(f"{key}.task.folder_path", task.folder.value)
        )
        self._action = templates.value(f"{key}.completion.action", config.completion.action)
        self._completion_data = templates.value(f"{key}.completion.data", config.completion.data)

    def selects(self, view: View) -> bool:
        """Whether the route takes this ticket."""
        return self._when is None or bool(self._when(view.scope))

    def seen(self, view: View) -> dict[str, Any]:
        """The names in the condition with what they are for this ticket, to explain its answer."""
        if self.when is None:
            return {}
        scope = view.scope
        known = {name: value for name, value in scope.items() if isinstance(value, Mapping)}
        return {
            f"{name}.{attribute}": known[name].get(attribute, "undefined")
            for name, attribute in sorted(templates.attributes(self.when))
            if name in known
        }

    def request(self, view: View) -> TaskRequest:
        """The CreateTask of this ticket."""
        scope = view.scope
        body: dict[str, Any] = {
            "type": self._type,
            "title": self._title_of(view),
            "priority": self._priority(scope),
            "externalTag": self._external_tag,
            "data": self._data(scope),
        }
        if self._catalog is not None:
            body["taskCatalogName"] = as_text(self._catalog(scope))
        folder = self._folder
        if folder is not None and self._folder_value is not None:
            folder = Folder(folder.kind, as_text(self._folder_value(scope)))
        return TaskRequest(body=body, folder=folder)

    def shows(self, view: View) -> dict[str, str]:
        """What the open task of this ticket should show now, of what follows the ticket.

        Somebody whose e-mail the tracker does not tell is named as it names them, so that nobody is found and that is shown.
        """
        shown: dict[str, str] = {}
        if "title" in self._update:
            shown["title"] = self._title_of(view)
        if "priority" in self._update:
            shown["priority"] = self._priority(view.scope)
        if self._assign:
            shown[ASSIGNEE] = view.ticket.assignee_email or view.ticket.assignee or ""
        return shown

    def completion(self, view: View) -> Completion:
        """The CompleteTask of this ticket."""
        scope = view.scope
        return Completion(action=as_text(self._action(scope)), data=self._completion_data(scope))

    def _title_of(self, view: View) -> str:
        return _cut(as_text(self._title(view.scope)).strip() or view.ticket.key, TITLE_LIMIT)


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
    texts = {name: written.get(name) for name in ("when", "task", "completion")}
    yield from templates.problems(route, texts, _NAMES, conditions=(f"{route}.when",))


def fields_in_use(config: Config, source: str) -> set[str]:
    """The tracker's raw fields that conditions and templates of a source's routes speak of by name."""
    return _in_use(config, source, "fields")


def ticket_attributes_in_use(config: Config, source: str) -> set[str]:
    """What of `ticket` they speak of."""
    return _in_use(config, source, "ticket")


def _in_use(config: Config, source: str, of: str) -> set[str]:
    found: set[tuple[str, str]] = set()
    for route in config.routes:
        if route.source == source:
            found |= templates.attributes(route.when) if route.when else set()
            found |= templates.attributes_in(route.model_dump(include={"task": True, "completion": True}))
    return {attribute for name, attribute in found if name == of}


def _external_tag(config: Config, route: RouteConfig) -> str:
    return config.sources[route.source].external_tag or route.source


def _priority(key: str, priority: str | Mapping[str, str]) -> Render:
    if isinstance(priority, str):
        chosen = templates.template(key, priority)
    else:
        by_name = {name: templates.template(f"{key}.{name}", value) for name, value in priority.items()}
        otherwise = by_name.get("*", lambda _scope: "Medium")

        def chosen(scope: Scope) -> Any:
            return by_name.get(scope["ticket"]["priority"] or "*", otherwise)(scope)

    def checked(scope: Scope) -> str:
        value = as_text(chosen(scope))
        if value not in PRIORITIES:
            raise TemplateError(f"{key}: {value!r} is no priority of Orchestrator; use one of {', '.join(PRIORITIES)}")
        return value

    return checked


def _cut(text: str, limit: int) -> str:
    """Orchestrator counts UTF-16 units; a character outside the basic plane is two of them."""
    if len(text) <= limit // 2 or len(text.encode("utf-16-le")) // 2 <= limit:
        return text
    return text.encode("utf-16-le")[: (limit - 1) * 2].decode("utf-16-le", errors="ignore") + "…"
