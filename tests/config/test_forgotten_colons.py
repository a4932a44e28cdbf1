"""A secret whose colon or key was forgotten looks like a key; it is not printed."""

from pathlib import Path

import pytest

from bridge.config import load
from bridge.errors import ConfigurationError

SOURCES = "sources: {jira: {type: jira, secrets: [s]}}\nroutes: [{name: a, source: jira}]\n"


@pytest.mark.parametrize(
    "auth", ["{type: token, token:S3CRET}", "{type: token, token: t, S3CRET}", "{type: token, S3CRET: t}"]
)
def test_a_forgotten_colon_prints_no_secret(tmp_path: Path, auth: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(f"orchestrator:\n  url: https://o.test\n  auth: {auth}\n{SOURCES}")
    with pytest.raises(ConfigurationError) as caught:
        load(path, {})
    assert "S3CRET" not in str(caught.value)
    assert "line 3" in str(caught.value)
    assert "known here" in str(caught.value)
