"""The application: which path goes where, and who may."""

from collections.abc import Awaitable

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from bridge.errors import StoreUnavailable
from bridge.service import Service
from bridge.sync.poller import poll_status
from bridge.web.api import Api
from bridge.web.dashboard import Dashboard
from bridge.web.guard import Guard
from bridge.web.health import healthz, readiness
from bridge.web.hooks import PATH, RETRY_AFTER_S, Receiver
from bridge.web.metrics import Metrics
from bridge.web.problems import on_http_exception, on_mistake, problem
from bridge.web.room import Room
from bridge.web.view import View

LEAST_ROOM = 64 * 1024 * 1024
"""Bytes of webhooks that are held at once, or two of the longest."""


def create_app(service: Service) -> ASGIApp:
    """The web application of a running service."""
    config, store = service.config, service.store
    metrics = Metrics()
    longest = config.server.max_body_bytes
    room = Room(max(LEAST_ROOM, 2 * longest))
    receiver = Receiver(config.sources, service.trackers, store.inbox, service.clock, longest, room, metrics)
    guard = Guard(config.server, service.clock)
    view = View(store, service.clock, service.refresh, service.polled)

    async def readyz(_request: Request) -> Response:
        return await readiness(store.database)

    async def metrics_text(_request: Request) -> Response:
        links, deliveries = await store.links.backlog(service.clock()), await store.inbox.backlog()
        backlog = {f"links_{state}": count for state, count in links.items()}
        backlog |= {f"deliveries_{state}": count for state, count in deliveries.items()}
        polls = {source: await poll_status(store, source) for source in service.polled}
        failures = {source: poll.pause.failures if poll.pause else 0 for source, poll in polls.items()}
        text = metrics.text(backlog, failures, service.drift())
        return Response(text, media_type="text/plain; version=0.0.4")

    application = Starlette(
        routes=[
            Route(f"{PATH}{{source:path}}", receiver, methods=["POST"]),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", guard.admits(metrics_text)),
            *Api(view, guard).routes(),
            *Dashboard(view, guard, config.name).routes(),
        ],
        exception_handlers={
            HTTPException: on_http_exception,
            StoreUnavailable: _on_store_unavailable,
            Exception: on_mistake,
        },
    )
    application.router.redirect_slashes = False  # a tracker does not follow a redirect: it counts as final
    return _webhooks_first(receiver, application)


def _webhooks_first(receiver: ASGIApp, others: ASGIApp) -> ASGIApp:
    """Webhooks go past the routing and the middleware that all others need: those would be a sixth of what a webhook costs."""

    def application(scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        is_webhook = scope["type"] == "http" and scope["method"] == "POST" and scope["path"].startswith(PATH)
        return (receiver if is_webhook else others)(scope, receive, send)

    return application


async def _on_store_unavailable(_request: Request, error: Exception) -> Response:
    return problem(503, str(error), {"Retry-After": str(RETRY_AFTER_S)})
