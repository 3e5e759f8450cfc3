"""Pictures of the city with labels, as Ultralytics reads them: images/*.jpg and labels/*.txt.

What a picture is labelled with, in pixels of the saved picture:

- road users of which at least `LEAST_VISIBLE` can be seen and whose longer side has `LEAST_PX`; two-wheelers
  with their riders in one box, as the pipeline treats them (a rider is no `person`);
- number plates from `LEAST_PLATE_PX` of width, heads from `LEAST_HEAD_PX` of height, as `helmet` or `head`.

Smaller ones are left unlabelled: nobody could tell what they are.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from unittest.mock import patch

import cv2

from pipeline.perception.classes import KINDS, PARTS
from pipeline.sim.city import City
from pipeline.sim.errors import SimError
from pipeline.sim.render import Rendered, Renderer
from pipeline.sim.scenario import Family, Scenario, scenario
from pipeline.sim.traffic import fleet
from pipeline.sim.types import CameraPose, Conditions, Seen
from pipeline.types import Picture, RoadUserKind

NAMES = (*(kind.value for kind in KINDS), *PARTS)
"""Class names in the order of the labels' numbers."""

DRAWN = (1280, 720)
SAVED = (640, 360)
"""Drawn larger than saved: a sub stream is made the same way."""

LEAST_VISIBLE = 0.3
LEAST_PX = 6.0
LEAST_PLATE_PX = 6.0
LEAST_HEAD_PX = 4.0

GAP_S = 2.0
"""Between pictures of one view: long enough that traffic has moved on."""

SCARCE = {
    RoadUserKind.MOTORBIKE: 0.56,
    RoadUserKind.CAR: 0.16,
    RoadUserKind.BICYCLE: 0.18,
    RoadUserKind.TRUCK: 0.06,
    RoadUserKind.BUS: 0.04,
}
"""Shares of arriving vehicles where asked for: of some, streets have too few to learn them from."""

_LIGHTS = ("day",) * 6 + ("night",) * 3 + ("dusk",) * 2
_PLANS = ("junction-day",) * 5 + ("road-day",) * 3 + ("security",)

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class View:
    """One camera's run of pictures in one city."""

    family: Family
    seed: int
    pictures: int
    catalogue: bool = False
    """The catalogue's own cameras and weather, without variation: for scoring."""
    scarce: bool = False
    """In every other city more of what streets have few of. Only where it is large enough to be told: who
    learns far cars and motorbikes from such a mix takes them for something else (measured)."""

    def scenario(self) -> Scenario:
        """The city, its weather and the one camera, all drawn from the seed."""
        dice = random.Random(f"{self.family} {self.seed}")
        base = scenario(dice.choice(_PLANS), self.family, self.seed, self.pictures * GAP_S)
        light = dice.choice(_LIGHTS)
        rain = dice.choice((0.0, 0.0, 0.0, dice.uniform(0.3, 0.9)))
        conditions = Conditions(
            light=light,
            rain=rain,
            haze=dice.choice((0.0, 0.1, dice.uniform(0.0, 0.45))),
            noise=dice.uniform(0.05, 0.3),
            sun_azimuth=dice.uniform(0.0, 2 * math.pi),
            sun_height=dice.uniform(0.1, 0.25) if light == "dusk" else dice.uniform(0.35, 1.2),
        )
        cameras = sorted(camera.id for camera in base.site().cameras)
        return replace(
            base,
            conditions=conditions,
            cameras=(dice.choice(cameras),),
            vehicles_per_hour=base.vehicles_per_hour * dice.uniform(0.5, 1.6),
            walkers_per_hour=base.walkers_per_hour * dice.uniform(0.6, 2.0),
        )

    def pose(self, chosen: Scenario) -> CameraPose:
        """The camera, hung a little elsewhere than in any film unless scoring."""
        (pose,) = chosen.poses()
        pose = replace(pose, width_px=DRAWN[0], height_px=DRAWN[1])
        if self.catalogue:
            return pose
        dice = random.Random(f"pose {self.family} {self.seed}")
        (x, y, z), (to_x, to_y, to_z) = pose.position, pose.look_at
        near = dice.uniform(0.55, 1.05)
        """Of the way from what it looks at: nearer shows larger vehicles."""
        position = (
            to_x + (x - to_x) * near + dice.uniform(-2.0, 2.0),
            to_y + (y - to_y) * near + dice.uniform(-2.0, 2.0),
            max(4.0, z * dice.uniform(0.65, 1.35)),
        )
        look_at = (to_x + dice.uniform(-5, 5), to_y + dice.uniform(-5, 5), to_z)
        return replace(
            pose, position=position, look_at=look_at, fov_deg=pose.fov_deg * dice.uniform(0.75, 1.2)
        )


def views(
    family: Family,
    pictures: int,
    *,
    each: int,
    first_seed: int = 0,
    catalogue: bool = False,
    scarce: bool = False,
) -> list[View]:
    """As many views of `each` pictures as make `pictures`."""
    return [
        View(family, first_seed + number, min(each, pictures - number * each), catalogue, scarce)
        for number in range(math.ceil(pictures / each))
    ]


Draw = Callable[[View], Iterator[tuple[Picture, list[str]]]]
"""Pictures of a view with their label lines."""


def labels(seen: Sequence[Seen], scale: float, size: tuple[int, int]) -> Iterator[str]:
    """Lines "class x y width height" (centre, 0..1) of what is worth a label in a picture of `size`."""
    for one in seen:
        if one.kind in NAMES and one.visible >= LEAST_VISIBLE and _longer(one.box) * scale >= LEAST_PX:
            yield line(NAMES.index(one.kind), one.box, scale, size)
        if one.plate_box is not None and (one.plate_box[2] - one.plate_box[0]) * scale >= LEAST_PLATE_PX:
            yield line(NAMES.index("license_plate"), one.plate_box, scale, size)
        for *box, helmet in one.heads:
            if (box[3] - box[1]) * scale >= LEAST_HEAD_PX:
                yield line(NAMES.index("helmet" if helmet else "head"), box, scale, size)


def render(view: View, chosen: Scenario) -> Iterator[Rendered]:
    """The view's pictures as large as drawn; `chosen` is its scenario, or a variant of it."""
    renderer = Renderer(chosen.site().layout, view.pose(chosen), chosen.conditions)
    mix = SCARCE if view.scarce and view.seed % 2 else {}
    with patch.dict(fleet.MIX, mix):
        city = City(chosen)
    return (renderer.draw(moment) for moment in city.moments(1 / GAP_S))


def draw_whole(view: View) -> Iterator[tuple[Picture, list[str]]]:
    """The view's pictures (360, 640, 3) and their label lines."""
    for drawn in render(view, view.scenario()):
        picture = cv2.resize(drawn.picture, SAVED, interpolation=cv2.INTER_AREA)
        yield picture, list(labels(drawn.seen, SAVED[0] / DRAWN[0], SAVED))


def save(view: View, folder: Path, draw: Draw = draw_whole, sort: str = "") -> int:
    """Draw a view into `folder`; how many pictures it is asked for. One that is whole is not drawn again."""
    name = f"{view.family}-{sort}{view.seed:05d}"
    done = folder / f"{name}.done"
    if done.exists():
        return view.pictures
    dice = random.Random(f"jpeg {name}")
    for number, (picture, lines) in enumerate(draw(view)):
        # A sub stream has little to spend: its H.264 is as rough as a poor JPEG.
        quality = [cv2.IMWRITE_JPEG_QUALITY, dice.randint(45, 92)]
        cv2.imwrite(str(folder / "images" / f"{name}-{number:03d}.jpg"), picture, quality)
        (folder / "labels" / f"{name}-{number:03d}.txt").write_text("\n".join(lines))
    done.touch()
    return view.pictures


def save_all(
    chosen: Sequence[View],
    folder: Path,
    progress: Progress,
    processes: int,
    draw: Draw = draw_whole,
    sort: str = "",
) -> None:
    """Draw views side by side, their files named after `sort`.

    A camera that looks away from the city is left out; all of them: SimError.
    """
    for part in ("images", "labels"):
        (folder / part).mkdir(parents=True, exist_ok=True)
    total, done = sum(view.pictures for view in chosen), 0
    refused: SimError | None = None
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for future in as_completed([pool.submit(save, view, folder, draw, sort) for view in chosen]):
            try:
                done += future.result()
            except SimError as error:
                refused = error
            progress(done, total)
    if not done and refused is not None:
        raise refused


def _longer(box: Sequence[float]) -> float:
    return max(box[2] - box[0], box[3] - box[1])


def line(number: int, box: Sequence[float], scale: float, size: tuple[int, int]) -> str:
    """One label line: `box` in pixels, times `scale`, within a picture of `size`."""
    left, top, right, bottom = (value * scale for value in box)
    wide, high = size
    return (
        f"{number} {(left + right) / 2 / wide:.5f} {(top + bottom) / 2 / high:.5f} "
        f"{(right - left) / wide:.5f} {(bottom - top) / high:.5f}"
    )
