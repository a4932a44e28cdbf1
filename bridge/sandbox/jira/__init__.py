"""A Jira for this machine, Cloud or Data Center: issues that people work on, its REST API with JQL, and its webhooks.

It stands on Atlassian's published definition and pages, on real messages and on what clients of the real one expect; where no source
settles a behaviour, the docstring at the place says what was chosen. Everything is kept in memory.
"""

from bridge.sandbox.jira.app import create_app
from bridge.sandbox.jira.faults import Fault
from bridge.sandbox.jira.hooks import Delivery, Hook
from bridge.sandbox.jira.issues import Comment, Issue
from bridge.sandbox.jira.people import Flavour, User
from bridge.sandbox.jira.sending import RETRIES, Webhook
from bridge.sandbox.jira.serve import jira_serving
from bridge.sandbox.jira.world import SimulatedJira

__all__ = [
    "RETRIES",
    "Comment",
    "Delivery",
    "Fault",
    "Flavour",
    "Hook",
    "Issue",
    "SimulatedJira",
    "User",
    "Webhook",
    "create_app",
    "jira_serving",
]
