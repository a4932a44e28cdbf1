"""Values of the domain for tests: a link and a ticket that a test changes only where it matters."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
from msgspec.structs import replace

from bridge.config import JiraSource
from bridge.model import Link, LinkId, Policy, TaskRequest, TicketState
from bridge.trackers.jira import Jira

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
JIRA = Jira(JiraSource.model_validate({"type": "jira", "secrets": ["s"]}))


def a_link(**changes: Any) -> Link:
    link = Link(
        id=LinkId(1),
        source="jira",
        ticket_id="10001",
        generation=1,
        correlation_key="bridge/jira/10001/1",
        destination="orchestrator",
        route="incidents",
        route_version="1",
        policy=Policy(),
        ticket_key="OPS-1",
        ticket_url=None,
        ticket_state=TicketState.OPEN,
        version="1",
        closed_version="",
        seen_open=True,
        request=TaskRequest(body={"title": "t", "externalTag": "JIRA"}),
        created_at=NOW,
    )
    return replace(link, **changes)


def jira_event(
    ticket: int = 1,
    *,
    at: int = 0,
    closed: bool = False,
    project: str = "OPS",
    event: str = "jira:issue_updated",
    **fields: Any,
) -> dict[str, Any]:
    """A webhook of Jira Cloud's shape; `at` is the second at which the ticket was so."""
    updated = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=at)
    status = (
        {"name": "Done", "statusCategory": {"key": "done"}}
        if closed
        else {"name": "Open", "statusCategory": {"key": "new"}}
    )
    return {
        "timestamp": int(updated.timestamp() * 1000) + 20,
        "webhookEvent": event,
        "issue": {
            "id": str(10000 + ticket),
            "key": f"{project}-{ticket}",
            "self": f"https://acme.atlassian.net/rest/api/2/issue/{10000 + ticket}",
            "fields": {
                "summary": f"Ticket {ticket}",
                "status": status,
                "resolution": {"name": "Fixed"} if closed else None,
                "project": {"key": project},
                "issuetype": {"name": "Bug"},
                "priority": {"name": "High"},
                "labels": ["one"],
                "assignee": None,
                "reporter": {"displayName": "Ada"},
                "updated": updated.strftime("%Y-%m-%dT%H:%M:%S.000+0000"),
                **fields,
            },
        },
    }


def body_of(event: dict[str, Any]) -> bytes:
    return orjson.dumps(event)
