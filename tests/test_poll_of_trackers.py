"""The poller with the trackers' own APIs, where they refuse, hide or change what they show."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from bridge.apis import Message, TicketApi, ticket_apis
from bridge.errors import Rejected
from bridge.model import NewDelivery
from bridge.sandbox.jira import Fault, Flavour, SimulatedJira, jira_serving
from bridge.sandbox.salesforce import Fault as OrgFault
from bridge.sandbox.salesforce import SimulatedSalesforce, salesforce_serving
from bridge.service import followers
from bridge.store import Lane, LinkFilter, Store
from bridge.sync.follow import Follower
from bridge.sync.intake import Intake
from bridge.sync.poller import Polled, Poller, poll_of
from tests.driving import PATIENCE_S, SECRET, configured
from tests.test_poller import EVERY, Clock
from tests.values import body_of

pytestmark = pytest.mark.anyio


@dataclass
class Polling:
    """A poller of one source, without the service around it."""

    clock: Clock
    store: Store
    follower: Follower
    poller: Poller
    api: TicketApi

    async def cycle(self) -> None:
        """A poll, and what it found taken in."""
        self.clock.now += EVERY
        await self.poller.poll()
        await Intake(self.store, Lane(self.follower.source), self.follower, None, self.clock, lambda: None).drain()

    async def tell(self, message: dict[str, Any]) -> None:
        """A webhook."""
        await self.store.inbox.append(
            [NewDelivery(self.follower.source, "told", self.clock.now, "webhook", None, body_of(message), {})]
        )

    async def states(self) -> dict[str, str]:
        """By the ticket's key, the state of its newest link."""
        links = await self.store.links.list(LinkFilter(limit=1000), self.clock.now)
        return {link.ticket_key: link.ticket_state.value for link in reversed(links)}

    async def pause(self) -> str | None:
        pause = await self.store.pauses.get(poll_of(self.follower.source))
        return None if pause is None else pause.reason


@asynccontextmanager
async def polling(
    store: Store, folder: Path, clock: Clock, source: dict[str, Any], route: dict[str, Any]
) -> AsyncIterator[Polling]:
    config = configured(folder, sources={"tracker": source}, routes=[{"name": "all", "source": "tracker", **route}])

    async def sleep(seconds: float) -> None:
        clock.now += timedelta(seconds=seconds)

    async with ticket_apis(config, clock) as apis:
        follower, api = followers(config)["tracker"], apis["tracker"]
        poller = Poller(Polled("tracker", follower.tracker, api, EVERY), store, clock, sleep)
        yield Polling(clock, store, follower, poller, api)


@asynccontextmanager
async def jira_polled(
    store: Store, folder: Path, flavour: Flavour = "cloud", **source: Any
) -> AsyncIterator[tuple[SimulatedJira, Polling]]:
    clock = Clock()
    jira = SimulatedJira(SECRET, clock, Random(1), flavour=flavour)  # noqa: S311 - identifiers
    email = {"email": "bot@acme.test"} if flavour == "cloud" else {}
    async with jira_serving(jira) as url:
        configured_as = {"type": "jira", "secrets": [SECRET], "api": {"url": url, "token": "t", **email}, **source}
        async with polling(store, folder, clock, configured_as, {}) as poll:
            yield jira, poll


@asynccontextmanager
async def salesforce_polled(
    store: Store, folder: Path, **route: Any
) -> AsyncIterator[tuple[SimulatedSalesforce, Polling]]:
    clock = Clock()
    org = SimulatedSalesforce(clock, Random(1))  # noqa: S311 - ids
    auth = {"type": "client_credentials", "client_id": "connected-app", "client_secret": "demo"}
    async with salesforce_serving(org) as url:
        source = {"type": "salesforce", "secrets": [SECRET], "api": {"url": url, "auth": auth}}
        async with polling(store, folder, clock, source, route) as poll:
            yield org, poll


# -- Salesforce --------------------------------------------------------------------------------------------------------------------


async def test_a_field_that_an_object_has_no_more_stops_no_poll(store: Store, tmp_path: Path) -> None:
    """An admin deletes a field, or takes it from the user: the object is described anew."""
    task = {"title": "{{ fields.Region__c | default('nowhere') }}"}
    async with salesforce_polled(store, tmp_path, task=task) as (org, poll):
        case = org.open(Subject="Printer", Region__c="North")
        await poll.cycle()
        org.schema.learn("Case").forget("Region__c")
        org.close(str(case["Id"]))
        await poll.cycle()
        await poll.cycle()
        assert set((await poll.states()).values()) == {"closed"}
        assert await poll.pause() is None


async def test_records_that_the_user_may_not_see_any_more_are_not_deleted(store: Store, tmp_path: Path) -> None:
    """A role or a sharing rule was taken from the integration user: in no query, 404 by id, and in no list of deletions."""
    async with salesforce_polled(store, tmp_path) as (org, poll):
        cases = [str(org.open(Subject=str(number))["Id"]) for number in range(3)]
        await poll.cycle()
        org.hide(*cases)
        await poll.cycle()
        assert set((await poll.states()).values()) == {"open"}
        assert "hidden" in (await poll.pause() or "")
        org.show()
        org.close(cases[0])
        await poll.cycle()
        assert sorted((await poll.states()).values()) == ["closed", "open", "open"]
        assert await poll.pause() is None


async def test_an_id_that_is_no_records_stops_no_poll(store: Store, tmp_path: Path) -> None:
    async with salesforce_polled(store, tmp_path) as (org, poll):
        case = org.open(Subject="Printer")
        await poll.tell({"object": "Case", "record": {"Id": "500000000000001ZZZ", "IsClosed": False}})
        org.faults.append(OrgFault("sobject", 400, "MALFORMED_ID", "Case: bad id 500000000000001ZZZ", times=None))
        await poll.cycle()
        await poll.cycle()
        assert await poll.states() == {"500000000000001ZZZ": "deleted", case["CaseNumber"]: "open"}
        assert await poll.pause() is None


async def test_a_purged_record_is_deleted(store: Store, tmp_path: Path) -> None:
    async with salesforce_polled(store, tmp_path) as (org, poll):
        case = str(org.open(Subject="Printer")["Id"])
        await poll.cycle()
        org.delete(case)
        org.purge(case)
        await poll.cycle()
        assert set((await poll.states()).values()) == {"deleted"}


# -- Jira --------------------------------------------------------------------------------------------------------------------------


async def test_thousands_of_issues_of_one_creation_time_are_paged_to_the_end(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An import gives them all the same `created`, by which Data Center's search begins anew."""
    monkeypatch.setattr("bridge.apis.jira.data_center.FURTHEST", 100)
    async with jira_polled(store, tmp_path, "server") as (jira, poll):
        jira.page_size = 50
        for number in range(130):
            issue, _ = jira.open("OPS", f"Ticket {number}")
            issue.fields["created"] = "2020-01-01T00:00:00.000+0000"
            jira.edit(issue)
        async with asyncio.timeout(PATIENCE_S):
            await poll.cycle()
        assert len(await poll.states()) == 130


@pytest.mark.parametrize("flavour", ["cloud", "server"])
async def test_an_issue_that_was_only_hidden_comes_back(store: Store, tmp_path: Path, flavour: Flavour) -> None:
    """It moved into a project that the account may not see, which looks as a deletion does; it moved back, and goes on."""
    async with jira_polled(store, tmp_path, flavour) as (jira, poll):
        issue, _ = jira.open("OPS", "Printer")
        await poll.cycle()
        jira.hide("SECRET")
        jira.move(issue, "SECRET")
        await poll.cycle()
        assert await poll.states() == {"OPS-1": "deleted"}
        poll.clock.now += EVERY
        jira.move(issue, "OPS")
        await poll.cycle()
        assert await poll.states() == {issue.key: "open"}


async def test_a_data_center_that_checks_every_id_is_asked_one_by_one(store: Store, tmp_path: Path) -> None:
    """It heeds no `validateQuery`: one deleted issue makes the search for a hundred fail."""
    async with jira_polled(store, tmp_path, "server") as (jira, poll):
        gone, kept = jira.open("OPS", "a")[0], jira.open("OPS", "b")[0]
        await poll.cycle()
        jira.delete(gone)
        jira.index.lag = timedelta(days=1)  # the search by time finds nothing
        jira.close(kept)
        read = poll.api.read

        async def strict(ticket_ids: Sequence[str]) -> Mapping[str, Message]:
            if str(gone.id) in ticket_ids:
                raise Rejected(f"A value with ID '{gone.id}' does not exist for the field 'id'.", status=400)
            return await read(ticket_ids)

        poll.api.read = strict  # type: ignore[method-assign]
        await poll.cycle()
        assert await poll.states() == {gone.key: "deleted", kept.key: "closed"}


async def test_where_projects_may_not_be_asked_for_the_others_are_polled(store: Store, tmp_path: Path) -> None:
    """A token with scopes may read issues, and not list projects: it is not told that a ticket is gone, and goes on."""
    async with jira_polled(store, tmp_path) as (jira, poll):
        gone, kept = jira.open("OPS", "a")[0], jira.open("OPS", "b")[0]
        await poll.cycle()
        jira.faults.append(Fault("*/project/search", status=401, times=None))
        jira.delete(gone)
        jira.index.lag = timedelta(days=1)
        jira.close(kept)
        await poll.cycle()
        assert await poll.states() == {gone.key: "open", kept.key: "closed"}
        assert "may not ask which projects" in (await poll.pause() or "")


async def test_a_clock_that_was_set_back_is_no_rate_limit(store: Store, tmp_path: Path) -> None:
    async with jira_polled(store, tmp_path) as (_, poll):
        await poll.cycle()
        poll.clock.now -= timedelta(hours=1)
        assert poll.api.ease() == timedelta()
