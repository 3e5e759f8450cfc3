"""What an operator would draw: the scene file of each camera of the city, from its layout and projection."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from pipeline.rules import RULES
from pipeline.rules.restricted_hours import PURPOSE as RESTRICTED_HOURS
from pipeline.scene import SceneSettings
from pipeline.sim.audit import CROWD, CROWD_S, LOITER_S, STOP_S
from pipeline.sim.camera import axes, project
from pipeline.sim.layout import Ban, Lane, Site, StopLine, Zone, bans, pavements, solid_lines
from pipeline.sim.render.view import lamp_boxes
from pipeline.sim.scenario import Scenario, ScenarioError
from pipeline.sim.sites import PHASES
from pipeline.sim.survey import calibration
from pipeline.sim.types import CameraPose, Ground
from pipeline.types import Box, Point, RoadUserKind

NEAR_M, FAR_M = 3.0, 80.0
"""Nothing nearer or farther from the camera is drawn."""
LAMP_PX = 9.0
"""A lamp must be this wide to be read."""
LAMP_ANGLE_DEG = 65.0
LANE_PX = 30.0
"""A lane that looks narrower on average is left out: a road user's foot could not be told to be in it."""
LANE_LENGTH_PX = 150.0
LINE_FAR_M = 60.0
"""A stop line farther away is left to another camera."""
LINE_SHARE = 0.6
"""Of a stop line's length that must be in the picture."""
ARROW_M = 5.0
EXIT_SHARE = 0.6
"""Of where those end who go straight on, for exits to be drawn though not all of them are in the picture."""
TURN_SHARE = 0.6
"""Of where a forbidden turn begins and ends that must be in the picture."""
SOLID_FAR_M = 50.0
ACROSS_PX = 12.0
"""A solid line is left out where a metre across it is less: nobody could tell on which side a wheel is."""
WINDOW_SHARE = 0.5
"""Of the picture's width and height: what is in a window is twice as large."""
FAR_SHARE = 0.08
"""A rider at a stop line who is less high than this, of the picture's height, is looked at in a window."""
RIDER_M = 1.6
"""Height of a motorbike with its rider."""
PARAMETERS: dict[str, dict[str, float]] = {
    "illegal_stop": {"min_s": STOP_S},
    "loitering": {"min_s": LOITER_S},
    "crowd": {"min_people": CROWD, "min_s": CROWD_S},
}
"""Where the city's law differs from what rules assume."""
Clip = list[Point]


def scene(site: Site, camera: CameraPose, *, trucks_banned: bool = False) -> dict[str, Any]:
    """The camera's scene in the format of pipeline.scene.settings.

    Zones closed to trucks are drawn while `trucks_banned`.
    Raises ScenarioError where the camera sees neither a lane nor a zone.
    """
    boxes = _readable(site, camera)
    lines, windows, used = [], [], set()
    for line in site.lines:
        drawn = _stop_line(site, camera, line, boxes)
        if drawn is not None:
            lines.append(drawn)
            if _is_far(camera, line):
                windows.append(_window(drawn))
            used |= {movement["lamp"] for movement in drawn["movements"].values() if "lamp" in movement}
    heads = {head.id: head for head in site.layout.heads}
    out: dict[str, Any] = {
        "lamps": [
            {
                "id": name,
                "box": _round(boxes[name]),
                "layout": heads[name].layout,
                "shows": "ball" if heads[name].shows == "ball" else "arrow",
            }
            for name in sorted(used)
        ],
        "stop_lines": lines,
        "lanes": [
            drawn | {"limit_kmh": site.limit_kmh}
            for lane in site.lanes
            if (drawn := _lane(camera, lane)) is not None
        ],
        "zones": [
            {"id": zone.id, "polygon": polygon, "purpose": zone.purpose} | _closed_to(zone)
            for zone in (*site.zones, *pavements(site))
            if (trucks_banned or zone.purpose != RESTRICTED_HOURS)
            and (polygon := _polygon(camera, zone.polygon)) is not None
        ],
    }
    out["solid_lines"] = list(_solid_lines(site, camera))
    out["turns"] = [drawn for ban in bans(site) if (drawn := _turn(camera, ban))]
    out["windows"] = windows
    if not out["lanes"] and not out["zones"]:
        raise ScenarioError(f"camera {camera.id!r} sees neither a lane nor a zone; turn it to the road")
    if out["lanes"] and (surveyed := calibration(site, camera)) is not None:
        out["calibration"] = surveyed
    drawn_so_far = SceneSettings.model_validate(out)
    out["rules"] = {
        name: dict(PARAMETERS.get(name, {}))
        for name, rule in RULES.items()
        if rule.lacks(drawn_so_far) is None
    }
    return {key: value for key, value in out.items() if value}


def write_scenes(scenario: Scenario, folder: Path) -> list[Path]:
    """One YAML file a camera, named after it; their paths in the order of the cameras."""
    folder.mkdir(parents=True, exist_ok=True)
    site = scenario.site()
    paths = []
    for camera in scenario.poses():
        path = folder / f"{camera.id}.yaml"
        head = f"# Camera {camera.id} of the synthetic city ({scenario.name}), from its ground plan.\n"
        body = yaml.safe_dump(
            scene(site, camera, trucks_banned=scenario.trucks_banned),
            sort_keys=False,
            default_flow_style=None,
            width=110,
        )
        part = path.with_suffix(".part")
        part.write_text(head + body, encoding="utf-8")
        part.replace(path)
        paths.append(path)
    return paths


def _readable(site: Site, camera: CameraPose) -> dict[str, Box]:
    """Heads that are large enough and seen from the front."""
    out = {}
    heads = {head.id: head for head in site.layout.heads}
    for name, box in lamp_boxes(site.layout, camera).items():
        head = heads[name]
        dx, dy = camera.position[0] - head.position[0], camera.position[1] - head.position[1]
        off = abs(math.remainder(math.atan2(dy, dx) - head.facing, 2 * math.pi))
        if off <= math.radians(LAMP_ANGLE_DEG) and (box[2] - box[0]) * camera.width_px >= LAMP_PX:
            out[name] = box
    return out


def _lamp_for(site: Site, boxes: dict[str, Box], group: str) -> str | None:
    """The largest readable lamp that always shows what the group does."""
    phases = [group in phase.groups for phase in PHASES]
    same = [name for name in boxes if [site.groups[name] in phase.groups for phase in PHASES] == phases]
    return max(same, key=lambda name: boxes[name][3] - boxes[name][1], default=None)


def _stop_line(
    site: Site, camera: CameraPose, line: StopLine, boxes: dict[str, Box]
) -> dict[str, Any] | None:
    drawn = _segment(camera, line.line, LINE_SHARE)
    (ax, ay), (bx, by) = line.line
    share = _middle_seen(camera, line.line)
    middle = (ax + share * (bx - ax), ay + share * (by - ay))
    dx, dy = ARROW_M * math.cos(line.heading), ARROW_M * math.sin(line.heading)
    travel = _segment(camera, ((middle[0] - dx, middle[1] - dy), (middle[0] + dx, middle[1] + dy)), 0.9)
    straight = _lamp_for(site, boxes, line.groups["straight"])
    far = math.dist(middle, camera.position[:2]) > LINE_FAR_M
    if far or drawn is None or travel is None or straight is None:
        return None
    movements: dict[str, dict[str, Any]] = {}
    exits = {name: _polygon(camera, line.exits[name]) for name in line.groups}
    # Where the way straight on is seen well, who is not seen to go there goes elsewhere.
    drawn_exits = all(exits.values()) or _share_seen(camera, line.exits["straight"]) >= EXIT_SHARE
    for movement, group in line.groups.items():
        lamp = _lamp_for(site, boxes, group)
        movements[movement] = {"lamp": lamp} if lamp else {"free": True}
        if drawn_exits and exits[movement]:
            movements[movement]["exit"] = exits[movement]
    out: dict[str, Any] = {"id": line.id, "line": drawn, "travel": travel, "movements": movements}
    clearance = _segment(camera, line.clearance, LINE_SHARE)
    if clearance is not None:
        out["junction"] = {"clearance": clearance}
    return out


def _middle_seen(camera: CameraPose, line: tuple[Ground, Ground]) -> float:
    """Share of the way along a ground line at which the middle of its visible part is; 0.5 for none."""
    a, b = np.array(line)
    shares = np.linspace(0, 1, 41)
    _, seen = _on_ground(camera, a + shares[:, None] * (b - a), FAR_M)
    return float(shares[seen].mean()) if seen.any() else 0.5


def _is_far(camera: CameraPose, line: StopLine) -> bool:
    """Whether riders at a stop line are small in the picture."""
    x, y = np.mean(line.line, axis=0)
    pixels, _ = project(camera, [(x, y, 0.0), (x, y, RIDER_M)])
    return bool(pixels[0, 1] - pixels[1, 1] < FAR_SHARE * camera.height_px)


def _window(line: dict[str, Any]) -> list[float]:
    """Around a stop line and what lies right behind it."""
    points = np.array([*line["line"], *line.get("junction", {}).get("clearance", ())])
    left, top = np.clip(points.mean(axis=0) - WINDOW_SHARE / 2, 0, 1 - WINDOW_SHARE)
    return _round((left, top, left + WINDOW_SHARE, top + WINDOW_SHARE))


def _lane(camera: CameraPose, lane: Lane) -> dict[str, Any] | None:
    polygon = _polygon(camera, lane.polygon)
    direction = _clip_line(camera, (lane.direction[0], lane.direction[-1]))
    if polygon is None or direction is None:
        return None
    length_px = math.dist(*((x * camera.width_px, y * camera.height_px) for x, y in direction))
    if (
        length_px < LANE_LENGTH_PX
        or _area(polygon) * camera.width_px * camera.height_px < LANE_PX * length_px
    ):
        return None
    out: dict[str, Any] = {"id": lane.id, "polygon": polygon, "direction": [_round(p) for p in direction]}
    if lane.classes:
        out["classes"] = [kind.value for kind in lane.classes]
    return out


def _solid_lines(site: Site, camera: CameraPose) -> Iterator[dict[str, Any]]:
    """Solid paint that is near enough to tell on which side of it somebody is."""
    for number, line in enumerate(solid_lines(site)):
        drawn = _clip_line(camera, line, SOLID_FAR_M)
        if drawn is None:
            continue
        length_px = math.dist(*((x * camera.width_px, y * camera.height_px) for x, y in drawn))
        if length_px >= LANE_LENGTH_PX and _metre_across_px(camera, line) >= ACROSS_PX:
            yield {"id": f"solid.{number}", "line": [_round(p) for p in drawn]}


def _metre_across_px(camera: CameraPose, line: tuple[Ground, Ground]) -> float:
    """How far apart in the picture a ground line and its parallel a metre beside are, where they are near."""
    a, b = np.array(line)
    along = (b - a) / max(math.dist(a, b), 1e-9)
    across = np.array((-along[1], along[0]))
    on = a + np.linspace(0, 1, 21)[:, None] * (b - a)
    here, near = _on_ground(camera, on, SOLID_FAR_M)
    ahead, _ = _on_ground(camera, on + along * 0.1, SOLID_FAR_M)
    beside, _ = _on_ground(camera, on + across, SOLID_FAR_M)
    way, off = ahead - here, beside - here
    apart = np.abs(way[:, 0] * off[:, 1] - way[:, 1] * off[:, 0]) / np.maximum(np.hypot(*way.T), 1e-9)
    return float(apart[near].min()) if near.any() else 0.0


def _turn(camera: CameraPose, ban: Ban) -> dict[str, Any] | None:
    entry, leave = _polygon(camera, ban.entry), _polygon(camera, ban.exit)
    seen = min(_share_seen(camera, ban.entry), _share_seen(camera, ban.exit))
    far = math.dist(ban.line.line[0], camera.position[:2]) > LINE_FAR_M
    if far or entry is None or leave is None or seen < TURN_SHARE:
        return None
    return {"id": f"{ban.line.id}.{ban.act}", "act": ban.act, "entry": entry, "exit": leave}


def _share_seen(camera: CameraPose, corners: tuple[Ground, ...]) -> float:
    """Share of a rectangle of the ground that is in the picture and near enough."""
    a, b, _, d = (np.array(corner) for corner in corners)
    shares = (np.arange(6) + 0.5) / 6
    ground = np.array([a + u * (b - a) + v * (d - a) for u in shares for v in shares])
    return float(_on_ground(camera, ground, FAR_M)[1].mean())


def _on_ground(camera: CameraPose, ground: Any, far_m: float) -> tuple[Any, Any]:
    """Pixels (N, 2) of points (N, 2) of the ground, and (N,) which are in the picture and near enough."""
    pixels, depth = project(camera, np.column_stack([ground, np.zeros(len(ground))]))
    flat = pixels / [camera.width_px, camera.height_px]
    return pixels, (flat > 0).all(1) & (flat < 1).all(1) & (depth > NEAR_M) & (depth < far_m)


def _closed_to(zone: Zone) -> dict[str, Any]:
    """Whom a zone's purpose concerns, where that is not everyone."""
    return {"classes": [RoadUserKind.TRUCK.value]} if zone.purpose == RESTRICTED_HOURS else {}


def _segment(camera: CameraPose, line: tuple[Ground, Ground], least: float) -> list[list[float]] | None:
    """A line of the ground in the picture, where enough of it is."""
    clipped = _clip_line(camera, line)
    if clipped is None:
        return None
    whole, depth = project(camera, [(*line[0], 0.0), (*line[1], 0.0)])
    if depth.min() <= 0:
        return None
    size = [camera.width_px, camera.height_px]
    share = math.dist(*clipped) / max(math.dist(*(whole / size).tolist()), 1e-9)
    return [_round(p) for p in clipped] if share >= least else None


def _clip_line(camera: CameraPose, line: tuple[Ground, Ground], far_m: float = FAR_M) -> Clip | None:
    """Both ends of the part of a ground line that is in the picture, 0..1."""
    points = _seen(camera, line, closed=False, far_m=far_m)
    return points if len(points) == 2 and math.dist(*points) > 0.01 else None


def _polygon(camera: CameraPose, corners: tuple[Ground, ...]) -> list[list[float]] | None:
    """A polygon of the ground as far as it is in the picture."""
    points = [_round(p) for p in _seen(camera, corners, closed=True)]
    kept = [p for k, p in enumerate(points) if math.dist(p, points[k - 1]) > 1e-3]
    return kept if len(kept) >= 3 and _area(kept) > 5e-4 else None


def _seen(camera: CameraPose, points: Iterable[Ground], *, closed: bool, far_m: float = FAR_M) -> Clip:
    """Cut by the near and far plane in the world, then by the picture's sides."""
    world = np.array([(x, y, 0.0) for x, y in points])
    depth = (world - camera.position) @ axes(camera)[2]
    rows = np.column_stack([world, depth])
    rows = _cut(rows, rows[:, 3] - NEAR_M, closed) if len(rows) else rows
    rows = _cut(rows, far_m - rows[:, 3], closed) if len(rows) else rows
    if not len(rows):
        return []
    pixels, _ = project(camera, rows[:, :3])
    flat = pixels / [camera.width_px, camera.height_px]
    for axis in (0, 1):
        flat = _cut(flat, flat[:, axis], closed) if len(flat) else flat
        flat = _cut(flat, 1.0 - flat[:, axis], closed) if len(flat) else flat
    return [(float(x), float(y)) for x, y in flat]


def _cut(points: Any, inside: Any, closed: bool) -> Any:
    """One step of Sutherland and Hodgman's clipping: keep where `inside` >= 0."""
    out: list[Any] = []
    count = len(points)
    for k in range(count if closed else count - 1):
        a, b = points[k], points[(k + 1) % count]
        fa, fb = inside[k], inside[(k + 1) % count]
        if fa >= 0 and (closed or not out):
            out.append(a)
        if (fa >= 0) != (fb >= 0):
            out.append(a + fa / (fa - fb) * (b - a))
        if fb >= 0 and not closed:
            out.append(b)
    return np.array(out) if out else np.zeros((0, points.shape[1]))


def _area(polygon: list[list[float]]) -> float:
    pairs = zip(polygon, polygon[1:] + polygon[:1], strict=True)
    return abs(sum(a[0] * b[1] - b[0] * a[1] for a, b in pairs)) / 2


def _round(values: Iterable[float]) -> list[float]:
    return [round(min(max(float(v), 0.0), 1.0), 4) for v in values]
