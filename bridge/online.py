"""`bridge check --online`: whether what the configuration names is there and lets us in. Reads only."""

from collections.abc import AsyncIterator, Awaitable, Sequence
from dataclasses import dataclass

from bridge.apis import JiraTickets, SalesforceTickets, ticket_apis
from bridge.config import Config, Route, SalesforceSource, Source
from bridge.errors import RemoteError
from bridge.model import Folder
from bridge.orchestrator import Orchestrator
from bridge.orchestrator.odata import literal
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
        for folder in _folders(config):
            async for result in _following(orchestrator, folder, _routes_of(config, folder)):
                yield result
    async with ticket_apis(config, utc_now) as apis:
        for name, api in apis.items():
            match api:
                case JiraTickets():
                    yield await _tried(f"Jira's API of source {name}", api.client.myself(), "signed in as {}")
                    if api.polled:
                        yield await _tried(f"what source {name} polls", api.try_jql(), "Jira takes the search")
                case SalesforceTickets():
                    async for result in _salesforce(name, config.sources[name], api):
                        yield result


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


def _routes_of(config: Config, folder: Folder | None) -> list[Route]:
    return [route for route in config.routes if (route.task.folder or config.orchestrator.folder) == folder]


async def _following(
    orchestrator: Orchestrator, folder: Folder | None, routes: Sequence[Route]
) -> AsyncIterator[Probe]:
    """Whether tasks may follow their tickets, as far as that shows without changing one."""
    where = f"in folder {folder.value}" if folder else "without a folder"
    assigning = [route for route in routes if route.assign]
    needed = {"Tasks.Edit"} if any(route.update for route in routes) else set()
    if needed := needed | ({"TaskAssignment.Create"} if assigning else set()):
        yield await _permissions(orchestrator, folder, where, needed)
    if assigning:
        yield await _users(orchestrator, folder, where, external=any(r.task.type == _EXTERNAL for r in assigning))


async def _permissions(orchestrator: Orchestrator, folder: Folder | None, where: str, needed: set[str]) -> Probe:
    what = f"{' and '.join(sorted(needed))} {where}"
    try:
        listed = await orchestrator.tasks.permissions(folder=folder)
    except RemoteError as error:
        return Probe(what, ok=False, detail=str(error))
    granted = {permission.get("Name"): permission.get("IsGranted") for permission in listed}
    if lacking := [name for name in sorted(needed) if granted.get(name) is False]:
        detail = f"the account lacks {' and '.join(lacking)}: give it a role in the folder that has it"
        return Probe(what, ok=False, detail=detail)
    unsaid = [name for name in sorted(needed) if name not in granted]
    return Probe(what, ok=True, detail=f"not proved: {' and '.join(unsaid)} is not listed" if unsaid else "granted")


async def _users(orchestrator: Orchestrator, folder: Folder | None, where: str, *, external: bool) -> Probe:
    what = f"task users {where}"
    try:
        number = await _number(orchestrator, folder)
    except RemoteError as error:
        detail = f"not tried, because the folder's number cannot be asked for here: {error}; name it by `folder_id`"
        return Probe(what, ok=True, detail=detail)
    if number is None:
        return Probe(what, ok=False, detail="the account sees no such folder: correct it, or name it by `folder_id`")
    try:
        count = len([user async for user in orchestrator.tasks.users(number)])
    except RemoteError as error:
        return Probe(what, ok=False, detail=str(error))
    return Probe(what, ok=True, detail=f"{count}{_NOT_ASSIGNABLE if external else ''}")


_EXTERNAL = "ExternalTask"
_NOT_ASSIGNABLE = (
    '; but UiPath\'s guides say that "External Actions cannot be assigned to users": try it with one ticket, then look at '
    "`bridge links show`"
)


async def _number(orchestrator: Orchestrator, folder: Folder | None) -> int | None:
    """A folder's number, by which alone its users are asked for; None if there is no such folder."""
    match folder:
        case None:
            return None
        case Folder("id", value):
            return int(value)
        case Folder("key", value):
            return (await orchestrator.folders.get_by_key(value)).get("Id")
        case Folder(_, value):
            named = f"FullyQualifiedName eq {literal(value.strip('/'))}"
            return next((item.get("Id") for item in (await orchestrator.folders.list(filter=named).page()).items), None)


async def _tried(what: str, call: Awaitable[object], detail: str) -> Probe:
    """`detail` may show what the call came to: `{}`."""
    try:
        return Probe(what, ok=True, detail=detail.format(await call))
    except RemoteError as error:
        return Probe(what, ok=False, detail=str(error))


async def _salesforce(name: str, source: Source, tickets: SalesforceTickets) -> AsyncIterator[Probe]:
    """The sign-in and what is left of the day's requests, the object with its fields, and which statuses are closed."""
    assert isinstance(source, SalesforceSource)  # noqa: S101 - the API is of its kind
    client = tickets.client
    usage = await _tried(
        f"Salesforce's API of source {name}", client.limits(), "signed in; {0.used} of {0.allowed} requests used"
    )
    yield usage
    if usage.ok:
        yield await _fields(name, source, tickets)
    if usage.ok and source.object == "Case":
        yield await _statuses(name, source, tickets)


async def _fields(name: str, source: SalesforceSource, tickets: SalesforceTickets) -> Probe:
    what = f"{source.object} of source {name}"
    try:
        found = await tickets.fields()
        await tickets.try_fields()
    except RemoteError as error:
        return Probe(what, ok=False, detail=f"{error}; are `object` and `fields` API names, and may the user see them?")
    if missing := [field for field in tickets.wanted_by_name if field not in found]:
        detail = f"has no field {', '.join(missing)} that the user may see; correct `fields` or the route, capitals too"
        return Probe(what, ok=False, detail=detail)
    if "IsClosed" in found:
        return Probe(what, ok=True, detail="there; IsClosed tells what is closed")
    if not source.closed:
        detail = "there, but it has no IsClosed: give the source the list `closed` of its statuses"
        return Probe(what, ok=False, detail=detail)
    if (source.fields.status or "Status") not in found:
        return Probe(
            what, ok=False, detail="there, but it has no Status for the list `closed`: name its field, `fields.status`"
        )
    return Probe(what, ok=True, detail="there; it has no IsClosed, so `closed` tells what is closed")


async def _statuses(name: str, source: SalesforceSource, tickets: SalesforceTickets) -> Probe:
    what = f"closed statuses of source {name}"
    try:
        statuses = await tickets.client.case_statuses()
    except RemoteError as error:
        return Probe(what, ok=False, detail=str(error))
    closed = ", ".join(status for status, is_closed in statuses.items() if is_closed)
    known = {status.casefold() for status in statuses}
    unknown = [status for status in source.closed or () if status.casefold() not in known]
    if unknown:
        return Probe(
            what, ok=False, detail=f"`closed` names {', '.join(unknown)}, which Case has not; closed are: {closed}"
        )
    return Probe(what, ok=True, detail=closed)
