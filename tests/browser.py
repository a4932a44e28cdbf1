"""A browser for the tests: the system's, Playwright's own, or one that is installed now. It is told loudly where there is none."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, Error, async_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OWN = ""
"""In place of a path: the browser that `playwright install` brings."""

_QUIET = ["gpu", "quic", "background-networking", "component-update", "sync"]
_INSTALL_S = 600
_APT = [["apt-get", "update"], ["apt-get", "install", "-y", "--no-install-recommends", "chromium"]]
_PLAYWRIGHT = [sys.executable, "-m", "playwright", "install", "chromium"]


@asynccontextmanager
async def running(path: str) -> AsyncIterator[Browser]:
    """The browser at this path, or Playwright's `OWN`. Raises playwright's `Error` if it does not start."""
    arguments = ["--no-first-run", *(f"--disable-{one}" for one in _QUIET)]
    if _is_root():
        arguments.append("--no-sandbox")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path or None, args=arguments)
        yield browser
        await browser.close()


@pytest.fixture(scope="session")
def browser_path() -> str:
    """A browser that starts, for `running`. Without one the tests are skipped, loudly; in CI they fail."""
    complaints: list[str] = []
    for path in _candidates(complaints):
        try:
            asyncio.run(_try(path))
        except Error as error:
            complaints.append(f"{path or 'playwright'}: {error.message.splitlines()[0]}")
        else:
            return path
    told = "; ".join(complaints)
    if os.environ.get("CI"):
        pytest.fail(
            f"CI must try the page in a browser: install Chromium. None starts, and none can be brought: {told}"
        )
    pytest.skip(f"THE PAGE IS NOT TRIED IN A BROWSER: install Chromium. None starts, and none can be brought: {told}")


async def _try(path: str) -> None:
    async with running(path):
        """It starts."""


def _candidates(complaints: list[str]) -> Iterator[str]:
    """What may be a browser. What has to be installed comes last, and only if all before it did not start."""
    yield from filter(None, map(shutil.which, NAMES))
    yield OWN
    if _is_root() and shutil.which("apt-get") and all(_installs(command, complaints) for command in _APT):
        yield from filter(None, map(shutil.which, NAMES))
    if _installs([*_PLAYWRIGHT, *(["--with-deps"] if _is_root() else [])], complaints):
        yield OWN


def _installs(command: list[str], complaints: list[str]) -> bool:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        subprocess.run(command, env=environment, timeout=_INSTALL_S, capture_output=True, text=True, check=True)
    except subprocess.CalledProcessError as error:
        said = " ".join(f"{error.stdout} {error.stderr}".split())
        complaints.append(f"{' '.join(command)}: … {said[-300:]}")
    except subprocess.TimeoutExpired:
        complaints.append(f"{' '.join(command)}: not done after {_INSTALL_S} seconds")
    else:
        return True
    return False


def _is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0
