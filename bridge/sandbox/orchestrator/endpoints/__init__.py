"""Every operation that the sandbox knows, in one table: its name, its method and path, and the function that answers it."""

from bridge.sandbox.orchestrator.endpoints import (
    folders,
    generic_tasks,
    identity,
    task_catalogs,
    task_forms,
    task_notes,
    tasks,
    webhooks,
)
from bridge.sandbox.orchestrator.endpoints.operation import Operation

OPERATIONS: tuple[Operation, ...] = (
    *generic_tasks.OPERATIONS,
    *task_forms.OPERATIONS,
    *tasks.OPERATIONS,
    *task_catalogs.OPERATIONS,
    *task_notes.OPERATIONS,
    *folders.OPERATIONS,
    *identity.OPERATIONS,
    *webhooks.OPERATIONS,
)
