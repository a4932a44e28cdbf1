"""A simulated Jira Cloud: issues that people open, edit, move and close, and the webhooks that it sends of them.

It sends as Jira does: signed over the raw bytes, the same identifier for every retry of one event, up to five retries and only on
408, 409, 425, 429, 5xx or a broken connection. Source: Atlassian's webhook pages.
"""

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

import httpx

RETRIES = 5
_RETRIED = frozenset({408, 409, 425, 429})
_SITE = "https://acme.atlassian.net"
_STATUSES = {
    "To Do": {"id": "10000", "name": "To Do", "statusCategory": {"id": 2, "key": "new", "name": "To Do"}},
    "In Progress": {
        "id": "3",
        "name": "In Progress",
        "statusCategory": {"id": 4, "key": "indeterminate", "name": "In Progress"},
    },
    "Done": {"id": "10001", "name": "Done", "statusCategory": {"id": 3, "key": "done", "name": "Done"}},
}


@dataclass(frozen=True, slots=True)
class Webhook:
    """One event on its way: its body as it is sent again and again, and Jira's identifier of it."""

    identifier: str
    body: bytes
    key: str
    says: str


@dataclass
class Issue:
    """An issue. Its id stays; its key changes when it moves."""

    id: int
    key: str
    fields: dict[str, Any] = field(default_factory=dict)

    @property
    def closed(self) -> bool:
        """Whether its status is of the category Done."""
        return bool(self.fields["status"]["statusCategory"]["key"] == "done")


class SimulatedJira:
    """Its clock moves on by a second with every change, so that no two states of an issue have the same time."""

    def __init__(self, secret: str, clock: Callable[[], datetime], random: Random) -> None:
        self._secret = secret
        self._now = clock()
        self._random = random
        self._numbers: dict[str, int] = {}
        self._last_id = 10_000
        self.issues: list[Issue] = []

    # -- what people do ------------------------------------------------------------------------------------------------------------

    def open(
        self, project: str, summary: str, *, kind: str = "Incident", priority: str = "High"
    ) -> tuple[Issue, Webhook]:
        """Create an issue."""
        self._last_id += 1
        issue = Issue(self._last_id, self._next_key(project))
        issue.fields = {
            "summary": summary,
            "description": None,
            "issuetype": {"id": "10004", "name": kind, "subtask": False},
            "project": {"id": "10000", "key": project},
            "priority": {"id": "2", "name": priority},
            "status": _STATUSES["To Do"],
            "resolution": None,
            "labels": [],
            "assignee": None,
            "reporter": {
                "accountId": "5b10a2844c20165700ede21g",
                "displayName": "Ada Lovelace",
                "accountType": "atlassian",
            },
        }
        self.issues.append(issue)
        return issue, self._changed(issue, "jira:issue_created", "issue_created", "opened", created=True)

    def edit(self, issue: Issue, **fields: Any) -> Webhook:
        """Change fields of an issue."""
        issue.fields |= fields
        return self._changed(issue, "jira:issue_updated", "issue_updated", "edited")

    def move(self, issue: Issue, project: str) -> Webhook:
        """Move an issue to another project: its key changes, its id does not."""
        issue.key = self._next_key(project)
        issue.fields |= {"project": {"id": "10001", "key": project}}
        return self._changed(issue, "jira:issue_updated", "issue_moved", "moved")

    def close(self, issue: Issue) -> Webhook:
        """Resolve an issue."""
        issue.fields |= {"status": _STATUSES["Done"], "resolution": {"id": "10000", "name": "Done"}}
        return self._changed(issue, "jira:issue_updated", "issue_generic", "closed")

    def reopen(self, issue: Issue) -> Webhook:
        """Open a resolved issue again."""
        issue.fields |= {"status": _STATUSES["To Do"], "resolution": None}
        return self._changed(issue, "jira:issue_updated", "issue_generic", "reopened")

    def delete(self, issue: Issue) -> Webhook:
        """Delete an issue for good."""
        self.issues.remove(issue)
        return self._changed(issue, "jira:issue_deleted", "issue_deleted", "deleted")

    # -- what Jira does ------------------------------------------------------------------------------------------------------------

    async def send(self, webhook: Webhook, url: str, http: httpx.AsyncClient) -> bool:
        """Send a webhook by Jira Cloud's rules, without its pauses; whether it was taken in the end."""
        digest = hmac.new(self._secret.encode(), webhook.body, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json",
            "X-Atlassian-Webhook-Identifier": webhook.identifier,
            "X-Hub-Signature": f"sha256={digest}",
        }
        for retry in range(RETRIES + 1):
            tries = {"X-Atlassian-Webhook-Retry": str(retry)} if retry else {}
            try:
                answer = await http.post(url, content=webhook.body, headers={**headers, **tries})
            except httpx.TransportError:
                continue
            if answer.is_success:
                return True
            if answer.status_code not in _RETRIED and not answer.is_server_error:
                return False
        return False

    def _next_key(self, project: str) -> str:
        self._numbers[project] = self._numbers.get(project, 0) + 1
        return f"{project}-{self._numbers[project]}"

    def _changed(self, issue: Issue, event: str, kind: str, says: str, *, created: bool = False) -> Webhook:
        self._now += timedelta(seconds=1)
        stamp = self._now.strftime("%Y-%m-%dT%H:%M:%S.000+0000")
        issue.fields["updated"] = stamp
        if created:
            issue.fields["created"] = stamp
        body = json.dumps(self._envelope(issue, event, kind)).encode()
        return Webhook(f"{self._random.getrandbits(128):032x}", body, issue.key, says)

    def _envelope(self, issue: Issue, event: str, kind: str) -> Mapping[str, Any]:
        return {
            "timestamp": int(self._now.timestamp() * 1000),
            "webhookEvent": event,
            "issue_event_type_name": kind,
            "user": issue.fields["reporter"],
            "issue": {
                "id": str(issue.id),
                "key": issue.key,
                "self": f"{_SITE}/rest/api/2/issue/{issue.id}",
                "fields": issue.fields,
            },
        }
