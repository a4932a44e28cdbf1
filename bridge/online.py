"""`bridge check --online`: whether what the configuration names is there and lets us in. Reads only."""

from collections.abc import AsyncIterator, Awaitable
from dataclasses import dataclass

import httpx

from bridge.config import Config, JiraApi
from bridge.errors import RemoteError
from bridge.model import Folder
from bridge.orchestrator import Orchestrator
from bridge.service import utc_now


@dataclass(frozen=True, slots=True)
class Probe:
    """One thing that was tried."""

    what: str
    ok: bool
    detail: str


async def probe(config: Config) -> AsyncIterator[Probe]:
    """Try the token and the filter that finds a task again, each route's folder and catalog, and each tracker's credentials."""
    async with Orchestrator(config.orchestrator, utc_now) as orchestrator:
        filtered = orchestrator.get_tasks_across_folders(filter="ParentOperationId eq 'bridge-check'", top=1)
        yield await _tried("Orchestrator's token, and its filter by ParentOperationId", filtered, "accepted")
        for folder, catalogs in _folders(config).items():
            yield await _folder(orchestrator, folder, catalogs)
    for name, source in config.sources.items():
        if source.api is not None:
            yield await _jira(name, source.api, config.orchestrator.timeout.total_seconds())


def _folders(config: Config) -> dict[Folder | None, set[str]]:
    """Every folder that is named outright, with the catalogs that its routes name outright."""
    found: dict[Folder | None, set[str]] = {}
    for route in config.routes:
        folder = route.task.folder or config.orchestrator.folder
        if folder is not None and "{{" in folder.value:
            continue
        catalogs = found.setdefault(folder, set())
        if route.task.catalog and "{{" not in route.task.catalog:
            catalogs.add(route.task.catalog)
    return found


async def _folder(orchestrator: Orchestrator, folder: Folder | None, catalogs: set[str]) -> Probe:
    what = f"folder {folder.value}" if folder else "no folder named"
    try:
        present = await orchestrator.get_task_catalogs(folder)
    except RemoteError as error:
        return Probe(what, ok=False, detail=str(error))
    missing = sorted(catalogs - set(present))
    if missing:
        return Probe(
            what, ok=False, detail=f"has no task catalog {', '.join(missing)}; it has {', '.join(present) or 'none'}"
        )
    return Probe(
        what, ok=True, detail=f"there, with its task catalogs ({', '.join(sorted(catalogs)) or 'none needed'})"
    )


async def _tried(what: str, call: Awaitable[object], detail: str) -> Probe:
    try:
        await call
    except RemoteError as error:
        return Probe(what, ok=False, detail=str(error))
    return Probe(what, ok=True, detail=detail)


async def _jira(name: str, api: JiraApi, timeout: float) -> Probe:
    """`GET /rest/api/2/myself`: on Cloud by e-mail and API token, on Data Center by a personal access token."""
    what = f"Jira's API of source {name}"
    token = api.token.get_secret_value()
    auth = httpx.BasicAuth(api.email, token) if api.email else None
    headers = {} if api.email else {"Authorization": f"Bearer {token}"}
    try:
        async with httpx.AsyncClient(timeout=timeout, auth=auth, headers=headers) as client:
            answer = await client.get(f"{api.url}/rest/api/2/myself")
            answer.raise_for_status()
            person = answer.json().get("displayName", "somebody")
    except (httpx.HTTPError, ValueError) as error:
        return Probe(what, ok=False, detail=str(error))
    return Probe(what, ok=True, detail=f"signed in as {person}")
