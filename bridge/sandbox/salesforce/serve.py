"""Serving the org over a real socket, with the protocol that lets a fault cut a connection."""

from contextlib import AbstractAsyncContextManager

from bridge.sandbox.orchestrator.serve import SERVING_OPTIONS
from bridge.sandbox.salesforce.app import create_app
from bridge.sandbox.salesforce.org import SimulatedSalesforce
from bridge.serving import serving


def salesforce_serving(
    org: SimulatedSalesforce, host: str = "127.0.0.1", port: int = 0
) -> AbstractAsyncContextManager[str]:
    """The org's base URL while it is served. Raises `OSError` if the address is taken."""
    return serving(create_app(org), host, port, **SERVING_OPTIONS)
