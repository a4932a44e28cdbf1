"""A browser for the tests: the system's, Playwright's own, or one that is installed now. It is told loudly where there is none."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
from playwright.async_api import Browser, Error, Page, Response, async_playwright, expect

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PATIENCE_MS = 120_000
A_REFRESH_MS = 2_000
"""How often a page's script looks."""

BEYOND_THE_EDGE = """
[...document.querySelectorAll("*")].filter(one => one.getBoundingClientRect().right > innerWidth || one.scrollWidth > innerWidth)
  .map(one => one.outerHTML.slice(0, 100))
"""

Visit = Callable[..., AbstractAsyncContextManager[Page]]

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


@asynccontextmanager
async def visiting(browser: Browser, url: str, harm: str, *, refused: int = 0, **options: Any) -> AsyncIterator[Page]:
    """Somebody's visit to a page. It fails if anything went wrong in the browser that is not named as refused.

    `harm` says what it means if somebody calls the function of that name.
    """
    context = await browser.new_context(base_url=url, **options)
    context.set_default_timeout(PATIENCE_MS)
    await context.clock.install()
    page = await context.new_page()
    refusals, wrong = _watched(page)
    await page.expose_function("harm", lambda: wrong.append(harm))
    await page.goto("/")
    yield page
    await context.close()
    assert wrong == []
    assert len(refusals) == refused, refusals


def _watched(page: Page) -> tuple[list[str], list[str]]:
    """What a server refused, and what else went wrong: the policy broken, a script that failed, an answer that did not come."""
    refusals: list[str] = []
    wrong: list[str] = []

    def answered(response: Response) -> None:
        if response.status >= 400:
            refusals.append(f"{response.status} {response.request.method} {response.url}")

    page.on("response", answered)
    page.on("pageerror", lambda error: wrong.append(f"page: {error}"))
    page.on("dialog", lambda dialog: wrong.append(f"dialog: {dialog.message}"))
    page.on("crash", lambda _page: wrong.append("the page crashed"))
    page.on(
        "console",
        # Chromium writes a line for every answer of 400 and more: those are counted above
        lambda line: (
            None if line.text.startswith("Failed to load resource") else wrong.append(f"{line.type}: {line.text}")
        ),
    )
    page.on(
        "requestfailed",
        # what the page had asked for when it was left
        lambda request: (
            None if request.failure == "net::ERR_ABORTED" else wrong.append(f"{request.failure}: {request.url}")
        ),
    )
    return refusals, wrong


@pytest.fixture(scope="module")
async def browser(browser_path: str) -> AsyncIterator[Browser]:
    """One for a module, whose `anyio_backend` has to last as long."""
    expect.set_options(timeout=PATIENCE_MS)
    async with running(browser_path) as browser:
        yield browser


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
