"""The shortest story: a plan with as few incidents as still break the same invariant."""

from collections.abc import Callable
from dataclasses import replace

from tests.simulation.invariants import kinds
from tests.simulation.plan import Incident, Plan
from tests.simulation.world import Run, run


def shortest(plan: Plan) -> Plan:
    """A part of a plan that breaks what the plan breaks, from which no incident can be left out."""
    broken = set(kinds(run(plan).violations))

    def breaks(incidents: tuple[Incident, ...]) -> bool:
        return bool(broken & set(kinds(run(replace(plan, incidents=incidents)).violations)))

    incidents = plan.incidents
    while (fewer := _fewer(incidents, breaks)) != incidents:
        incidents = fewer
    return replace(plan, incidents=incidents)


def _fewer(incidents: tuple[Incident, ...], breaks: Callable[[tuple[Incident, ...]], bool]) -> tuple[Incident, ...]:
    """Leave out halves, then quarters, and at last single incidents, for as long as it still breaks."""
    size = len(incidents)
    while size := size // 2:
        start = 0
        while start < len(incidents):
            rest = incidents[:start] + incidents[start + size :]
            if breaks(rest):
                incidents = rest
            else:
                start += size
    return incidents


def told(plan: Plan, played: Run) -> str:
    """A run as a story: the setting, what happened when, and what does not hold."""
    lines = [f"seed {plan.seed}: {plan.setting}, {len(plan.incidents)} incidents", ""]
    lines += [f"{at:9.3f}  {who:12}  {what}" for at, who, what in played.story]
    lines += ["", *(f"BROKEN: {violation}" for violation in played.violations)]
    return "\n".join(lines)


def story_of(plan: Plan) -> str:
    """The shortest story of a plan that breaks something, or the whole one of a plan that does not."""
    plan = shortest(plan) if run(plan).violations else plan
    return told(plan, run(plan, tell=True))
