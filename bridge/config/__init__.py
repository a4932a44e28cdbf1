"""The YAML file: what it can say, and how it is read.

`load` is the door. The models are frozen, and hold secrets only as pydantic's SecretStr, which does not print.
"""

from bridge.config.database import Database
from bridge.config.load import load
from bridge.config.model import (
    Auth,
    ClientCredentials,
    CompletionTemplate,
    Config,
    Orchestrator,
    Password,
    Route,
    Server,
    TaskTemplate,
    Token,
)
from bridge.config.sources import (
    JiraApi,
    JiraSource,
    JwtBearer,
    SalesforceApi,
    SalesforceClientCredentials,
    SalesforceFields,
    SalesforceSource,
    Source,
    TicketTemplates,
    WebhookSource,
)

__all__ = [
    "Auth",
    "ClientCredentials",
    "CompletionTemplate",
    "Config",
    "Database",
    "JiraApi",
    "JiraSource",
    "JwtBearer",
    "Orchestrator",
    "Password",
    "Route",
    "SalesforceApi",
    "SalesforceClientCredentials",
    "SalesforceFields",
    "SalesforceSource",
    "Server",
    "Source",
    "TaskTemplate",
    "TicketTemplates",
    "Token",
    "WebhookSource",
    "load",
]
