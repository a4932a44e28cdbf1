"""Any tracker that posts JSON: the configuration's templates say what of a ticket stands where in the body.

Whatever a template cannot read parks the delivery, with the template's key in the reason; it can be replayed after the correction.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from bridge import templates
from bridge.config import TicketTemplates, WebhookSource
from bridge.errors import Problem, TemplateError
from bridge.model import DELETED, EVENT, KEY, URL, Facts, Observation, Ticket, TicketState, without_own_names
from bridge.trackers.json_body import read_object
from bridge.trackers.protocol import Ignored, Recognised
from bridge.trackers.values import as_email, clean, dedupe_key, fingerprint, milliseconds, version

NAMES: templates.Names = {"fields": None}
"""What the templates of `ticket` see."""

CLOSED = "@closed"
_TEXTS = ("title", "status", "description", "resolution", "type", "project", "priority", "assignee", "reporter")
_TIMES = ("created", "updated")
_OWN = {"key": KEY, "url": URL, "event": EVENT}
_LONGEST_NAME = 255
_NUMBER = re.compile(r"[0-9]{1,20}(\.[0-9]{0,20})?")
_SECONDS_BELOW = 10**11  # as milliseconds that would be 1973


class Webhook:
    """One configured source of type `webhook`."""

    def __init__(self, name: str, config: WebhookSource) -> None:
        self._at = f"sources.{name}.ticket"
        written = config.ticket.model_dump(exclude_none=True)
        self._closed_statuses = written.pop("closed") if isinstance(config.ticket.closed, list) else None
        self._id = templates.template(f"{self._at}.id", written.pop("id"))
        self._templates = {part: templates.template(f"{self._at}.{part}", text) for part, text in written.items()}

    def recognise(self, headers: Mapping[str, str], body: bytes, received_at: datetime) -> Sequence[Recognised]:
        """One delivery. Which ticket it is of is read later, where a template that fails loses nothing.

        The same bytes are a duplicate only if the message tells a time.
        """
        del headers
        message = read_object(body)
        key = dedupe_key(self._told_time(message), fingerprint(body), received_at)
        return [Recognised(event="webhook", ticket_id=None, dedupe_key=key, body=body)]

    def read(self, body: bytes, received_at: datetime) -> Observation | Ignored:
        """What a body says. Raises `TemplateError`."""
        return self.observe(read_object(body), received_at)

    def observe(self, message: Mapping[str, Any], received_at: datetime) -> Observation | Ignored:
        """What a body says. Raises `TemplateError`."""
        ticket_id = self._ticket_id(message)
        if not ticket_id:
            return Ignored(f"{self._at}.id is empty for this body, so it is of no ticket")
        said = {part: render({"fields": message}) for part, render in self._templates.items()}
        facts = self._facts(message, said)
        state = self.state(facts)
        updated = self._time("updated", said.get("updated")) or int(received_at.timestamp() * 1000)
        return Observation(ticket_id, version(updated, 0, state, facts), facts, state)

    def state(self, facts: Facts) -> TicketState | None:
        """As the templates `deleted` and `closed` say."""
        if facts.get(DELETED):
            return TicketState.DELETED
        closed = facts.get(CLOSED)
        return None if closed is None else TicketState.CLOSED if closed else TicketState.OPEN

    def ticket(self, ticket_id: str, facts: Facts) -> Ticket:
        """The ticket as the templates show it."""
        return Ticket(
            id=ticket_id,
            key=facts.get(KEY) or ticket_id,
            url=facts.get(URL),
            closed=self.state(facts) in (TicketState.CLOSED, TicketState.DELETED),
            labels=tuple(facts.get("@labels") or ()),
            assignee_email=as_email(facts.get("@assignee")),
            **{part: facts.get(f"@{part}") for part in (*_TEXTS, *_TIMES)},
        )

    def _told_time(self, message: Mapping[str, Any]) -> int:
        """When the ticket was as it is shown, in epoch milliseconds; 0 where that is not told, or cannot be read."""
        try:
            return self._time("updated", self._templates["updated"]({"fields": message}))
        except (KeyError, TemplateError):
            return 0

    def _ticket_id(self, message: Mapping[str, Any]) -> str:
        """The id as a text; "" for none."""
        found = self._id({"fields": message})
        if isinstance(found, bool) or not isinstance(found, str | int | None):
            raise TemplateError(
                f"{self._at}.id: gives a {type(found).__name__}, which is no id; name the field that is one"
            )
        ticket_id = clean(templates.as_text(found).strip())
        if len(ticket_id) > _LONGEST_NAME:
            raise TemplateError(f"{self._at}.id: gives more than {_LONGEST_NAME} characters, which is no id")
        return ticket_id

    def _facts(self, message: Mapping[str, Any], said: Mapping[str, Any]) -> dict[str, Any]:
        """The body's fields, and beside them what the templates made of it. What a template gives as none is not spoken of."""
        facts = without_own_names(message)
        for part in (*_TEXTS, *_TIMES, *_OWN):
            if said.get(part) is not None:
                facts[_OWN.get(part, f"@{part}")] = clean(templates.as_text(said[part]))
        facts[EVENT] = facts.get(EVENT) or "webhook"
        if said.get("labels") is not None:
            facts["@labels"] = _labels(said["labels"])
        deleted = self._flag("deleted", said.get("deleted"))
        if deleted is not None:
            facts[DELETED] = deleted
        closed = self._is_closed(said)
        if closed is not None:
            facts[CLOSED] = closed
        return facts

    def _is_closed(self, said: Mapping[str, Any]) -> bool | None:
        if self._closed_statuses is None:
            return self._flag("closed", said.get("closed"))
        status = said.get("status")
        known = {name.casefold() for name in self._closed_statuses}
        return None if status is None else templates.as_text(status).casefold() in known

    def _flag(self, part: str, value: Any) -> bool | None:
        if value is None or isinstance(value, bool):
            return value
        flag = {"true": True, "false": False}.get(templates.as_text(value).strip().casefold())
        if flag is None:
            raise TemplateError(
                f"{self._at}.{part}: gives {value!r}, which is neither true nor false; compare: `{{{{ … == … }}}}`"
            )
        return flag

    def _time(self, part: str, value: Any) -> int:
        """Epoch milliseconds; 0 where no time is told."""
        if value is None:
            return 0
        text = templates.as_text(value).strip().replace(" UTC", "Z")
        moment = milliseconds(text) if _NUMBER.fullmatch(text) is None else _scaled(float(text))
        if not moment or isinstance(value, bool):
            raise TemplateError(
                f"{self._at}.{part}: gives {value!r}, which is no time; give ISO 8601 or seconds since 1970"
            )
        return moment


def _scaled(number: float) -> int:
    return milliseconds(number * 1000 if number < _SECONDS_BELOW else number)


def problems(document: Mapping[str, Any]) -> Sequence[Problem]:
    """Every template of a `webhook` source that does not parse, or that uses a name that there is not."""
    sources = document.get("sources")
    return [
        problem
        for name, source in (sources.items() if isinstance(sources, Mapping) else ())
        if isinstance(source, Mapping) and source.get("type") == "webhook"
        for problem in templates.problems(f"sources.{name}.ticket", _written(source.get("ticket")), NAMES)
    ]


def _written(ticket: Any) -> dict[str, Any]:
    """The texts that are templates; a list of closed statuses is none."""
    if not isinstance(ticket, Mapping):
        return {}
    return {
        part: text for part, text in ticket.items() if part in TicketTemplates.model_fields and isinstance(text, str)
    }


def _labels(value: Any) -> list[str]:
    entries = value if isinstance(value, list) else templates.as_text(value).split(",")
    labels = [clean(templates.as_text(entry).strip()) for entry in entries]
    return [label for label in labels if label]
