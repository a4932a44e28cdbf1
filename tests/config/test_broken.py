"""Whoever makes a mistake in the YAML is told its line, its key and what to do: about every mistake at once."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from bridge.config import Config, load
from bridge.errors import ConfigurationError, Problem
from tests.config.conftest import NOTHING, SMALLEST, Broken, Read

ROUTE = "    source: jira\n"
SECRETS = "    secrets: [webhook-secret]\n"


def smallest(old: str, new: str) -> str:
    assert old in SMALLEST
    return SMALLEST.replace(old, new)


MISTAKES = {
    "a misspelt key": (
        smallest(ROUTE, ROUTE + "    task:\n      folderpath: Shared\n"),
        ["line 14: routes[0].task.folderpath: unknown key `folderpath`; did you mean `folder_path`?"],
    ),
    "a key that is nothing like any": (
        SMALLEST + "database:\n  xyz: 1\n",
        ["line 14: database.xyz: unknown key `xyz`; known here: url"],
    ),
    "a missing key": (
        smallest("    token: orchestrator-token\n", ""),
        ["line 3: orchestrator.auth.token: is missing: add `token: …`"],
    ),
    "a missing section": (
        "name: x\n",
        [
            "line 1: orchestrator: is missing: add `orchestrator: …`",
            "line 1: sources: is missing: add `sources: …`",
            "line 1: routes: is missing: add `routes: …`",
        ],
    ),
    "an empty section": (
        SMALLEST + "server:\n",
        ["line 13: server: is empty: give it a value, or remove the key"],
    ),
    "a key given twice": (
        SMALLEST + "name: a\nname: b\n",
        ["line 14: name: is given twice, first on line 13: keep one of them"],
    ),
    "a word that is none of the choices": (
        smallest(SECRETS, SECRETS + "    verify: hmack\n"),
        ["line 10: sources.jira.verify: must be one of: hmac, bearer, query, path, none; did you mean `hmac`?"],
    ),
    "an unknown way to sign in": (
        smallest("type: token", "type: pasword"),
        [
            (
                "line 4: orchestrator.auth.type: must be one of: client_credentials, token, password; did you mean `password`?"
            )
        ],
    ),
    "an unknown tracker": (
        smallest("type: jira", "type: salesfroce"),
        ["line 8: sources.jira.type: must be one of: jira, salesforce, webhook; did you mean `salesforce`?"],
    ),
    "an organization that is none": (
        smallest("type: jira", "type: salesforce\n    organization_id: acme"),
        [
            (
                "line 9: sources.jira.organization_id: must be 15 or 18 letters and digits: "
                "Setup > Company Information shows it"
            )
        ],
    ),
    "an object that is none": (
        smallest("type: jira", "type: salesforce\n    object: Case; DROP"),
        ["line 9: sources.jira.object: must be the object's API name, such as `Case` or `Work_Order__c`"],
    ),
    "a webhook without its ticket": (
        smallest("type: jira", "type: webhook"),
        ["line 7: sources.jira.ticket: is missing: add `ticket: …`"],
    ),
    "closed statuses, and nothing that tells the status": (
        smallest("type: jira", "type: webhook\n    ticket: {id: '{{ fields.id }}', closed: [Done]}"),
        ["line 9: sources.jira.ticket.closed: is a list of statuses, and nothing tells the status: add `status`"],
    ),
    "a secret that cannot stand in a path": (
        smallest(SECRETS, "    verify: path\n    secrets: [fine, a/b]\n"),
        ["line 10: sources.jira.secrets[1]: holds a `/`, which ends it in a path: use another secret"],
    ),
    "a refresh without an API": (
        SMALLEST + "    refresh: true\n",
        ["line 13: routes[0].refresh: needs the tracker's API: give source jira its `api`, or remove it"],
    ),
    "an update of what does not follow": (
        SMALLEST + "    update: [title, status]\n",
        ["line 13: routes[0].update[1]: must be one of: title, priority"],
    ),
    "an update that is no list": (
        SMALLEST + "    update: title\n",
        ["line 13: routes[0].update: must be a list: write each entry on its own line after `- `, or all as [a, b]"],
    ),
    "an assign that is neither true nor false": (
        SMALLEST + "    assign: sometimes\n",
        ["line 13: routes[0].assign: must be true or false"],
    ),
    "a refresh that is neither true nor false": (
        SMALLEST + "    refresh: often\n",
        ["line 13: routes[0].refresh: must be true or false"],
    ),
    "a retention that forgets duplicates": (
        SMALLEST + "retention: 1d\n",
        [
            (
                "line 13: retention: must be at least `2d`: "
                "trackers repeat a webhook for up to a day, and a repetition must be known"
            )
        ],
    ),
    "a source without a type": (
        smallest("    type: jira\n", ""),
        ["line 7: sources.jira.type: is missing: add `type: …`, one of: jira, salesforce, webhook"],
    ),
    "a route of a source that is not there": (
        smallest(ROUTE, "    source: jria\n"),
        ["line 12: routes[0].source: names no source; there are: jira; did you mean `jira`?"],
    ),
    "two routes of one name": (
        SMALLEST + "  - name: all\n    source: jira\n",
        ["line 13: routes[1].name: is the name of routes[0], too: give each route its own"],
    ),
    "a duration without its unit": (
        SMALLEST + "retention: 90\n",
        [
            (
                "line 13: retention: a duration needs its unit: "
                "write a whole number and its unit, such as `500ms`, `30s`, `5m`, `2h` or `7d`"
            )
        ],
    ),
    "a number out of its range": (
        SMALLEST + "server:\n  port: 99999\n",
        ["line 14: server.port: must be at most 65535"],
    ),
    "a switch where a number belongs": (
        SMALLEST + "server:\n  port: yes\n",
        ["line 14: server.port: must be a whole number, such as 8080, and no unit"],
    ),
    "a switch where text belongs": (
        smallest("name: all", "name: on"),
        [
            (
                "line 11: routes[0].name: must be text: put it in quotes (YAML reads a bare yes, no, on or off as true or false)"
            )
        ],
    ),
    "one value where a list belongs": (
        smallest("[webhook-secret]", "webhook-secret"),
        ["line 9: sources.jira.secrets: must be a list: write each entry on its own line after `- `, or all as [a, b]"],
    ),
    "an empty secret": (
        smallest("[webhook-secret]", "['']"),
        ["line 9: sources.jira.secrets[0]: must not be empty: fill it in"],
    ),
    "no secret": (
        smallest(SECRETS, ""),
        ["line 7: sources.jira.secrets: is missing, and `verify: hmac` needs it: add the webhook's secret"],
    ),
    "a poll without an API": (
        smallest(SECRETS, SECRETS + "    poll: 5m\n"),
        ["line 10: sources.jira.poll: needs `api`: add it, or remove `poll`"],
    ),
    "an open door without a token": (
        SMALLEST + "server:\n  host: 0.0.0.0\n  admin_token: ''\n",
        ["line 14: server.host: is open to other machines: set `server.admin_token`, or use 127.0.0.1"],
    ),
    "an open door for webhooks": (
        smallest(SECRETS, "    verify: none\n") + "server:\n  host: 0.0.0.0\n  admin_token: x\n",
        [
            (
                "line 9: sources.jira.verify: `none` lets anyone in, and server.host is open to other machines:"
                " use hmac, bearer or query"
            )
        ],
    ),
    "a folder by two names": (
        smallest(ROUTE, ROUTE + "    task: {folder_id: 7, folder_path: Shared}\n"),
        ["line 13: routes[0].task.folder_id: names the folder again, beside `folder_path`: keep one of them"],
    ),
    "a priority that Orchestrator does not know": (
        smallest(ROUTE, ROUTE + "    task:\n      priority:\n        Major: hihg\n"),
        ["line 15: routes[0].task.priority.Major: must be one of: Low, Medium, High, Critical; did you mean `High`?"],
    ),
    "a catalog with too long a name": (
        smallest(ROUTE, ROUTE + f"    task: {{catalog: {'x' * 51}}}\n"),
        ["line 13: routes[0].task.catalog: is longer than Orchestrator's 50 characters: give the catalog's name"],
    ),
    "another database": (
        SMALLEST + "database:\n  url: mysql://user:hunter2@host/name\n",
        [
            (
                "line 14: database.url: is not a database that the bridge knows: "
                "write `sqlite:///bridge.db` or `postgresql://user:password@host/name`"
            )
        ],
    ),
    "credentials in a URL": (
        smallest("https://orch", "https://user:hunter2@orch"),
        [
            "line 2: orchestrator.url: must not hold a user or password: give them under their own keys",
        ],
    ),
    "a source's name that is no path": (
        smallest("  jira:\n", "  my jira:\n").replace("source: jira", "source: my jira"),
        ["line 7: sources.my jira: must be 1 to 64 letters, digits, `_` or `-`, because it is the path /hooks/NAME"],
    ),
    "a template without quotes": (
        smallest(ROUTE, ROUTE + "    task:\n      title: {{ ticket.key }}\n"),
        ['line 14: routes[0].task.title: has a key that is not text: a template such as "{{ … }}" belongs in quotes'],
    ),
    "a password that looks like an alias": (
        smallest("orchestrator-token", "*hunter2"),
        [
            (
                "line 5: is not YAML: `*` begins an alias, and there is no such anchor; "
                "if it is not meant as one, put the value in quotes"
            )
        ],
    ),
    "a password that looks like a tag": (
        smallest("orchestrator-token", "!hunter2"),
        [
            (
                "line 5: orchestrator.auth.token: has a YAML tag (`!…`), which is not supported: remove it, or put the value in quotes"
            )
        ],
    ),
    "a value that holds itself": (
        smallest(ROUTE, ROUTE + "    completion: {data: &loop {again: *loop}}\n"),
        ["line 13: routes[0].completion.data.again: holds itself through an alias: write the value out"],
    ),
    "an empty file": ("# nothing yet\n", ["the file is empty: begin with config.example.yaml"]),
    "a list": (
        "- name: all\n",
        ["line 1: the file is not a mapping of keys to values: begin with config.example.yaml"],
    ),
}


@pytest.mark.parametrize(("text", "expected"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_named_with_its_line_and_remedy(broken: Broken, text: str, expected: list[str]) -> None:
    assert broken(text) == expected


@pytest.mark.parametrize(
    ("text", "line", "remedy"),
    [
        ("a: {token: ${X}}\n", 1, "belongs in quotes"),
        ("a:\n\tb: 1\n", 2, "use spaces"),
        ("a: 1\nb: x: y\n", 2, "quote values with"),
        ("a: 1\n---\nb: 1\n", 2, "keep one"),
        ("a: 1\nb: \x07\n", 2, "remove it"),
        ("a: !hunter2!x y\n", 1, "quote values with"),
    ],
)
def test_a_syntax_error_has_its_line(broken: Broken, text: str, line: int, remedy: str) -> None:
    (problem,) = broken(text)
    assert problem.startswith(f"line {line}: ")
    assert remedy in problem
    assert "hunter2" not in problem


def test_all_mistakes_come_at_once_in_the_order_of_their_lines(broken: Broken) -> None:
    text = smallest("source: jira", "source: jria").replace("type: token", "type: tokn")
    problems = broken(text + "server: {host: 0.0.0.0}\nretention: soon\nname: ${NOPE}\n")
    assert [problem.split(": ")[:2] for problem in problems] == [
        ["line 4", "orchestrator.auth.type"],
        ["line 12", "routes[0].source"],
        ["line 13", "server.host"],
        ["line 14", "retention"],
        ["line 15", "name"],
    ]


def test_a_missing_file_says_where_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"copy config\.example\.yaml .* --config PATH or set BRIDGE_CONFIG"):
        load(tmp_path / "config.yaml", NOTHING)


def test_a_file_that_is_not_text_says_so(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match="not text in UTF-8: save it as such"):
        load(tmp_path / "config.yaml", NOTHING)


def no_title(document: Mapping[str, Any]) -> list[Problem]:
    return [
        Problem(f"routes[0].task.data.{document['routes'][0]['name']}", "does not compile"),
        Problem("server", "no"),
    ]


def test_a_checks_problems_get_a_line(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(SMALLEST, encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load(path, NOTHING, [no_title])
    assert [(problem.line, problem.key) for problem in caught.value.problems] == [
        (1, "server"),
        (11, "routes[0].task.data.all"),
    ]


def test_checks_tell_their_problems_beside_all_others(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(SMALLEST + "name: ${NOPE}\nnaem: x\n", encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        load(path, NOTHING, [no_title])
    assert [problem.key for problem in caught.value.problems] == ["server", "routes[0].task.data.all", "name", "naem"]


def test_a_model_made_without_a_file_keeps_the_rules_between_sections(read: Read) -> None:
    data = read(SMALLEST).model_dump()
    with pytest.raises(ValueError, match="names no source"):
        Config.model_validate({**data, "routes": [{"name": "all", "source": "crm"}]})
