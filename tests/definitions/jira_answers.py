"""Jira Cloud's OpenAPI definition as a judge of what the simulated Jira answers.

Like Orchestrator's it is not part of the project; where it is absent nothing is judged, and the test of this judge is skipped, loudly.
It is of version 3; version 2 differs in its long texts, which the definition does not describe, and is judged by it, too.
"""

import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

import jsonschema_rs
import pytest

from tests.definitions import REFERENCE

FILE = REFERENCE / "jira-openapi.json"

needs_definition = pytest.mark.skipif(
    not FILE.exists(),
    reason="NO ANSWER OF THE SIMULATED JIRA IS HELD AGAINST ATLASSIAN'S DEFINITION: it is not part of the project",
)

DIFFERENCES = {
    "date-time": "Jira writes offsets without a colon, as the definition's own examples do: formats are not judged",
    "remote links": "without a global id they are a list, as the definition's own example is, although its schema is one of them",
}
"""Where the wire is known to differ from the definition."""

UNDECLARED_ERRORS = frozenset({400, 401, 403, 404, 409, 410, 413, 422, 429, 500, 502, 503, 504})
"""Any operation may be refused so, whatever it declares."""

_ANY_VERSION = re.compile(r"^/rest/api/(2|3|latest)/")


@cache
def document() -> dict[str, Any]:
    """The definition as it was published."""
    loaded: dict[str, Any] = json.loads(FILE.read_bytes())
    return loaded


def complaints(method: str, path: str, status: int, content: Any) -> list[str]:
    """What is wrong with an answer; nothing if the definition does not know the operation. `content` is None for no body."""
    declared = _responses(method, _ANY_VERSION.sub("/rest/api/3/", path))
    if not FILE.exists() or declared is None:
        return []
    if status >= 400:
        wrong = [] if status in UNDECLARED_ERRORS else [f"status {status} is not declared"]
        return [*wrong, *_broken({"$ref": "#/components/schemas/ErrorCollection"}, content)]
    if str(status) not in declared:
        return [f"status {status} is not declared"]
    schemas = [media["schema"] for media in declared[str(status)].get("content", {}).values() if "schema" in media]
    whole = content if path.endswith("/remotelink") and isinstance(content, list) else [content]
    return [one for schema in schemas for part in whole for one in _broken(schema, part)]


@cache
def _paths() -> list[tuple[re.Pattern[str], Mapping[str, Any]]]:
    """Paths without parameters come first: `issue/bulkfetch` is no issue."""
    found = sorted(document()["paths"].items(), key=lambda item: item[0].count("{"))
    return [(re.compile(re.sub(r"\\{[^}]*\\}", "[^/]+", re.escape(path))), methods) for path, methods in found]


def _responses(method: str, path: str) -> Mapping[str, Any] | None:
    for pattern, methods in _paths() if FILE.exists() else []:
        if pattern.fullmatch(path) and method.lower() in methods:
            responses: Mapping[str, Any] = methods[method.lower()]["responses"]
            return responses
    return None


def _broken(schema: Mapping[str, Any], content: Any) -> list[str]:
    errors = _judge(json.dumps(schema)).iter_errors(content)
    return [f"{'/'.join(map(str, one.instance_path))}: {one.message}" for one in errors]


@cache
def _judge(schema: str) -> jsonschema_rs.Draft4Validator:
    return jsonschema_rs.Draft4Validator(
        {**json.loads(schema), "components": document()["components"]}, validate_formats=False
    )
