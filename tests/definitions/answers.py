"""The definition as a judge of the sandbox's answers: `complaints` says what it has against one.

`DIFFERENCES` names every place where the wire is known to differ from the definition.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import jsonschema_rs

from tests.definitions import below_tenant, document

DIFFERENCES = {
    "integer status": "the status of a task under /tasks and /forms is a number (guide; UiPath's TypeScript SDK maps it)",
    "null": "a value that there is none of is null; the definition does not say of any property that it may be",
    "PascalCase": "under /odata everything is in PascalCase (guide), users and assignments, too",
    "QuickFormTask": "a type of task that UiPath's Python SDK creates and the definition does not list",
    "RoundRobin": "a criterion that UiPath's SDKs send and the definition does not list",
    "EventData": "a custom event carries what its caller sent; the definition has objects alone for .NET's `object`, any value",
    "error bodies": "an error has a body in camelCase (recorded answers); where the definition has a schema, it is PascalCase",
    "undeclared errors": "400, 401, 403, 404, 409 and 413 are answered by operations that declare none",
}
UNDECLARED_ERRORS = frozenset({400, 401, 403, 404, 409, 413})

_ORDERED = frozenset({429, *range(500, 600)})
"""What only a fault answers that a test has ordered."""
_PASCAL_UNDER_ODATA = ("UserLoginInfoDto", "TaskAssignmentDto")
_ANNOTATIONS = re.compile(r"^@odata\.")
_ERROR = jsonschema_rs.validator_for(
    {
        "type": "object",
        "required": ["message", "errorCode", "traceId", "resourceIds"],
        "properties": {
            "message": {"type": "string", "minLength": 1},
            "errorCode": {"type": "integer"},
            "traceId": {"type": "string", "pattern": "^00-[0-9a-f]{32}-[0-9a-f]{16}-00$"},
            "resourceIds": {"type": ["array", "null"]},
        },
    }
)


def operation(method: str, path: str) -> Mapping[str, Any] | None:
    """The definition's operation at a path, which may be below a tenant's; None if it has none."""
    bare = below_tenant(path)
    for pattern, methods in _paths():
        if pattern.fullmatch(bare) and method.lower() in methods:
            found: Mapping[str, Any] = methods[method.lower()]
            return found
    return None


def complaints(method: str, path: str, status: int, content: Any, *, selected: bool = False) -> list[str]:
    """What is wrong with an answer. `content` is its JSON, None for none; `selected` answers may lack what is required."""
    found = operation(method, path)
    if found is None:
        return []
    declared = found["responses"]
    if status >= 400:
        wrong = (
            [] if str(status) in declared or status in UNDECLARED_ERRORS or status == 429 or status >= 500 else [status]
        )
        return [*(f"status {one} is not declared" for one in wrong), *_broken(_ERROR, content)]
    if str(status) not in declared:
        return [f"status {status} is not declared"]
    schemas = [media["schema"] for media in (declared[str(status)].get("content") or {}).values() if "schema" in media]
    if not schemas:
        return [] if content is None else ["a body where none is declared"]
    name = schemas[0]["$ref"].rpartition("/")[2]
    return list(_broken(_schema(name, below_tenant(path).startswith("/odata"), selected), content))


def _broken(judge: Any, content: Any) -> Iterator[str]:
    for error in judge.iter_errors(content):
        yield f"{'/'.join(map(str, error.instance_path))}: {error.message}"


@cache
def _paths() -> list[tuple[re.Pattern[str], Mapping[str, Any]]]:
    """Every path as a pattern. Literal ones go first, so that none is taken for a parameter."""
    paths = sorted(document()["paths"].items(), key=lambda item: item[0].count("{"))
    return [(re.compile(re.sub(r"\\\{\w+\\\}", r"[^/]+?", re.escape(path))), methods) for path, methods in paths]


@cache
def _schema(name: str, odata: bool, selected: bool) -> Any:
    """What judges a body of this schema."""
    schemas = document()["components"]["schemas"]
    definitions = {one: _object(one, schema, odata=odata, selected=selected) for one, schema in schemas.items()}
    schema = {"$ref": f"#/$defs/{name}", "$defs": definitions}
    return jsonschema_rs.validator_for(schema, validate_formats=True)


def _object(name: str, schema: Mapping[str, Any], *, odata: bool, selected: bool) -> dict[str, Any]:
    """A schema of the definition with the differences applied: it knows every property that there may be."""
    if "properties" not in schema:
        return dict(schema)
    properties = {one: _nullable(inner) for one, inner in schema["properties"].items()}
    if name in ("TaskDataDto", "TaskFormDto"):
        properties["status"] = {"enum": [0, 1, 2]}
    if name == "CustomEventDto":
        properties["EventData"] = {"type": ["object", "null"]}
    if odata and name in _PASCAL_UNDER_ODATA:
        properties = {one[0].upper() + one[1:]: inner for one, inner in properties.items()}
    return {
        "type": "object",
        "properties": properties,
        "required": [] if selected else schema.get("required", []),
        "patternProperties": {_ANNOTATIONS.pattern: {}},
        "additionalProperties": False,
    }


def _nullable(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A property's schema, with references to where they are here, more members of enums, and null."""
    if "$ref" in schema:
        return {"anyOf": [{"$ref": _here(schema["$ref"])}, {"type": "null"}]}
    inner = {key: value for key, value in schema.items() if not key.startswith("x-")}
    if "items" in inner:
        inner["items"] = {"$ref": _here(inner["items"]["$ref"])} if "$ref" in inner["items"] else inner["items"]
    if "enum" in inner:
        extra = ["QuickFormTask"] * ("AppTask" in inner["enum"]) + ["RoundRobin"] * ("Workload" in inner["enum"])
        inner["enum"] = [*inner["enum"], *extra]
    return {"anyOf": [inner, {"type": "null"}]}


def _here(reference: str) -> str:
    return "#/$defs/" + reference.rpartition("/")[2]
