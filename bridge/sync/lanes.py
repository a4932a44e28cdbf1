"""The intakes of a service: one for each source, and one for deliveries of sources that the configuration has no longer."""

import asyncio
from collections.abc import Callable, Mapping
from datetime import datetime

from bridge.apis import TicketApi
from bridge.store import Lane, Store
from bridge.sync.follow import Follower
from bridge.sync.intake import Intake
from bridge.sync.look import Look


class Lanes:
    """Runs the intakes side by side. `on_due` is called when a link became due."""

    def __init__(
        self,
        store: Store,
        followers: Mapping[str, Follower],
        apis: Mapping[str, TicketApi],
        clock: Callable[[], datetime],
        on_due: Callable[[], None],
    ) -> None:
        looks = {name: Look(followers[name], api, clock) for name, api in apis.items()}
        self._of_source = {
            name: Intake(store, Lane(name), follower, looks.get(name), clock, on_due)
            for name, follower in followers.items()
        }
        self._strangers = Intake(store, Lane(None, but=tuple(followers)), None, None, clock, on_due)

    def wake(self, source: str | None = None) -> None:
        """There may be deliveries, of one source or of any."""
        if source is not None:
            self._of_source.get(source, self._strangers).wake()
            return
        for intake in self._all():
            intake.wake()

    async def run(self) -> None:
        """Work until stopped."""
        async with asyncio.TaskGroup() as group:
            for intake in self._all():
                group.create_task(intake.run())

    def stop(self) -> None:
        """Begin nothing more."""
        for intake in self._all():
            intake.stop()

    def _all(self) -> list[Intake]:
        return [*self._of_source.values(), self._strangers]
