"""What a camera could have seen: the city's truth, as far as it counts for one camera.

Times are seconds since the film's first picture, boxes 0..1 of the picture. An act **counts** for a camera
when

- its kind is a rule that the camera's scene file switches on and the model has the classes for,
- its place (stop line, lane, zone, solid line, forbidden turn) is drawn in that scene file, or it has none,
- it is at least EDGE_S away from the film's ends (its moment, or what is seen of it), and
- the camera sees its actor well enough for it. Well seen is a picture in which at least VISIBLE of the actor
  is unhidden and its box is at least HEIGHT_PX high in the analysed stream; gaps of up to GAP_S are bridged,
  and while its actor stands those of up to BRIDGE_S, see there.
  Acts that happen at a moment (AT_A_MOMENT) must be well seen from LEAD_S before their start until their end,
  or TRAIL_S after the decisive moment; acts that last, for as long as they must last to be an act and MORE_S;
  those of riders (OF_RIDERS), for RIDE_S, RIDERS_PX high, and the heads that make it an act can be seen: a
  third one's, a bare one. Who sits hidden between two others is hidden from an officer as well.

What really happened and does not count is neither missed when it is not found, nor false when it is. Legal
look-alikes of acts are seen where their place is drawn and their decisive moment is well seen, give or take
GAP_S, and away from the film's ends.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.rules.stop_line import untold_lines
from pipeline.scene import SceneSettings, geometry
from pipeline.sim.reel import CameraFilm
from pipeline.sim.scenario import Scenario
from pipeline.sim.truth import read_acts, read_frames
from pipeline.sim.types import Act
from pipeline.sim.types import ActKind as K
from pipeline.types import Box
from scripts.accuracy.places import Places

Floats = npt.NDArray[np.float64]
PlaceOf = Callable[[Act], str | None]
"""Id under which a scene file draws the place of an act; None where it happens anywhere."""

VISIBLE = 0.5
HEIGHT_PX = 16.0
RIDERS_PX = 32.0
"""Who sits on a motorbike must be told: heads of some 5 of those 360 pixels, 10 where 720 are analysed."""
SUB_HEIGHT_PX = 360
"""Of the analysed stream."""
MOST_RIDERS = 2
GAP_S = 0.5
BRIDGE_S, STANDS_IOU, SEEN_SHARE = 3.0, 0.5, 0.75
"""Who is found where it was before has stood there meanwhile: a gap this long at most, and no longer than it
was seen before, is bridged where the boxes on both sides of it overlap that much, as long as it is well seen
for that share of the whole. Not for acts of riders, which need heads."""
EDGE_S = 3.0
MORE_S = 1.5
RIDE_S = 1.5
LEAD_S, TRAIL_S = 1.0, 6.0

AT_A_MOMENT = frozenset({K.RED_LIGHT, K.STOP_LINE, K.SOLID_LINE, K.BANNED_TURN, K.U_TURN})
"""Their decisive moment must be seen; the others may be judged at any time while they last."""
OF_RIDERS = frozenset({K.NO_HELMET, K.TOO_MANY_RIDERS})
"""Acts of a motorbike's whole way."""
NEAR_S = 0.6
"""A picture no further away than this tells where an actor was."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """One actor, as one camera sees it."""

    id: int
    kind: str
    times_s: Floats
    """(N,) rising."""
    boxes: Floats
    """(N, 4) left, top, right, bottom, 0..1."""
    visible: Floats
    """(N,) share 0..1."""
    telling: Mapping[K, npt.NDArray[np.bool_]] = field(default_factory=dict)
    """(N,) of acts of riders: whether the heads that make it one can be seen."""

    def box_at(self, time_s: float) -> Box | None:
        """Between the two pictures around a moment; None where it was not seen."""
        after = int(np.searchsorted(self.times_s, time_s))
        before = max(after - 1, 0)
        after = min(after, len(self.times_s) - 1)
        a, b = self.times_s[before], self.times_s[after]
        if min(abs(a - time_s), abs(b - time_s)) > NEAR_S:
            return None
        share = 0.0 if b == a or b - a > NEAR_S else min(max((time_s - a) / (b - a), 0.0), 1.0)
        if b - a > NEAR_S and abs(b - time_s) < abs(a - time_s):
            share = 1.0
        left, top, right, bottom = (1 - share) * self.boxes[before] + share * self.boxes[after]
        return float(left), float(top), float(right), float(bottom)

    def well_seen_s(self, kind: K) -> Floats:
        """Times of the pictures in which it is seen well enough for an act of that kind."""
        least_px = RIDERS_PX if kind in OF_RIDERS else HEIGHT_PX
        tall = (self.boxes[:, 3] - self.boxes[:, 1]) * SUB_HEIGHT_PX >= least_px
        return np.asarray(self.times_s[tall & (self.visible >= VISIBLE) & self.telling.get(kind, True)])


@dataclass(frozen=True, slots=True)
class TrueAct:
    """An act, and whether it counts for a camera."""

    act: Act
    moment_s: float
    """When this camera can first know: the decisive moment, or later where it comes into view later."""
    why_not: str = ""
    """Why it does not count; empty: it counts."""
    height_px: float = 0.0
    """Of its box around the moment, in the analysed stream."""

    @property
    def counts(self) -> bool:
        return not self.why_not


@dataclass(frozen=True, slots=True)
class CameraTruth:
    """All that one camera could have seen."""

    camera_id: str
    duration_s: float
    rate_hz: float
    sightings: Mapping[int, Sighting]
    acts: tuple[TrueAct, ...]
    """Violations and incidents; in order of their moments."""
    look_alikes: tuple[Act, ...] = ()
    """Legal acts that could fool it: their place is drawn, and it sees their decisive moment well."""
    frames: tuple[Mapping[str, Any], ...] = field(default=(), repr=False)
    """As they were read, see pipeline.sim.truth."""


def film_truth(
    scenario: Scenario,
    acts: Path,
    camera: CameraFilm,
    scene: SceneSettings,
    rules: Collection[str],
    size: tuple[int, int],
    rate_hz: float,
) -> CameraTruth:
    """`camera_truth` out of a film's files; `acts` is the whole film's."""
    frames = tuple(read_frames(camera.truth))
    places = Places(scenario.site(), frames)
    return camera_truth(camera.camera_id, frames, read_acts(acts), scene, rules, places.of, size, rate_hz)


def camera_truth(
    camera_id: str,
    frames: tuple[Mapping[str, Any], ...],
    acts: Iterable[Act],
    scene: SceneSettings,
    rules: Collection[str],
    place_of: PlaceOf,
    size: tuple[int, int],
    rate_hz: float,
) -> CameraTruth:
    """One camera's part of the truth, as pipeline.sim.truth reads it.

    `rules` are the kinds that can be told here, `size` is the main stream's in pixels.
    """
    seen = sightings(frames, size)
    duration_s = len(frames) / rate_hz
    all_acts = tuple(acts)
    drawn = {
        item.id
        for items in (scene.stop_lines, scene.lanes, scene.zones, scene.solid_lines, scene.turns)
        for item in items
    }
    # Where the rule reports nobody whatever happens, as `ngatu check` tells.
    told = drawn - set(untold_lines(scene))
    happened = [act for act in all_acts if not act.kind.value.startswith("legal.")]
    judged = [
        judge(
            act,
            seen[act.actor_id],
            rules,
            told if act.kind is K.STOP_LINE else drawn,
            place_of(act),
            duration_s,
        )
        for act in happened
        if act.actor_id in seen
    ]
    judged.sort(key=lambda true: true.moment_s)
    look_alikes = tuple(
        act
        for act in all_acts
        if act.kind.value.startswith("legal.")
        and act.actor_id in seen
        and place_of(act) in {*drawn, None}
        and EDGE_S <= act.decisive_s <= duration_s - EDGE_S
        and np.any(np.abs(seen[act.actor_id].well_seen_s(act.kind) - act.decisive_s) <= GAP_S)
    )
    return CameraTruth(camera_id, duration_s, rate_hz, seen, tuple(judged), look_alikes, frames)


def sightings(frames: Iterable[Mapping[str, Any]], size: tuple[int, int]) -> dict[int, Sighting]:
    """Every actor of a camera's frames by its id; `size` is the main stream's, in pixels."""
    rows: dict[int, list[tuple[float, ...]]] = {}
    kinds: dict[int, str] = {}
    for frame in frames:
        for actor in frame["actors"]:
            kinds[actor["id"]] = actor["kind"]
            bare = sum(not head[4] for head in actor["heads"])
            row = (frame["time_s"], actor["visible"], *actor["box"], len(actor["heads"]), bare)
            rows.setdefault(actor["id"], []).append(row)
    scale = np.array([*size, *size], float)
    out = {}
    for actor_id, values in rows.items():
        table = np.array(values, float)
        telling = {K.TOO_MANY_RIDERS: table[:, 6] > MOST_RIDERS, K.NO_HELMET: table[:, 7] > 0}
        out[actor_id] = Sighting(
            actor_id, kinds[actor_id], table[:, 0], table[:, 2:6] / scale, table[:, 1], telling
        )
    return out


def judge(
    act: Act,
    seen: Sighting,
    rules: Collection[str],
    drawn: Collection[str],
    place: str | None,
    duration_s: float,
) -> TrueAct:
    """Whether an act at a `place` (None: anywhere) counts, see the module's own words."""
    well = seen.well_seen_s(act.kind)
    if act.kind not in AT_A_MOMENT:
        well = well[(well >= EDGE_S) & (well <= duration_s - EDGE_S)]
    start_s, end_s = _stretch(well, act, seen)
    moment_s = act.decisive_s
    if act.kind not in AT_A_MOMENT and math.isfinite(start_s):
        moment_s = max(act.start_s if act.kind in OF_RIDERS else act.decisive_s, start_s + _least_s(act))
    box = seen.box_at(moment_s)
    height_px = (box[3] - box[1]) * SUB_HEIGHT_PX if box else 0.0
    why_not = ""
    if act.kind.value not in rules:
        why_not = "no such rule on this camera"
    elif place is not None and place not in drawn:
        why_not = "its place is not drawn for this camera"
    elif not EDGE_S <= moment_s <= duration_s - EDGE_S:
        why_not = "at the film's very start or end"
    elif not _enough(act, start_s, end_s):
        why_not = "not seen well enough"
    return TrueAct(act, moment_s, why_not, height_px)


def _least_s(act: Act) -> float:
    return RIDE_S if act.kind in OF_RIDERS else act.decisive_s - act.start_s


def _enough(act: Act, start_s: float, end_s: float) -> bool:
    if act.kind in AT_A_MOMENT:
        return start_s <= act.start_s - LEAD_S + GAP_S and end_s >= _until_s(act) - GAP_S
    return end_s - start_s >= _least_s(act) + (0.0 if act.kind in OF_RIDERS else MORE_S)


def _until_s(act: Act) -> float:
    return min(act.end_s, act.decisive_s + TRAIL_S)


def _stretch(well_s: Floats, act: Act, seen: Sighting) -> tuple[float, float]:
    """The longest time within an act in which its actor is well seen; (inf, -inf) for none."""
    lead_s = LEAD_S if act.kind in AT_A_MOMENT else 0.0
    until_s = _until_s(act) if act.kind in AT_A_MOMENT else act.end_s
    inside = well_s[(well_s >= act.start_s - lead_s) & (well_s <= until_s)]
    if not len(inside):
        return math.inf, -math.inf
    breaks = np.flatnonzero(np.diff(inside) > GAP_S)
    starts = inside[np.concatenate([[0], breaks + 1])]
    ends = inside[np.concatenate([breaks, [len(inside) - 1]])]
    pieces = list(zip(starts.tolist(), ends.tolist(), strict=True))
    if act.kind not in OF_RIDERS:
        pieces = list(_bridged(pieces, act, seen))
    return max(pieces, key=lambda piece: piece[1] - piece[0])


def _bridged(
    pieces: Sequence[tuple[float, float]], act: Act, seen: Sighting
) -> Iterator[tuple[float, float]]:
    """Pieces of time, in order, in which an actor is well seen: joined where it stood in between."""
    (start_s, end_s), *later = pieces
    well_s = end_s - start_s
    for next_start_s, next_end_s in later:
        more_s = well_s + next_end_s - next_start_s
        if (
            next_start_s - end_s <= min(BRIDGE_S, end_s - start_s)
            and more_s >= SEEN_SHARE * (next_end_s - start_s)
            and _stood(seen, end_s, next_start_s, act)
        ):
            end_s, well_s = next_end_s, more_s
        else:
            yield start_s, end_s
            start_s, end_s, well_s = next_start_s, next_end_s, next_end_s - next_start_s
    yield start_s, end_s


def _stood(seen: Sighting, from_s: float, to_s: float, act: Act) -> bool:
    """Whether it is at the same place again; who stops past a line rolls on a little after crossing it."""
    if act.kind is K.STOP_LINE and from_s >= act.decisive_s:
        return True
    before, after = seen.box_at(from_s), seen.box_at(to_s)
    return before is not None and after is not None and geometry.overlap(before, after)[0] >= STANDS_IOU
