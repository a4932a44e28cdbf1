"""Every operation that the sandbox knows, in one table: its name, its method and path, and the function that answers it."""

from bridge.sandbox.orchestrator.endpoints import generic_tasks, identity, lists, tasks
from bridge.sandbox.orchestrator.endpoints.operation import Operation

OPERATIONS: tuple[Operation, ...] = (
    *generic_tasks.OPERATIONS,
    *tasks.OPERATIONS,
    *lists.OPERATIONS,
    *identity.OPERATIONS,
)
