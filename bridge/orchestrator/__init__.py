"""The client of Orchestrator's task API. httpx is known here and nowhere else in the service."""

from bridge.orchestrator.client import Orchestrator, Page, folder_header

__all__ = ["Orchestrator", "Page", "folder_header"]
