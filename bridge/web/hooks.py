"""The receiver: verify, recognise, commit, answer. No route, no template and no call outwards happens here.

A 2xx means that the delivery is durable. Whatever keeps us from storing it is a 503, which every tracker that retries at all retries.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson
import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from bridge.config import SalesforceSource, Source
from bridge.errors import MalformedBody, Refused, StoreUnavailable, Unstorable
from bridge.model import DeliveryId, NewDelivery
from bridge.service import Clock
from bridge.store import Inbox
from bridge.trackers import Recognised, Tracker
from bridge.trackers.salesforce import is_json
from bridge.web import soap
from bridge.web.deadline import Deadline
from bridge.web.metrics import Metrics
from bridge.web.problems import mistake, problem
from bridge.web.room import NoRoom, Place, Room
from bridge.web.verify import Verifier

PATH = "/hooks/"

RETRY_AFTER_S = 5

BODY_WITHIN_S = 60
"""How long a body may take to come: what has come of it takes room that is everybody's."""

_KEPT_HEADERS = (
    "content-type",
    "user-agent",
    *(f"x-atlassian-webhook-{name}" for name in ("identifier", "retry", "flow", "trace")),
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
class Entrance:
    """Where the webhooks of one source come in."""

    name: str
    source: Source
    tracker: Tracker
    verifier: Verifier


class Accepted:
    """The answer to nearly every webhook: a response with less around it than Starlette's."""

    def __init__(self, ids: Sequence[DeliveryId | None]) -> None:
        fresh = [number for number in ids if number is not None]
        self._body = orjson.dumps({"deliveries": fresh, "duplicates": len(ids) - len(fresh)})

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """An ASGI application, as every response."""
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(self._body))]
        await send({"type": "http.response.start", "status": 202, "headers": headers})
        await send({"type": "http.response.body", "body": self._body})


class Receiver:
    """Takes the webhooks of every source: an ASGI application of its own, because this path is the busy one."""

    def __init__(
        self,
        sources: Mapping[str, Source],
        trackers: Mapping[str, Tracker],
        inbox: Inbox,
        clock: Clock,
        max_body_bytes: int,
        room: Room,
        metrics: Metrics,
    ) -> None:
        self._entrances = {
            name: Entrance(name, source, trackers[name], Verifier(source)) for name, source in sources.items()
        }
        self._inbox = inbox
        self._clock = clock
        self._max_body_bytes = max_body_bytes
        self._room = room
        self._metrics = metrics
        self._body_in_time = Deadline(BODY_WITHIN_S)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """`POST /hooks/{source}`, and `POST /hooks/{source}/{token}` where the path proves the sender."""
        try:
            answer = await self._take(scope, receive)
        except Exception:  # noqa: BLE001 - whatever it is, the sender gets an answer
            _log.exception("a webhook met a mistake of ours")
            answer = mistake(scope["path"])
        await answer(scope, receive, send)

    async def _take(self, scope: Scope, receive: Receive) -> ASGIApp:
        name, *rest = scope["path"].removeprefix(PATH).split("/")
        entrance = self._entrances.get(name)
        if entrance is None:
            self._metrics.received("unknown", "unknown_source")
            return problem(404, "the configuration has no source of that name")
        if rest and (entrance.source.verify != "path" or len(rest) > 1 or not rest[0]):
            return problem(404, f"there is nothing at {scope['path']}")
        token = rest[0] if rest else None
        headers, body = _headers(scope), b""
        try:
            proof = entrance.verifier.begin(headers, scope["query_string"], token)
            with Place(self._room) as place:
                body = await self._body(receive, headers, place)
                entrance.verifier.finish(proof, body)
                now, recognise = self._clock(), entrance.tracker.recognise
                if len(body) < _LARGE:
                    recognised = recognise(headers, body, now)
                else:
                    recognised = await asyncio.to_thread(recognise, headers, body, now)
                ids = await self._inbox.append(_deliveries(name, headers, recognised, now))
        except _NOT_TAKEN as error:
            failure = self._failure(name, error)
            if isinstance(error, NoRoom):
                await self._room.turn_away()
            self._metrics.received(name, failure.result)
            refuse = soap.fault if _speaks_soap(entrance.source, headers, body) else problem
            return refuse(failure.status, failure.detail, failure.headers)
        self._metrics.received(name, "accepted")
        return soap.ack() if _speaks_soap(entrance.source, headers, body) else Accepted(ids)

    async def _body(self, receive: Receive, headers: Mapping[str, str], place: Place) -> bytes:
        """The body, never more of it than the limit and the place allow, and in time."""
        declared = headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > self._max_body_bytes:
            raise TooLarge
        size, more = 0, True
        try:
            with self._body_in_time:
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise ClientDisconnect
                    chunk, more = message.get("body", b""), message.get("more_body", False)
                    size += len(chunk)
                    if size > self._max_body_bytes:
                        raise TooLarge
                    place.put(chunk)
        except TimeoutError:
            raise TooSlow from None
        return place.body()

    def _failure(self, source: str, error: Exception) -> Failure:
        match error:
            case Refused():
                _log.warning("webhook refused", source=source, reason=str(error))
                return Failure("refused", 401, str(error), {"WWW-Authenticate": "Bearer"})
            case TooLarge():
                _log.warning("webhook too large", source=source, limit=self._max_body_bytes)
                detail = f"the body is longer than the {self._max_body_bytes} bytes of server.max_body_bytes"
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


def _headers(scope: Scope) -> dict[str, str]:
    """The headers by their names in lower case; of several of one name the first."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in reversed(scope["headers"])}


def _deliveries(
    source: str, headers: Mapping[str, str], recognised: Sequence[Recognised], now: datetime
) -> list[NewDelivery]:
    kept = _kept(headers)
    return [
        NewDelivery(source, found.dedupe_key, now, found.event, found.ticket_id, found.body, kept)
        for found in recognised
    ]


def _speaks_soap(source: Source, headers: Mapping[str, str], body: bytes) -> bool:
    """Whether the sender waits for SOAP: an outbound message does, a callout does not. The body tells, or the header before it."""
    if not isinstance(source, SalesforceSource):
        return False
    if body:
        return not is_json(body)
    return "json" not in headers.get("content-type", "").lower()


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that help to understand a delivery later; none that could hold a secret."""
    return {name: headers[name][:_KEPT_LENGTH] for name in _KEPT_HEADERS if name in headers}
