"""Trackers: how a ticket system's messages read. Pure: bytes in, observations out; one module per kind, behind one protocol."""

from bridge.config import Config, JiraSource, SalesforceSource, Source
from bridge.trackers.jira import Jira
from bridge.trackers.protocol import Ignored, Recognised, Tracker
from bridge.trackers.salesforce import Salesforce
from bridge.trackers.webhook import Webhook, problems

__all__ = ["Ignored", "Recognised", "Tracker", "problems", "trackers"]


def trackers(config: Config) -> dict[str, Tracker]:
    """The tracker of every configured source, by the source's name."""
    return {name: _tracker(name, source) for name, source in config.sources.items()}


def _tracker(name: str, source: Source) -> Tracker:
    match source:
        case JiraSource():
            return Jira(source)
        case SalesforceSource():
            return Salesforce(source)
        case _:
            return Webhook(name, source)
