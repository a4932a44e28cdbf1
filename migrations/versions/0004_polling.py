"""Polling and reconciling: how far they have come, who does it, and which links they look after."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_OPEN = sa.text("ticket_state = 'open'")
_LIVE = sa.text("(ticket_state = 'open' OR task_state IN ('open', 'unknown') OR (task_state = 'absent' AND seen_open))")


def upgrade() -> None:
    op.create_table(
        "cursors",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("place", sa.Text, nullable=False),
        sa.Column("updated_at", sa.BigInteger, nullable=False),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("holder", sa.Text, nullable=False),
        sa.Column("token", sa.BigInteger, nullable=False),
        sa.Column("until", sa.BigInteger, nullable=False),
    )
    op.create_index("links_open", "links", ["source", "id"], sqlite_where=_OPEN, postgresql_where=_OPEN)
    op.create_index("links_live", "links", ["destination", "id"], sqlite_where=_LIVE, postgresql_where=_LIVE)
