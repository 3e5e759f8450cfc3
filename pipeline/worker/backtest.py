"""Runs rules again over stored tracks, and tells what two scenes make of the same traffic."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from pipeline.config import Config
from pipeline.rules import RULES, Moments, asks_for_heads, build_rules, judging_heads
from pipeline.scene import Scene, SceneSettings, geometry
from pipeline.tracks.store import StoredTracks
from pipeline.types import Box, Hit, Observation, Point

SAME_S = 0.01
"""Decisive moments nearer than this are the same: stored times are exact, moments of smoothed ways nearly."""
NEAR_S, NEAR_IOU = 2.0, 0.5
"""Hits of one rule whose boxes overlap by this much within this time are of one, whatever its id."""
TRACK_S = 900.0
"""Hits of one rule and id further apart are not of one road user: a new connection may use the id again."""
WAY_EVERY_S = 0.2
WAY_KEPT_S = 60.0
"""Where somebody went is remembered for drawing; of those without a hit no longer than this."""

Outcome = Literal["same", "moved", "new", "gone"]


@dataclass(frozen=True, slots=True)
class Found:
    """A hit over stored tracks."""

    run: int
    """Which of the worker's lives it is from: track numbers are only told apart within one."""
    hit: Hit
    way: list[tuple[float, Point]]
    """Moments and ground points of its road user, 0..1 of the picture; complete once the replay has ended."""


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one hit from one scene to the other."""

    outcome: Outcome
    before: Found | None
    after: Found | None

    @property
    def found(self) -> Found:
        """The newer of the two."""
        found = self.after or self.before
        assert found is not None
        return found

    @property
    def moved_s(self) -> float:
        """How much later its decisive moment is; 0 where there is only one."""
        if self.before is None or self.after is None:
            return 0.0
        return self.after.hit.at.time_s - self.before.hit.at.time_s


@dataclass(slots=True)
class Replayed:
    """A camera's stored tracks, judged by one or more scenes."""

    found: list[list[Found]]
    """One list for each scene, in order of time within a run."""
    frames: int = 0
    from_s: float = math.inf
    to_s: float = -math.inf
    picture_size: tuple[int, int] = (0, 0)
    lamps: set[str] = field(default_factory=set)
    """Lamps whose states were stored."""
    heads: bool = False
    """Whether riders' heads were stored of anybody."""


def replay(
    stored: StoredTracks,
    camera_id: str,
    scenes: Sequence[SceneSettings],
    *,
    from_s: float | None = None,
    to_s: float | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Replayed:
    """Judge what was stored of a camera, by each scene anew for each run of the worker, as it would live.

    Observations from `from_s` to before `to_s` (epoch seconds) are judged; `progress` gets frames done and
    in all. Raises RuleError for a scene that cannot be, TracksError for tracks that cannot be read.
    """
    out = Replayed([[] for _ in scenes])
    runs = stored.places(camera_id, from_s, to_s)
    total = sum(place.frames for run in runs for place in run)
    done = 0
    for run in runs:
        judges = [
            _Judge(run[0].run, settings, found) for settings, found in zip(scenes, out.found, strict=True)
        ]
        ways = _Ways()
        for _, observation in stored.observations(camera_id, run):
            done += 1
            if done % 500 == 0:
                progress(done, total)
            now_s = observation.time.captured_at_s
            if (from_s is not None and now_s < from_s) or (to_s is not None and now_s >= to_s):
                continue
            out.frames += 1
            out.from_s, out.to_s = min(out.from_s, now_s), max(out.to_s, now_s)
            out.picture_size = observation.picture_size
            out.lamps |= observation.signals.keys()
            out.heads = out.heads or any(user.heads for user in observation.road_users)
            for judge in judges:
                judge.observe(observation, ways)
            ways.observe(observation)
        for judge in judges:
            judge.finish(ways)
    progress(total, total)
    return out


class _Judge:
    """One scene's rules over one run."""

    def __init__(self, run: int, settings: SceneSettings, found: list[Found]) -> None:
        scene = Scene(settings)
        self._run, self._found = run, found
        self._moments, self._rules = Moments(scene), build_rules(scene)

    def observe(self, observation: Observation, ways: _Ways) -> None:
        for moment in self._moments.observe(observation):
            for rule in self._rules:
                self._take(rule.observe(moment), ways)

    def finish(self, ways: _Ways) -> None:
        for moment in self._moments.finish():
            for rule in self._rules:
                self._take(rule.observe(moment), ways)

    def _take(self, hits: Iterable[Hit], ways: _Ways) -> None:
        self._found += [Found(self._run, hit, ways.of(hit.track_id)) for hit in hits]


class _Ways:
    """Where everybody went lately."""

    def __init__(self) -> None:
        self._ways: dict[int, list[tuple[float, Point]]] = {}
        self._tidied_s = -math.inf
        self._connection: int | None = None

    def observe(self, observation: Observation) -> None:
        now_s = observation.time.captured_at_s
        if observation.connection != self._connection:
            self._connection = observation.connection
            self._ways.clear()
        for user in observation.road_users:
            way = self._ways.setdefault(user.track_id, [])
            if not way or now_s - way[-1][0] >= WAY_EVERY_S:
                way.append((now_s, user.now.ground))
        if now_s - self._tidied_s > WAY_KEPT_S:
            self._tidied_s = now_s
            self._ways = {k: way for k, way in self._ways.items() if now_s - way[-1][0] <= WAY_KEPT_S}

    def of(self, track_id: int) -> list[tuple[float, Point]]:
        return self._ways.get(track_id, [])


def compare(before: Sequence[Found], after: Sequence[Found]) -> list[Change]:
    """Each hit of the two, once: the same, moved in time, new or gone; in order of time."""
    gone, new = list(before), list(after)
    changes: list[Change] = []
    for belong in (_same_track, _same_place):
        for found in tuple(new):
            old = min(
                (old for old in gone if belong(old, found)),
                key=lambda old: abs(old.hit.at.time_s - found.hit.at.time_s),
                default=None,
            )
            if old is not None:
                gone.remove(old)
                new.remove(found)
                moved_s = abs(old.hit.at.time_s - found.hit.at.time_s)
                changes.append(Change("same" if moved_s <= SAME_S else "moved", old, found))
    changes += [Change("gone", old, None) for old in gone]
    changes += [Change("new", None, found) for found in new]
    return sorted(changes, key=lambda change: change.found.hit.at.time_s)


def _same_track(a: Found, b: Found) -> bool:
    return (a.run, a.hit.rule, a.hit.track_id) == (b.run, b.hit.rule, b.hit.track_id) and abs(
        a.hit.at.time_s - b.hit.at.time_s
    ) <= TRACK_S


def _same_place(a: Found, b: Found) -> bool:
    return (
        (a.run, a.hit.rule) == (b.run, b.hit.rule)
        and abs(a.hit.at.time_s - b.hit.at.time_s) <= NEAR_S
        and geometry.overlap(a.hit.at.box, b.hit.at.box)[0] >= NEAR_IOU
    )


def counted(changes: Iterable[Change]) -> dict[str, Counter[str]]:
    """How many changes of each outcome, by rule in the order of their names."""
    counts: dict[str, Counter[str]] = {}
    for change in changes:
        counts.setdefault(change.found.hit.rule, Counter())[change.outcome] += 1
    return dict(sorted(counts.items()))


def on_trial(scene: SceneSettings, other: SceneSettings | None) -> dict[str, str]:
    """What is to be said of rules that are on trial in the one scene or in the other, by rule."""
    now = shadows(scene)
    before = now if other is None else shadows(other)
    said = {}
    for rule in sorted(now.keys() | before.keys()):
        match now.get(rule), before.get(rule):
            case True, False:
                said[rule] = "on trial (shadow): not published; before it was published"
            case True, _:
                said[rule] = "on trial (shadow): not published"
            case False, True:
                said[rule] = "published; before it was on trial (shadow)"
            case None, True:
                said[rule] = "off; before it was on trial (shadow)"
    return said


def shadows(scene: SceneSettings) -> dict[str, bool]:
    """Whether each rule that is on is on trial."""
    return {
        rule: RULES[rule].parameters.model_validate(parameters).shadow
        for rule, parameters in scene.rules.items()
    }


def differing(config: Config, other: Config, camera_id: str) -> list[str]:
    """Keys in which two configurations differ of what a camera's tracks are made with."""
    now, before = _making(config, camera_id), _making(other, camera_id)
    return [key for key in now if now[key] != before[key]]


def _making(config: Config, camera_id: str) -> dict[str, object]:
    (camera,) = [camera for camera in config.cameras if camera.id == camera_id]
    parts = (
        ("model", config.model, ("path", "heads", "confidence", "iou")),
        ("detect", camera.detect, ("url", "transport", "pace", "loop")),
        ("analysis", camera.analysis, ("rate_hz", "max_width_px")),
    )
    return {f"{part}.{key}": getattr(settings, key) for part, settings, keys in parts for key in keys}


def caveats(scene: SceneSettings, other: SceneSettings | None, replayed: Replayed) -> Iterator[str]:
    """What a back-test cannot tell of this scene: what was done before tracks were stored stays done."""
    unread = [lamp.id for lamp in scene.lamps if lamp.id not in replayed.lamps]
    if unread and replayed.frames:
        yield f"lamps that were not read when tracks were stored show nothing here: {', '.join(unread)}"
    rules = scene.rules if other is None else {**other.rules, **scene.rules}
    blind = judging_heads(rules)
    if blind and replayed.frames and not replayed.heads:
        yield (
            "no riders' heads were told when tracks were stored (a model must know them; model.heads looks "
            f"only where a rule asks for it), so these report nothing here: {', '.join(blind)}"
        )
    if other is not None and asks_for_heads(scene) and not asks_for_heads(other) and replayed.heads:
        yield "no rule asked for riders' heads before: they are those of the detector, without model.heads"
    if other is not None and _boxes(scene) != _boxes(other):
        yield "lamp boxes differ: colours are those that were read live, by the boxes of then"
    if other is not None and scene.ignore != other.ignore:
        yield "ignored areas differ: tracks are those that were followed live, by the areas of then"
    if other is not None and scene.windows != other.windows:
        yield "windows differ: tracks are those that were followed live, by the windows of then"


def _boxes(scene: SceneSettings) -> set[tuple[str, Box, str]]:
    return {(lamp.id, lamp.box, lamp.layout) for lamp in scene.lamps}
