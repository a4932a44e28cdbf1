"""The receiver: verify, recognise, commit, answer. No route, no template and no call outwards happens here.

A 2xx means that the delivery is durable. Whatever keeps us from storing it is a 503, which every tracker that retries at all retries.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson
import structlog
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from bridge.config import SalesforceSource, Source
from bridge.errors import MalformedBody, Refused, StoreUnavailable, Unstorable
from bridge.model import DeliveryId, NewDelivery
from bridge.service import Clock
from bridge.store import Store
from bridge.trackers import Tracker
from bridge.trackers.salesforce import is_json
from bridge.web import soap
from bridge.web.metrics import Metrics
from bridge.web.problems import problem
from bridge.web.room import NoRoom, Place, Room
from bridge.web.verify import verify_body, verify_token

RETRY_AFTER_S = 5

BODY_WITHIN_S = 60
"""How long a body may take to come: what has come of it takes room that is everybody's."""

_KEPT_HEADERS = frozenset(
    {"content-type", "user-agent"}
    | {f"x-atlassian-webhook-{name}" for name in ("identifier", "retry", "flow", "trace")}
)
_KEPT_LENGTH = 500

_LARGE = 256 * 1024
"""Bytes of a body that is read beside the event loop, so that others need not wait for it."""

_log = structlog.get_logger()


class TooLarge(Exception):
    """The body is longer than the configuration allows."""


class TooSlow(Exception):
    """The body did not come in time."""


_NOT_TAKEN = (Refused, TooLarge, TooSlow, MalformedBody, Unstorable, ClientDisconnect, NoRoom, StoreUnavailable)


@dataclass(frozen=True, slots=True)
class Failure:
    """A request that was not taken: how it is answered and counted."""

    result: str
    status: int
    detail: str
    headers: dict[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Receiver:
    """Takes the webhooks of every source."""

    sources: Mapping[str, Source]
    trackers: Mapping[str, Tracker]
    store: Store
    clock: Clock
    max_body_bytes: int
    room: Room
    metrics: Metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """An ASGI application of its own: this path is the busy one."""
        response = await self.receive(Request(scope, receive))
        await response(scope, receive, send)

    async def receive(self, request: Request) -> Response:
        """`POST /hooks/{source}`, and `POST /hooks/{source}/{token}` where the path proves the sender."""
        name, token = request.path_params["source"], request.path_params.get("token")
        if name not in self.sources:
            self.metrics.received("unknown", "unknown_source")
            return problem(404, "the configuration has no source of that name")
        source = self.sources[name]
        if token is not None and source.verify != "path":
            raise HTTPException(404)
        headers, body = _headers(request), b""
        try:
            verify_token(source, headers, request.query_params if source.verify == "query" else {}, token)
            with self.room.place() as place:
                body = await self._body(request, headers, place)
                verify_body(source, headers, body)
                ids = await self.store.inbox.append(await self._deliveries(name, headers, body))
        except _NOT_TAKEN as error:
            failure = self._failure(name, error)
            self.metrics.received(name, failure.result)
            refuse = soap.fault if _speaks_soap(source, headers, body) else problem
            return refuse(failure.status, failure.detail, failure.headers)
        self.metrics.received(name, "accepted")
        return soap.ack() if _speaks_soap(source, headers, body) else _accepted(ids)

    async def _body(self, request: Request, headers: Mapping[str, str], place: Place) -> bytes:
        """The body, never more of it than the limit and the place allow, and in time."""
        declared = headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > self.max_body_bytes:
            raise TooLarge
        size = 0
        try:
            async with asyncio.timeout(BODY_WITHIN_S):
                async for chunk in request.stream():
                    size += len(chunk)
                    if size > self.max_body_bytes:
                        raise TooLarge
                    place.put(chunk)
        except TimeoutError:
            raise TooSlow from None
        return place.body()

    async def _deliveries(self, source: str, headers: Mapping[str, str], body: bytes) -> list[NewDelivery]:
        now, tracker = self.clock(), self.trackers[source]
        if len(body) < _LARGE:
            recognised = tracker.recognise(headers, body, now)
        else:
            recognised = await asyncio.to_thread(tracker.recognise, headers, body, now)
        kept = _kept(headers)
        return [
            NewDelivery(
                source=source,
                dedupe_key=found.dedupe_key,
                received_at=now,
                event=found.event,
                ticket_id=found.ticket_id,
                body=found.body,
                headers=kept,
            )
            for found in recognised
        ]

    def _failure(self, source: str, error: Exception) -> Failure:
        match error:
            case Refused():
                _log.warning("webhook refused", source=source, reason=str(error))
                return Failure("refused", 401, str(error), {"WWW-Authenticate": "Bearer"})
            case TooLarge():
                _log.warning("webhook too large", source=source, limit=self.max_body_bytes)
                detail = f"the body is longer than the {self.max_body_bytes} bytes of server.max_body_bytes"
                return Failure("too_large", 413, detail, {"Connection": "close"})
            case ClientDisconnect():
                return Failure("cut", 400, "the connection ended before the body did")
            case NoRoom():
                return Failure("unavailable", 503, f"{error}; send it again", {"Retry-After": str(RETRY_AFTER_S)})
            case TooSlow():
                detail = f"the body did not come within {BODY_WITHIN_S} seconds; send it again"
                return Failure("cut", 408, detail, {"Connection": "close"})
            case StoreUnavailable():
                _log.error("webhook not committed", source=source, error=str(error))
                detail = "the delivery could not be committed; send it again"
                return Failure("unavailable", 503, detail, {"Retry-After": str(RETRY_AFTER_S)})
            case _:
                _log.warning("webhook malformed", source=source, reason=str(error))
                return Failure("malformed", 400, str(error))


def _headers(request: Request) -> dict[str, str]:
    """The headers by their names in lower case; of several of one name the first."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in reversed(request.headers.raw)}


def _speaks_soap(source: Source, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether the sender waits for SOAP: an outbound message does, a callout does not. The body tells, or the header before it."""
    if not isinstance(source, SalesforceSource):
        return False
    if body:
        return not is_json(body)
    return "json" not in headers.get("content-type", "").lower()


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that help to understand a delivery later; none that could hold a secret."""
    return {name: value[:_KEPT_LENGTH] for name, value in headers.items() if name in _KEPT_HEADERS}


def _accepted(ids: Sequence[DeliveryId | None]) -> Response:
    fresh = [number for number in ids if number is not None]
    body = orjson.dumps({"deliveries": fresh, "duplicates": len(ids) - len(fresh)})
    return Response(body, 202, media_type="application/json")
