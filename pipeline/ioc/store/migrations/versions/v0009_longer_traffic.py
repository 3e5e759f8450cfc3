"""Traffic and times to review by 16 days: indicators of a year read a tenth of the rows."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

WHOLE = ("observed_ms", "person", "bicycle", "motorbike", "car", "bus", "truck", "level_ms", "congested_ms")
SUMS = (*WHOLE, "speed_sum", "speed_weight")
BLOCK = "(day_ms + 25200000) / 1382400000 * 1382400000 - 25200000"


def upgrade() -> None:
    """Make them, and fill them from days."""
    op.create_table(
        "traffic_blocks",
        sa.Column("block_ms", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("camera", sa.String(64), primary_key=True),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in WHOLE),
        sa.Column("speed_sum", sa.Double(), nullable=False),
        sa.Column("speed_weight", sa.Double(), nullable=False),
    )
    names, sums = ", ".join(SUMS), ", ".join(f"sum({name})" for name in SUMS)
    op.execute(
        f"INSERT INTO traffic_blocks (block_ms, camera, {names}) "  # noqa: S608 - names of our own
        f"SELECT {BLOCK}, camera, {sums} FROM traffic_days GROUP BY 1, 2"
    )
    op.create_table(
        "review_time_blocks",
        sa.Column("block_ms", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("area", sa.String(200), primary_key=True),
        sa.Column("minutes", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
    )
    op.execute(
        f"INSERT INTO review_time_blocks SELECT {BLOCK}, area, minutes, sum(count) "  # noqa: S608 - our own
        "FROM review_times GROUP BY 1, 2, 3"
    )
