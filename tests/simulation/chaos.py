"""What goes wrong, and when: the incidents of a plan that have become due and wait for their moment."""

from collections.abc import Callable
from random import Random

from tests.simulation.host import Host
from tests.simulation.plan import Crash, Cut, Moment, Outage, Slip, Stage, Trouble

LOST = 0.3
"""Of the signals between replicas, while things go wrong."""

Tell = Callable[[str, str], None]


class Chaos:
    """Asked at every checkpoint. `crash` kills a replica; nothing goes wrong any more once it is `over`."""

    def __init__(
        self, clock: Callable[[], float], random: Random, busy: float, crash: Callable[[Host, float], None]
    ) -> None:
        self._clock = clock
        self._random = random
        self._busy = busy
        self._crash = crash
        self._armed: list[Crash | Cut | Slip] = []
        self._troubles: list[Trouble] = []
        self._outages: list[tuple[float, Outage]] = []
        self._cut_until: dict[int, float] = {}
        self.over = False

    def arm(self, incident: Trouble | Outage | Slip | Cut | Crash) -> None:
        """From now on it may strike."""
        match incident:
            case Trouble():
                self._troubles.append(incident)
            case Outage():
                self._outages.append((self._clock() + incident.lasts, incident))
            case _:
                self._armed.append(incident)

    def end(self) -> None:
        """From now on all goes well."""
        self.over = True
        self._busy = 0.0
        self._armed.clear()
        self._troubles.clear()
        self._outages.clear()
        self._cut_until.clear()

    def strike(self, host: Host, moment: Moment) -> None:
        """A crash or a cut that waited for this moment of the replica, or that waits for none."""
        if not self._armed:
            return
        for incident in self._armed:
            if isinstance(incident, Slip) or incident.replica != host.number or incident.moment != moment:
                continue
            self._armed.remove(incident)
            if isinstance(incident, Crash):
                self._crash(host, incident.down)
                return
            self._cut_until[host.number] = self._clock() + incident.lasts
            return

    def slip(self, host: Host, stage: Stage) -> Slip | None:
        """What the next transaction of the replica meets at this stage."""
        for incident in self._armed:
            if isinstance(incident, Slip) and incident.replica == host.number and incident.stage == stage:
                self._armed.remove(incident)
                return incident
        return None

    def is_cut(self, host: Host) -> bool:
        """Whether the replica cannot reach the database."""
        return self._cut_until.get(host.number, -1.0) > self._clock()

    def latency(self) -> float:
        """How long the database takes for this; mostly nothing that counts."""
        busy = self._busy
        return self._random.uniform(0.0, 0.05) if busy and self._random.random() < busy else 0.0

    def loses(self) -> bool:
        """Whether a signal between replicas is lost."""
        return not self.over and self._random.random() < LOST

    def trouble(self, operation: str) -> Trouble | None:
        """What a request to Orchestrator meets."""
        for trouble in self._troubles:
            if trouble.operation in ("", operation):
                self._troubles.remove(trouble)
                return trouble
        answer = self.outage("Orchestrator")
        return None if answer is None else Trouble(0.0, operation, answer, "no", 2.0)

    def outage(self, of: str) -> str | None:
        """What everything meets now."""
        if not self._outages:
            return None
        now = self._clock()
        return next((outage.answer for until, outage in self._outages if outage.of == of and until > now), None)
