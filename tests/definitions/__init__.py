"""UiPath's OpenAPI definition of Orchestrator, as a judge of what our client asks (`requests`) and what the sandbox answers (`answers`).

The definition is not part of the project; it is found in the shared folder or where `BRIDGE_REFERENCE` points. Where it is absent nothing
is judged, and the tests that ask for it are skipped, loudly.
"""

import os
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

REFERENCE = Path(os.environ.get("BRIDGE_REFERENCE", Path(__file__).parents[3] / "shared" / "reference"))
FILE = REFERENCE / "orchestrator-tasks-openapi.yaml"

needs_definition = pytest.mark.skipif(
    not FILE.exists(), reason="NOTHING IS HELD AGAINST UIPATH'S DEFINITION: it is not part of the project"
)

_TENANT = re.compile(r"^/[^/]+/[^/]+/orchestrator_(?=/)")


@cache
def document() -> dict[str, Any]:
    """The definition as it was published."""
    loaded: dict[str, Any] = yaml.load(FILE.read_bytes(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506
    return loaded


def below_tenant(path: str) -> str:
    """A path as the definition has it: without the organization and the tenant that it may be below."""
    return _TENANT.sub("", path)
