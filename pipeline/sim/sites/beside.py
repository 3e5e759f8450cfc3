"""Beside the junction's roads: where people walk, motorbikes stand and cameras hang."""

from __future__ import annotations

import math

from pipeline.sim.layout import Parked, Walk, along, rounded, turned
from pipeline.sim.sites.measures import (
    ARMS,
    BACK,
    KERB,
    ZEBRA,
)
from pipeline.sim.types import CameraPose
from pipeline.types import LampColor, RoadUserKind


def walks(arm: int) -> list[Walk]:
    """Over this arm's crossing both ways, and along its pavements."""
    name = ARMS[arm]
    middle = KERB + 2.3
    door = BACK + 1.2
    color = LampColor.RED if name in ("S", "N") else LampColor.GREEN
    wait_x = KERB + 1.2
    out = []
    for k, (y0, y1) in enumerate(((44.0, 33.0), (34.0, 52.0))):
        over = rounded(
            ((door, -y0), (middle, -y0), (middle, -ZEBRA), (-middle, -ZEBRA), (-middle, -y1), (-door, -y1))
        )
        for way, points, start in (
            ("west", over, (wait_x, -ZEBRA)),
            ("east", over[::-1], (-wait_x, -ZEBRA)),
        ):
            out.append(
                Walk(
                    f"{name}.cross.{way}{k}",
                    turned(points, arm),
                    along(points, start),
                    2 * wait_x,
                    "S.ball",
                    color,
                )
            )
    side = rounded(((door, -92.0), (middle, -92.0), (middle, -38.0), (door, -38.0)))
    corner = rounded(((door, -70.0), (middle, -70.0), (middle, -middle), (48.0, -middle), (48.0, -door)))
    for key, points in (("side", side), ("corner", corner)):
        out.append(Walk(f"{name}.{key}", turned(points, arm)))
        out.append(Walk(f"{name}.{key}.back", turned(points[::-1], arm)))
    return out


def parked(arm: int) -> list[Parked]:
    """Motorbikes in front of shops, at the back of the pavement."""
    out = []
    for k in range(5):
        (at,) = turned(((BACK - 0.85, -49.0 - 1.35 * k - (12 if arm % 2 else 0)),), arm)
        out.append(Parked(at, (2 + arm) * math.pi / 2 + 0.95, RoadUserKind.MOTORBIKE))
    return out


def cameras() -> tuple[CameraPose, ...]:
    """Behind the approaches, on gantries and corner poles, one that looks back over the junction, and one
    with a long lens on the backs of those who wait in, or pass from, two lanes of the southern arm."""
    return (
        CameraPose("south", (0.5, -66.0, 8.0), (1.5, -15.0, 0.0), 50.0),
        CameraPose("opposite", (-13.5, 22.0, 9.0), (1.0, -20.0, 0.0), 58.0),
        CameraPose("corner", (60.0, -14.5, 7.5), (14.0, 0.5, 0.0), 52.0),
        CameraPose("north", (-0.5, 66.0, 8.0), (-1.5, 15.0, 0.0), 50.0),
        CameraPose("west", (-60.0, 14.5, 7.5), (-14.0, -0.5, 0.0), 52.0),
        CameraPose("south-line", (6.5, -51.0, 5.2), (8.1, -18.5, 0.9), 16.0, reads_plates=True),
    )
