"""The audit log is looked through by time, too."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """An index alone."""
    op.create_index("audit_by_time", "audit", ["at_ms"])
