"""The demo: a bridge, a sandbox Orchestrator, a simulated Jira and a simulated Salesforce, all real, on free ports of this machine."""

from bridge.demo.play import Summary, play
from bridge.demo.stage import PATIENCE, Demo, demo

__all__ = ["PATIENCE", "Demo", "Summary", "demo", "play"]
