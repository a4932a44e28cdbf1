"""Trackers: how a ticket system's messages read. Pure: bytes in, observations out; one module per kind, behind one protocol."""

from bridge.config import Config
from bridge.trackers.jira import Jira
from bridge.trackers.protocol import Ignored, Recognised, Tracker

__all__ = ["Ignored", "Recognised", "Tracker", "trackers"]


def trackers(config: Config) -> dict[str, Tracker]:
    """The tracker of every configured source, by the source's name."""
    return {name: Jira(source) for name, source in config.sources.items()}
