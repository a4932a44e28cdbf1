"""The commands."""

from bridge.cli.main import main

__all__ = ["main"]
