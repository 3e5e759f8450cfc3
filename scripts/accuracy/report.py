"""Figures out of outcomes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline.sim.types import ActKind
from scripts.accuracy import truth
from scripts.accuracy.counts import LaneCount
from scripts.accuracy.match import Outcome, percentile
from scripts.accuracy.plan import BARS, COUNTS_OFF, SPEED_MEAN_KMH, SPEED_WITHIN_3_KMH, Bar, Light, Take
from scripts.accuracy.plates import PlateRead, plate_figures
from scripts.accuracy.run import CameraRun

DEFINITION = (
    f"An act counts for a camera whose scene has its rule and its place, away from the film's ends by "
    f"{truth.EDGE_S:g} s, while its actor is at least {truth.VISIBLE:.0%} unhidden and "
    f"{truth.HEIGHT_PX:g} px high in the analysed stream ({truth.SUB_HEIGHT_PX} px; riders "
    f"{truth.RIDERS_PX:g} px): around its decisive moment, or for as long as it must last and "
    f"{truth.MORE_S:g} s. One act seen by two cameras counts twice. Times: event minus the moment from "
    f"which the camera could know."
)
LIGHTS = ("day", "night", "rain")


@dataclass(slots=True)
class Judged:
    """One take, judged."""

    take: Take
    outcomes: list[Outcome]
    look_alikes: Counter[str]
    """Legal acts that its cameras saw, by kind."""
    rules: frozenset[str]
    """On for at least one of its cameras."""
    lanes: list[LaneCount]
    cameras: tuple[CameraRun, ...]
    plates: list[PlateRead] = field(default_factory=list)


@dataclass(slots=True)
class Row:
    """One kind in one light."""

    light: str
    kind: str
    true: int = 0
    found: int = 0
    false: int = 0
    missed: int = 0
    also: int = 0
    """Found, though not seen well enough to count."""
    late_s: list[float] = field(default_factory=list)
    look_alikes: dict[str, int] = field(default_factory=dict)

    @property
    def precision(self) -> float | None:
        reported = self.found + self.false
        return self.found / reported if reported else None

    @property
    def recall(self) -> float | None:
        return self.found / self.true if self.true else None

    def as_json(self) -> dict[str, Any]:
        return {
            "light": self.light,
            "kind": self.kind,
            "true": self.true,
            "found": self.found,
            "false": self.false,
            "missed": self.missed,
            "found_unseen": self.also,
            "precision": self.precision,
            "recall": self.recall,
            "time_error_s": {
                "median": percentile(self.late_s, 50),
                "p95_absolute": percentile([abs(late) for late in self.late_s], 95),
            },
            "look_alikes_flagged": self.look_alikes,
        }


def rows(judged: Iterable[Judged]) -> list[Row]:
    """A row for each light and kind that has a rule; kinds without one have no row."""
    table: dict[tuple[str, str], Row] = {}

    def row_of(light: str, kind: str) -> Row:
        return table.setdefault((light, kind), Row(light, kind))

    for one in judged:
        light = one.take.light
        for kind in ActKind:
            if kind.value in one.rules:
                row_of(light, kind.value)
        for outcome in one.outcomes:
            for found in outcome.found:
                row = row_of(light, found.true.act.kind.value)
                row.true += 1
                row.found += 1
                row.late_s.append(found.late_s)
            for found in outcome.also:
                row_of(light, found.true.act.kind.value).also += 1
            for missed in outcome.missed:
                row = row_of(light, missed.act.kind.value)
                row.true += 1
                row.missed += 1
            for false in outcome.false:
                row = row_of(light, false.event.rule)
                row.false += 1
                if false.look_alike:
                    row.look_alikes[false.look_alike] = row.look_alikes.get(false.look_alike, 0) + 1
    kinds = [kind.value for kind in ActKind]
    kinds += [row.kind for row in table.values() if row.kind not in kinds]
    return sorted(
        table.values(),
        key=lambda row: (LIGHTS.index(row.light), kinds.index(row.kind)),
    )


def failures(table: Sequence[Row], bars: Mapping[tuple[Light, str], Bar] = BARS) -> list[str]:
    """Each bar of a kind that is missed, as a sentence."""
    found = {(row.light, row.kind): row for row in table}
    out = []
    for (light, kind), bar in bars.items():
        row = found.get((light, str(kind)))
        if row is None or row.true == 0:
            out.append(f"{kind} by {light}: nothing was to be found, so nothing was measured")
            continue
        for name, least in (("precision", bar.precision), ("recall", bar.recall)):
            value = getattr(row, name)
            if value is None or value < least:
                reached = "nothing was found" if value is None else f"{value:.3f}"
                out.append(f"{kind} by {light}: {name} {reached}, the bar is {least:g}")
    return out


def other_failures(lanes: Mapping[Light, Any], speeds: Mapping[Light, Any]) -> list[str]:
    """The same of counts and speeds, by light; `lanes` as below, `speeds` as of Perception.speed."""
    out = []
    for light, counts in lanes.items():
        off = counts["counted"] - counts["true"]
        if abs(off) > COUNTS_OFF * counts["true"]:
            share = off / counts["true"]
            out.append(f"vehicles counted by {light}: {share:+.1%}, the bar is {COUNTS_OFF:.0%}")
    for light, speed in speeds.items():
        mean, within = speed["mean_absolute_kmh"], speed["within_3_kmh"]
        if mean > SPEED_MEAN_KMH:
            out.append(f"speeds by {light}: mean error {mean:.2f} km/h, the bar is {SPEED_MEAN_KMH:g}")
        if within < SPEED_WITHIN_3_KMH:
            out.append(f"speeds by {light}: {within:.1%} within 3 km/h, the bar is {SPEED_WITHIN_3_KMH:.0%}")
        told, false = (speed["at_borrowed_limits"][name] for name in ("told", "false"))
        least = BARS[light, ActKind.SPEEDING].precision
        if not told or 1 - len(false) / told < least:
            of = f"{len(false)} of {told} false"
            out.append(f"speeding at borrowed limits by {light}: {of}, the bar is a precision of {least:g}")
    return out


def unruled(judged: Iterable[Judged]) -> list[str]:
    """Kinds of the city for which no camera has a rule."""
    on = {kind for one in judged for kind in one.rules}
    return [k.value for k in ActKind if not k.value.startswith("legal.") and k.value not in on]


def look_alikes(judged: Iterable[Judged]) -> dict[str, dict[str, dict[str, int]]]:
    """By light and kind: legal acts that a camera saw, and events of them."""
    out: dict[str, dict[str, dict[str, int]]] = {}
    for one in judged:
        kinds = out.setdefault(one.take.light, {})
        for kind, count in one.look_alikes.items():
            kinds.setdefault(kind, {"seen": 0, "flagged": 0})["seen"] += count
        for outcome in one.outcomes:
            for false in outcome.false:
                if false.look_alike:
                    kinds.setdefault(false.look_alike, {"seen": 0, "flagged": 0})["flagged"] += 1
    return out


def details(judged: Iterable[Judged]) -> list[dict[str, Any]]:
    """Everything missed or false, so that somebody can look at it."""
    out: list[dict[str, Any]] = []
    for one in judged:
        for outcome in one.outcomes:
            for missed in outcome.missed:
                out.append(
                    {
                        "what": "missed",
                        "film": one.take.name,
                        "camera": outcome.camera_id,
                        "kind": missed.act.kind.value,
                        "time_s": round(missed.moment_s, 2),
                        "actor": missed.act.actor_id,
                        "place": missed.act.place,
                        "height_px": round(missed.height_px),
                    }
                )
            for false in outcome.false:
                out.append(
                    {
                        "what": "false",
                        "film": one.take.name,
                        "camera": outcome.camera_id,
                        "kind": false.event.rule,
                        "time_s": round(false.event.time_s, 2),
                        "why": false.why,
                        "event": false.event.id,
                        "confidence": round(false.event.confidence, 2),
                    }
                )
    return out


def lanes(judged: Sequence[Judged]) -> dict[str, Any]:
    """Vehicles counted against truth by light: per lane and per class over all films, and together.

    Shares off are sums over films: what one film counts too much does not make up for another's too few.
    """
    out: dict[str, Any] = {}
    for light in LIGHTS:
        of_lane, of_kind, of_film, one_by_one = (defaultdict(lambda: [0, 0]) for _ in range(4))
        for film, one in enumerate(judged):
            for count in one.lanes if one.take.light == light else ():
                lane = f"{count.camera_id} {count.lane}"
                for sums in (
                    of_lane[lane],
                    of_kind[count.kind],
                    of_film[film, lane],
                    one_by_one[film, lane, count.kind],
                ):
                    sums[0] += count.true
                    sums[1] += count.counted
        true = sum(sums[0] for sums in of_lane.values())
        if true:
            out[light] = {
                "true": true,
                "counted": sum(sums[1] for sums in of_lane.values()),
                "off_by_lane": _off(of_film.values()) / true,
                "off_by_lane_and_class": _off(one_by_one.values()) / true,
                "lanes": {name: {"true": a, "counted": b} for name, (a, b) in of_lane.items()},
                "classes": {name: {"true": a, "counted": b} for name, (a, b) in sorted(of_kind.items())},
            }
    return out


def _off(counts: Iterable[Sequence[int]]) -> int:
    return sum(abs(true - counted) for true, counted in counts)


def report(
    judged: list[Judged],
    perception: dict[str, dict[str, Any]],
    facts: dict[str, Any],
    *,
    bars: bool,
    speeds: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """All of it, as JSON. `speeds` are the errors by light of a run without a worker, None of one with it."""
    table = rows(judged)
    counted = lanes(judged)
    if speeds is None:
        told = {light: one["speed"] for light, one in perception.items() if one["speed"] is not None}
    else:
        told = speeds
    return {
        **facts,
        "definition": DEFINITION,
        "kept_up": all(camera.kept_up for one in judged for camera in one.cameras),
        "films": [
            {
                "film": one.take.name,
                "light": one.take.light,
                "seed": one.take.scenario.seed,
                "seconds": one.take.scenario.duration_s,
                "cameras": {
                    camera.camera_id: {
                        "analysed": camera.analysed,
                        "expected": camera.expected,
                        "dropped": camera.dropped,
                        "latency_s": round(camera.latency_s, 3),
                        "kept_up": camera.kept_up,
                    }
                    for camera in one.cameras
                },
            }
            for one in judged
        ],
        "acts": [row.as_json() for row in table],
        "look_alikes": look_alikes(judged),
        "without_a_rule": unruled(judged),
        "lanes": counted,
        "plates": {
            light: plate_figures(reads)
            for light in LIGHTS
            if (reads := [read for one in judged if one.take.light == light for read in one.plates])
        },
        "perception": perception,
        "offline": speeds is not None,
        "speeds": speeds or {},
        "details": details(judged),
        "bars_missed": [*failures(table), *other_failures(counted, told)] if bars else None,
    }
