"""Counters for wall and indicators; when a camera was first and last heard of."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

DAY = "({0} + 25200000) / 86400000 * 86400000 - 25200000"
WAITED = "(d.at_ms - c.received_ms) / 60000"
FINAL = "FROM decisions d JOIN cases c ON c.id = d.case_id WHERE d.state IN ('confirmed', 'rejected')"


def upgrade() -> None:
    """Make them, and fill them from cases and decisions; traffic is counted from now on."""
    for name in ("first_ms", "seen_ms"):
        op.add_column("cameras", sa.Column(name, sa.BigInteger(), nullable=False, server_default="0"))
    op.execute("UPDATE cameras SET first_ms = since_ms, seen_ms = since_ms")
    op.create_table(
        "day_counts",
        *_key("day_ms", sa.BigInteger()),
        *_key("rule", sa.String(64)),
        *_key("camera", sa.String(64)),
        *_key("type", sa.String(40)),
        sa.Column("count", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "traffic_hours",
        *_key("hour_ms", sa.BigInteger()),
        *_key("camera", sa.String(64)),
        *(
            sa.Column(name, sa.BigInteger(), nullable=False)
            for name in ("observed_ms", "person", "bicycle", "motorbike", "car", "bus", "truck")
        ),
        sa.Column("speed_sum", sa.Double(), nullable=False),
        sa.Column("speed_weight", sa.Double(), nullable=False),
        sa.Column("level_ms", sa.BigInteger(), nullable=False),
        sa.Column("congested_ms", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "review_days",
        *_key("day_ms", sa.BigInteger()),
        *_key("rule", sa.String(64)),
        *_key("camera", sa.String(64)),
        *_key("state", sa.String(20)),
        sa.Column("count", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "review_times",
        *_key("day_ms", sa.BigInteger()),
        *_key("area", sa.String(200)),
        *_key("minutes", sa.Integer()),
        sa.Column("count", sa.BigInteger(), nullable=False),
    )
    case_day, decision_day = DAY.format("at_ms"), DAY.format("d.at_ms")
    minutes = (
        f"CASE WHEN {WAITED} < 0 THEN 0 WHEN {WAITED} < 120 THEN {WAITED}"
        f" WHEN {WAITED} < 1440 THEN {WAITED} / 10 * 10 ELSE {WAITED} / 60 * 60 END"
    )
    for table, columns, rows in (
        ("day_counts", f"{case_day}, rule, camera, type", "FROM cases"),
        ("review_days", f"{decision_day}, c.rule, c.camera, d.state", FINAL),
        ("review_times", f"{decision_day}, c.area, {minutes}", FINAL),
    ):
        groups = "1, 2, 3" if table == "review_times" else "1, 2, 3, 4"
        op.execute(f"INSERT INTO {table} SELECT {columns}, count(*) {rows} GROUP BY {groups}")


def _key(name: str, kind: sa.types.TypeEngine[Any]) -> tuple[sa.Column[Any]]:
    return (sa.Column(name, kind, primary_key=True, autoincrement=False),)
