"""An Orchestrator for this machine: the tasks API with its wire shapes, its errors and, on demand, its bad days.

It stands on the published guides and on what real servers were seen to answer; where no source settles a behaviour, the
docstring at the place says what was chosen. What it begins with is a seed's (`seed`), and what it has become can be kept in a file
(`state`); without either it has one folder, keeps everything in memory, and accepts any non-empty bearer token.
"""

from bridge.sandbox.orchestrator.app import create_app
from bridge.sandbox.orchestrator.faults import Rule
from bridge.sandbox.orchestrator.seed import Seed, read_duration
from bridge.sandbox.orchestrator.seed_file import SeedError, load_seed, read_seed
from bridge.sandbox.orchestrator.serve import SERVING_OPTIONS, sandbox_serving
from bridge.sandbox.orchestrator.state import StateError, StateFile, beginning
from bridge.sandbox.orchestrator.world import Folder, NewTask, Task, User, World

__all__ = [
    "SERVING_OPTIONS",
    "Folder",
    "NewTask",
    "Rule",
    "Seed",
    "SeedError",
    "StateError",
    "StateFile",
    "Task",
    "User",
    "World",
    "beginning",
    "create_app",
    "load_seed",
    "read_duration",
    "read_seed",
    "sandbox_serving",
]
