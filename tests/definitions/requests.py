"""The definition as a judge of requests: method, path, query, headers and JSON body."""

import re
from copy import deepcopy
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, unquote

import httpx
import jsonschema_rs
import orjson

from tests.definitions import below_tenant, document
from tests.definitions.operation import Operation, find, misfits, operations_of, query_problems

# -- where the wire differs from the definition ------------------------------------------------------------------------------------

FOLDER_HEADERS = {
    "x-uipath-organizationunitid",
    "x-uipath-folderpath",
    "x-uipath-folderpath-encoded",
    "x-uipath-folderkey",
}
"""The definition knows the first alone; every server takes any one of them (API guide, "Building API requests")."""

NEEDS_NO_FOLDER = {
    "Tasks_AssignTasks",
    "Tasks_ReassignTasks",
    "Tasks_UnassignTasks",
    "Tasks_DeleteTasks",
    "Tasks_GetTasksAcrossFolders",
    "Tasks_GetTasksAcrossFoldersForAdmin",
}
"""The definition requires the header; UiPath's own SDK calls them without, and their tasks may lie in several folders."""

PARTIAL = {"Webhooks_PatchById"}
"""A PATCH has the schema of the whole thing, with what is required of that: then it would be no PATCH."""

ANY_VALUE = {"Webhooks_TriggerCustom"}
"""C#'s `object` is written as `type: object` in a map of them; any JSON value is meant."""

MORE_CRITERIA = "RoundRobin"
"""An `AssignmentCriteria` that UiPath's own SDKs send, and the definition lacks."""

NOT_IN_IT = re.compile(r"/(?:[^/]+/)?identity_?/connect/token|/api/Account/Authenticate")
"""Signing in: the identity server has a definition of its own, and the old way was removed from this one."""


@cache
def _components() -> dict[str, Any]:
    """The definition's schemas, with the criterion that it lacks."""
    components: dict[str, Any] = deepcopy(document()["components"])
    for name in ("TaskAssignmentRequest", "TaskSaveAndReassignmentRequest"):
        components["schemas"][name]["properties"]["AssignmentCriteria"]["enum"].append(MORE_CRITERIA)
    return components


@cache
def operations() -> dict[str, Operation]:
    """Every operation by its id."""
    return operations_of(document())


def operation_of(method: str, path: str) -> Operation | None:
    """The operation that a request is for."""
    return find(operations().values(), method, path)


def complaints(request: httpx.Request) -> list[str]:
    """What the definition has against a request; nothing if it is one of its own."""
    path = below_tenant(unquote(request.url.path))
    if NOT_IN_IT.fullmatch(path):
        return []
    operation = operation_of(request.method, path)
    if operation is None:
        return [f"{request.method} {path}: there is no such operation"]
    found = [*_path(operation, path), *_query(operation, request), *_headers(operation, request)]
    return [f"{operation.id}: {each}" for each in (*found, *_body(operation, request))]


def _path(operation: Operation, path: str) -> list[str]:
    match = operation.pattern.fullmatch(path)
    assert match is not None
    return [
        problem
        for name, parameter in operation.of("path").items()
        for problem in misfits(parameter["schema"], match[name], name)
    ]


def _query(operation: Operation, request: httpx.Request) -> list[str]:
    raw = request.url.query.decode()
    found = query_problems(operation, raw)
    if sum(name == "$top" and int(text) > 1000 for name, text in parse_qsl(raw)):
        found.append("$top is more than 1000")
    return found


def _headers(operation: Operation, request: httpx.Request) -> list[str]:
    found = []
    named = FOLDER_HEADERS & set(request.headers)
    declared = operation.of("header")
    if named and not declared:
        found.append(f"it takes no folder, but {named} came")
    if declared and operation.id not in NEEDS_NO_FOLDER and not named:
        found.append("no folder is named")
    if len(named) > 1:
        found.append(f"several folders are named: {named}")
    if (number := request.headers.get("x-uipath-organizationunitid")) is not None and not number.isdecimal():
        found.append(f"a folder's id is {number!r}")
    if not request.headers.get("authorization", "").startswith("Bearer "):
        found.append("no token")
    return found


def _body(operation: Operation, request: httpx.Request) -> list[str]:
    if operation.body is None:
        return ["it takes no body"] if request.content else []
    if request.headers.get("content-type") != "application/json":
        return ["its body is no application/json"]
    try:
        body = orjson.loads(request.content)
    except orjson.JSONDecodeError as error:
        return [f"its body is no JSON: {error}"]
    return [
        f"{'.'.join(map(str, each.instance_path)) or 'the body'}: {each.message}"
        for each in _validator(operation.id).iter_errors(body)
    ]


@cache
def _validator(operation_id: str) -> Any:
    schema: dict[str, Any] = operations()[operation_id].body or {}
    if operation_id in ANY_VALUE:
        schema = {"type": "object"}
    if operation_id in PARTIAL:
        name = schema["$ref"].rsplit("/", 1)[1]
        schema = {key: value for key, value in _components()["schemas"][name].items() if key != "required"}
    return jsonschema_rs.Draft4Validator({"allOf": [schema], "components": _components()})
