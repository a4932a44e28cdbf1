"""Other servers over HTTP: what the clients of Orchestrator and of the trackers share. httpx is known here and in them alone."""

from bridge.remote.bearer import BearerAuth, Issued, Issuer
from bridge.remote.broken import away
from bridge.remote.oauth import GrantIssuer, ask
from bridge.remote.server import Server

__all__ = ["BearerAuth", "GrantIssuer", "Issued", "Issuer", "Server", "ask", "away"]
