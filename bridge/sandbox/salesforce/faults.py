"""Bad days to order: which operation is answered with which error, and how often, instead of doing its work."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from bridge.sandbox.salesforce.failures import Failure, GrantRefused


@dataclass(slots=True)
class Fault:
    """One fault, with how often it has struck. `drop` cuts the connection; it needs `salesforce_serving`."""

    operation: str = "*"
    status: int = 500
    code: str = "UNKNOWN_EXCEPTION"
    message: str = "The sandbox was told to fail."
    times: int | None = 1
    retry_after: int | None = None
    kind: Literal["error", "drop"] = "error"
    struck: int = 0

    def strikes(self, operation: str) -> bool:
        """Whether it strikes now; a strike is counted."""
        if self.operation not in ("*", operation) or (self.times is not None and self.struck >= self.times):
            return False
        self.struck += 1
        return True

    def failure(self, operation: str) -> Failure:
        """The error to answer, in the operation's own shape."""
        if operation == "token":
            return GrantRefused(self.code, self.message, status=self.status, retry_after=self.retry_after)
        return Failure(self.status, self.code, self.message, retry_after=self.retry_after)


def striking(faults: Iterable[Fault], operation: str) -> Fault | None:
    """The first fault that strikes this request; the later ones stay uncounted."""
    return next((fault for fault in faults if fault.strikes(operation)), None)
