"""Bodies take less space: SQLite gets them compressed, PostgreSQL compresses them faster where it can. So their size is told beside."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_CAN_LZ4 = sa.text("SELECT 'lz4' = ANY (enumvals) FROM pg_settings WHERE name = 'default_toast_compression'")


def upgrade() -> None:
    op.add_column("deliveries", sa.Column("size", sa.Integer))
    connection = op.get_bind()
    if connection.dialect.name == "postgresql" and connection.execute(_CAN_LZ4).scalar():
        op.execute("ALTER TABLE deliveries ALTER COLUMN body SET COMPRESSION lz4")
