"""The application: the table of operations, each with and without a slash at its end, as clients write them."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bridge.sandbox.salesforce import failures
from bridge.sandbox.salesforce.answering import Answering, failure_response
from bridge.sandbox.salesforce.endpoints import OPERATIONS
from bridge.sandbox.salesforce.failures import Failure
from bridge.sandbox.salesforce.operation import Operation
from bridge.sandbox.salesforce.org import SimulatedSalesforce


def create_app(org: SimulatedSalesforce) -> Starlette:
    """The REST API of one org. A fault of the kind `drop` needs `salesforce_serving`."""

    def routes(operation: Operation) -> list[Route]:
        paths = (operation.path, f"{operation.path}/")
        return [Route(path, Answering(org, operation), methods=[operation.method]) for path in paths]

    async def refuse(request: Request, error: Exception) -> Response:
        """A path or a method that is not in the table."""
        response = failure_response(_refusal(request, error))
        response.headers.update(org.usage.header)
        return response

    table = [route for operation in OPERATIONS for route in routes(operation)]
    return Starlette(routes=table, exception_handlers={HTTPException: refuse})


def _refusal(request: Request, error: Exception) -> Failure:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return failures.method_unknown(request.method) if status == 405 else failures.resource_unknown()
