"""How a link follows its ticket. Pure: what is known and one observation in, what is known then out.

For any permutation and duplication of the same observations the result is the same:

- the ticket's state, key and texts are those of the newest facts (`bridge.fold`);
- a ticket is linked for good as soon as one observation of it, of whatever age, is selected by a route;
- until its CreateTask is sent, the newest observation that a route selected decides which route that is; afterwards it stays.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from msgspec import Struct
from msgspec.structs import replace

from bridge.correlation import Identity, correlation_key
from bridge.errors import TemplateError
from bridge.fold import Snapshot, fold
from bridge.model import Completion, Facts, Link, LinkId, Observation, Policy, Step, TaskRequest, TaskState, TicketState
from bridge.outcome import due
from bridge.plan import plan
from bridge.routes import Route, Routes, View
from bridge.trackers import Tracker


class Known(Struct, frozen=True):
    """What the bridge knows of one ticket: its newest facts, and the link of its newest generation if a route ever selected it."""

    snapshot: Snapshot
    link: Link | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A task that carries our key, as far as Orchestrator tells what it was made from."""

    identity: Identity
    request: TaskRequest
    created_at: datetime
    ticket_key: str | None = None


@dataclass(frozen=True, slots=True)
class Follower:
    """Follows the tickets of one source."""

    deployment: str
    source: str
    destination: str
    tracker: Tracker
    routes: Routes

    def follow(self, known: Known, observation: Observation, now: datetime) -> Known:
        """What is known after the observation. Raises `TemplateError`; then nothing is to be changed."""
        snapshot = fold(known.snapshot, observation)
        view = self._view(observation.ticket_id, snapshot.facts)
        newest = observation.version > known.snapshot.version
        seen = view if newest else self._seen(known.snapshot, observation)
        link = self._select(known.link, observation, seen, now)
        if link is None:
            return Known(snapshot)
        rendered = self._shown(link, snapshot, view)
        changed = (rendered.request, rendered.completion, rendered.shows) != (link.request, link.completion, link.shows)
        return Known(snapshot, _wake(rendered, now, news=changed or rendered.version > link.version))

    def wants_look(self, said: Observation) -> bool:
        """Whether the ticket should be read from its tracker before it is decided on.

        Where the message does not tell whether the ticket is closed, and where any route of the source asks for it: which route takes
        the ticket may depend on what the message does not tell.
        """
        if said.state is TicketState.DELETED:
            return False
        return said.state is None or any(route.refresh for route in self.routes.of(self.source))

    def selects(self, said: Observation) -> Route | None:
        """The route that takes a ticket of which nothing else is known. Raises `TemplateError`."""
        return self.routes.select(self._seen(Snapshot(), said))

    def learn(self, known: Known, told: Observation) -> Known:
        """What is known beside the ticket's own word; nothing is decided by it."""
        return Known(fold(known.snapshot, told), known.link)

    def refresh(self, link: Link, snapshot: Snapshot) -> Link:
        """The link with what it may need to send rendered anew. Raises `TemplateError`."""
        return self._render(link, self._view(link.ticket_id, snapshot.facts)) if snapshot.version else link

    def reopen(self, ended: Link, snapshot: Snapshot, now: datetime) -> Link:
        """The next generation of a ticket that is open again. Raises `TemplateError`."""
        link = next_generation(ended, self.deployment, now)
        return due(self._shown(link, snapshot, self._view(link.ticket_id, snapshot.facts)), now)

    def adopt(self, found: Found, snapshot: Snapshot, now: datetime) -> Link:
        """A link for a task that carries our key and that no link has. It is to be found by its key before anything else is done.

        Where nothing tells which route the ticket's is, the source's first stands in until an observation that a route selects.
        """
        link = self._begin(found.identity.ticket_id, found.identity.generation, "", now)
        link = replace(
            link,
            seen_open=True,
            ticket_key=found.ticket_key or found.identity.ticket_id,
            request=found.request,
            task_state=TaskState.UNKNOWN,
            create_sent_at=found.created_at,
        )
        if snapshot.version:
            link = self._describe(link, snapshot, self._view(link.ticket_id, snapshot.facts))
        link = self._route_of_adopted(link, snapshot)
        return due(self.rendered_if_it_can_be(link, snapshot), now)

    def ended(self, link: Link, snapshot: Snapshot, now: datetime) -> Link:
        """The link when a later generation of its ticket is known: closed, and its task's end to be looked for if it is not known."""
        link = replace(link, ticket_state=TicketState.CLOSED)
        if link.task_state in (TaskState.ABSENT, TaskState.OPEN):
            link = replace(link, task_state=TaskState.UNKNOWN, create_sent_at=link.create_sent_at or link.created_at)
        return due(self.rendered_if_it_can_be(link, snapshot), now)

    def rendered_if_it_can_be(self, link: Link, snapshot: Snapshot) -> Link:
        """A task is adopted whatever its templates think of the ticket; what they lack is told when it is to be sent."""
        try:
            return self.refresh(link, snapshot)
        except TemplateError:
            return link

    def _route_of_adopted(self, link: Link, snapshot: Snapshot) -> Link:
        try:
            route = self.routes.select(self._view(link.ticket_id, snapshot.facts)) if snapshot.version else None
        except TemplateError:
            route = None
        if route is not None:
            return replace(link, route=route.name, policy=route.policy, route_version=snapshot.version)
        first = next(iter(self.routes.of(self.source)), None)
        return link if first is None else replace(link, route=first.name, policy=first.policy)

    def _select(self, link: Link | None, observation: Observation, seen: View, now: datetime) -> Link | None:
        """The link with its route, if this or an earlier observation was selected by one."""
        if link is not None and link.task_state is not TaskState.ABSENT and link.route_version:
            return link
        route = self.routes.select(seen)
        if route is None:
            return link
        link = link or self._begin(observation.ticket_id, 1, route.name, now)
        newest = observation.version >= link.route_version
        return replace(
            link,
            seen_open=link.seen_open or observation.state in (TicketState.OPEN, None),
            route=route.name if newest else link.route,
            route_version=observation.version if newest else link.route_version,
        )

    def _seen(self, snapshot: Snapshot, observation: Observation) -> View:
        """The ticket as the observation shows it, completed by what is known."""
        return self._view(observation.ticket_id, {**snapshot.facts, **observation.facts})

    def _begin(self, ticket_id: str, generation: int, route: str, now: datetime) -> Link:
        return Link(
            id=LinkId(0),
            source=self.source,
            ticket_id=ticket_id,
            generation=generation,
            correlation_key=correlation_key(self.deployment, self.source, ticket_id, generation),
            destination=self.destination,
            route=route,
            route_version="",
            policy=Policy(),
            ticket_key="",
            ticket_url=None,
            ticket_state=TicketState.OPEN,
            version="",
            closed_version="",
            seen_open=False,
            created_at=now,
        )

    def _shown(self, link: Link, snapshot: Snapshot, view: View) -> Link:
        """The link as its ticket is now, with the requests that it may need next."""
        return self._render(self._describe(link, snapshot, view), view)

    def _describe(self, link: Link, snapshot: Snapshot, view: View) -> Link:
        return replace(
            link,
            ticket_key=view.ticket.key,
            ticket_url=view.ticket.url,
            ticket_state=self.tracker.state(view.facts) or TicketState.OPEN,
            version=snapshot.version,
            closed_version=snapshot.closed_version,
        )

    def _render(self, link: Link, view: View) -> Link:
        """The requests that the link may need next. A route that is configured no more leaves what it last rendered."""
        route = self.routes.named(link.route) or self.routes.select(view)  # it may have been renamed
        if route is None:
            return link
        if (link.route, link.policy) != (route.name, route.policy):
            link = replace(link, route=route.name, policy=route.policy)
        return replace(
            link,
            request=_request(link, route, view),
            completion=_completion(link, route, view),
            shows=_shows(link, route, view),
        )

    def _view(self, ticket_id: str, facts: Facts) -> View:
        return View(self.tracker.ticket(ticket_id, facts), facts, self.source)


def _request(link: Link, route: Route, view: View) -> TaskRequest | None:
    """CreateTask as it would be sent now. Once it was sent it stays as it was."""
    if link.task_state is not TaskState.ABSENT:
        return link.request
    return route.request(view) if plan(link) is Step.CREATE else None


def _completion(link: Link, route: Route, view: View) -> Completion | None:
    """CompleteTask as it would be sent now, if the ticket asks for it. Once the task has come to its end it stays as it was."""
    if link.task_state in (TaskState.COMPLETED, TaskState.GONE):
        return link.completion
    absent = link.task_state is TaskState.ABSENT
    wanted = {
        TicketState.OPEN: False,
        TicketState.CLOSED: not absent or plan(link) is Step.CREATE,
        TicketState.DELETED: not absent and link.policy.on_delete == "complete",
    }[link.ticket_state]
    return route.completion(view) if wanted else None


def _shows(link: Link, route: Route, view: View) -> Mapping[str, str]:
    """What the task should show now; nothing once the ticket has closed or the task has come to its end, where nothing is edited."""
    ended = link.task_state in (TaskState.COMPLETED, TaskState.GONE)
    return {} if ended or link.ticket_state is not TicketState.OPEN else route.shows(view)


def next_generation(link: Link, deployment: str, now: datetime) -> Link:
    """The link of a ticket that was reopened after its task had come to its end."""
    generation = link.generation + 1
    return replace(
        link,
        id=LinkId(0),
        generation=generation,
        correlation_key=correlation_key(deployment, link.source, link.ticket_id, generation),
        route_version=link.version,
        seen_open=True,
        request=None,
        completion=None,
        shows={},
        task_state=TaskState.ABSENT,
        task_id=None,
        create_sent_at=None,
        safe_at=None,
        ended_version="",
        told={},
        refused={},
        due_at=now,
        leased_until=None,
        claim=0,
        attempts=0,
        last_error=None,
        created_at=now,
    )


def _wake(link: Link, now: datetime, *, news: bool) -> Link:
    """What is new is tried at once: it does not wait behind an older failure (scenario 5)."""
    if news:
        link = replace(link, parked=False, attempts=0, last_error=None, due_at=None)
    return due(link, now)
