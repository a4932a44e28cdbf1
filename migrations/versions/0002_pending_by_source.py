"""Each source has its own intake: what waits is found by source."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_PENDING = sa.text("state = 'pending'")


def upgrade() -> None:
    op.create_index(
        "deliveries_waiting", "deliveries", ["source", "id"], sqlite_where=_PENDING, postgresql_where=_PENDING
    )
    op.drop_index("deliveries_pending", "deliveries")
