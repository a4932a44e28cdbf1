"""Metrics in Prometheus' text format."""

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
        self._backlog = Gauge("bridge_backlog", "What waits, by kind.", ["kind"], registry=self._registry)
        self._poll_failures = Gauge(
            "bridge_poll_failures",
            "Polls of a source that failed since one went well.",
            ["source"],
            registry=self._registry,
        )

    def received(self, source: str, result: str) -> None:
        """Count a webhook."""
        self._received.labels(source, result).inc()

    def text(self, backlog: dict[str, int], poll_failures: dict[str, int]) -> bytes:
        """Everything, with the backlog and the polls as they are now."""
        for kind, count in backlog.items():
            self._backlog.labels(kind).set(count)
        for source, failures in poll_failures.items():
            self._poll_failures.labels(source).set(failures)
        return generate_latest(self._registry)
