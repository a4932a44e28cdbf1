"""Routes: which tickets become tasks, and how they look."""

from typing import Any

import pytest

from bridge.config import Config
from bridge.errors import TemplateError
from bridge.model import EVENT, Folder, Ticket
from bridge.routes import Route, View, compile_routes, problems

TICKET = Ticket(
    id="1",
    key="OPS-1",
    url="https://acme.test/browse/OPS-1",
    title="Broken {{ 7 * 7 }}",
    status="Open",
    type="Bug",
    project="OPS",
    priority="Highest",
    labels=("a", "b"),
    reporter="Ada",
)
FACTS: dict[str, Any] = {
    "summary": "s",
    "customfield_1": 42,
    "customfield_2": None,
    "items": "mine",
    EVENT: "jira:issue_created",
}
VIEW = View(TICKET, FACTS, "jira")


def config(*routes: dict[str, Any], **orchestrator: Any) -> Config:
    return Config.model_validate(
        {
            "orchestrator": {"url": "https://o.test", "auth": {"type": "token", "token": "t"}, **orchestrator},
            "sources": {"jira": {"type": "jira", "secrets": ["s"]}},
            "routes": [{"name": f"r{i}", "source": "jira", **route} for i, route in enumerate(routes)],
        }
    )


def route(**changes: Any) -> Route:
    return compile_routes(config(changes)).of("jira")[0]


def body(**task: Any) -> dict[str, Any]:
    return dict(route(task=task).request(VIEW).body)


def test_the_smallest_route_makes_a_whole_task() -> None:
    request = route().request(VIEW)
    assert request.folder is None
    assert request.body == {
        "type": "ExternalTask",
        "title": "[OPS-1] Broken {{ 7 * 7 }}",  # a ticket's text is a value, never a template
        "priority": "Critical",
        "externalTag": "JIRA",
        "data": {
            "key": "OPS-1",
            "url": "https://acme.test/browse/OPS-1",
            "title": "Broken {{ 7 * 7 }}",
            "status": "Open",
            "type": "Bug",
            "project": "OPS",
            "reporter": "Ada",
            "assignee": None,
        },
    }


@pytest.mark.parametrize(
    ("template", "value"),
    [
        ("{{ fields.customfield_1 }}", 42),
        ("{{ fields.customfield_2 }}", None),
        ("{{ fields.customfield_9 | default(none) }}", None),
        ("{{ ticket.labels }}", ["a", "b"]),
        ("{{- ticket.key -}}", "OPS-1"),
        ("{{ -fields.customfield_1 }}", -42),
        ("{# a note #}{{ ticket.key }}", "OPS-1"),
        ("no. {{ fields.customfield_1 }}", "no. 42"),
        ("{{ ticket.assignee }}!", "!"),
        ("{{ fields.items }}", "mine"),
        ("{{ fields['items'] }}", "mine"),
        ("{{ source }} {{ event }}", "jira jira:issue_created"),
        ("{{ {'a': 1} }}", {"a": 1}),
        ("plain { text }", "plain { text }"),
        (7, 7),
        ({"deep": ["{{ ticket.key }}", True]}, {"deep": ["OPS-1", True]}),
    ],
)
def test_data(template: object, value: object) -> None:
    rendered = body(data={"x": template})["data"]["x"]
    assert (list(rendered) if isinstance(rendered, tuple) else rendered) == value


@pytest.mark.parametrize(
    ("template", "told"),
    [
        ("{{ fields.customfield_9 }}", "customfield_9"),
        ("x {{ fields.customfield_9.name }}", "customfield_9"),
        ("{{ fields.customfield_2.name }}", "name"),
        ("{{ 1 / 0 }}", "division"),
        ("{{ ticket.__class__ }}", "__class__"),
        ("{{ ''.__class__.__mro__ }}", "unsafe"),
        ("{{ cycler }}", "cycler"),
    ],
)
def test_a_failing_template_names_itself_and_what_it_lacks(template: str, told: str) -> None:
    with pytest.raises(TemplateError, match=r"routes\[0\]\.task\.data\.x: ") as caught:
        body(data={"x": template})
    assert told in str(caught.value)


def test_a_template_cannot_change_what_it_sees() -> None:
    with pytest.raises(TemplateError):
        body(data={"x": "{{ ticket.labels.append('c') }}"})


@pytest.mark.parametrize(
    ("priority", "ticket", "chosen"),
    [
        (None, "Highest", "Critical"),
        (None, "Low", "Low"),
        (None, "Whatever", "Medium"),
        (None, None, "Medium"),
        ({"Highest": "Low"}, "Highest", "Low"),
        ({"Highest": "Low"}, "High", "Medium"),
        ("High", "Low", "High"),
        ("{{ 'Critical' if ticket.type == 'Bug' else 'Low' }}", None, "Critical"),
    ],
)
def test_priorities(priority: object, ticket: str | None, chosen: str) -> None:
    task = {} if priority is None else {"priority": priority}
    view = View(Ticket(id="1", key="OPS-1", type="Bug", priority=ticket), {}, "jira")
    assert route(task=task).request(view).body["priority"] == chosen


def test_a_priority_that_orchestrator_does_not_have_says_which_it_has() -> None:
    with pytest.raises(
        TemplateError, match="'Urgent' is no priority of Orchestrator; use one of Low, Medium, High, Critical"
    ):
        body(priority="{{ 'Urgent' }}")


def test_a_long_title_is_cut_to_what_orchestrator_takes() -> None:
    view = View(Ticket(id="1", key="OPS-1", title="😀" * 600), {}, "jira")
    title = route().request(view).body["title"]
    assert len(title.encode("utf-16-le")) // 2 <= 512
    assert title.endswith("…")


def test_a_ticket_without_a_title_still_has_one() -> None:
    assert (
        route(task={"title": "{{ ticket.title }}"}).request(View(Ticket(id="1", key="OPS-1"), {}, "jira")).body["title"]
        == "OPS-1"
    )


def test_the_folder_is_the_routes_or_orchestrators() -> None:
    default, own = compile_routes(config({}, {"task": {"folder_path": "Shared/{{ ticket.project }}"}}, folder_id=7)).of(
        "jira"
    )
    assert default.request(VIEW).folder == Folder("id", "7")
    assert own.request(VIEW).folder == Folder("path", "Shared/OPS")


def test_a_completion() -> None:
    completion = route(completion={"action": "{{ ticket.status | lower }}", "data": {"n": "{{ 1 + 1 }}"}}).completion(
        VIEW
    )
    assert (completion.action, completion.data) == ("open", {"n": 2})
    assert route().completion(VIEW).action == "close"


def test_the_first_route_that_selects_wins() -> None:
    routes = compile_routes(config({"when": 'ticket.type == "Task"'}, {"when": "'a' in ticket.labels"}, {}))
    selected = routes.select(VIEW)
    assert selected is not None
    assert selected.name == "r1"
    assert routes.select(View(TICKET, {}, "another")) is None


@pytest.mark.parametrize(
    ("changes", "key", "told"),
    [
        ({"when": "ticket.type =="}, "routes[0].when", "not valid Jinja2"),
        ({"when": "ticket.tpye == 'Bug'"}, "routes[0].when", "did you mean `type`?"),
        ({"when": "tiket.type == 'Bug'"}, "routes[0].when", "did you mean `ticket`?"),
        ({"task": {"title": "{{ ticket.key"}}, "routes[0].task.title", "not valid Jinja2"),
        ({"task": {"data": {"a": ["{{ ticket.nope }}"]}}}, "routes[0].task.data.a[0]", "a ticket has no `nope`"),
        ({"task": {"data": {"a": "{{ x | nofilter }}"}}}, "routes[0].task.data.a", "No filter named 'nofilter'"),
        ({"task": {"data": {"n": 10**30}}}, "routes[0].task.data", "what JSON cannot"),
        ({"completion": {"data": {"n": "\ud83d"}}}, "routes[0].completion.data", "what JSON cannot"),
        ({"completion": {"action": "{% if %}"}}, "routes[0].completion.action", "not valid Jinja2"),
    ],
)
def test_a_template_that_can_never_work_is_a_problem_of_the_configuration(changes: Any, key: str, told: str) -> None:
    (problem, *_) = problems({"routes": [changes]})
    assert problem.key == key
    assert told in problem.message
