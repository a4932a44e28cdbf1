"""The seed: what a sandbox begins with, and begins with again after a reset. `seed_file` reads it from YAML."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal
from uuid import UUID

import httpx
import orjson
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from bridge.sandbox.orchestrator.access import LIFETIME, Access, Client
from bridge.sandbox.orchestrator.faults import Rule
from bridge.sandbox.orchestrator.model import Assignment
from bridge.sandbox.orchestrator.webhooks import BREAKER, Wanted
from bridge.sandbox.orchestrator.world import DEFAULT_FOLDERS, DEFAULT_USERS, Folder, NewTask, User, World

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_ID = Field(ge=1, lt=2**63)


def read_duration(value: Any) -> timedelta:
    """`30s`, `10m`, `1h` or `7d`, and `0s` for none. ValueError that says so."""
    if isinstance(value, timedelta):
        return value
    found = re.fullmatch(r"([0-9]{1,6})([smhd])", str(value))
    if found is None:
        raise ValueError("is not a duration: write a whole number and its unit, such as `30s`, `10m` or `1h`")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def _path(value: str) -> str:
    if any(not part.strip() for part in value.split("/")):
        raise ValueError("is not a folder's path: write it as `Shared` or `Finance/Invoices`")
    return value


def _url(value: str) -> str:
    try:
        parts = httpx.URL(value)
    except (httpx.InvalidURL, ValueError):
        parts = httpx.URL("")
    if parts.scheme not in ("http", "https") or not parts.host:
        raise ValueError("is not a URL: write it as `https://host/path`")
    return value


def _json(value: dict[str, Any]) -> dict[str, Any]:
    try:
        return dict(orjson.loads(orjson.dumps(value)))  # a date of YAML's becomes the text that it would be in JSON
    except (orjson.JSONEncodeError, orjson.JSONDecodeError):
        raise ValueError(
            "cannot be written as JSON: give it text, numbers, lists and mappings with text as keys"
        ) from None


Duration = Annotated[timedelta, BeforeValidator(read_duration)]
Path_ = Annotated[str, Field(max_length=512), AfterValidator(_path)]
Text = Annotated[str, Field(min_length=1, max_length=512)]
Id = Annotated[int, _ID]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True, hide_input_in_errors=True)


class SeedFolder(_Section):
    """A folder, and the task catalogs in it."""

    id: Id
    path: Path_
    key: UUID | None = None
    catalogs: list[Annotated[str, Field(min_length=1, max_length=50)]] = []


class SeedUser(_Section):
    """Somebody to whom tasks can be assigned. A password lets them sign in by `/api/Account/Authenticate`."""

    id: Id
    email: Text
    name: str = ""
    surname: str = ""
    folders: list[str] | None = None
    password: Text | None = None


class SeedClient(_Section):
    """An external application; without `scopes` it may ask for any."""

    client_id: Text
    client_secret: Text
    scopes: list[Text] | None = None
    lifetime: Duration = LIFETIME


class SeedTask(_Section):
    """A task that is there from the beginning."""

    title: Text
    folder: str | None = None
    catalog: str | None = None
    type: Literal[
        "FormTask",
        "ExternalTask",
        "DocumentValidationTask",
        "DocumentClassificationTask",
        "DataLabelingTask",
        "AppTask",
        "QuickFormTask",
    ] = "ExternalTask"
    priority: Literal["Low", "Medium", "High", "Critical"] = "Medium"
    data: Annotated[dict[str, Any], AfterValidator(_json)] = {}
    external_tag: Text | None = None
    parent_operation_id: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    assigned_to: str | None = None
    completed: bool = False
    action: str | None = None


class SeedWebhook(_Section):
    """A subscription; without `events` to all."""

    name: Annotated[str, Field(min_length=1, max_length=128)]
    url: Annotated[str, Field(max_length=2000), AfterValidator(_url)]
    secret: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    events: list[Annotated[str, Field(min_length=1, max_length=50)]] | None = None
    enabled: bool = True
    allow_insecure_ssl: bool = False


class Seed(_Section):
    """All that a sandbox begins with. As it is without a file: one folder, one catalog, two users, and everybody comes in."""

    require_folder: bool = True
    folders: Annotated[list[SeedFolder], Field(min_length=1)] = [
        SeedFolder(id=one.id, path=one.path, catalogs=list(one.catalogs)) for one in DEFAULT_FOLDERS
    ]
    users: list[SeedUser] = [
        SeedUser(id=one.id, email=one.email, name=one.name, surname=one.surname) for one in DEFAULT_USERS
    ]
    clients: list[SeedClient] = []
    caller: str | None = None
    denied: list[str] = []
    tasks: list[SeedTask] = []
    faults: list[Rule] = []
    webhooks: list[SeedWebhook] = []
    webhook_breaker: Duration = BREAKER

    @property
    def open(self) -> bool:
        """Whether any bearer token comes in."""
        return not self.clients and not any(user.password for user in self.users)

    def world(self, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> World:
        """A world of this seed, still without its tasks; it plants them again after each reset."""
        folders = [Folder(one.id, one.path, tuple(one.catalogs), one.key) for one in self.folders]
        world = World(
            folders=folders, users=list(map(_user, self.users)), require_folder=self.require_folder, clock=clock
        )
        world.access = Access(
            map(_client, self.clients), {one.email: one.password for one in self.users if one.password}
        )
        world.webhooks.breaker = self.webhook_breaker
        world.resets.append(lambda: self.plant(world))
        return world

    def plant(self, world: World) -> None:
        """Put the faults, the tasks and the webhooks into a world that has none. No webhook hears of these tasks."""
        self.arm(world)
        for task in self.tasks:
            _plant(world, task)
        for hook in self.webhooks:
            world.webhooks.add(UUID(int=world.rng.getrandbits(128), version=4), _wanted(hook))

    def arm(self, world: World) -> None:
        """Put the faults and the caller's rights into a world that has its tasks already, from a file of its own."""
        world.faults.replace(self.faults)
        world.caller = _named(world, self.caller)
        world.denied.update(self.denied)


# -- into the world ----------------------------------------------------------------------------------------------------------------


def _user(one: SeedUser) -> User:
    return User(one.id, one.email, one.name, one.surname, None if one.folders is None else tuple(one.folders))


def _named(world: World, email: str | None) -> User | None:
    return next((user for user in world.users.values() if user.email == email), None)


def _client(one: SeedClient) -> Client:
    return Client(one.client_id, one.client_secret, None if one.scopes is None else tuple(one.scopes), one.lifetime)


def _wanted(one: SeedWebhook) -> Wanted:
    return Wanted(
        name=one.name,
        url=one.url,
        secret=one.secret,
        enabled=one.enabled,
        allow_insecure_ssl=one.allow_insecure_ssl,
        subscribe_to_all_events=one.events is None,
        events=tuple(one.events or ()),
    )


def _plant(world: World, one: SeedTask) -> None:
    folder = next((folder for folder in world.folders if folder.path == one.folder), world.folders[0])
    request = NewTask(
        title=one.title,
        type=one.type,
        priority=one.priority,
        data=one.data,
        catalog=one.catalog,
        external_tag=one.external_tag,
        parent_operation_id=one.parent_operation_id,
    )
    task = world.create_task(request, folder)
    user = _named(world, one.assigned_to)
    if user is not None:
        world.assign(Assignment(task_id=task.id, user_id=user.id))
    if one.completed:
        world.complete_task(task.id, action=one.action, user=user)
