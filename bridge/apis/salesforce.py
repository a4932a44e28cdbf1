"""Salesforce's REST API, as far as a bridge reads it. Nothing here changes a record.

Sources: Salesforce's REST API developer guide (query, getDeleted, limits, status codes and error responses) and its OAuth pages. An
error is an array of `{message, errorCode}`; no token tells how long it lasts, so one is renewed when `INVALID_SESSION_ID` refuses it.
"""

import re
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Self
from urllib.parse import quote

import httpx
from oauthlib.oauth2 import BackendApplicationClient, ServiceApplicationClient

from bridge.config import JwtBearer, SalesforceApi, SalesforceClientCredentials
from bridge.errors import MalformedBody, NotFound, RateLimited, Rejected, RemoteError, Unauthorized, Unavailable
from bridge.remote import BearerAuth, GrantIssuer, Server, away
from bridge.trackers.json_body import read_value

Record = dict[str, Any]

TIMEOUT = timedelta(seconds=20)
CONNECTIONS = 5
"""At once: a developer org refuses more than five long requests."""

IDS_AT_ONCE = 200
"""In one query: the address of a request has at most 16 KiB."""

ASSERTION_LASTS = timedelta(minutes=3)
"""Salesforce's limit for the `exp` of a JWT bearer assertion."""

_DAILY_LIMIT_WAIT = timedelta(minutes=15)
_CONCURRENT_LIMIT_WAIT = timedelta(seconds=30)
_MOMENTARY = frozenset(
    {"UNABLE_TO_LOCK_ROW", "SERVER_UNAVAILABLE", "REQUEST_RUNNING_TOO_LONG", "QUERY_TIMEOUT", "UNKNOWN_EXCEPTION"}
)
_GONE = frozenset({"NOT_FOUND", "ENTITY_IS_DELETED"})
_USAGE = re.compile(r"(?<![a-z-])api-usage=(\d+)/(\d+)")


@dataclass(frozen=True, slots=True)
class Usage:
    """How many requests of the rolling 24 hours the org had made at a time, of how many."""

    used: int
    allowed: int
    at: datetime


@dataclass(frozen=True, slots=True)
class QueryPage:
    """A part of a query's answer: where the next one is, None at the end, and how many records there are in all."""

    records: Sequence[Record]
    next: str | None
    total: int | None


@dataclass(frozen=True, slots=True)
class Deleted:
    """What was deleted in a span of time, and until when that is known for certain: the next span begins there."""

    records: dict[str, datetime]
    latest_date_covered: datetime


class SalesforceClient:
    """One org. Use it as a context manager; every method raises the classes under `RemoteError`."""

    def __init__(
        self, config: SalesforceApi, clock: Callable[[], datetime], transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._clock = clock
        self._root = f"services/data/v{config.version}"
        self._server = Server("Salesforce", config.url, TIMEOUT, CONNECTIONS, transport)
        self._server.client.auth = BearerAuth(_issuer(config, self._server.client, clock), clock)
        self.usage: Usage | None = None
        """As the newest answer told it."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.aclose()

    async def query(self, soql: str, *, deleted_too: bool = False) -> AsyncIterator[Record]:
        """`GET …/query` (`…/queryAll` with what is in the recycle bin), page after page."""
        page = await self.first_page(soql, deleted_too=deleted_too)
        while True:
            for record in page.records:
                yield record
            if page.next is None:
                return
            page = await self.next_page(page.next)

    async def first_page(self, soql: str, *, deleted_too: bool = False) -> QueryPage:
        """The beginning of a query's answer. A page may be shorter than asked for; only `done` ends it."""
        return await self.next_page(f"{self._root}/{'queryAll' if deleted_too else 'query'}?q={quote(soql, safe='')}")

    async def next_page(self, path: str) -> QueryPage:
        """The page at a locator, which lives for two days; then it is `Rejected`."""
        page = await self._get(path)
        following = None if page.get("done", True) else str(page.get("nextRecordsUrl") or "").lstrip("/")
        if following == "":
            raise Unavailable("Salesforce has more records, and does not say where", sent=False)
        total = page.get("totalSize")
        return QueryPage(page.get("records") or [], following, total if isinstance(total, int) else None)

    async def records(self, object_name: str, ids: Sequence[str], fields: Iterable[str]) -> AsyncIterator[Record]:
        """The records with these ids, in chunks, those in the recycle bin too (`IsDeleted`). What is not there is left out."""
        names = ", ".join(fields)
        for start in range(0, len(ids), IDS_AT_ONCE):
            wanted = ", ".join(text_literal(record_id) for record_id in ids[start : start + IDS_AT_ONCE])
            soql = f"SELECT {names} FROM {object_name} WHERE Id IN ({wanted})"  # noqa: S608 - SOQL; names are checked, ids escaped
            async for record in self.query(soql, deleted_too=True):
                yield record

    async def record(self, object_name: str, record_id: str) -> Record:
        """`GET …/sobjects/{object}/{id}`: every field that the user may see. `NotFound` if deleted, or hidden from the user."""
        return await self._get(f"{self._root}/sobjects/{object_name}/{quote(record_id, safe='')}")

    async def deleted(self, object_name: str, start: datetime, end: datetime) -> Deleted:
        """`GET …/sobjects/{object}/deleted`, at most 15 days back. A record that was undeleted since is not in it."""
        span = "&".join(f"{name}={quote(_iso(at), safe='')}" for name, at in (("start", start), ("end", end)))
        answer = await self._get(f"{self._root}/sobjects/{object_name}/deleted?{span}")
        try:
            records = {str(entry["id"]): _moment(entry["deletedDate"]) for entry in answer["deletedRecords"]}
            return Deleted(records, _moment(answer["latestDateCovered"]))
        except (KeyError, TypeError, ValueError) as error:
            raise Unavailable(f"the answer of getDeleted cannot be read: {error!r}", sent=False) from None

    async def fields(self, object_name: str) -> list[str]:
        """`GET …/sobjects/{object}/describe`: the names of the fields that the user may see. `NotFound` for no such object."""
        described = await self._get(f"{self._root}/sobjects/{object_name}/describe")
        return [str(field.get("name")) for field in described.get("fields") or []]

    async def case_statuses(self) -> dict[str, bool]:
        """Every status of a Case, and whether it is closed."""
        rows = self.query("SELECT ApiName, IsClosed FROM CaseStatus")
        return {str(row.get("ApiName")): row.get("IsClosed") is True async for row in rows}

    async def limits(self) -> Usage:
        """`GET …/limits`: the daily requests."""
        daily = (await self._get(f"{self._root}/limits")).get("DailyApiRequests") or {}
        allowed = int(daily.get("Max", 0))
        return Usage(allowed - int(daily.get("Remaining", 0)), allowed, self._clock())

    async def _get(self, path: str) -> dict[str, Any]:
        response = await self._server.send("GET", path)
        if told := _USAGE.search(response.headers.get("sforce-limit-info", "")):
            self.usage = Usage(int(told.group(1)), int(told.group(2)), self._clock())
        if not response.is_success:
            raise _refusal(response, self._clock())
        body = _json(response)
        if not isinstance(body, dict):
            raise Unavailable("the answer is not Salesforce's; is api.url the My Domain?", sent=False, status=200)
        return body


def text_literal(text: str) -> str:
    """A text in SOQL."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


# -- answers -----------------------------------------------------------------------------------------------------------------------


def _json(response: httpx.Response) -> Any:
    try:
        return read_value(response.content)
    except MalformedBody:
        return None


def _refusal(response: httpx.Response, now: datetime) -> RemoteError:
    """The class of an error array; of several errors the first speaks."""
    status = response.status_code
    errors = _json(response)
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    code = str(first["errorCode"]) if first.get("errorCode") else None
    words = str(first.get("message") or response.reason_phrase or "no reason given")[:500]
    if code == "REQUEST_LIMIT_EXCEEDED":
        concurrent = "ConcurrentRequests" in words
        wait = _CONCURRENT_LIMIT_WAIT if concurrent else _DAILY_LIMIT_WAIT
        return RateLimited(words, retry_after=wait, status=status)
    if code in _MOMENTARY:
        return away(f"{words} ({code})", response, now, sent=False)
    if status == 404 or code in _GONE:
        return NotFound(words, status=status, code=code)
    if status in (401, 403):
        return Unauthorized(words, status=status, code=code)
    if status == 429 or status >= 500:
        return away(words, response, now, sent=False)
    return Rejected(words, status=status, code=code)


def _iso(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S+00:00")


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


# -- signing in --------------------------------------------------------------------------------------------------------------------


def _issuer(config: SalesforceApi, client: httpx.AsyncClient, clock: Callable[[], datetime]) -> GrantIssuer:
    url = config.auth.token_url or f"{config.url}/services/oauth2/token"
    match config.auth:
        case SalesforceClientCredentials() as auth:
            return _client_credentials(auth, url, client, clock)
        case auth:
            return _jwt_bearer(auth, url, client, clock)


def _client_credentials(
    auth: SalesforceClientCredentials, url: str, client: httpx.AsyncClient, clock: Callable[[], datetime]
) -> GrantIssuer:
    grant = BackendApplicationClient(auth.client_id)

    def write() -> str:
        secret = auth.client_secret.get_secret_value()
        form: str = grant.prepare_request_body(include_client_id=True, client_secret=secret)
        return form

    return GrantIssuer(url, grant, write, client, clock)


def _jwt_bearer(auth: JwtBearer, url: str, client: httpx.AsyncClient, clock: Callable[[], datetime]) -> GrantIssuer:
    grant = ServiceApplicationClient(auth.client_id)

    def write() -> str:
        now = clock()
        try:
            form: str = grant.prepare_request_body(
                private_key=auth.private_key.get_secret_value(),
                subject=auth.username,
                issuer=auth.client_id,
                audience=auth.audience,
                issued_at=now.timestamp(),
                expires_at=int((now + ASSERTION_LASTS).timestamp()),
            )
        except Exception as error:  # noqa: BLE001 - whatever the library says of a key that is none
            raise Unauthorized(f"api.auth.private_key cannot sign: {type(error).__name__}; is it a PEM key?") from None
        return form

    return GrantIssuer(url, grant, write, client, clock)
