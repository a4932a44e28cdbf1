"""The client of Orchestrator's task API."""

from bridge.orchestrator.client import Orchestrator, Page, folder_header

__all__ = ["Orchestrator", "Page", "folder_header"]
