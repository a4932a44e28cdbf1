"""The reconciliation as a job: finds, tells, mends. A failing Orchestrator ends a run with a warning; the next one does it again."""

import structlog

from bridge.drift import Difference, Drift
from bridge.errors import RemoteError, StoreUnavailable
from bridge.sync.mending import Mended, Mender
from bridge.sync.reconciler import Findings, Reconciler

_log = structlog.get_logger()


class Reconciliation:
    """Compares and mends; remembers how much its last run found."""

    def __init__(self, reconciler: Reconciler, mender: Mender) -> None:
        self.find = reconciler.find
        self.mend = mender.mend
        self._last: dict[Drift, int] = {}

    def drift(self) -> dict[str, int]:
        """How many differences of every kind the last run found; nothing before the first one has ended."""
        return {kind.value: count for kind, count in self._last.items()}

    async def run(self) -> None:
        """Compare what is open, and mend what differs."""
        try:
            findings = await self.find(thorough=False)
            self._last = findings.counts()
            for difference in findings.differences:
                _tell(difference)
            mended = await self.mend(findings.differences)
        except (RemoteError, StoreUnavailable) as error:
            _log.warning("the reconciliation could not be ended; the next one does it again", error=str(error))
            return
        _summarise(findings, mended)


def _tell(difference: Difference) -> None:
    link, seen = difference.link, difference.seen
    log = _log.bind(kind=difference.kind, task=seen.task.id if seen else None, remedy=difference.remedy)
    if link is not None:
        log.warning("difference found", source=link.source, ticket=link.ticket_key, link=link.id)
    else:
        log.warning("difference found", correlation_key=seen.correlation_key if seen else None)


def _summarise(findings: Findings, mended: Mended) -> None:
    for problem in (*findings.unasked, *mended.problems):
        _log.warning("the reconciliation could not do all", reason=problem)
    _log.info("reconciled", differences=len(findings.differences), mended=mended.count)
