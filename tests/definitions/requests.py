"""The definition as a judge of requests: method, path, query, headers and JSON body."""

import re
from copy import deepcopy
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any
from urllib.parse import parse_qsl, unquote

import httpx
import jsonschema_rs
import orjson

from tests.definitions import below_tenant, document

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


@dataclass(frozen=True)
class Operation:
    """An operation of the definition."""

    id: str
    method: str
    path: str
    parameters: tuple[dict[str, Any], ...]
    body: dict[str, Any] | None

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>[^/(),]+)", re.escape(self.path)))

    def of(self, place: str) -> dict[str, dict[str, Any]]:
        """The parameters in the path, the query or the headers."""
        return {each["name"]: each for each in self.parameters if each["in"] == place}


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
    found = {}
    for path, methods in document()["paths"].items():
        for method, said in methods.items():
            body = said.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
            parameters = tuple(said.get("parameters", ()))
            found[said["operationId"]] = Operation(said["operationId"], method.upper(), path, parameters, body)
    return found


def operation_of(method: str, path: str) -> Operation | None:
    """The operation that a request is for."""
    matching = [one for one in operations().values() if one.method == method and one.pattern.fullmatch(path)]
    return min(matching, key=lambda one: one.path.count("{"), default=None)


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
        for problem in _misfits(parameter["schema"], match[name], name)
    ]


def _query(operation: Operation, request: httpx.Request) -> list[str]:
    known = operation.of("query")
    raw = request.url.query.decode()
    said = parse_qsl(raw, keep_blank_values=True, strict_parsing=bool(raw))
    found = [f"the query has no {name}" for name, _ in said if name not in known]
    found += [
        f"the query lacks {name}" for name, each in known.items() if each.get("required") and name not in dict(said)
    ]
    for name, text in said:
        if name in known:
            schema = known[name]["schema"]
            found += _misfits(schema["items"] if schema["type"] == "array" else schema, text, name)
    if sum(name == "$top" and int(text) > 1000 for name, text in said):
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


def _misfits(schema: dict[str, Any], text: str, name: str) -> list[str]:
    """What a text in a URL is not."""
    kind = schema["type"]
    if kind == "integer" and not re.fullmatch(r"-?\d{1,19}", text):
        return [f"{name} is no whole number: {text!r}"]
    if kind == "boolean" and text not in ("true", "false"):
        return [f"{name} is neither true nor false: {text!r}"]
    if schema.get("format") == "uuid" and not re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", text):
        return [f"{name} is no UUID: {text!r}"]
    if "enum" in schema and text not in schema["enum"]:
        return [f"{name} is none of {schema['enum']}: {text!r}"]
    return []
