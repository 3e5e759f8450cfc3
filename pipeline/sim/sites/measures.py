"""Measures of the junction, and when which of its signals are green."""

from __future__ import annotations

from itertools import pairwise

from pipeline.sim.signals import Phase
from pipeline.types import RoadUserKind

ARMS = ("S", "E", "N", "W")
REACH = 130.0
EDGES = (0.25, 3.75, 7.0, 11.5)
"""Lane borders from the middle of the road outwards; the last is the kerb."""
CENTRES = tuple((a + b) / 2 for a, b in pairwise(EDGES))
KERB = EDGES[-1]
BACK = KERB + 5.0
"""Where pavements end and plots begin."""
DEEP = BACK + 18.0
STOP = 18.5
ZEBRA, ZEBRA_WIDTH = 15.25, 4.0
CLEAR = ZEBRA - ZEBRA_WIDTH / 2
CORNER_RADIUS = 6.0
SOLID_TO = STOP + 28.0
ALLEYS = (26.0, 64.0)
"""Where lanes between houses open on the side that leaves the junction."""
ALLEY_WIDTH = 4.0
TURNING_WIDTH = 1.3
"""At the kerb, left free by motorbikes that go straight for those that turn right."""
RIGHT_SHIFT_M = 1.4
"""Right turns end this far from the kerb lane's middle, or motorbikes would come out in its kerb strip."""

PHASES = (
    Phase(25.0, frozenset({"S.ball", "N.ball", "S.right"})),
    Phase(14.0, frozenset({"E.ball", "S.right"})),
    Phase(14.0, frozenset({"W.ball"})),
)
"""South and north together, left turns giving way; then east, with a right arrow for the south; then west."""

WIDE = (RoadUserKind.CAR, RoadUserKind.BUS, RoadUserKind.TRUCK)
NARROW = (RoadUserKind.MOTORBIKE, RoadUserKind.BICYCLE)
