"""What the YAML says of a source: one section for each kind of tracker."""

import re
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from bridge.config.types import (
    Secret,
    Section,
    SwitchableDuration,
    Text,
    Url,
    misfit,
    of_kind,
    one_of,
)

CLOSED_RULES = ("category", "resolution")
SALESFORCE_API_VERSION = "61.0"

Verify = Literal["hmac", "bearer", "query", "path", "none"]
_HOW = (
    "How a webhook proves itself: `hmac` (X-Hub-Signature), `bearer` (Authorization), `query` (?token=), `path` "
    "(/hooks/NAME/TOKEN), or `none`, which needs no secrets and a loopback `server.host`."
)


class _Source(Section):
    """What every source has: webhooks that prove themselves."""

    secrets: list[Secret] = Field(
        default=[],
        description="The webhook's secret. Any of several is accepted, so that one can be rotated without downtime.",
    )
    verify: Verify = Field(default="hmac", description=_HOW)

    @model_validator(mode="after")
    def _can_verify(self) -> Self:
        if self.verify != "none" and not self.secrets:
            raise misfit(
                [(("secrets",), f"is missing, and `verify: {self.verify}` needs it: add the webhook's secret")]
            )
        slashed = [i for i, secret in enumerate(self.secrets) if "/" in secret.get_secret_value()]
        if self.verify == "path" and slashed:
            raise misfit(
                [(("secrets", i), "holds a `/`, which ends it in a path: use another secret") for i in slashed]
            )
        return self


class _PolledSource(_Source):
    """A source whose tracker can be asked."""

    api: Section | None = None
    poll: SwitchableDuration = Field(
        default_factory=lambda known: timedelta(minutes=5) if known.get("api") else None,
        description="How often to look for lost webhooks; `off` for never. By default `5m` with `api`, else `off`.",
    )

    @model_validator(mode="after")
    def _can_poll(self) -> Self:
        if self.poll is not None and self.api is None:
            raise misfit([(("poll",), "needs `api`: add it, or remove `poll`")])
        return self


# -- Jira --------------------------------------------------------------------------------------------------------------------------


class JiraApi(Section):
    """Jira's REST API: what finds the changes whose webhooks were lost."""

    url: Url = Field(description="Jira's address, such as `https://acme.atlassian.net`.")
    email: Text | None = Field(
        default=None, description="The account of the API token in Jira Cloud. Data Center: leave it out."
    )
    token: Secret = Field(description="The API token (Cloud) or personal access token (Data Center).")


def _closed_rule(value: Any) -> Any:
    if value in CLOSED_RULES:
        return value
    raise ValueError(f"{one_of(value, CLOSED_RULES)}; or give a list of status names: [Done, Rejected]")


def _condition(value: str) -> str:
    if re.search(r"\border\s+by\b", value, re.IGNORECASE):
        raise ValueError("must be a condition alone: remove ORDER BY, the bridge has an order of its own")
    return value


Closed = Annotated[
    Annotated[Literal["category", "resolution"], BeforeValidator(_closed_rule), Tag("rule")]
    | Annotated[list[Text], Field(min_length=1), Tag("names")],
    Discriminator(lambda value: "names" if isinstance(value, list) else "rule"),
]


class JiraSource(_PolledSource):
    """One Jira, Cloud or Data Center."""

    type: Literal["jira"] = Field(description="The kind of tracker.")
    external_tag: Text = Field(default="JIRA", description="The task's `externalTag`.")
    api: JiraApi | None = Field(default=None, description="The REST API. Without it lost webhooks are not found.")
    closed: Closed = Field(
        default="category",
        description="What makes an issue closed: its status `category` is Done, it has a `resolution`, "
        "or its status is one of a list.",
    )
    jql: Annotated[Text, AfterValidator(_condition)] | None = Field(
        default=None,
        description="Which issues a poll or a backfill looks at, as JQL without ORDER BY: `project = OPS`. "
        "By default all that the account sees.",
    )


# -- Salesforce --------------------------------------------------------------------------------------------------------------------


class SalesforceClientCredentials(Section):
    """A connected app with the client credentials flow and a run-as user."""

    type: Literal["client_credentials"] = Field(description="OAuth client credentials; needs a My Domain `url`.")
    client_id: Text = Field(description="The connected app's consumer key.")
    client_secret: Secret = Field(description="The connected app's consumer secret.")
    token_url: Url | None = Field(default=None, description="Where tokens come from. By default derived from `url`.")


class JwtBearer(Section):
    """A connected app with a certificate, for a user who is named."""

    type: Literal["jwt_bearer"] = Field(description="OAuth JWT bearer: a signed assertion instead of a secret.")
    client_id: Text = Field(description="The connected app's consumer key.")
    username: Text = Field(description="The user whom the bridge signs in as.")
    private_key: Secret = Field(description="The private key of the app's certificate, PEM: `${file:server.key}`.")
    audience: Url = Field(
        default="https://login.salesforce.com", description="`https://test.salesforce.com` for a Salesforce sandbox."
    )
    token_url: Url | None = Field(default=None, description="Where tokens come from. By default derived from `url`.")


SalesforceAuth = Annotated[
    SalesforceClientCredentials | JwtBearer,
    Field(discriminator="type"),
    of_kind("client_credentials", "jwt_bearer"),
]


def _api_version(value: str) -> str:
    if re.fullmatch(r"v?[0-9]{2,3}\.[0-9]", value):
        return value.removeprefix("v")
    raise ValueError(f'is not an API version: write it as "{SALESFORCE_API_VERSION}"')


class SalesforceApi(Section):
    """Salesforce's REST API: what reads records that a message tells too little of."""

    url: Url = Field(description="The org's My Domain, such as `https://acme.my.salesforce.com`.")
    auth: SalesforceAuth = Field(description="How the bridge signs in.")
    version: Annotated[Text, AfterValidator(_api_version)] = Field(
        default=SALESFORCE_API_VERSION, description="The version of the API."
    )


class SalesforceFields(Section):
    """Which field of the object is what of a ticket. By default the standard objects' own names."""

    key: Text | None = Field(default=None, description="By default `CaseNumber`, `WorkOrderNumber` or `Name`.")
    title: Text | None = Field(default=None, description="By default `Subject` or `Name`.")
    description: Text | None = Field(default=None, description="By default `Description`.")
    status: Text | None = Field(default=None, description="By default `Status`.")
    resolution: Text | None = Field(default=None, description="By default none.")
    type: Text | None = Field(default=None, description="By default `Type`.")
    project: Text | None = Field(default=None, description="By default none.")
    priority: Text | None = Field(default=None, description="By default `Priority`.")
    assignee: Text | None = Field(default=None, description="By default `OwnerId`.")
    reporter: Text | None = Field(default=None, description="By default `ContactId`.")
    created: Text | None = Field(default=None, description="By default `CreatedDate`.")
    updated: Text | None = Field(default=None, description="By default `SystemModstamp` or `LastModifiedDate`.")


def _salesforce_id(value: str) -> str:
    if re.fullmatch(r"[0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?", value):
        return value
    raise ValueError("must be 15 or 18 letters and digits: Setup > Company Information shows it")


def _api_name(value: str) -> str:
    if re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,79}", value):
        return value
    raise ValueError("must be the object's API name, such as `Case` or `Work_Order__c`")


class SalesforceSource(_PolledSource):
    """One object of one Salesforce org, by outbound messages or callouts."""

    type: Literal["salesforce"] = Field(description="The kind of tracker.")
    verify: Verify = Field(default="query", description=_HOW)
    external_tag: Text = Field(default="Salesforce", description="The task's `externalTag`.")
    organization_id: Annotated[Text, AfterValidator(_salesforce_id)] | None = Field(
        default=None, description="The org whose messages are accepted, 15 or 18 characters. Without it, any org's."
    )
    object: Annotated[Text, AfterValidator(_api_name)] = Field(
        default="Case", description="The API name of the object that is the ticket."
    )
    fields: SalesforceFields = Field(
        default=SalesforceFields(), description="Which field of the object is what of a ticket."
    )
    closed: list[Text] | None = Field(
        default=None,
        min_length=1,
        description="The statuses that mean closed, for messages without `IsClosed`. "
        "By default Salesforce is asked through `api`; without one it is `Closed`.",
    )
    api: SalesforceApi | None = Field(default=None, description="The REST API, for `refresh` and what messages lack.")


# -- anything that posts JSON ------------------------------------------------------------------------------------------------------


ClosedTemplate = Annotated[
    Annotated[Text, Tag("template")] | Annotated[list[Text], Field(min_length=1), Tag("names")],
    Discriminator(lambda value: "names" if isinstance(value, list) else "template"),
]


class TicketTemplates(Section):
    """What of a ticket stands where in the body. Every text is a Jinja2 template that sees `fields`, the body's JSON."""

    id: Text = Field(description="What never changes: `{{ fields.issue.id }}`.")
    key: Text | None = Field(default=None, description="What people call it. By default the id.")
    title: Text | None = Field(default=None, description="Its title.")
    status: Text | None = Field(default=None, description="Its status.")
    closed: ClosedTemplate | None = Field(
        default=None,
        description="True or false: `{{ fields.state == 'closed' }}`. Or a list of closed statuses.",
    )
    deleted: Text | None = Field(default=None, description="True where the message says that the ticket is deleted.")
    updated: Text | None = Field(
        default=None,
        description="When the ticket was so: ISO 8601, or seconds or milliseconds since 1970. "
        "Without it messages count in the order in which they come.",
    )
    url: Text | None = Field(default=None, description="Its address.")
    description: Text | None = Field(default=None, description="Its text.")
    resolution: Text | None = Field(default=None, description="Its resolution.")
    type: Text | None = Field(default=None, description="Its type.")
    project: Text | None = Field(default=None, description="Its project.")
    priority: Text | None = Field(default=None, description="Its priority.")
    labels: Text | None = Field(default=None, description="Its labels: a list, or texts with commas.")
    assignee: Text | None = Field(default=None, description="Who has it.")
    reporter: Text | None = Field(default=None, description="Who reported it.")
    created: Text | None = Field(default=None, description="When it was made.")
    event: Text | None = Field(default=None, description="What happened, as the route's `event`.")

    @model_validator(mode="after")
    def _can_close(self) -> Self:
        if isinstance(self.closed, list) and self.status is None:
            raise misfit([(("closed",), "is a list of statuses, and nothing tells the status: add `status`")])
        return self


def _header_name(value: str) -> str:
    if re.fullmatch(r"[A-Za-z0-9-]{1,100}", value):
        return value
    raise ValueError("must be a header's name, such as `X-Gitlab-Token`, without `:`")


class WebhookSource(_Source):
    """Any tracker that posts JSON."""

    type: Literal["webhook"] = Field(description="The kind of tracker.")
    header: Annotated[Text, AfterValidator(_header_name)] | None = Field(
        default=None,
        description="The header that carries the signature (`hmac`, by default X-Hub-Signature) or the token "
        "(`bearer`, by default Authorization): `X-Gitlab-Token`.",
    )
    external_tag: Text | None = Field(
        default=None, description="The task's `externalTag`. By default the source's name."
    )
    ticket: TicketTemplates = Field(description="How its bodies read.")

    @model_validator(mode="after")
    def _header_is_read(self) -> Self:
        if self.header is not None and self.verify not in {"hmac", "bearer"}:
            raise misfit([(("header",), f"is not read with `verify: {self.verify}`: use hmac or bearer, or remove it")])
        return self


Source = Annotated[
    JiraSource | SalesforceSource | WebhookSource,
    Field(discriminator="type"),
    of_kind("jira", "salesforce", "webhook"),
]
