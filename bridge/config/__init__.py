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
    JiraApi,
    JiraSource,
    Orchestrator,
    Password,
    Route,
    Server,
    Source,
    TaskTemplate,
    Token,
)

__all__ = [
    "Auth",
    "ClientCredentials",
    "CompletionTemplate",
    "Config",
    "Database",
    "JiraApi",
    "JiraSource",
    "Orchestrator",
    "Password",
    "Route",
    "Server",
    "Source",
    "TaskTemplate",
    "Token",
    "load",
]
