"""The Jira itself: what people do in it, what it tells others of it, and what it holds.

Time and randomness are handed in.
"""

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

import httpx

from bridge.sandbox.jira import envelope, jql
from bridge.sandbox.jira.access import Access
from bridge.sandbox.jira.catalog import DONE, STATUSES, Catalog
from bridge.sandbox.jira.cursors import Cursors
from bridge.sandbox.jira.faults import Fault
from bridge.sandbox.jira.hooks import EVENTS, Hook, Hooks, Wanted
from bridge.sandbox.jira.issues import Comment, Index, Issue, Issues
from bridge.sandbox.jira.people import Flavour, People, User, ada, bridge, grace
from bridge.sandbox.jira.sending import Sender, Webhook, taken
from bridge.sandbox.jira.times import Ticking, stamp
from bridge.sandbox.orchestrator.journal import Journal

SITE = "https://acme.atlassian.net"


class SimulatedJira:
    """One Jira. What people do is done at once, and returns the webhook that tells of it; registered hooks hear of it by themselves.

    An issue's `updated` is the clock's, but no two changes have the same: where the clock stands, each is a millisecond later.
    """

    def __init__(
        self,
        secret: str,
        clock: Callable[[], datetime],
        random: Random,
        *,
        flavour: Flavour = "cloud",
        index_lag: timedelta = timedelta(0),
        projects: Iterable[str] = ("OPS",),
        tokens: Mapping[str, str] | None = None,
        lose: float = 0.0,
        page_size: int = 100,
        result_window: int = 10_000,
        time_zone: str = "UTC",
    ) -> None:
        self.secret = secret
        self.clock = clock
        self.random = random
        self.flavour = flavour
        self.lose = lose
        """The share of events that registered hooks never hear of."""
        self.page_size = page_size
        """The most issues in a page of a search for more than ids and keys."""
        self.result_window = result_window
        self.site = SITE
        """Where its users find it; while it is served, where that is."""
        self.catalog = Catalog(projects)
        self.people = People()
        self.ada, self.grace, self.me = map(self.people.add, (ada(), grace(), bridge()))
        self.me.time_zone = time_zone
        self.access = Access(flavour, self.people, self.me, tokens or {})
        self.faults: list[Fault] = []
        self.journal = Journal()
        self.hooks = Hooks()
        self.cursors = Cursors(clock, random)
        self.index = Index(clock, index_lag)
        self._issues = Issues()
        self._last_id = 10_000
        self._tick = Ticking(clock)

    # -- what people do ------------------------------------------------------------------------------------------------------------

    def open(
        self,
        project: str,
        summary: str,
        *,
        kind: str = "Incident",
        priority: str = "High",
        by: User | None = None,
        **fields: Any,
    ) -> tuple[Issue, Webhook]:
        """Create an issue. A project, type or priority that is new to this Jira is set up by it."""
        reporter = by or self.ada
        values: dict[str, Any] = {
            "summary": summary,
            "description": None,
            "issuetype": self.catalog.issue_type(kind),
            "project": self.catalog.project(project).shown(),
            "priority": self.catalog.priorities.named(priority),
            "status": STATUSES["To Do"],
            "resolution": None,
            "resolutiondate": None,
            "labels": [],
            "assignee": None,
            "reporter": reporter.shown(self.flavour),
            "creator": reporter.shown(self.flavour),
        }
        issue = Issue(self.next_id(), self._issues.next_key(project), values | fields)
        return issue, self._created(issue, reporter)

    def edit(self, issue: Issue, *, by: User | None = None, **fields: Any) -> Webhook:
        """Change fields of an issue."""
        return self._updated(issue, fields, "issue_updated", "edited", by)

    def assign(self, issue: Issue, to: User | None, *, by: User | None = None) -> Webhook:
        """Make an issue somebody's, or nobody's."""
        assignee = to and to.shown(self.flavour)
        return self._updated(issue, {"assignee": assignee}, "issue_assigned", "assigned", by)

    def move(self, issue: Issue, project: str, *, by: User | None = None) -> Webhook:
        """Move an issue to another project: its key changes, its id does not, and its old key still finds it."""
        before = issue.copy()
        issue.key = self._issues.next_key(project)
        return self._updated(
            issue, {"project": self.catalog.project(project).shown()}, "issue_moved", "moved", by, before
        )

    def transition(
        self,
        issue: Issue,
        status: str,
        *,
        resolution: str | None = None,
        by: User | None = None,
        says: str = "",
        **fields: Any,
    ) -> Webhook:
        """Set a status. To Done it resolves, by default as Done; from there to another it clears the resolution."""
        solved = self.catalog.resolutions.named(resolution or DONE) if status == DONE else None
        values = {"status": STATUSES[status], "resolution": solved, **fields}
        return self._updated(issue, values, "issue_generic", says or status.casefold(), by)

    def close(self, issue: Issue, *, by: User | None = None) -> Webhook:
        """Resolve an issue."""
        return self.transition(issue, DONE, by=by, says="closed")

    def reopen(self, issue: Issue, *, by: User | None = None) -> Webhook:
        """Open a resolved issue again."""
        return self.transition(issue, "To Do", by=by, says="reopened")

    def comment(self, issue: Issue, text: str, *, by: User | None = None) -> Webhook:
        """Say something of an issue."""
        at = self._stamp(issue)
        comment = Comment(str(self.next_id()), by or self.ada, text, at, at)
        issue.comments.append(comment)
        return self._said(issue, comment, "comment_created", "commented", by, at)

    def reword(self, issue: Issue, comment: Comment, text: str, *, by: User | None = None) -> Webhook:
        """Say it otherwise."""
        at = self._stamp(issue)
        now = replace(comment, text=text, updated=at)
        issue.comments[issue.comments.index(comment)] = now
        return self._said(issue, now, "comment_updated", "reworded a comment", by, at)

    def unsay(self, issue: Issue, comment: Comment, *, by: User | None = None) -> Webhook:
        """Delete a comment."""
        at = self._stamp(issue)
        issue.comments.remove(comment)
        return self._said(issue, comment, "comment_deleted", "deleted a comment", by, at)

    def delete(self, issue: Issue, *, by: User | None = None) -> Webhook:
        """Delete an issue for good."""
        self._issues.remove(issue)
        self.index.deleted(issue)
        return self._tell(issue, self._envelope(issue, "jira:issue_deleted", "issue_deleted", by), "deleted")

    # -- what its administrators do --------------------------------------------------------------------------------------------------

    def hook(self, url: str, *, jql: str = "", events: Iterable[str] = EVENTS, secret: str | None = None) -> Hook:
        """Register a webhook; without a secret of its own it is signed with this Jira's."""
        chosen = self.secret if secret is None else secret
        wanted = Wanted(name="bridge", url=url, jql=jql, events=tuple(events), secret=chosen)
        return self.hooks.add(wanted, self.clock())

    def hide(self, what: Issue | str) -> None:
        """The API's account may not browse an issue, or a project by its key, any more. No webhook tells of it."""
        self.access.hide(what)

    def show(self, what: Issue | str) -> None:
        """It may again."""
        self.access.show(what)

    def revoke(self) -> None:
        """Every request is answered with 401, until `admit`."""
        self.access.revoked = True

    def forbid(self) -> None:
        """Every request is answered with 403, until `admit`."""
        self.access.forbidden = True

    def admit(self) -> None:
        """Whoever could come in at first can again."""
        self.access.revoked = self.access.forbidden = False

    # -- looking -------------------------------------------------------------------------------------------------------------------

    @property
    def issues(self) -> list[Issue]:
        """The issues that there are, oldest first."""
        return list(self._issues)

    def find(self, id_or_key: str) -> Issue | None:
        """The issue of this id or key, be it one from before it moved."""
        return self._issues.find(id_or_key)

    def seen(self, id_or_key: str) -> Issue | None:
        """The same, if the API's account may browse it."""
        issue = self.find(id_or_key)
        return issue if issue is not None and self.access.sees(issue) else None

    def asking(self, user: User, *, strict: bool = True) -> jql.Asking:
        """What a query of this user needs to know."""
        return jql.Asking(
            user, self.flavour, self.clock(), self.catalog, self.people, self.seen, self.access.sees_project, strict
        )

    # -- telling others ------------------------------------------------------------------------------------------------------------

    async def send(self, webhook: Webhook, url: str, http: httpx.AsyncClient) -> bool:
        """Send a webhook by the flavour's rules, without its pauses; whether it was taken in the end."""
        return taken(await Sender(http, url, self.secret, self.flavour).send(webhook, lambda: asyncio.sleep(0)))

    async def settled(self) -> None:
        """Wait until every registered hook has heard of everything, or never will."""
        if self.hooks.outbound is not None:
            await self.hooks.outbound.idle()

    def loses(self) -> bool:
        """Whether the next event is one that gets lost."""
        return self.lose > 0 and self.random.random() < self.lose

    def next_id(self) -> int:
        """The id of the next thing that is new."""
        self._last_id += 1
        return self._last_id

    # -- small things --------------------------------------------------------------------------------------------------------------

    def _created(self, issue: Issue, by: User) -> Webhook:
        at = self._stamp(issue)
        issue.fields |= {"created": issue.fields["updated"], "statuscategorychangedate": stamp(at)}
        self._keep(issue)
        return self._tell(issue, self._envelope(issue, "jira:issue_created", "issue_created", by), "opened")

    def _updated(
        self,
        issue: Issue,
        fields: Mapping[str, Any],
        kind: str,
        says: str,
        by: User | None,
        before: Issue | None = None,
    ) -> Webhook:
        before, was_closed = before or issue.copy(), issue.closed
        issue.fields |= fields
        at = stamp(self._stamp(issue))
        if issue.closed != was_closed:
            issue.fields |= {"resolutiondate": at if issue.closed else None}
        if issue.fields["status"]["statusCategory"] != before.fields["status"]["statusCategory"]:
            issue.fields["statuscategorychangedate"] = at
        self._keep(issue)
        return self._tell(issue, self._envelope(issue, "jira:issue_updated", kind, by, before), says)

    def _said(self, issue: Issue, comment: Comment, event: str, says: str, by: User | None, at: datetime) -> Webhook:
        self.index.changed(issue)
        body = envelope.of_comment(issue, comment, event, by or self.ada, at, self.site, self.flavour)
        return self._tell(issue, body, says)

    def _stamp(self, issue: Issue) -> datetime:
        at = self._tick()
        issue.fields["updated"] = stamp(at)
        return at

    def _keep(self, issue: Issue) -> None:
        self._issues.keep(issue)
        self.index.changed(issue)

    def _envelope(
        self, issue: Issue, event: str, kind: str, by: User | None, before: Issue | None = None
    ) -> dict[str, Any]:
        return envelope.of_issue(issue, event, kind, by or self.ada, self._tick(), before, self.site, self.flavour)

    def _tell(self, issue: Issue, body: Mapping[str, Any], says: str) -> Webhook:
        webhook = Webhook(
            f"{self.random.getrandbits(128):032x}", json.dumps(body).encode(), issue.key, says, body["webhookEvent"]
        )
        asking = replace(self.asking(self.me, strict=False), issue=self.find, sees_project=lambda _key: True)
        for hook in self.hooks:
            if hook.wants(webhook.event) and jql.wanted(hook.wanted.jql, issue, asking):
                self.hooks.post(hook, webhook)
        return webhook
