"""How long evidence is kept: what has expired, and what must not."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

KEPT = sa.text("evidence_gone_ms = 0 AND state IN ('confirmed', 'rejected', 'incomplete')")


def upgrade() -> None:
    """A column with a constant default is added at once, however many cases there are."""
    gone = sa.Column("evidence_gone_ms", sa.BigInteger(), server_default=sa.text("0"), nullable=False)
    op.add_column("cases", gone)
    op.create_index("cases_kept", "cases", ["at_ms", "id"], sqlite_where=KEPT, postgresql_where=KEPT)
    op.create_table(
        "holds",
        sa.Column("case_id", sa.String(length=128), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.ForeignKeyConstraint(["case_id"], ["cases.id"]),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"]),
        sa.PrimaryKeyConstraint("case_id"),
    )
