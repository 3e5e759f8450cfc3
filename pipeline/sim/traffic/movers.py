"""All that moves (and what stands in its way), as arrays for the physics and objects for the decisions."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from pipeline.sim.layout import Route, Walk
from pipeline.sim.traffic import fleet
from pipeline.sim.traffic.paths import Bools, Floats, Ints, Paths
from pipeline.sim.types import ActKind, Ground, Plate, Rider
from pipeline.types import RoadUserKind

Kind = RoadUserKind | Literal["object"]
Sample = tuple[float, float, float, float, float, float, bool]
"""Time, x, y, cos and sin of the heading, speed, and whether it stands in a queue."""


@dataclass(slots=True, eq=False)
class Mover:
    """One road user: what it is, and what it has in mind."""

    id: int
    kind: Kind
    height_m: float
    seed: int
    route: Route | Walk | None
    plate: Plate | None = None
    riders: tuple[Rider, ...] = ()
    act: ActKind | None = None
    """What the script asks of it."""
    shy_m: float = 0.4
    """Where it stops before a line."""
    cruise_mps: float = 0.0
    prefers_m: float = 0.0
    """Offset a pedestrian likes to keep."""
    passed: bool = False
    """The script lets somebody pass it."""
    partner_id: int | None = None
    """The slow one that it is to pass, or a bag's owner."""
    yields: tuple[float, ...] = ()
    """Places along the route where its front may have to wait."""
    region_m: float = 13.0
    """How far beyond its last place to wait it looks whether the way is free."""
    runs_red: bool = False
    past_m: float | None = None
    """Stops this far beyond the line, until a green that follows a red."""
    origin: str = ""
    """Whom it came in with: nobody gives way to those of the same entry."""
    seen_red: bool = False
    halt_m: float | None = None
    """Stops here for `halt_s`."""
    halt_s: float = 0.0
    halted_at_s: float | None = None
    crawl: tuple[float, float, float] | None = None
    """From, to along the route, and the speed there."""
    swerve: float | None = None
    """Offset it keeps whatever its lane."""
    waits_at: float | None = None
    """Where it gives way at present."""
    idle_s: float = 0.0
    """How long it has stood without a reason of its own."""
    backs_s: float = 0.0
    """How much longer it rolls back, to let somebody pass."""
    waits_s: float = 0.0
    """... and then stands."""
    queued: bool = False
    """Right behind somebody who stands or crawls."""
    crossing: bool = False
    """A pedestrian who has started over the road."""
    trail: list[Sample] = field(default_factory=list)


COLUMNS = (
    *("s", "v", "d", "aim", "slope", "acc", "x", "y", "cos", "sin"),
    *("length", "width", "want", "power", "brake", "headway", "standoff", "margin", "ease"),
    *("stop", "cap", "phase"),
)


class Movers:
    """Columns of equal length, one row a road user; `who` in the same order.

    s and d are metres along and to the left of the path, of the footprint's centre; `slope` is the change of
    d per metre; `aim` the offset it steers to;
    `stop` where its front must stand, `cap` a passing speed limit.
    """

    s: Floats
    v: Floats
    d: Floats
    aim: Floats
    slope: Floats
    acc: Floats
    x: Floats
    y: Floats
    cos: Floats
    sin: Floats
    length: Floats
    width: Floats
    want: Floats
    power: Floats
    brake: Floats
    headway: Floats
    standoff: Floats
    margin: Floats
    ease: Floats
    stop: Floats
    cap: Floats
    phase: Floats

    def __init__(self, paths: Paths) -> None:
        self.paths = paths
        self.who: list[Mover] = []
        self.path: Ints = np.zeros(0, np.int64)
        self.priority: Ints = np.zeros(0, np.int64)
        for name in COLUMNS:
            setattr(self, name, np.zeros(0))

    def __len__(self) -> int:
        return len(self.who)

    def add(self, mover: Mover, path: int, rng: random.Random, **values: float) -> int:
        """A new row; those columns that are not given are drawn from the model of its class."""
        model = fleet.MODELS[RoadUserKind.PERSON if mover.kind == "object" else RoadUserKind(mover.kind)]
        row = {
            "length": rng.uniform(*model.length_m),
            "width": rng.uniform(*model.width_m),
            "want": rng.uniform(*model.speed_mps),
            "power": model.acceleration,
            "brake": model.braking,
            "headway": model.headway_s * rng.uniform(0.85, 1.2),
            "standoff": model.standoff_m * rng.uniform(0.8, 1.4),
            "margin": model.margin_m,
            "ease": model.ease_m,
            "stop": np.inf,
            "cap": np.inf,
            "cos": 1.0,
            "phase": rng.uniform(0, 6.28),
        } | values
        for name in COLUMNS:
            setattr(self, name, np.append(getattr(self, name), row.get(name, 0.0)))
        self.path = np.append(self.path, path)
        route = mover.route
        self.priority = np.append(self.priority, route.priority if isinstance(route, Route) else 5)
        mover.cruise_mps = float(self.want[-1])
        self.who.append(mover)
        return len(self.who) - 1

    def keep(self, rows: Bools) -> None:
        """Drop the rows that are False."""
        for name in (*COLUMNS, "path", "priority"):
            setattr(self, name, getattr(self, name)[rows])
        self.who = [mover for mover, stays in zip(self.who, rows.tolist(), strict=True) if stays]

    def poses(self, s: Floats, d: Floats, slope: Floats) -> tuple[Floats, Floats, Floats, Floats]:
        """World x, y, cos and sin of the heading: both axles ride on the path, as a rigid body's would."""
        half = 0.3 * self.length
        fx, fy = self.paths.place(self.path, s + half, d + half * slope)
        rx, ry = self.paths.place(self.path, s - half, d - half * slope)
        dx, dy = fx - rx, fy - ry
        size = np.maximum(np.hypot(dx, dy), 1e-9)
        x, y, cos, sin = (fx + rx) / 2, (fy + ry) / 2, dx / size, dy / size
        stands = self.path < 0
        return (
            np.where(stands, self.x, x),
            np.where(stands, self.y, y),
            np.where(stands, self.cos, cos),
            np.where(stands, self.sin, sin),
        )

    def ground(self, row: int) -> Ground:
        """Where one is."""
        return float(self.x[row]), float(self.y[row])
