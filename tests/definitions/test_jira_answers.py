"""Atlassian's definition is a judge with teeth."""

from typing import Any

import pytest

from tests.definitions.jira_answers import complaints, needs_definition

pytestmark = needs_definition


@pytest.mark.parametrize(
    ("method", "path", "status", "content"),
    [
        ("GET", "/rest/api/3/issue/OPS-1", 200, {"id": "1", "key": "OPS-1", "fields": {"summary": "x"}}),
        ("GET", "/rest/api/2/issue/OPS-1", 404, {"errorMessages": ["gone"], "errors": {}}),
        ("POST", "/rest/api/3/issue/bulkfetch", 200, {"issues": [], "issueErrors": []}),
        ("DELETE", "/rest/api/latest/issue/OPS-1", 204, None),
        ("GET", "/rest/api/3/mypermissions", 200, "unknown to the definition, which is not whole"),
    ],
)
def test_what_is_right(method: str, path: str, status: int, content: Any) -> None:
    assert complaints(method, path, status, content) == []


@pytest.mark.parametrize(
    ("method", "path", "status", "content", "wrong"),
    [
        ("GET", "/rest/api/3/issue/OPS-1", 200, {"id": 1}, "id: 1 is not of type"),
        ("GET", "/rest/api/2/issue/OPS-1", 404, {"message": "gone"}, "Additional properties"),
        ("GET", "/rest/api/3/issue/OPS-1", 201, {}, "status 201 is not declared"),
        ("GET", "/rest/api/3/issue/OPS-1", 418, {}, "status 418 is not declared"),
        ("POST", "/rest/api/3/issue/bulkfetch", 200, {"issues": [{"id": 1}]}, "issues/0/id"),
        ("GET", "/rest/api/3/search/jql", 200, {"issues": [], "total": 0}, "'total' was unexpected"),
    ],
)
def test_what_is_wrong(method: str, path: str, status: int, content: Any, wrong: str) -> None:
    (complaint,) = complaints(method, path, status, content)
    assert wrong in complaint
