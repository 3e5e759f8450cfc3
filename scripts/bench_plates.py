#!/usr/bin/env python3
"""Exact match of plate reading: real crops, real scenes, city plates by height of characters; and its cost.

    scripts/bench_plates.py crops ../shared/real/plates
    scripts/bench_plates.py scenes ../shared/real/plates
    scripts/bench_plates.py city --family heldout --first-seed 1 --seeds 10 [--model models/ngatu_nano.onnx]
    scripts/bench_plates.py rate --family dev --seeds 1

City vehicles are filmed through long lenses and compressed as JPEG; a vehicle's box
is the truth's, moved and scaled by a few per cent, as a tracker's is. Plates that something hides a part of
in one of their pictures are counted apart: no reading of them is the best one, a wrong one the worst.
"""

from __future__ import annotations

import argparse
import csv
import math
import random
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import structlog

from pipeline.config import ModelSettings
from pipeline.perception.classes import KINDS, PARTS
from pipeline.perception.detector import Detector
from pipeline.plates import PlateFinder, PlateReader, Sighting
from pipeline.plates.find import PixelBox
from pipeline.sim.render import Renderer
from pipeline.sim.scenario import FAMILIES, Family
from pipeline.sim.traffic import fleet
from pipeline.sim.traffic.fleet import MODELS
from pipeline.sim.types import (
    Actor,
    Area,
    CameraPose,
    Conditions,
    Layout,
    Marking,
    Moment,
    Paint,
    Plate,
    Surface,
)
from pipeline.types import Box, FrameTime, Hit, Picture, PlateReading, RoadUserKind, Still, TrackPoint
from pipeline.worker.plates import PlateDesk
from pipeline.worker.proof import ProofQueue
from pipeline.worker.telling import PROOF_THREADS, PROOFS_WAITING

EDGES = (6, 8, 10, 12, 14, 16, 18, 20, 24, 28, 34, 50)
"""Character heights, pixels, that part the curve's rows."""
PICTURES = 3
"""Of each vehicle, as the worker asks for."""
GAP_S = 0.24
UNHIDDEN = 0.95
"""Share of a plate's area that can be seen from which nothing hides it; less is pixels at its rim."""
PLATE_ID = len(KINDS) + PARTS.index("license_plate")
LIGHTS = ("day", "day", "dusk", "night")
MIX = {RoadUserKind.MOTORBIKE: 0.5, RoadUserKind.CAR: 0.34, RoadUserKind.TRUCK: 0.08, RoadUserKind.BUS: 0.08}


@dataclass(frozen=True, slots=True)
class Vehicle:
    """A city vehicle in a few pictures, with the truth."""

    plate: Plate
    kind: str
    light: str
    sightings: tuple[Sighting, ...]
    char_px: float
    """Mean over the pictures."""
    hidden: bool
    """A part of the plate, in one of them at least."""


def plate_finder(detector: Detector) -> PlateFinder | None:
    """The detector as a finder of plates; None where its model does not know them."""
    if "license_plate" not in detector.classes:
        return None

    def find(picture: Picture) -> list[tuple[PixelBox, float]]:
        [found] = detector.detect([picture])
        assert found.confidence is not None
        assert found.class_id is not None
        boxes = []
        for index in np.flatnonzero(found.class_id == PLATE_ID).tolist():
            left, top, right, bottom = (float(edge) for edge in found.xyxy[index])
            boxes.append(((left, top, right, bottom), float(found.confidence[index])))
        return boxes

    return find


def street(seed: int) -> Layout:
    """A straight road to the north between houses."""
    areas = [Area(Surface.ROAD, ((-8, -20), (8, -20), (8, 120), (-8, 120)))]
    for side in (-1, 1):
        for surface, near, far in ((Surface.PAVEMENT, 8, 12), (Surface.PLOT, 12, 30)):
            areas.append(
                Area(
                    surface,
                    tuple((side * x, y) for x, y in ((near, -20), (far, -20), (far, 120), (near, 120))),
                )
            )
    lines = tuple(Marking(Paint.DASHED, ((x, -20.0), (x, 120.0))) for x in (-4.0, 4.0))
    return Layout(tuple(areas), (*lines, Marking(Paint.SOLID, ((0.0, -20.0), (0.0, 120.0)))), (), seed)


def lens(number: int, rng: random.Random) -> tuple[CameraPose, Conditions]:
    """A camera over the road or beside it, and its weather."""
    far = rng.uniform(16, 45)
    # Pixels a metre at `far`: a car's characters get 8 to 40 of them, a motorbike's two thirds of that.
    scale = math.exp(rng.uniform(math.log(100), math.log(520)))
    pose = CameraPose(
        f"lens-{number}",
        (rng.uniform(-7, 7), 0.0, rng.uniform(4.5, 8.0)),
        (rng.uniform(-2, 2), far, 0.5),
        math.degrees(2 * math.atan(960 / (scale * far))),
    )
    light = LIGHTS[number % len(LIGHTS)]
    return pose, Conditions(light=light, rain=0.5 if rng.random() < 0.15 else 0.0)  # type: ignore[arg-type]


def traffic(pose: CameraPose, rng: random.Random) -> tuple[Actor, ...]:
    """Vehicles in the camera's view that do not hide each other, going away or coming."""
    actors = []
    y = pose.look_at[1] * rng.uniform(0.55, 0.75)
    while y < 1.7 * pose.look_at[1]:
        kind = rng.choices(list(MIX), list(MIX.values()))[0]
        model = MODELS[kind]
        size = [rng.uniform(*span) for span in (model.length_m, model.width_m, model.height_m)]
        # Where the line of sight is at this distance, a little aside.
        share = y / pose.look_at[1]
        x = pose.position[0] + (pose.look_at[0] - pose.position[0]) * share + rng.uniform(-0.8, 0.8)
        away = kind is RoadUserKind.MOTORBIKE or rng.random() < 0.5
        heading = (math.pi / 2 if away else -math.pi / 2) + rng.gauss(0, 0.12)
        number = len(actors) + 1
        actors.append(
            Actor(
                number, kind, (x, y + size[0] / 2), heading, rng.uniform(2, 14), *size,
                seed=rng.getrandbits(30), plate=fleet.plate(kind, rng), riders=fleet.riders(kind, rng),
                braking=rng.random() < 0.4,
            )
        )  # fmt: skip
        y += size[0] + rng.uniform(5, 9)
    return tuple(actors)


def film(family: Family, seed: int, lenses: int = 8, takes: int = 6) -> Iterator[Vehicle]:
    """Vehicles of one seed."""
    rng = random.Random(FAMILIES[family] + seed)
    for number in range(lenses):
        pose, weather = lens(number, rng)
        renderer = Renderer(street(rng.getrandbits(20)), pose, weather)
        for take in range(takes):
            actors = traffic(pose, rng)
            views: dict[int, list[tuple[Sighting, float, bool]]] = defaultdict(list)
            # The decisive moment first, then outwards, as the worker asks for them.
            for step in sorted(range(PICTURES), key=lambda k: abs(k - PICTURES // 2)):
                time_s = (step - PICTURES // 2) * GAP_S
                now = {actor.id: gone(actor, time_s) for actor in actors}
                drawn = renderer.draw(Moment(10.0 * take + time_s, tuple(now.values()), ()))
                for seen in drawn.seen:
                    if seen.plate_char_px >= EDGES[0]:
                        crop, box = cut(drawn.picture, seen.box, rng)
                        hidden = seen.plate_visible < UNHIDDEN
                        view = (Sighting(crop, box, time_s), seen.plate_char_px, hidden)
                        views[seen.actor_id].append(view)
            for actor in actors:
                if actor.plate is not None and (seen_of := views[actor.id]):
                    yield Vehicle(
                        actor.plate,
                        str(actor.kind),
                        str(weather.light),
                        tuple(view[0] for view in seen_of),
                        float(np.mean([view[1] for view in seen_of])),
                        any(view[2] for view in seen_of),
                    )


def gone(actor: Actor, time_s: float) -> Actor:
    """Where it is then."""
    way = actor.speed_mps * time_s
    x, y = actor.position
    return replace(actor, position=(x + way * math.cos(actor.heading), y + way * math.sin(actor.heading)))


def cut(picture: Picture, box: Sequence[float], rng: random.Random) -> tuple[Picture, Box]:
    """The vehicle with its surroundings out of a picture, compressed, and its box in that, inexact."""
    high, wide = picture.shape[:2]
    left, top, right, bottom = box
    w, h = right - left, bottom - top
    x0, x1 = max(0, int(left - 0.3 * w)), min(wide, int(right + 0.3 * w) + 1)
    y0, y1 = max(0, int(top - 0.3 * h)), min(high, int(bottom + 0.3 * h) + 1)
    _, packed = cv2.imencode(".jpg", picture[y0:y1, x0:x1], [cv2.IMWRITE_JPEG_QUALITY, 80])
    crop = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)
    l2, r2 = left + rng.gauss(0, 0.03) * w, right + rng.gauss(0, 0.03) * w
    t2, b2 = top + rng.gauss(0, 0.03) * h, bottom + rng.gauss(0, 0.03) * h
    return crop, (
        max(0.0, (l2 - x0) / (x1 - x0)),
        max(0.0, (t2 - y0) / (y1 - y0)),
        min(1.0, (r2 - x0) / (x1 - x0)),
        min(1.0, (b2 - y0) / (y1 - y0)),
    )


@dataclass(slots=True)
class Tally:
    """Counts of one row."""

    all: int = 0
    right: int = 0
    voted_right: int = 0
    single_right: int = 0
    legible: int = 0
    legible_wrong: int = 0
    lines_right: int = 0
    color_right: int = 0

    def add(self, reading: PlateReading, text: str, single: str = "") -> None:
        """Count one reading."""
        self.all += 1
        self.right += reading.text == text
        self.voted_right += "".join(reading.voted) == text
        self.single_right += single == text
        self.legible += reading.legible
        self.legible_wrong += reading.legible and reading.text != text

    def share(self, count: int) -> str:
        """Per cent."""
        return f"{100 * count / self.all:5.1f}" if self.all else "    -"


def upper_bound(wrong: int, all_: int) -> float:
    """Of the error rate, at 95 % (Wilson 1927), per cent."""
    if not all_:
        return 100.0
    z, p = 1.645, wrong / all_
    middle = p + z * z / (2 * all_)
    wide = z * math.sqrt(p * (1 - p) / all_ + z * z / (4 * all_ * all_))
    return 100 * (middle + wide) / (1 + z * z / all_)


def legible_line(tally: Tally) -> str:
    """What is told as legible, and how often that is wrong."""
    return (
        f"legible: {tally.legible} of {tally.all}, wrong {tally.legible_wrong}"
        f" ({100 * tally.legible_wrong / max(1, tally.legible):.2f} %, "
        f"below {upper_bound(tally.legible_wrong, tally.legible):.2f} % at 95 %)"
    )


def crops(folder: Path, reader: PlateReader) -> None:
    """Pictures that a plate fills."""
    total: dict[str, Tally] = defaultdict(Tally)
    spent = 0.0
    for row in csv.DictReader((folder / "crops.csv").open(encoding="utf-8")):
        picture = cv2.imread(str(folder / row["file"]))
        began = time.thread_time()
        reading = reader.read([Sighting(picture, (0.0, 0.0, 1.0, 1.0), 0.0)])
        spent += time.thread_time() - began
        for name in (row["layout"], "all"):
            total[name].add(reading, row["plate"])
        if reading.text != row["plate"]:
            print(f"  {row['plate']} read as {reading.text or '-'}, {reading.reason or 'legible'}")
    for name, tally in total.items():
        print(
            f"crops {name}: {tally.right} of {tally.all} ({tally.share(tally.right)} %), "
            f"before grammar {tally.voted_right}"
        )
    print(legible_line(total["all"]))
    print(f"{1000 * spent / total['all'].all:.0f} ms of one core a crop")


def scenes(folder: Path, reader: PlateReader) -> None:
    """Whole photographs: every plate is to be found and read."""
    wanted: dict[str, set[str]] = defaultdict(set)
    for row in csv.DictReader((folder / "scenes.csv").open(encoding="utf-8")):
        wanted[row["file"]].add(row["plate"])
    found = legible = wrong = 0
    for file, asked in wanted.items():
        readings = reader.plates(cv2.imread(str(folder / file)), 960)
        texts = {reading.text for reading in readings}
        found += len(asked & texts)
        legible += sum(reading.legible for reading in readings)
        wrong += sum(reading.legible and reading.text not in asked for reading in readings)
        for text in sorted(asked - texts):
            print(f"  {text} in {file} not read")
    print(
        f"scenes: {found} of {sum(map(len, wanted.values()))} plates; "
        f"legible {legible}, not in the list {wrong}"
    )


def city(vehicles: Iterable[Vehicle], reader: PlateReader) -> None:
    """The curve of exact match against height of characters."""
    rows: dict[int, Tally] = defaultdict(Tally)
    lights: dict[str, Tally] = defaultdict(Tally)
    tall, whole, hidden = Tally(), Tally(), Tally()
    colors: Counter[bool] = Counter()
    lines: Counter[bool] = Counter()
    spent = pictures = 0.0
    for vehicle in vehicles:
        kind = RoadUserKind(vehicle.kind)
        began = time.thread_time()
        reading = reader.read(vehicle.sightings, kind=kind)
        spent += time.thread_time() - began
        pictures += len(reading.sights)
        text = vehicle.plate.text
        if vehicle.hidden:
            hidden.add(reading, text)
            if reading.legible and reading.text != text:
                print(f"  {text} ({vehicle.kind}, {vehicle.light}, partly hidden) told as {reading.text}")
            continue
        single = reader.read(vehicle.sightings[:1], kind=kind).text
        whole.add(reading, text, single)
        edge = max((edge for edge in EDGES if edge <= vehicle.char_px), default=EDGES[0])
        rows[edge].add(reading, text, single)
        if vehicle.char_px >= 20:
            tall.add(reading, text, single)
            lights[vehicle.light].add(reading, text, single)
        if reading.text == text:
            colors[reading.color == vehicle.plate.color] += 1
            lines[len(reading.lines) == vehicle.plate.lines] += 1
        elif vehicle.char_px >= 20 or reading.legible:
            print(
                f"  {text} ({vehicle.kind}, {vehicle.light}, {vehicle.char_px:.0f} px) "
                f"read as {reading.text or '-'}: {reading.reason or 'legible'}"
            )
    print("| characters, px | vehicles | exact, voted % | one picture % | legible % | wrong among legible |")
    print("|---|---|---|---|---|---|")
    for edge in EDGES:
        row = rows[edge]
        if row.all:
            print(
                f"| {edge}+ | {row.all} | {row.share(row.right)} | {row.share(row.single_right)} | "
                f"{row.share(row.legible)} | {row.legible_wrong} |"
            )
    print(
        f"20 px and up: {tall.right} of {tall.all} ({tall.share(tall.right)} %), "
        f"before grammar {tall.voted_right}"
    )
    for light, row in sorted(lights.items()):
        print(f"  {light}: {row.right} of {row.all} ({row.share(row.right)} %)")
    print(legible_line(whole))
    print(f"partly hidden: {hidden.right} right; {legible_line(hidden)}")
    print(f"of those read right, colour {colors[True]}, line count {lines[True]} of {colors.total()} right")
    looked_at = max(1, whole.all + hidden.all)
    print(
        f"{1000 * spent / looked_at:.0f} ms of one core a vehicle, {pictures / looked_at:.1f} pictures read"
    )


class CityRing:
    """A recording that shows one vehicle at all times."""

    def __init__(self, vehicle: Vehicle) -> None:
        self._sightings = vehicle.sightings

    def stills(self, times_s: Sequence[float]) -> list[Still]:
        """Its pictures, compressed as a camera's process hands them over."""
        found = []
        for number, time_s in enumerate(times_s):
            picture = self._sightings[number % len(self._sightings)].picture
            _, packed = cv2.imencode(".jpg", picture)
            found.append(Still(packed.tobytes(), time_s, picture.shape[1], picture.shape[0]))
        return found


def rate(vehicles: Sequence[Vehicle], per_s: float, seconds: float) -> None:
    """What becomes of the proof queue and the desk when acts come at a steady rate; no evidence is made."""
    done: list[tuple[float, PlateReading]] = []
    born: dict[int, float] = {}

    def finish(hit: Hit, _: float) -> None:
        vehicle = vehicles[hit.track_id % len(vehicles)]
        reading = desk.read(hit, CityRing(vehicle))  # type: ignore[arg-type]
        done.append((time.monotonic() - born[hit.track_id], reading))

    refused: list[Hit] = []
    queue = ProofQueue(finish, refused.append, delay_s=0.0, limit=PROOFS_WAITING, threads=PROOF_THREADS)
    desk = PlateDesk(queue.overdue)
    desk.read(_hit(0, vehicles[0]), CityRing(vehicles[0]))  # type: ignore[arg-type]
    queue.start()
    longest, cpu, began = 0, time.process_time(), time.monotonic()
    for number in range(round(per_s * seconds)):
        time.sleep(max(0.0, began + number / per_s - time.monotonic()))
        born[number] = time.monotonic()
        queue.submit(_hit(number, vehicles[number % len(vehicles)]), 0.0)
        longest = max(longest, queue.waiting())
    left = queue.drain(60)
    spent = time.process_time() - cpu
    read = [reading for _, reading in done if reading.sights]
    waits = sorted(wait for wait, _ in done)
    print(
        f"{per_s:g} acts/s for {seconds:g} s: {len(read)} read, {len(done) - len(read)} not, "
        f"{len(refused)} refused, {left} left; most waiting {longest}; "
        f"in the queue {1000 * waits[len(waits) // 2]:.0f} ms (median), {1000 * waits[-1]:.0f} ms (most); "
        f"{spent / (time.monotonic() - began):.2f} cores, "
        f"{1000 * spent / max(1, len(read)):.0f} ms a plate read"
    )


def _hit(number: int, vehicle: Vehicle) -> Hit:
    before, at, after = (TrackPoint(time_s, vehicle.sightings[0].box) for time_s in (-1.0, 0.0, 1.0))
    return Hit(
        "red_light",
        "city",
        number,
        RoadUserKind(vehicle.kind),
        before,
        at,
        after,
        1.0,
        FrameTime(0.0, "file"),
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("crops", "scenes", "city", "rate"))
    parser.add_argument("folder", type=Path, nargs="?", default=Path("../shared/real/plates"))
    parser.add_argument("--family", default="dev", choices=("train", "dev", "heldout"))
    parser.add_argument("--seeds", type=int, default=2, help="how many")
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--model", type=Path, help="a detector with the class license_plate")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(30))
    detector = Detector(ModelSettings(path=arguments.model)) if arguments.model else None
    reader = PlateReader(plate_finder(detector) if detector else None)
    if arguments.what == "crops":
        crops(arguments.folder, reader)
    elif arguments.what == "scenes":
        scenes(arguments.folder, reader)
    else:
        filmed = _filmed(arguments.family, arguments.first_seed, arguments.seeds)
        if arguments.what == "city":
            city(filmed, reader)
        else:
            vehicles = list(filmed)
            for per_s in (1.0, 3.0, 10.0):
                rate(vehicles, per_s, 20.0)


def _filmed(family: Family, first_seed: int, seeds: int) -> Iterator[Vehicle]:
    for number in range(seeds):
        began, count = time.monotonic(), 0
        for vehicle in film(family, first_seed + number):
            count += 1
            yield vehicle
        took_s = time.monotonic() - began
        print(f"seed {first_seed + number}: {count} vehicles, {took_s:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
