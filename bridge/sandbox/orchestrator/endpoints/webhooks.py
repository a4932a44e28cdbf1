"""`/odata/Webhooks`: subscriptions to events, of the tenant, so without a folder."""

from uuid import UUID

import httpx
from starlette.responses import Response

from bridge.sandbox.orchestrator import events
from bridge.sandbox.orchestrator.endpoints.operation import Call, Operation, json_response, list_response
from bridge.sandbox.orchestrator.failures import invalid
from bridge.sandbox.orchestrator.fields import Fields, parse_id
from bridge.sandbox.orchestrator.schema import Entity, Property
from bridge.sandbox.orchestrator.webhooks import Wanted, Webhook

_BASE = "/odata/Webhooks"
_ONE = _BASE + "({webhook_id})"
_ACTION = "UiPath.Server.Configuration.OData"

WEBHOOKS: Entity[Webhook] = Entity(
    "Webhooks",
    {
        "Key": Property(lambda one: one.key, UUID),
        "Name": Property(lambda one: one.wanted.name, str),
        "Description": Property(lambda one: one.wanted.description, str),
        "Url": Property(lambda one: one.wanted.url, str),
        "Enabled": Property(lambda one: one.wanted.enabled, bool),
        "Secret": Property(lambda one: one.wanted.secret, str),
        "SubscribeToAllEvents": Property(lambda one: one.wanted.subscribe_to_all_events, bool),
        "AllowInsecureSsl": Property(lambda one: one.wanted.allow_insecure_ssl, bool),
        "Events": Property(lambda one: [{"EventType": event} for event in one.wanted.events]),
        "Id": Property(lambda one: one.id, int),
    },
)

EVENT_TYPES: Entity[str] = Entity(
    "Collection(UiPath.Server.Configuration.OData.WebhookEventTypeDto)",
    {"Name": Property(lambda name: name, str), "Group": Property(lambda name: name.partition(".")[0], str)},
)


def get_webhooks(call: Call) -> Response:
    """200 with all of them."""
    return list_response(call, WEBHOOKS, call.world.webhooks.all())


def get_webhook(call: Call) -> Response:
    """200 with one; its secret is shown as it was given, for no source says that it is not."""
    return _shown(call, _webhook(call))


def create_webhook(call: Call) -> Response:
    """201; a ping is sent."""
    world = call.world
    webhook = world.webhooks.add(UUID(int=world.rng.getrandbits(128), version=4), _wanted(call.fields("webhook")))
    events.ping(world, webhook)
    return _shown(call, webhook, 201)


def replace_webhook(call: Call) -> Response:
    """200; what is not said is forgotten, and a ping is sent."""
    return _change(call, _webhook(call), _wanted(call.fields("webhook")))


def patch_webhook(call: Call) -> Response:
    """200; what is not said stays, and a ping is sent."""
    webhook = _webhook(call)
    said = {name.lower(): value for name, value in call.fields("webhook").raw.items()}
    known = {name.lower(): value for name, value in WEBHOOKS.shown(webhook).items()}
    return _change(call, webhook, _wanted(Fields({**known, **said})))


def delete_webhook(call: Call) -> Response:
    """204."""
    call.world.webhooks.remove(_webhook(call).id)
    return Response(status_code=204)


def ping(call: Call) -> Response:
    """202 with the ping that is sent."""
    event = events.ping(call.world, _webhook(call))
    return json_response({"@odata.context": call.context("UiPath.Server.Dto.PingEventDto"), **event}, 202)


def get_event_types(call: Call) -> Response:
    """200 with the types that the sandbox sends. A webhook may name others, and waits in vain."""
    return list_response(call, EVENT_TYPES, (*events.TYPES, events.CUSTOM))


def trigger_custom(call: Call) -> Response:
    """202 with an event of type `custom`, whose `EventData` is the body; it goes to those who want that type."""
    event = events.custom(call.world, call.fields("data").raw)
    return json_response({"@odata.context": call.context("UiPath.Server.Dto.CustomEventDto"), **event}, 202)


def _webhook(call: Call) -> Webhook:
    return call.world.webhooks.get(parse_id("key", call.request.path_params["webhook_id"]))


def _change(call: Call, webhook: Webhook, wanted: Wanted) -> Response:
    call.world.webhooks.change(webhook.id, wanted)
    events.ping(call.world, webhook)
    return _shown(call, webhook)


def _shown(call: Call, webhook: Webhook, status: int = 200) -> Response:
    return json_response({"@odata.context": call.context("Webhooks/$entity"), **WEBHOOKS.shown(webhook)}, status)


def _wanted(fields: Fields) -> Wanted:
    """`WebhookDto`, with the definition's lengths and required fields."""
    return Wanted(
        name=fields.required_text("Name", 128),
        url=_checked(fields.required_text("Url", 2000)),
        description=fields.text("Description", 256),
        enabled=_flag(fields, "Enabled"),
        secret=fields.text("Secret", 100),
        subscribe_to_all_events=_flag(fields, "SubscribeToAllEvents"),
        allow_insecure_ssl=_flag(fields, "AllowInsecureSsl"),
        events=_events(fields),
    )


def _flag(fields: Fields, name: str) -> bool:
    value = fields.flag(name)
    if value is None:
        raise invalid(f"The {name} field is required.")
    return value


def _events(fields: Fields) -> tuple[str, ...]:
    return tuple(Fields(one).required_text("EventType", 50) for one in fields.objects("Events"))


def _checked(url: str) -> str:
    try:
        parts = httpx.URL(url)
        right = parts.scheme in ("http", "https") and bool(parts.host)
    except (httpx.InvalidURL, ValueError):
        right = False
    if not right:
        raise invalid("The Url field is not a valid fully-qualified http or https URL.")
    return url


OPERATIONS = (
    Operation("GetWebhooks", "GET", _BASE, get_webhooks),
    Operation("CreateWebhook", "POST", _BASE, create_webhook),
    Operation("GetEventTypes", "GET", f"{_BASE}/{_ACTION}.GetEventTypes", get_event_types),
    Operation("TriggerCustom", "POST", f"{_BASE}/{_ACTION}.TriggerCustom", trigger_custom),
    Operation("GetWebhook", "GET", _ONE, get_webhook),
    Operation("ReplaceWebhook", "PUT", _ONE, replace_webhook),
    Operation("PatchWebhook", "PATCH", _ONE, patch_webhook),
    Operation("DeleteWebhook", "DELETE", _ONE, delete_webhook),
    Operation("PingWebhook", "POST", f"{_ONE}/{_ACTION}.Ping", ping),
)
