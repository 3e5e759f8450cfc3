"""The city as a tracker would report it, without rendering: boxes of the truth, seen imperfectly.

Each road user's box is that of its projected body, without what nearer ones and the picture's edges hide.
Edges jitter, small and half hidden ones are not detected, single detections are missing, every track is lost
for a while now and then, and one that was hidden for long comes back under another id.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from pipeline.rules import Moments, build_rules
from pipeline.scene import Scene, SceneSettings, geometry
from pipeline.sim.camera import Floats, project
from pipeline.sim.city import City
from pipeline.sim.scenario import Scenario
from pipeline.sim.scenes import scene as draw
from pipeline.sim.types import Act, ActKind, Actor, CameraPose, Moment
from pipeline.types import (
    FrameTime,
    Hit,
    Observation,
    Point,
    RoadUser,
    RoadUserKind,
    SignalState,
    TrackPoint,
)

START_S = 1_700_000_000.0
RATE_HZ = 8.0
JITTER = 0.02
"""Standard deviation of an edge, of the box's height."""
LEAST_HEIGHT = 0.035
"""Smaller boxes are not detected."""
COUNTED_HEIGHT = 0.045
"""Who looks smaller is too far away for its acts to be missed."""
LEAST_VISIBLE = 0.45
MISSED = 0.04
"""Share of single detections that are missing."""
LOST_PER_S = 0.02
"""A track is lost this often ..."""
LOST_S = (0.3, 1.2)
"""... for so long."""
FORGOTTEN_S = 1.5
"""Not seen for longer, a road user comes back as another track."""
RIDDEN_M = 1.65
"""Height of a two-wheeler with its rider."""
HISTORY_S = 2.0


@dataclass
class _Eye:
    track_id: int
    last_s: float
    lost_until_s: float = 0.0
    points: list[TrackPoint] = field(default_factory=list)


@dataclass
class Watched:
    """One camera's view of a run."""

    camera: CameraPose
    scene: Scene
    observations: list[Observation]
    actor_of: dict[int, int]
    """Track to actor."""
    seen: dict[int, dict[float, Point]]
    """Actor to the moments at which it was detected near enough, and the middle of its footprint then."""


def watch(scenario: Scenario, rate_hz: float = RATE_HZ) -> tuple[City, list[Watched]]:
    """Run the city and look at it with all its cameras."""
    city = City(scenario)
    moments = list(city.moments(rate_hz))
    out = []
    for camera in scenario.poses():
        settings = SceneSettings.model_validate(
            draw(scenario.site(), camera, trucks_banned=scenario.trucks_banned)
        )
        out.append(_look(moments, camera, settings, random.Random(f"{scenario.seed} {camera.id}")))
    return city, out


def judge(watched: Watched) -> list[Hit]:
    """What the rules of a camera report."""
    rules = build_rules(watched.scene)
    moments = Moments(watched.scene).all_of(watched.observations)
    return [hit for moment in moments for rule in rules for hit in rule.observe(moment)]


def _look(moments: list[Moment], camera: CameraPose, settings: SceneSettings, rng: random.Random) -> Watched:
    noise = np.random.default_rng(rng.getrandbits(32))
    eyes: dict[int, _Eye] = {}
    watched = Watched(camera, Scene(settings), [], {}, {})
    signals: dict[str, SignalState] = {}
    for moment in moments:
        now_s = START_S + moment.time_s
        users = []
        visible = list(_visible(moment.actors, camera))
        feet = project(camera, np.array([(*actor.position, 0.0) for actor, _ in visible]).reshape(-1, 3))[0]
        middles = (feet / [camera.width_px, camera.height_px]).tolist()
        for (actor, box), (x, y) in zip(visible, middles, strict=True):
            eye = eyes.get(actor.id)
            if eye is None or now_s - eye.last_s > FORGOTTEN_S:
                eye = eyes[actor.id] = _Eye(len(watched.actor_of) + 1, now_s)
                watched.actor_of[eye.track_id] = actor.id
            if now_s < eye.lost_until_s or rng.random() < MISSED:
                continue
            if rng.random() < LOST_PER_S / RATE_HZ:
                eye.lost_until_s = now_s + rng.uniform(*LOST_S)
            edges = box + noise.normal(0, JITTER, 4) * (box[3] - box[1])
            left, top, right, bottom = edges.tolist()
            eye.points.append(TrackPoint(now_s, (left, top, right, bottom), 0.8))
            eye.points = [point for point in eye.points if now_s - point.time_s <= HISTORY_S]
            eye.last_s = now_s
            if box[3] - box[1] >= COUNTED_HEIGHT:
                watched.seen.setdefault(actor.id, {})[moment.time_s] = (x, y)
            users.append(RoadUser(eye.track_id, RoadUserKind(actor.kind), tuple(eye.points), 0.9))
        for lamp in moment.lamps:
            known = signals.get(lamp.head_id)
            if known is None or known.color is not lamp.color:
                signals[lamp.head_id] = SignalState(lamp.head_id, lamp.color, now_s, 0.9)
        watched.observations.append(
            Observation(
                camera.id,
                FrameTime(now_s, "rtcp"),
                tuple(users),
                dict(signals),
                (camera.width_px, camera.height_px),
            )
        )
    return watched


def _visible(actors: Iterable[Actor], camera: CameraPose) -> Iterator[tuple[Actor, Floats]]:
    """Boxes 0..1 of what can be seen, of those that a detector would find."""
    bodies = [actor for actor in actors if actor.kind != "object"]
    if not bodies:
        return
    corners = np.array([_corners(actor) for actor in bodies])
    pixels, depth = project(camera, corners.reshape(-1, 3))
    flat = (pixels / [camera.width_px, camera.height_px]).reshape(-1, 8, 2)
    near = depth.reshape(-1, 8).min(axis=1)
    boxes = np.concatenate([flat.min(axis=1), flat.max(axis=1)], axis=1)
    shown = boxes.clip(0, 1)
    order = np.argsort(near)
    order = order[near[order] >= 1.0]
    low, high = shown[order, :2], shown[order, 2:]
    # Whose boxes have a part in common; with the diagonal, whose have any size.
    common = (np.maximum(low[:, None], low) < np.minimum(high[:, None], high)).all(axis=2)
    for i, k in enumerate(order):
        box = shown[k].copy()
        whole = _area(boxes[k])
        for j in np.flatnonzero(common[i, :i] & common.diagonal()[:i]):
            box = _without(box, shown[order[j]])
        tall = box[3] - box[1]
        if tall < LEAST_HEIGHT or box[2] <= box[0] or _area(box) < LEAST_VISIBLE * whole:
            continue
        yield bodies[k], box


def _corners(actor: Actor) -> Floats:
    high = max(actor.height_m, RIDDEN_M) if actor.riders else actor.height_m
    c, s = np.cos(actor.heading), np.sin(actor.heading)
    half_l, half_w = actor.length_m / 2, actor.width_m / 2
    out = []
    for a in (-half_l, half_l):
        for b in (-half_w, half_w):
            x, y = actor.position[0] + a * c - b * s, actor.position[1] + a * s + b * c
            out += [(x, y, 0.0), (x, y, high)]
    return np.array(out)


def _area(box: Floats) -> float:
    return float(max(box[2] - box[0], 0) * max(box[3] - box[1], 0))


def _without(box: Floats, nearer: Floats) -> Floats:
    """The largest upright box that a nearer one leaves of it, where it covers a whole side."""
    left, top, right, bottom = (
        np.maximum(box[:2], nearer[:2]).tolist() + np.minimum(box[2:], nearer[2:]).tolist()
    )
    if left >= right or top >= bottom:
        return box
    out = box.copy()
    wide, high = box[2] - box[0], box[3] - box[1]
    if right - left > 0.8 * wide and bottom >= box[3] - 0.05 * high:
        out[3] = top
    elif bottom - top > 0.8 * high:
        if left <= box[0] + 0.05 * wide:
            out[0] = right
        elif right >= box[2] - 0.05 * wide:
            out[2] = left
    return out


@dataclass
class Score:
    """Of one kind of act."""

    true: int = 0
    found: int = 0
    false: int = 0


EARLY_S, LATE_S = 3.0, 4.0
SEEN_SHARE = 0.7
"""An act counts as visible where its actor was detected in this share of the moments around it."""


def score(city: City, cameras: Iterable[Watched], verbose: bool = False) -> dict[str, Score]:
    """Hits of each camera against the truth that it could see, by kind."""
    out: dict[str, Score] = {}
    for watched in cameras:
        hits = judge(watched)
        on = set(watched.scene.settings.rules)
        acts = [act for act in city.acts if act.kind.value in on]
        used: set[int] = set()
        for hit in hits:
            at_s = hit.at.time_s - START_S
            actor = watched.actor_of[hit.track_id]
            same = [
                k
                for k, act in enumerate(acts)
                if act.kind.value == hit.rule
                and act.actor_id == actor
                and act.start_s - EARLY_S <= at_s <= act.end_s + LATE_S
            ]
            if same:
                used |= set(same)
            else:
                out.setdefault(hit.rule, Score()).false += 1
                if verbose:
                    print(
                        "FALSE",
                        watched.camera.id,
                        hit.rule,
                        "actor",
                        actor,
                        hit.kind.value,
                        round(at_s, 1),
                        dict(hit.facts),
                    )
        counted: set[tuple[str, int]] = set()
        for k, act in enumerate(acts):
            if not _could_see(watched, act):
                continue
            key = (act.kind.value, act.actor_id)
            if key in counted:
                continue
            counted.add(key)
            one = out.setdefault(act.kind.value, Score())
            one.true += 1
            if k in used or any((acts[u].kind.value, acts[u].actor_id) == key for u in used):
                one.found += 1
            elif verbose:
                print("MISSED", watched.camera.id, act)
    return out


ALONG = {ActKind.WRONG_WAY, ActKind.WRONG_LANE, ActKind.RESTRICTED_HOURS, ActKind.PAVEMENT}
"""Acts that last as long as somebody is in a place: any stretch of them will do."""
STRETCH_S, GAP_S = 3.0, 0.6


def _could_see(watched: Watched, act: Act) -> bool:
    """Whether the act was in the camera's view: its actor detected most of the time around the decisive
    moment, or, for acts that last, for a stretch of it within the place as drawn.
    """
    scene = watched.scene.settings
    areas = {one.id: one.polygon for one in (*scene.lanes, *scene.zones)}
    drawn = {
        *areas,
        *(one.id for one in scene.stop_lines),
        *(one.id.rsplit(".", 1)[0] for one in scene.solid_lines),
    }
    drawn |= {one.id.rsplit(".", 1)[0] for one in scene.turns if one.act == act.kind.value}
    if act.place not in drawn:
        return False
    if act.kind is ActKind.STOP_LINE and any(
        movement.free
        for line in scene.stop_lines
        if line.id == act.place
        for movement in line.movements.present().values()
    ):
        return False  # it may have meant to turn
    seen = watched.seen.get(act.actor_id, {})
    if act.kind in ALONG:
        at = [
            at_s
            for at_s, point in seen.items()
            if act.start_s <= at_s <= act.end_s and geometry.inside(point, areas[act.place])
        ]
        return _longest(at) >= STRETCH_S
    margin_s = 0.0 if act.place in areas else 1.0
    start_s, end_s = act.start_s - margin_s, act.decisive_s + margin_s
    wanted = sum(start_s <= o.time.captured_at_s - START_S <= end_s for o in watched.observations)
    area = areas.get(act.place)
    there = [point for at_s, point in seen.items() if start_s <= at_s <= end_s]
    if area is not None:
        there = [point for point in there if geometry.inside(point, area)]
    return len(there) >= SEEN_SHARE * wanted


def _longest(times_s: list[float]) -> float:
    longest, start = 0.0, 0
    for k in range(1, len(times_s)):
        if times_s[k] - times_s[k - 1] > GAP_S:
            start = k
        longest = max(longest, times_s[k] - times_s[start])
    return longest
