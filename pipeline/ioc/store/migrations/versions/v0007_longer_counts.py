"""Traffic by day, acts and decisions by 16 days: indicators of a year read a tenth of the rows."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

WHOLE = ("observed_ms", "person", "bicycle", "motorbike", "car", "bus", "truck", "level_ms", "congested_ms")
SUMS = (*WHOLE, "speed_sum", "speed_weight")
DAY = "(hour_ms + 25200000) / 86400000 * 86400000 - 25200000"
BLOCK = "(day_ms + 25200000) / 1382400000 * 1382400000 - 25200000"


def upgrade() -> None:
    """Make them, and fill them from shorter ones; a day of Vietnam's time begins with a whole hour."""
    op.create_table(
        "traffic_days",
        sa.Column("day_ms", sa.BigInteger(), primary_key=True, autoincrement=False),
        sa.Column("camera", sa.String(64), primary_key=True),
        *(sa.Column(name, sa.BigInteger(), nullable=False) for name in WHOLE),
        sa.Column("speed_sum", sa.Double(), nullable=False),
        sa.Column("speed_weight", sa.Double(), nullable=False),
    )
    names, sums = ", ".join(SUMS), ", ".join(f"sum({name})" for name in SUMS)
    op.execute(
        f"INSERT INTO traffic_days (day_ms, camera, {names}) "  # noqa: S608 - names of our own
        f"SELECT {DAY}, camera, {sums} FROM traffic_hours GROUP BY 1, 2"
    )
    for table, days, last in (
        ("block_counts", "day_counts", "type"),
        ("review_blocks", "review_days", "state"),
    ):
        op.create_table(
            table,
            sa.Column("block_ms", sa.BigInteger(), primary_key=True, autoincrement=False),
            sa.Column("rule", sa.String(64), primary_key=True),
            sa.Column("camera", sa.String(64), primary_key=True),
            sa.Column(last, sa.String(40 if last == "type" else 20), primary_key=True),
            sa.Column("count", sa.BigInteger(), nullable=False),
        )
        op.execute(
            f"INSERT INTO {table} SELECT {BLOCK}, rule, camera, {last}, sum(count) "  # noqa: S608 - our own
            f"FROM {days} GROUP BY 1, 2, 3, 4"
        )
