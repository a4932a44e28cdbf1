"""What both kinds of the dashboard's tests configure: a route that works, one that is refused, one whose template fails."""

from typing import Any

TOKEN = "0pen sesame"

ROUTES: list[dict[str, Any]] = [
    {"name": "incidents", "source": "jira", "when": 'ticket.project == "OPS"', "task": {"catalog": "Tickets"}},
    {"name": "nowhere", "source": "jira", "when": 'ticket.project == "BAD"', "task": {"catalog": "Nowhere"}},
    {"name": "lacking", "source": "jira", "when": 'ticket.project == "LACK"', "task": {"title": "{{ fields.nope }}"}},
]
