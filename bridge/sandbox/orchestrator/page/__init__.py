"""The page at `/`, where a person is Action Center: sees the tasks, opens one, assigns, completes or deletes it."""

from bridge.sandbox.orchestrator.page.page import Page

__all__ = ["Page"]
