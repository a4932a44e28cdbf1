"""Metrics in Prometheus' text format."""

from collections.abc import Mapping
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest


class Metrics:
    """The counters of one application, in a registry of its own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._received = Counter(
            "bridge_webhooks",
            "Webhooks by source and what became of them.",
            ["source", "result"],
            registry=self._registry,
        )
        self._of = cache(self._received.labels)  # a child costs more to find than to count
        self._backlog = Gauge("bridge_backlog", "What waits, by kind.", ["kind"], registry=self._registry)
        self._poll_failures = Gauge(
            "bridge_poll_failures",
            "Polls of a source that failed since one went well.",
            ["source"],
            registry=self._registry,
        )
        self._drift = Gauge(
            "bridge_drift",
            "Differences that the last reconciliation found, by kind.",
            ["kind"],
            registry=self._registry,
        )

    def received(self, source: str, result: str) -> None:
        """Count a webhook."""
        self._of(source, result).inc()

    def text(self, backlog: Mapping[str, int], poll_failures: Mapping[str, int], drift: Mapping[str, int]) -> bytes:
        """Everything, with the backlog and the polls as they are now, and the drift as it was found last."""
        for gauge, counts in ((self._backlog, backlog), (self._poll_failures, poll_failures), (self._drift, drift)):
            for name, count in counts.items():
                gauge.labels(name).set(count)
        return generate_latest(self._registry)
