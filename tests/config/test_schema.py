"""The schema, the reference and the example say what the models say."""

import re
from pathlib import Path

import pytest

from bridge.config import Config, load
from bridge.config.schema import json_schema, reference
from bridge.config.shape import sections
from bridge.config.types import Section

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "config.example.yaml"
SECTIONS = list(sections(Config))


def test_the_example_is_valid_without_any_environment() -> None:
    config = load(EXAMPLE, {})
    assert list(config.sources) == ["jira", "crm", "desk"]


def test_the_example_names_no_path_of_a_machine() -> None:
    assert not re.search(r"\s/(home|Users|work|tmp)/", EXAMPLE.read_text(encoding="utf-8"))


@pytest.mark.parametrize(("path", "model"), SECTIONS)
def test_the_example_shows_every_key(path: str, model: type[Section]) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    assert [key for key in model.model_fields if not re.search(rf"^[\s#-]*{key}:", text, re.MULTILINE)] == [], path


@pytest.mark.parametrize(("path", "model"), SECTIONS)
def test_every_section_and_key_is_described(path: str, model: type[Section]) -> None:
    assert model.__doc__, path
    assert [key for key, field in model.model_fields.items() if not field.description] == [], path


def test_the_reference_in_the_docs_is_up_to_date() -> None:
    written = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert written == reference(), "run: python -m bridge.config.schema"


def test_the_reference_tells_required_keys_defaults_and_choices() -> None:
    lines = reference().splitlines()
    assert any(line.startswith("| `url` | text | **required** | Jira's address") for line in lines)
    assert any(line.startswith("| `timeout` | duration | `30s` |") for line in lines)
    assert any(
        line.startswith("| `closed` | `category`, `resolution` or list of text | `category` |") for line in lines
    )


def test_the_schema_shows_durations_as_they_are_written() -> None:
    schema = json_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["title"] == "Configuration of the bridge"
    assert schema["required"] == ["orchestrator", "sources", "routes"]
    assert schema["additionalProperties"] is False
    retention = schema["properties"]["retention"]
    assert (retention["type"], retention["default"]) == ("string", "90d")
    assert re.match(retention["pattern"], "30s")
    assert not re.match(retention["pattern"], "30")
