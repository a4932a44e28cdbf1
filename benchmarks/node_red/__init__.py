"""Node-RED, which a user could wire together instead of a bridge. It is installed when it is first measured, where npm can do so."""

import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

from benchmarks.load import Served
from benchmarks.servers import process

VERSION = "4.1.15"
"""The newest that the Node.js of today's long-term distributions runs."""

_INSTALLED = Path(sys.prefix) / "node-red"
_INSTALLS_WITHIN_S = 180


@cache
def why_not() -> str | None:
    """Install it, unless it is there; why that cannot be."""
    if (_INSTALLED / VERSION).exists():
        return None
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        return "there is no npm"
    options = ["--prefix", str(_INSTALLED), "--no-save", "--no-package-lock", "--no-audit", "--no-fund"]
    command = [npm, "install", *options, f"node-red@{VERSION}"]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=_INSTALLS_WITHIN_S)
    except (subprocess.SubprocessError, OSError) as error:
        return f"npm could not install it: {error}"
    (_INSTALLED / VERSION).touch()
    return None


@asynccontextmanager
async def node_red(orchestrator: str) -> AsyncIterator[Served]:
    """It, with its flow, calling this Orchestrator."""
    script = Path(__file__).with_name("serve.js")
    with tempfile.TemporaryDirectory(prefix="bridge-bench-") as folder:
        async with process(["node", str(script), str(_INSTALLED / "node_modules"), folder, orchestrator]) as served:
            yield served
