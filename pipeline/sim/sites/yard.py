"""A square in front of a public building: people cross it, and a part of it is closed to them."""

from __future__ import annotations

from pipeline.sim.layout import Site, Walk, Zone, moved, rectangle, rounded
from pipeline.sim.types import Area, CameraPose, Ground, Layout, Surface

AT: Ground = (0.0, -500.0)
"""Where it lies in the city."""
RESTRICTED = rectangle(14, 4, 24, 14)
QUIET = rectangle(-24, 5, -12, 14)
GATHERING = rectangle(-4, -12, 8, -2)


def yard(seed: int) -> Site:
    """The square, with its middle at AT."""
    areas = (
        Area(Surface.PAVEMENT, rectangle(-32, -18, 32, 18)),
        Area(Surface.PLOT, rectangle(-32, 18, 32, 38)),
        Area(Surface.ROAD, rectangle(-60, -26, 60, -18)),
        Area(Surface.PLOT, rectangle(-60, -18, -32, 38)),
        Area(Surface.PLOT, rectangle(32, -18, 60, 38)),
        Area(Surface.GRASS, rectangle(-60, -60, 60, -26)),
    )
    ways = (
        ((-34.0, -15.0), (34.0, -15.0)),
        ((-34.0, 1.0), (34.0, 1.0)),
        ((-34.0, -15.0), (-10.0, -15.0), (-2.0, 0.5), (2.0, 19.5)),
        ((34.0, -15.0), (14.0, -15.0), (9.0, 0.0), (6.0, 19.5)),
    )
    walks = []
    for k, way in enumerate(ways):
        points = moved(rounded(way, 2.0), AT)
        walks += [Walk(f"yard.walk{k}", points), Walk(f"yard.walk{k}.back", points[::-1])]
    return Site(
        layout=Layout(tuple(Area(a.surface, moved(a.corners, AT)) for a in areas), (), (), seed),
        zones=(
            Zone("yard.restricted", moved(RESTRICTED, AT), "restricted"),
            Zone("yard.quiet", moved(QUIET, AT), "loitering"),
            Zone("yard.gathering", moved(GATHERING, AT), "crowd"),
            Zone("yard", moved(rectangle(-32, -18, 32, 18), AT), "abandoned_object"),
        ),
        walks=tuple(walks),
        cameras=(
            CameraPose("yard-gate", (-4.0, -30.0 + AT[1], 8.5), (0.0, 3.0 + AT[1], 0.0), 72.0),
            CameraPose("yard-wall", (29.0, -16.0 + AT[1], 7.0), (0.0, 4.0 + AT[1], 0.0), 74.0),
        ),
    )
