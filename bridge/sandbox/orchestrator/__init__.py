"""An Orchestrator for this machine: the tasks API with its wire shapes, its errors and, on demand, its bad days.

It stands on the published guides and on what real servers were seen to answer; where no source settles a behaviour, the
docstring at the place says what was chosen. Everything is kept in memory, and any non-empty bearer token is accepted.
"""

from bridge.sandbox.orchestrator.app import create_app
from bridge.sandbox.orchestrator.faults import Rule
from bridge.sandbox.orchestrator.serve import SERVING_OPTIONS, sandbox_serving
from bridge.sandbox.orchestrator.world import Folder, NewTask, Task, User, World

__all__ = ["SERVING_OPTIONS", "Folder", "NewTask", "Rule", "Task", "User", "World", "create_app", "sandbox_serving"]
