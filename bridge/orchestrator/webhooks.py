"""`/odata/Webhooks`: who is told of events. Webhooks belong to the tenant: no folder is named.

Source: the definition's `Webhooks`. The scope is `OR.Webhooks`, `.Read` or `.Write`, which the bridge's own `OR.Tasks` does not hold.
Orchestrator does not deliver an event twice, so what it tells is a hint to look, never the only word.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Unpack, cast

from bridge.orchestrator.answers import done, entity, json_object, listed
from bridge.orchestrator.odata import Listing, ListOptions, ResultOptions, ViewOptions, results, view
from bridge.orchestrator.shapes import (
    CustomEventDto,
    PingEventDto,
    WebhookChanges,
    WebhookDto,
    WebhookEventTypeDto,
    WebhookRequest,
)
from bridge.orchestrator.wire import ACTION, Wire

_BASE = "odata/Webhooks"


class Webhooks:
    """`orchestrator.webhooks`."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def list(self, **options: Unpack[ListOptions]) -> Listing[WebhookDto]:
        """`GET /odata/Webhooks`."""
        return Listing(lambda path: self._wire.send("GET", path), _BASE, options)

    async def get(self, webhook_id: int, **options: Unpack[ViewOptions]) -> WebhookDto:
        """`GET /odata/Webhooks({id})`. `NotFound` if there is none."""
        return cast("WebhookDto", entity(await self._wire.send("GET", f"{_BASE}({webhook_id:d}){view(options)}")))

    async def create(self, request: WebhookRequest) -> WebhookDto:
        """`POST /odata/Webhooks`, 201: a URL to 2000 characters, a secret to 100. Not idempotent."""
        return cast("WebhookDto", entity(await self._wire.send("POST", _BASE, cast("Any", request)), numbered=True))

    async def replace(self, webhook_id: int, request: WebhookRequest) -> WebhookDto:
        """`PUT /odata/Webhooks({id})`: this instead of what it was."""
        response = await self._wire.send("PUT", f"{_BASE}({webhook_id:d})", cast("Any", request))
        return cast("WebhookDto", entity(response))

    async def update(self, webhook_id: int, changes: WebhookChanges) -> WebhookDto:
        """`PATCH /odata/Webhooks({id})`: only what is named here is changed."""
        response = await self._wire.send("PATCH", f"{_BASE}({webhook_id:d})", cast("Any", changes))
        return cast("WebhookDto", entity(response))

    async def delete(self, webhook_id: int) -> None:
        """`DELETE /odata/Webhooks({id})`, 204."""
        done(await self._wire.send("DELETE", f"{_BASE}({webhook_id:d})"))

    async def ping(self, webhook_id: int, **options: Unpack[ViewOptions]) -> PingEventDto:
        """`POST ({id})/Ping`, 202: sends a `ping` event to the webhook's URL, and answers with it; whether it came is not told."""
        path = f"{_BASE}({webhook_id:d})/{ACTION}.Ping{view(options)}"
        return cast("PingEventDto", json_object(await self._wire.send("POST", path)))

    async def event_types(self, **options: Unpack[ResultOptions]) -> Sequence[WebhookEventTypeDto]:
        """`GET GetEventTypes`: what a webhook can subscribe to."""
        path = f"{_BASE}/{ACTION}.GetEventTypes{results(options)}"
        return cast("Sequence[WebhookEventTypeDto]", listed(await self._wire.send("GET", path)))

    async def trigger_custom(self, event: Mapping[str, Any], **options: Unpack[ViewOptions]) -> CustomEventDto:
        """`POST TriggerCustom`, 202: sends a `custom` event to who subscribed to it, with this as its `EventData`."""
        path = f"{_BASE}/{ACTION}.TriggerCustom{view(options)}"
        return cast("CustomEventDto", json_object(await self._wire.send("POST", path, event)))
