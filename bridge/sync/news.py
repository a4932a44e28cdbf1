"""What the bridge sees when it looks at tickets by itself, and what of it is news."""

from datetime import datetime

import orjson
import structlog

from bridge.apis import Message
from bridge.model import KEY, NewDelivery, Observation, TicketState, Version
from bridge.store import Seen
from bridge.trackers import Tracker

_log = structlog.get_logger()


def seen_in(tracker: Tracker, message: Message, now: datetime) -> Observation | None:
    """What a message of the tracker's API says. One that cannot be read, whatever it is, stops no other ticket."""
    try:
        said = tracker.observe(message, now)
    except Exception:  # noqa: BLE001 - the next look would meet it again, and so would every one after
        _log.exception("a ticket cannot be read")
        return None
    return said if isinstance(said, Observation) else None


def is_news(shown: Observation, seen: Seen | None) -> bool:
    """Whether a ticket has changed since it was last heard of.

    By the tracker's own time of update; where that is the same, only a link's state or key tells: the other fields of an issue can
    differ between a webhook and the API without anybody having touched it.
    """
    if seen is None:
        return shown.state is not TicketState.DELETED
    told, known = Version.updated_of(shown.version), Version.updated_of(seen.version)
    if told != known or seen.link_id is None:
        return told > known
    return shown.state not in (None, seen.state) or shown.facts.get(KEY, seen.key) != seen.key


def as_delivery(
    source: str, message: Message, shown: Observation, of: str, now: datetime, seen: Seen | None = None
) -> NewDelivery:
    """What was shown, as a delivery: it goes the way of every webhook. `of` is the work that it came from; it comes once from each.

    A ticket that is gone has no time of its own: it is gone since it was last `seen`. Else each look would be another delivery, for
    as long as a template fails on it.
    """
    since = seen if seen is not None and shown.state is TicketState.DELETED else shown
    seen_as = (Version.updated_of(since.version), shown.state, shown.facts.get(KEY))
    return NewDelivery(
        source=source,
        dedupe_key=f"{of}:{shown.ticket_id}:{':'.join(map(str, seen_as))}",
        received_at=now,
        event=of.partition(":")[0],
        ticket_id=shown.ticket_id,
        body=orjson.dumps(message),
        headers={},
    )
