"""Jira Cloud's published definition as a judge of what our client asks it. Data Center publishes none."""

import json
from functools import cache
from typing import Any
from urllib.parse import unquote

import httpx
import jsonschema_rs
import orjson

from tests.definitions import REFERENCE
from tests.definitions.operation import Operation, find, misfits, operations_of, query_problems

FILE = REFERENCE / "jira-openapi.json"
CLOUD = "/rest/api/3/"


@cache
def document() -> dict[str, Any]:
    """The definition as it was published."""
    loaded: dict[str, Any] = json.loads(FILE.read_bytes())
    return loaded


@cache
def operations() -> dict[str, Operation]:
    """Every operation by its id."""
    return operations_of(document())


def complaints(request: httpx.Request) -> list[str]:
    """What the definition has against a request to Jira Cloud; nothing if it is one of its own."""
    path = unquote(request.url.path)
    if not path.startswith(CLOUD):
        return []
    operation = find(operations().values(), request.method, path)
    if operation is None:
        return [f"{request.method} {path}: Jira Cloud has no such operation"]
    match = operation.pattern.fullmatch(path)
    assert match is not None
    found = [
        problem
        for name, parameter in operation.of("path").items()
        for problem in misfits(parameter["schema"], match[name], name)
    ]
    found += query_problems(operation, request.url.query.decode())
    return [f"{operation.id}: {each}" for each in (*found, *_body(operation, request))]


def _body(operation: Operation, request: httpx.Request) -> list[str]:
    if operation.body is None:
        return ["it takes no body"] if request.content else []
    if request.headers.get("content-type") != "application/json":
        return ["its body is no application/json"]
    judge = jsonschema_rs.Draft4Validator({"allOf": [operation.body], "components": document()["components"]})
    return [
        f"{'.'.join(map(str, each.instance_path)) or 'the body'}: {each.message}"
        for each in judge.iter_errors(orjson.loads(request.content))
    ]
