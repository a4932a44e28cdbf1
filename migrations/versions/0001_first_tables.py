"""The inbox, the tickets, the links, the audit trail, the pauses."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _only(condition: str) -> dict[str, sa.TextClause]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def upgrade() -> None:
    _deliveries()
    _tickets()
    _links()
    _attempts()
    _pauses()


def _deliveries() -> None:
    op.create_table(
        "deliveries",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("dedupe_key", sa.Text, nullable=False),
        sa.Column("received_at", sa.BigInteger, nullable=False),
        sa.Column("event", sa.Text, nullable=False),
        sa.Column("ticket_id", sa.Text),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("headers", sa.Text, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("reason", sa.Text),
        sa.UniqueConstraint("source", "dedupe_key", name="deliveries_source_key"),
    )
    op.create_index("deliveries_ticket", "deliveries", ["source", "ticket_id", "id"])
    op.create_index("deliveries_pending", "deliveries", ["id"], **_only("state = 'pending'"))
    op.create_index("deliveries_parked", "deliveries", ["id"], **_only("state = 'parked'"))
    op.create_index("deliveries_received_at", "deliveries", ["received_at"])


def _tickets() -> None:
    op.create_table(
        "tickets",
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("ticket_id", sa.Text, primary_key=True),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("closed_version", sa.Text, nullable=False),
        sa.Column("layers", sa.Text, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
    )
    op.create_index("tickets_updated_at", "tickets", ["updated_at"])


def _links() -> None:
    op.create_table(
        "links",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("ticket_id", sa.Text, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("correlation_key", sa.Text, nullable=False),
        sa.Column("destination", sa.Text, nullable=False),
        sa.Column("route", sa.Text, nullable=False),
        sa.Column("route_version", sa.Text, nullable=False),
        sa.Column("policy", sa.Text, nullable=False),
        sa.Column("ticket_key", sa.Text, nullable=False),
        sa.Column("ticket_url", sa.Text),
        sa.Column("ticket_state", sa.Text, nullable=False),
        sa.Column("version", sa.Text, nullable=False),
        sa.Column("closed_version", sa.Text, nullable=False),
        sa.Column("seen_open", sa.Boolean, nullable=False),
        sa.Column("request", sa.Text),
        sa.Column("completion", sa.Text),
        sa.Column("task_state", sa.Text, nullable=False),
        sa.Column("task_id", sa.BigInteger),
        sa.Column("create_sent_at", sa.BigInteger),
        sa.Column("create_safe_at", sa.BigInteger),
        sa.Column("ended_version", sa.Text, nullable=False),
        sa.Column("due_at", sa.BigInteger),
        sa.Column("leased_until", sa.BigInteger),
        sa.Column("claim", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("parked", sa.Boolean, nullable=False),
        sa.Column("last_error", sa.Text),
        sa.Column("created_at", sa.BigInteger, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
        sa.UniqueConstraint("source", "ticket_id", "generation", name="links_source_key"),
        sa.UniqueConstraint("destination", "task_id", name="links_destination_key"),
        sa.UniqueConstraint("correlation_key", name="links_correlation_key_key"),
    )
    op.create_index("links_ticket_key", "links", ["ticket_key"])
    op.create_index("links_due", "links", ["destination", "due_at"], **_only("due_at IS NOT NULL"))
    op.create_index("links_parked", "links", ["id"], **_only("parked"))


def _attempts() -> None:
    op.create_table(
        "attempts",
        sa.Column("id", _ID, primary_key=True),
        sa.Column("link_id", _ID, sa.ForeignKey("links.id", ondelete="CASCADE"), nullable=False),
        sa.Column("step", sa.Text, nullable=False),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("took_ms", sa.Integer, nullable=False),
        sa.Column("outcome", sa.Text, nullable=False),
        sa.Column("detail", sa.Text),
    )
    op.create_index("attempts_link", "attempts", ["link_id", "id"])


def _pauses() -> None:
    op.create_table(
        "pauses",
        sa.Column("destination", sa.Text, primary_key=True),
        sa.Column("until", sa.BigInteger, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
    )
