"""The JSON Schema of the YAML, for editors, and its reference, for people. Both are made from the models.

`python -m bridge.config.schema` writes `docs/configuration.md`.
"""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, get_args, get_origin
from uuid import UUID

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import PydanticUndefined

from bridge.config.model import Config
from bridge.config.shape import arms, bare, kinds, section, sections
from bridge.config.types import Section, write_duration

_TITLE = "Configuration of the bridge"
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_NAMES: dict[Any, str] = {
    str: "text",
    bool: "true or false",
    int: "whole number",
    SecretStr: "secret text",
    timedelta: "duration",
    UUID: "UUID",
    Any: "anything",
}
_INTRODUCTION = f"""# {_TITLE}

<!-- Generated from bridge/config by `python -m bridge.config.schema`; a test keeps it up to date. -->

One YAML file; [config.example.yaml](../config.example.yaml) shows every key in its place. The smallest that works has
`orchestrator` (`url`, `auth`), one source (`type`, `secrets`) and one route (`name`, `source`).

- Unknown keys are errors, and so are keys that are given twice. `bridge check` names every mistake with its line.
- In any text, `${{NAME}}` is an environment variable, `${{NAME:-default}}` one with a default for when it is not set or
  empty, and `${{file:path}}` the text of a file without its last line end. `$$` is a `$`.
- Relative paths are relative to the YAML file.
- A duration is a whole number with its unit: `500ms`, `30s`, `5m`, `2h`, `7d`.
- `bridge schema` prints the JSON Schema of the file, which editors use for completion.
"""


class _Schema(GenerateJsonSchema):
    """Shows defaults as the YAML has them."""

    def encode_default(self, dft: Any) -> Any:
        if isinstance(dft, BaseModel):
            return dft.model_dump(mode="json", exclude_defaults=True)
        return write_duration(dft) if isinstance(dft, timedelta) else super().encode_default(dft)


def json_schema() -> dict[str, Any]:
    """The JSON Schema of the YAML file, without the rules between keys that only `load` knows."""
    schema = Config.model_json_schema(schema_generator=_Schema)
    return {"$schema": _DIALECT, **schema, "title": _TITLE}


def reference() -> str:
    """Every key of the YAML with its type, default and meaning, as Markdown."""
    return "\n".join([_INTRODUCTION, *(_chapter(path, model) for path, model in sections(Config))])


def _chapter(path: str, model: type[Section]) -> str:
    heading = f"## `{path}`" if path else "## The file"
    if len(kind := kinds(model)) == 1:
        heading += f" with `type: {kind[0]}`"
    required_first = sorted(model.model_fields.items(), key=lambda item: not item[1].is_required())
    rows = [_row(name, field) for name, field in required_first]
    table = ["| key | type | default | |", "| --- | --- | --- | --- |", *rows]
    return "\n".join([heading, "", (model.__doc__ or "").strip(), "", *table, ""])


def _row(name: str, field: FieldInfo) -> str:
    cells = [f"`{name}`", _type(field.annotation), _default(field), field.description or ""]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _type(annotation: Any) -> str:
    return " or ".join(dict.fromkeys(name for arm in arms(annotation) for name in _names(bare(arm))))


def _names(kind: Any) -> Iterator[str]:
    if len(arms(kind)) > 1 or bare(kind) is not kind:
        yield _type(kind)
    elif get_origin(kind) is Literal:
        yield ", ".join(f"`{word}`" for word in get_args(kind))
    elif get_origin(kind) is list:
        yield f"list of {_type(get_args(kind)[0])}"
    elif get_origin(kind) is dict:
        yield f"mapping to {_type(get_args(kind)[1])}"
    else:
        yield "section" if section(kind) else _NAMES[kind]


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    value = field.default
    if value is None or value is PydanticUndefined or isinstance(value, BaseModel):
        return ""
    return f"`{write_duration(value) if isinstance(value, timedelta) else _written(value)}`"


def _written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def main() -> None:
    """Write the reference to its place in `docs`."""
    place = Path(__file__).parents[2] / "docs" / "configuration.md"
    place.write_text(reference(), encoding="utf-8")


if __name__ == "__main__":
    main()
