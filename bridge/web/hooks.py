"""The receiver: verify, recognise, commit, answer. No route, no template and no call outwards happens here.

A 2xx means that the delivery is durable. Whatever keeps us from storing it is a 503, which every tracker that retries at all retries.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import orjson
import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from bridge.config import Source
from bridge.errors import MalformedBody, Refused, StoreUnavailable, Unstorable
from bridge.model import NewDelivery
from bridge.service import Clock
from bridge.store import Store
from bridge.trackers import Tracker
from bridge.web.metrics import Metrics
from bridge.web.problems import problem
from bridge.web.verify import verify_body, verify_token

RETRY_AFTER_S = 5

_KEPT_HEADERS = ("content-type", "user-agent")
_KEPT_PREFIX = "x-atlassian-"
_KEPT_LENGTH = 500

_log = structlog.get_logger()


class TooLarge(Exception):
    """The body is longer than the configuration allows."""


@dataclass(frozen=True, slots=True)
class Receiver:
    """Takes the webhooks of every source."""

    sources: Mapping[str, Source]
    trackers: Mapping[str, Tracker]
    store: Store
    clock: Clock
    max_body_bytes: int
    metrics: Metrics

    async def receive(self, request: Request) -> Response:
        """`POST /hooks/{source}`."""
        name = request.path_params["source"]
        if name not in self.sources:
            self.metrics.received("unknown", "unknown_source")
            return problem(404, "the configuration has no source of that name")
        response, result = await self._receive(name, request)
        self.metrics.received(name, result)
        return response

    async def _receive(self, name: str, request: Request) -> tuple[Response, str]:
        source = self.sources[name]
        headers = request.headers
        try:
            verify_token(source.verify, source.secrets, headers, request.query_params)
            body = await self._body(request)
            verify_body(source.verify, source.secrets, headers, body)
            deliveries = self._deliveries(name, headers, body)
            ids = await self.store.inbox.append(deliveries)
        except Refused as refusal:
            _log.warning("webhook refused", source=name, reason=str(refusal))
            return problem(401, str(refusal), {"WWW-Authenticate": "Bearer"}), "refused"
        except TooLarge:
            _log.warning("webhook too large", source=name, limit=self.max_body_bytes)
            return self._too_large(), "too_large"
        except (MalformedBody, Unstorable) as error:
            _log.warning("webhook malformed", source=name, reason=str(error))
            return problem(400, str(error)), "malformed"
        except ClientDisconnect:
            return problem(400, "the connection ended before the body did"), "cut"
        except StoreUnavailable as error:
            _log.error("webhook not committed", source=name, error=str(error))
            detail = "the delivery could not be committed; send it again"
            return problem(503, detail, {"Retry-After": str(RETRY_AFTER_S)}), "unavailable"
        return _accepted([i for i in ids if i is not None], sum(i is None for i in ids)), "accepted"

    async def _body(self, request: Request) -> bytes:
        """The body, never more of it than the limit."""
        declared = request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > self.max_body_bytes:
            raise TooLarge
        chunks: list[bytes] = []
        size = 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > self.max_body_bytes:
                raise TooLarge
            chunks.append(chunk)
        return b"".join(chunks)

    def _deliveries(self, source: str, headers: Mapping[str, str], body: bytes) -> list[NewDelivery]:
        now = self.clock()
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
            for found in self.trackers[source].recognise(headers, body, now)
        ]

    def _too_large(self) -> Response:
        detail = f"the body is longer than the {self.max_body_bytes} bytes of server.max_body_bytes"
        return problem(413, detail, {"Connection": "close"})


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    """The headers that help to understand a delivery later; none that could hold a secret."""
    return {
        name: value[:_KEPT_LENGTH]
        for name, value in headers.items()
        if name in _KEPT_HEADERS or name.startswith(_KEPT_PREFIX)
    }


def _accepted(ids: list[int], duplicates: int) -> Response:
    return Response(orjson.dumps({"deliveries": ids, "duplicates": duplicates}), 202, media_type="application/json")
