"""The Starlette application: hooks, health, metrics, the API."""

from bridge.web.app import create_app

__all__ = ["create_app"]
