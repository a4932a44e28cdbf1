"""Folding: the newest known facts of a ticket, whatever the order in which they were heard.

A snapshot keeps every fact with the version of the observation that it came from (a last-writer-wins map). Merging is commutative,
associative and idempotent: duplicates and permutations of the same observations give the same snapshot. A fact that an observation
does not speak of stays as it is.
"""

from collections.abc import Mapping
from functools import cached_property

from msgspec import Struct, field

from bridge.model import Facts, Observation, TicketState


class Snapshot(Struct, frozen=True, dict=True):
    """What is known of one ticket.

    `layers` holds the facts by the version that they were seen at; no name stands in two layers. `closed_version` is the newest
    version at which the ticket was not open ("" for none); like `version` it only ever grows.
    """

    version: str = ""
    closed_version: str = ""
    layers: Mapping[str, Facts] = field(default_factory=dict)

    @cached_property
    def facts(self) -> Facts:
        """The newest of every fact."""
        layers = list(self.layers.values())
        if len(layers) == 1:
            return layers[0]
        return {name: value for layer in layers for name, value in layer.items()}


def fold(snapshot: Snapshot, observation: Observation) -> Snapshot:
    """The snapshot with the observation merged into it."""
    not_open = observation.state in (TicketState.CLOSED, TicketState.DELETED)
    return Snapshot(
        version=max(snapshot.version, observation.version),
        closed_version=max(snapshot.closed_version, observation.version if not_open else ""),
        layers=_merge(snapshot.layers, observation),
    )


def _merge(layers: Mapping[str, Facts], observation: Observation) -> dict[str, Facts]:
    if not layers:
        return {observation.version: observation.facts} if observation.facts else {}
    heard = observation.facts
    if known_newer := {name for version, layer in layers.items() if version >= observation.version for name in layer}:
        heard = {name: value for name, value in heard.items() if name not in known_newer}
    merged: dict[str, Facts] = {
        version: {name: value for name, value in layer.items() if name not in heard}
        for version, layer in layers.items()
        if not layer.keys() <= heard.keys()
    }
    merged[observation.version] = {**merged.get(observation.version, {}), **heard}
    return {version: merged[version] for version in sorted(merged) if merged[version]}
