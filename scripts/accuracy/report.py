"""Figures out of outcomes, and how they are shown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table

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


def other_failures(lanes: Mapping[str, Any], speeds: Mapping[str, Any]) -> list[str]:
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


def lanes(judged: Iterable[Judged]) -> dict[str, Any]:
    """Vehicles counted against truth: per lane over all films of a light, and together."""
    out: dict[str, Any] = {}
    for light in LIGHTS:
        sums: dict[str, list[int]] = {}
        for one in judged:
            for lane in one.lanes if one.take.light == light else ():
                counts = sums.setdefault(f"{lane.camera_id} {lane.lane}", [0, 0])
                counts[0] += lane.true
                counts[1] += lane.counted
        true = sum(counts[0] for counts in sums.values())
        if true:
            out[light] = {
                "true": true,
                "counted": sum(counts[1] for counts in sums.values()),
                "off_by_lane": sum(abs(a - b) for a, b in sums.values()) / true,
                "lanes": {name: {"true": a, "counted": b} for name, (a, b) in sums.items()},
            }
    return out


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


def show(result: dict[str, Any], console: Console) -> None:
    """Print a report."""
    show_judged(result, console)
    if result["offline"]:
        for light, speed in result["speeds"].items():
            console.print(speed_line(light, speed))
        console.print(f"No worker, no streams: no picture was dropped. Took {result['took_s']:.0f} s.")
    else:
        _plates(result, console)
        _perception(result, console)
        _machine(result, console)
    if result["bars_missed"] is None:
        console.print("The bars are not asked for: this is too little to judge by.")
    for sentence in result["bars_missed"] or ():
        console.print(f"[bold red]bar missed[/] {sentence}")


def show_judged(result: dict[str, Any], console: Console) -> None:
    """The part of a report that tells what rules and counts made of the films."""
    console.print(f"Model {result['model']}. {result['definition']}\n", markup=False)
    _acts(result, console)
    _details(result, console)
    _lanes(result, console)


def _acts(result: dict[str, Any], console: Console) -> None:
    table = Table("light", "kind", title="Acts")
    for name in ("true", "found", "false", "missed", "precision", "recall", "late s", "p95 s", "unseen"):
        table.add_column(name, justify="right")
    table.add_column("look-alikes flagged")
    for row in result["acts"]:
        error = row["time_error_s"]
        table.add_row(
            row["light"],
            row["kind"],
            *(str(row[name]) for name in ("true", "found", "false", "missed")),
            *(_share(row[name], 3) for name in ("precision", "recall")),
            *(_share(error[name], 2) for name in ("median", "p95_absolute")),
            str(row["found_unseen"]),
            ", ".join(f"{name} ×{count}" for name, count in row["look_alikes_flagged"].items()),
        )
    console.print(table)
    console.print("unseen: really happened and found, though it did not count; neither found nor false.")
    for light, kinds in result["look_alikes"].items():
        flagged = (f"{kind} {one['flagged']} of {one['seen']}" for kind, one in sorted(kinds.items()))
        console.print(f"Legal look-alikes flagged, {light}: {', '.join(flagged) or 'none were seen'}.")
    if result["without_a_rule"]:
        console.print(
            f"No rule of these films' cameras, with this model, for: {', '.join(result['without_a_rule'])}."
        )


def _details(result: dict[str, Any], console: Console) -> None:
    if not result["details"]:
        return
    table = Table("", "film", "camera", "at s", "kind", "what", title="To look at")
    for one in result["details"]:
        text = (
            f"actor {one['actor']} {one['place']} {one['height_px']} px"
            if one["what"] == "missed"
            else f"{one['why']} ({one['confidence']}, event {one['event'][:8]})"
        )
        table.add_row(one["what"], one["film"], one["camera"], f"{one['time_s']:.1f}", one["kind"], text)
    console.print(table)


def _lanes(result: dict[str, Any], console: Console) -> None:
    table = Table("light", "camera and lane", "true", "counted", title="Vehicles counted")
    for light, found in result["lanes"].items():
        for name, counts in found["lanes"].items():
            table.add_row(light, name, str(counts["true"]), str(counts["counted"]))
        off = found["counted"] / found["true"] - 1
        text = f"all ({off:+.1%}; {found['off_by_lane']:.1%} lane by lane)"
        table.add_row(light, text, str(found["true"]), str(found["counted"]), style="bold", end_section=True)
    console.print(table)


def _plates(result: dict[str, Any], console: Console) -> None:
    names = ("acts", "exact", "legible", "legible_and_wrong", "candidates")
    table = Table("light", "characters", title="Plates of those reported")
    for name in names:
        table.add_column(name.replace("_", " "), justify="right")
    for light, bands in result["plates"].items():
        for band, one in bands.items():
            last = band == "all"
            table.add_row(
                light, band, *(str(one[name]) for name in names), style="bold" * last, end_section=last
            )
    console.print(table)


def _perception(result: dict[str, Any], console: Console) -> None:
    table = Table("light", "class", "objects", "mAP50", "mAP50-95", title="Detector and tracker")
    for light, found in result["perception"].items():
        for name, one in found["classes"].items():
            table.add_row(
                light, name, str(one["objects"]), _share(one["map50"], 3), _share(one["map50_95"], 3)
            )
        table.add_row(
            light,
            f"mean of {found['pictures']} pictures; HOTA {found['hota']:.3f} (detection {found['deta']:.3f}, "
            f"association {found['assa']:.3f}), IDF1 {found['idf1']:.3f}",
            "",
            _share(found["map50"], 3),
            _share(found["map50_95"], 3),
            style="bold",
            end_section=True,
        )
    console.print(table)
    for light, found in result["perception"].items():
        if found["speed"] is not None:
            console.print(speed_line(light, found["speed"]))


def speed_line(light: str, speed: dict[str, Any]) -> str:
    """Errors of speeds, as Perception has them."""
    return (
        f"Speeds, {light}: {speed['vehicles']} vehicles ({speed['unsure']} more, too unsure), "
        f"mean error {speed['mean_absolute_kmh']:.2f} km/h, "
        f"95 % within {speed['p95_absolute_kmh']:.2f} km/h, "
        f"{speed['within_3_kmh']:.1%} within 3 km/h, {speed['within_uncertainty']:.1%} within the "
        f"uncertainty told."
    )


def _machine(result: dict[str, Any], console: Console) -> None:
    cameras = [
        (film["film"], name, camera) for film in result["films"] for name, camera in film["cameras"].items()
    ]
    dropped = sum(camera["dropped"] for *_, camera in cameras)
    analysed, expected = (sum(camera[key] for *_, camera in cameras) for key in ("analysed", "expected"))
    slowest = max((camera["latency_s"] for *_, camera in cameras), default=0.0)
    console.print(
        f"{analysed} of {expected} pictures analysed, {dropped} dropped; mean latency of the slowest camera "
        f"{slowest:.2f} s. Took {result['took_s']:.0f} s."
    )
    for film, name, camera in cameras:
        if not camera["kept_up"]:
            console.print(
                f"[bold red]no measurement[/] {film} {name}: the machine could not keep up "
                f"({camera['analysed']} of {camera['expected']} analysed, {camera['dropped']} dropped): "
                "leave it alone meanwhile, or give a smaller --at-once"
            )


def _share(value: float | None, digits: int) -> str:
    return "-" if value is None else f"{value:.{digits}f}"
