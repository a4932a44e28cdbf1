"""What the YAML can say, as types: the reference, the JSON Schema and the checks all come from here.

A model's own validators look after what its section says; `rules` after what holds between sections.
"""

import re
from datetime import timedelta
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    SecretStr,
    Tag,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from bridge.config.database import Database
from bridge.config.rules import is_loopback, misfits
from bridge.config.sources import Source
from bridge.config.types import (
    Duration,
    Positive,
    Secret,
    Section,
    SwitchableDuration,
    Text,
    Url,
    Whole,
    is_template,
    misfit,
    of_kind,
    one_of,
)
from bridge.model import Folder, Policy

PRIORITIES = ("Low", "Medium", "High", "Critical")
CATALOG_LENGTH = 50


class Server(Section):
    """What the bridge listens on."""

    host: Text = Field(default="127.0.0.1", description="Address to bind. Any but a loopback one needs `admin_token`.")
    port: Whole = Field(default=8080, ge=0, le=65535, description="Port to bind; 0 takes a free one.")
    admin_token: SecretStr | None = Field(
        default=None,
        description="Opens the dashboard, the API and the metrics. Without it they answer on loopback only.",
    )
    max_body_bytes: Whole = Field(
        default=26_214_400,
        ge=1,
        description="Longest webhook that is accepted, in bytes. The default is Jira's own limit.",
    )

    @field_validator("admin_token")
    @classmethod
    def _empty_is_none(cls, value: SecretStr | None) -> SecretStr | None:
        return value if value and value.get_secret_value() else None

    @model_validator(mode="after")
    def _guarded(self) -> Self:
        if not self.loopback and self.admin_token is None:
            raise misfit([(("host",), "is open to other machines: set `server.admin_token`, or use 127.0.0.1")])
        return self

    @property
    def loopback(self) -> bool:
        """Whether only this machine can connect: 127.0.0.0/8, ::1 or localhost."""
        return is_loopback(self.host)


class FolderChoice(Section):
    """An Orchestrator folder, by at most one of its three names."""

    folder_path: Text | None = Field(default=None, description="The folder's full path, such as `Shared/Tickets`.")
    folder_id: Positive | None = Field(default=None, description="Or its number.")
    folder_key: UUID | None = Field(default=None, description="Or its key, a UUID.")

    @model_validator(mode="after")
    def _at_most_one(self) -> Self:
        given = [name for name in ("folder_path", "folder_id", "folder_key") if getattr(self, name) is not None]
        if len(given) > 1:
            raise misfit([((given[1],), f"names the folder again, beside `{given[0]}`: keep one of them")])
        return self

    @property
    def folder(self) -> Folder | None:
        """The folder that is named here, if one is."""
        if self.folder_path is not None:
            return Folder("path", self.folder_path)
        if self.folder_id is not None:
            return Folder("id", str(self.folder_id))
        return Folder("key", str(self.folder_key)) if self.folder_key is not None else None


class ClientCredentials(Section):
    """An external application of UiPath, with a confidential client."""

    type: Literal["client_credentials"] = Field(description="OAuth client credentials: the usual way.")
    client_id: Text = Field(description="The external application's id.")
    client_secret: Secret = Field(description="The external application's secret.")
    token_url: Url | None = Field(default=None, description="Where tokens come from. By default derived from `url`.")
    scope: Text | None = Field(default=None, description="Scopes to ask for. By default those that the bridge needs.")


class Token(Section):
    """A token that someone made by hand."""

    type: Literal["token"] = Field(description="A personal access token or another bearer token, sent as it is.")
    token: Secret = Field(description="The token.")


class Password(Section):
    """A user of an on-premises Orchestrator."""

    type: Literal["password"] = Field(description="A user name and password: on-premises Orchestrator only.")
    tenancy_name: Text = Field(description="The tenant.")
    username: Text = Field(description="The user.")
    password: Secret = Field(description="The user's password.")


Auth = Annotated[
    ClientCredentials | Token | Password,
    Field(discriminator="type"),
    of_kind("client_credentials", "token", "password"),
]


class Orchestrator(FolderChoice):
    """The Orchestrator that the tasks are made in, and its default folder."""

    url: Url = Field(description="Its address, such as `https://cloud.uipath.com/acme/production/orchestrator_`.")
    auth: Auth = Field(description="How the bridge signs in.")
    timeout: Duration = Field(default=timedelta(seconds=30), description="How long to wait for an answer.")
    max_concurrency: Whole = Field(default=16, ge=1, le=256, description="Most requests under way at once.")


def _priority(value: str) -> str:
    if is_template(value) or value in PRIORITIES:
        return value
    raise ValueError(one_of(value, PRIORITIES))


Priority = Annotated[str, AfterValidator(_priority)]
Priorities = Annotated[
    Annotated[Priority, Tag("one")] | Annotated[dict[str, Priority], Tag("map")],
    Discriminator(lambda value: "map" if isinstance(value, dict) else "one"),
]
DEFAULT_PRIORITIES = {"Highest": "Critical", "High": "High", "Low": "Low", "*": "Medium"}


class TaskTemplate(FolderChoice):
    """How a ticket looks as a task. Every text is a Jinja2 template."""

    type: Literal["ExternalTask", "DocumentValidationTask"] = Field(
        default="ExternalTask", description="The task's type."
    )
    catalog: Text | None = Field(default=None, description="The task catalog, which must exist in the folder.")
    title: Text = Field(default="[{{ ticket.key }}] {{ ticket.title }}", description="The task's title.")
    priority: Priorities = Field(
        default=DEFAULT_PRIORITIES,
        description="Low, Medium, High or Critical; a template; or one for each of the tracker's priorities, "
        '`"*"` for the rest (Medium without it).',
    )
    data: dict[str, Any] | None = Field(
        default=None,
        description="The task's data. By default key, url, title, status, type, project, reporter and assignee.",
    )

    @field_validator("catalog")
    @classmethod
    def _fits(cls, value: str | None) -> str | None:
        if value and len(value) > CATALOG_LENGTH and not is_template(value):
            raise ValueError(f"is longer than Orchestrator's {CATALOG_LENGTH} characters: give the catalog's name")
        return value


class CompletionTemplate(Section):
    """What the waiting workflow reads when the ticket has closed. Every text is a Jinja2 template."""

    action: Text = Field(default="close", description="The task's action.")
    data: dict[str, Any] = Field(default={}, description="The task's data at its completion.")


class Route(Section):
    """Which tickets become tasks, and how. The first route that matches wins."""

    name: Text = Field(description="The route's name, unlike any other's.")
    source: Text = Field(description="The source whose tickets it takes.")
    when: Text | None = Field(default=None, description="A Jinja2 condition on the ticket. Without it, every ticket.")
    task: TaskTemplate = Field(default=TaskTemplate(), description="The task.")
    completion: CompletionTemplate = Field(default=CompletionTemplate(), description="Its completion.")
    refresh: bool = Field(
        default=False,
        description="Read the source's tickets through its `api` before deciding; while that is away, go by the message.",
    )
    update: list[Literal["title", "priority"]] = Field(
        default=[],
        description="What of an open task is changed with its ticket: any of `title` and `priority`. By default nothing.",
    )
    assign: bool = Field(
        default=False,
        description="Whether an open task is assigned to the ticket's assignee, found by e-mail among the folder's task users. "
        "UiPath's guides say that External Actions are not assignable: `bridge check --online` first.",
    )
    on_reopen: Literal["new_task", "ignore"] = Field(
        default="new_task", description="When a ticket opens again after its task was completed."
    )
    on_delete: Literal["complete", "delete", "ignore"] = Field(
        default="complete", description="What happens to the open task of a deleted ticket."
    )
    closed_on_arrival: Literal["skip", "create_and_complete"] = Field(
        default="skip", description="When a ticket is closed the first time that it is seen."
    )

    @property
    def policy(self) -> Policy:
        """What this route says where `plan` has a choice."""
        return Policy(on_reopen=self.on_reopen, on_delete=self.on_delete, closed_on_arrival=self.closed_on_arrival)


NAME_PATTERN = r"^[A-Za-z0-9_.-]{1,40}$"
SOURCE_NAME_PATTERN = r"^[A-Za-z0-9_-]{1,64}$"


def _name(value: str) -> str:
    if re.fullmatch(NAME_PATTERN, value):
        return value
    raise ValueError("must be 1 to 40 letters, digits, `_`, `.` or `-`, because it is part of every correlation key")


def _source_name(value: str) -> str:
    if re.fullmatch(SOURCE_NAME_PATTERN, value):
        return value
    raise ValueError("must be 1 to 64 letters, digits, `_` or `-`, because it is the path /hooks/NAME")


Name = Annotated[str, AfterValidator(_name), WithJsonSchema({"type": "string", "pattern": NAME_PATTERN})]
SourceName = Annotated[
    str, AfterValidator(_source_name), WithJsonSchema({"type": "string", "pattern": SOURCE_NAME_PATTERN})
]


SHORTEST_RETENTION = timedelta(days=2)
"""Salesforce repeats an outbound message for 24 h; what was seen must be known for longer."""


def _outlives_retries(value: timedelta) -> timedelta:
    if value >= SHORTEST_RETENTION:
        return value
    raise ValueError("must be at least `2d`: trackers repeat a webhook for up to a day, and a repetition must be known")


class Config(Section):
    """The whole file."""

    name: Name = Field(
        default="bridge",
        description="This deployment's name. It is in every correlation key, so that two bridges never share a task.",
    )
    database: Database = Field(default=Database(), description="Where deliveries and links are kept.")
    server: Server = Field(default=Server(), description="What the bridge listens on.")
    orchestrator: Orchestrator = Field(description="Where the tasks are.")
    sources: dict[SourceName, Source] = Field(
        min_length=1, description="Where the tickets come from. A source's name is its path: `POST /hooks/NAME`."
    )
    routes: list[Route] = Field(min_length=1, description="Which tickets become tasks. The first that matches wins.")
    retention: Annotated[Duration, AfterValidator(_outlives_retries)] = Field(
        default=timedelta(days=90),
        description="How long handled deliveries are kept, and with them what tells a duplicate. At least `2d`.",
    )

    reconcile: SwitchableDuration = Field(
        default=timedelta(hours=1),
        description="How often links are compared with Orchestrator and the trackers; `off` for never.",
    )

    @model_validator(mode="after")
    def _sections_agree(self) -> Self:
        if mistakes := list(misfits(self.model_dump())):
            raise misfit(mistakes)
        return self
