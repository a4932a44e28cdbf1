"""The trackers' REST APIs: what the YAML calls a source's `api`. They are read, never written to."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime

from bridge.apis.jira import JiraClient, JiraCloud, JiraDataCenter, JiraTickets, is_cloud
from bridge.apis.protocol import Message, Page, TicketApi
from bridge.apis.salesforce import SalesforceClient
from bridge.apis.salesforce_tickets import SalesforceTickets
from bridge.config import Config, JiraSource, SalesforceSource
from bridge.routes import fields_in_use, ticket_attributes_in_use

__all__ = ["JiraTickets", "Message", "Page", "SalesforceClient", "SalesforceTickets", "TicketApi", "ticket_apis"]


@asynccontextmanager
async def ticket_apis(config: Config, clock: Callable[[], datetime]) -> AsyncIterator[Mapping[str, TicketApi]]:
    """The API of every source that has one, by the source's name; closed on leaving."""
    async with AsyncExitStack() as stack:
        apis: dict[str, TicketApi] = {}
        for name, source in config.sources.items():
            if isinstance(source, JiraSource) and source.api is not None:
                jira = await stack.enter_async_context(JiraClient(source.api, clock))
                flavour = JiraCloud if is_cloud(source.api) else JiraDataCenter
                apis[name] = flavour(jira, source, jira_fields(config, name))
            if isinstance(source, SalesforceSource) and source.api is not None:
                client = await stack.enter_async_context(SalesforceClient(source.api, clock))
                apis[name] = SalesforceTickets(client, source, fields_in_use(config, name), clock)
        yield apis


def jira_fields(config: Config, name: str) -> set[str]:
    """The fields that a source's routes speak of beside the standard ones."""
    described = {"description"} & ticket_attributes_in_use(config, name)
    return fields_in_use(config, name) | described
