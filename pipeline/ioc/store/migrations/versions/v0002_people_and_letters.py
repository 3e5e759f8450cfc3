"""Accounts of an OIDC provider; the audit log by who and what; dead letters that can be taken in again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add what they are told by."""
    op.add_column("users", sa.Column("subject", sa.String(300), nullable=True))
    op.create_index("users_by_subject", "users", ["subject"], unique=True)
    op.create_index("audit_by_actor", "audit", ["actor", "seq"])
    op.create_index("audit_by_subject", "audit", ["subject", "seq"])
    op.add_column("dead_letters", sa.Column("form", sa.String(10), nullable=False, server_default=""))
    op.add_column("dead_letters", sa.Column("headers", sa.Text(), nullable=False, server_default=""))
