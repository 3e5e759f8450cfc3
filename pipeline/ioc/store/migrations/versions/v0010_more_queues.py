"""What waits of one camera, and of one type; what was rejected in an area."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

OPEN = sa.text("state IN ('open', 'confirmed_once', 'second_look')")
REJECTED = sa.text("state = 'rejected'")


def upgrade() -> None:
    """Make the indexes."""
    for first in ("camera", "type"):
        op.create_index(
            f"cases_queue_by_{first}",
            "cases",
            [first, "at_ms", "id"],
            sqlite_where=OPEN,
            postgresql_where=OPEN,
        )
    op.create_index(
        "cases_rejected_by_area",
        "cases",
        ["area", "at_ms", "id"],
        sqlite_where=REJECTED,
        postgresql_where=REJECTED,
    )
