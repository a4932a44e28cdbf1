"""The tables, as SQLAlchemy Core sees them on SQLite and PostgreSQL alike. Migrations in `migrations/` make them.

Times are epoch milliseconds in UTC, so that both engines order and compare them alike. Documents are JSON texts.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from bridge.model import Completion, DeliveryState, Policy, Refusal, Step, TaskRequest, TaskState, TicketState
from bridge.store.types import Body, Document, Moment, Named, Packed, Shaped

_Id = BigInteger().with_variant(Integer, "sqlite")  # SQLite counts up by itself only an INTEGER

metadata = MetaData(
    naming_convention={
        "ix": "%(table_name)s_%(column_0_N_name)s",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
        "pk": "%(table_name)s_pkey",
    }
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("source", Text, nullable=False),
    Column("dedupe_key", Text, nullable=False),
    Column("received_at", Moment, nullable=False),
    Column("event", Text, nullable=False),
    Column("ticket_id", Text),
    Column("body", Body, nullable=False),
    Column("size", Integer),  # of the body, in bytes; it is not told of bodies that are as long as they lie there
    Column("headers", Document, nullable=False),
    Column("state", Named(DeliveryState), nullable=False),
    Column("reason", Text),
    UniqueConstraint("source", "dedupe_key"),
    Index("deliveries_ticket", "source", "ticket_id", "id"),
    Index(
        "deliveries_waiting",
        "source",
        "id",
        sqlite_where=text("state = 'pending'"),
        postgresql_where=text("state = 'pending'"),
    ),
    Index(
        "deliveries_parked",
        "id",
        sqlite_where=text("state = 'parked'"),
        postgresql_where=text("state = 'parked'"),
    ),
    Index("deliveries_received_at", "received_at"),
)
"""The inbox: append-only but for `state` and `reason`."""

tickets = Table(
    "tickets",
    metadata,
    Column("source", Text, primary_key=True),
    Column("ticket_id", Text, primary_key=True),
    Column("version", Text, nullable=False),
    Column("closed_version", Text, nullable=False),
    Column("layers", Packed, nullable=False),
    Column("updated_at", Moment, nullable=False),
    Index("tickets_updated_at", "updated_at"),
)
"""The newest known facts of every ticket that was heard of, whether a route selects it or not (`bridge.fold`)."""

LIVE = text("(ticket_state = 'open' OR task_state IN ('open', 'unknown') OR (task_state = 'absent' AND seen_open))")
"""Links that something may be due of: all but those whose ticket and task have both come to their end."""

links = Table(
    "links",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("source", Text, nullable=False),
    Column("ticket_id", Text, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("correlation_key", Text, nullable=False),
    Column("destination", Text, nullable=False),
    # what the ticket wants: written by the intake
    Column("route", Text, nullable=False),
    Column("route_version", Text, nullable=False),
    Column("policy", Shaped(Policy), nullable=False),
    Column("ticket_key", Text, nullable=False),
    Column("ticket_url", Text),
    Column("ticket_state", Named(TicketState), nullable=False),
    Column("version", Text, nullable=False),
    Column("closed_version", Text, nullable=False),
    Column("seen_open", Boolean, nullable=False),
    Column("request", Shaped(TaskRequest)),
    Column("completion", Shaped(Completion)),
    Column("shows", Document),
    # what its task is: written by the worker
    Column("task_state", Named(TaskState), nullable=False),
    Column("task_id", BigInteger),
    Column("create_sent_at", Moment),
    Column("create_safe_at", Moment),  # `safe_at`, which was CreateTask's alone when the column got its name
    Column("ended_version", Text, nullable=False),
    Column("told", Document),
    Column("refused", Shaped(dict[str, Refusal])),
    # what is due
    Column("due_at", Moment),
    Column("leased_until", Moment),
    Column("claim", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("parked", Boolean, nullable=False),
    Column("last_error", Text),
    Column("created_at", Moment, nullable=False),
    Column("updated_at", Moment, nullable=False),
    UniqueConstraint("source", "ticket_id", "generation"),
    UniqueConstraint("destination", "task_id"),
    UniqueConstraint("correlation_key"),
    Index("links_ticket_key", "ticket_key"),
    Index(
        "links_due",
        "destination",
        "due_at",
        sqlite_where=text("due_at IS NOT NULL"),
        postgresql_where=text("due_at IS NOT NULL"),
    ),
    Index("links_parked", "id", sqlite_where=text("parked"), postgresql_where=text("parked")),
    Index(
        "links_open",
        "source",
        "id",
        sqlite_where=text("ticket_state = 'open'"),
        postgresql_where=text("ticket_state = 'open'"),
    ),
    Index("links_live", "destination", "id", sqlite_where=LIVE, postgresql_where=LIVE),
)
"""The mapping table: one ticket, one generation, one task."""

attempts = Table(
    "attempts",
    metadata,
    Column("id", _Id, primary_key=True),
    Column("link_id", _Id, ForeignKey("links.id", ondelete="CASCADE"), nullable=False),
    Column("step", Named(Step), nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("took_ms", Integer, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("detail", Text),
    Index("attempts_link", "link_id", "id"),
)
"""The audit trail: every try of a step."""

pauses = Table(
    "pauses",
    metadata,
    Column("destination", Text, primary_key=True),
    Column("until", Moment, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("updated_at", Moment, nullable=False),
)
"""Which destination waits, until when and why; one row speaks for all replicas."""

cursors = Table(
    "cursors",
    metadata,
    Column("name", Text, primary_key=True),
    Column("place", Document, nullable=False),
    Column("updated_at", Moment, nullable=False),
)
"""How far long work has come, such as a source's poll, so that the next start goes on from there."""

leases = Table(
    "leases",
    metadata,
    Column("name", Text, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("token", BigInteger, nullable=False),
    Column("until", Moment, nullable=False),
)
"""Which process does a piece of work, and until when nobody else may; the token grows whenever another one takes it."""
