"""Which of the client's operations the sandbox knows, by its own table: found by method and path, whatever they are called there."""

from starlette.routing import compile_path

from bridge.sandbox.orchestrator.endpoints import OPERATIONS
from tests.orchestrator.operations import Case


def sandbox_name(case: Case) -> str | None:
    """The name that the sandbox has for an operation; None if it does not know it yet."""
    path = case.path.split("?")[0]
    for operation in OPERATIONS:
        pattern, _, _ = compile_path(operation.path)
        if operation.method == case.method and pattern.match(path):
            return operation.name
    return None
