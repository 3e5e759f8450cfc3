"""What waits of one kind, and in one state: whoever works through it reads no other rows."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

OPEN = sa.text("state IN ('open', 'confirmed_once', 'second_look')")


def upgrade() -> None:
    """Make the indexes."""
    for first in ("rule", "state"):
        op.create_index(
            f"cases_queue_by_{first}",
            "cases",
            [first, "at_ms", "id"],
            sqlite_where=OPEN,
            postgresql_where=OPEN,
        )
