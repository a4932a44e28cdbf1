"""An operation of an OpenAPI definition, and what may stand in its URL."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl


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


def operations_of(definition: Mapping[str, Any]) -> dict[str, Operation]:
    """Every operation of a definition by its id."""
    found = {}
    for path, methods in definition["paths"].items():
        for method, said in methods.items():
            body = said.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
            parameters = tuple(said.get("parameters", ()))
            found[said["operationId"]] = Operation(said["operationId"], method.upper(), path, parameters, body)
    return found


def find(operations: Iterable[Operation], method: str, path: str) -> Operation | None:
    """The operation that a request is for."""
    matching = [one for one in operations if one.method == method and one.pattern.fullmatch(path)]
    return min(matching, key=lambda one: one.path.count("{"), default=None)


def query_problems(operation: Operation, raw: str) -> list[str]:
    """What a query has that it may not have, or lacks."""
    known = operation.of("query")
    said = parse_qsl(raw, keep_blank_values=True, strict_parsing=bool(raw))
    found = [f"the query has no {name}" for name, _ in said if name not in known]
    found += [
        f"the query lacks {name}" for name, each in known.items() if each.get("required") and name not in dict(said)
    ]
    for name, text in said:
        if name in known:
            schema = known[name]["schema"]
            found += misfits(schema["items"] if schema["type"] == "array" else schema, text, name)
    return found


def misfits(schema: dict[str, Any], text: str, name: str) -> list[str]:
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
