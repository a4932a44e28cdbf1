"""The client of Orchestrator's task API. A script of one's own may use it without the bridge: docs/orchestrator-client.md."""

from bridge.orchestrator.client import Orchestrator
from bridge.orchestrator.odata import Listing, Page, literal
from bridge.orchestrator.wire import Where, folder_header

__all__ = ["Listing", "Orchestrator", "Page", "Where", "folder_header", "literal"]
