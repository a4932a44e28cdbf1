"""The dashboard at `/`: how the work stands, what waits for a person, and every ticket's timeline."""

from bridge.web.dashboard.dashboard import Dashboard

__all__ = ["Dashboard"]
