"""What waits of one kind: whoever works through it reads no other rows."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

OPEN = sa.text("state IN ('open', 'confirmed_once', 'second_look')")


def upgrade() -> None:
    """Make the index."""
    op.create_index(
        "cases_queue_by_rule",
        "cases",
        ["rule", "at_ms", "id"],
        sqlite_where=OPEN,
        postgresql_where=OPEN,
    )
