"""A small valid file, and how to break it."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import pytest

from bridge.config import Config, load
from bridge.errors import ConfigurationError

SMALLEST = """\
orchestrator:
  url: https://orchestrator.test/acme/production/
  auth:
    type: token
    token: orchestrator-token
sources:
  jira:
    type: jira
    secrets: [webhook-secret]
routes:
  - name: all
    source: jira
"""

NOTHING: Mapping[str, str] = MappingProxyType({})

Read = Callable[..., Config]
Broken = Callable[..., list[str]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Loads a text as if it were the file."""

    def do(text: str, environ: Mapping[str, str] = NOTHING) -> Config:
        path = tmp_path / "config.yaml"
        path.write_text(text, encoding="utf-8")
        return load(path, environ)

    return do


@pytest.fixture
def broken(read: Read) -> Broken:
    """Loads a text that is wrong, and gives the lines that `bridge check` prints about it."""

    def do(text: str, environ: Mapping[str, str] = NOTHING) -> list[str]:
        with pytest.raises(ConfigurationError) as caught:
            read(text, environ)
        return [str(problem) for problem in caught.value.problems]

    return do
