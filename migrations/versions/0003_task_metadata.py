"""A task's title, priority and assignee follow its ticket: what it should show, and what Orchestrator was told and refused."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("shows", "told", "refused"):
        op.add_column("links", sa.Column(name, sa.Text))
