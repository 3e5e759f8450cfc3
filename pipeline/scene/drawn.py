"""What scene files are drawn with: points, lines and areas 0..1 of the picture, names, arrows."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, FiniteFloat

from pipeline.scene import geometry
from pipeline.types import Point

PARALLEL_DEG = 15.0
"""An arrow nearer than this to the run of the line it crosses cannot say which side is which."""


def tuple_of(size: int | None, what: str) -> Any:
    """Validates a list of `size` values (None: any number), called `what` in messages, into a tuple."""

    def check(value: Any) -> Any:
        if not isinstance(value, list | tuple):
            raise ValueError(f"must be {what}")
        if size is not None and len(value) != size:
            raise ValueError(f"must be {what}, not {len(value)} values")
        return tuple(value)

    return BeforeValidator(check)


Coordinate = Annotated[FiniteFloat, Field(ge=0, le=1)]
PicturePoint = Annotated[tuple[Coordinate, Coordinate], tuple_of(2, "a point [x, y], both 0..1")]


def _line(points: tuple[Point, ...]) -> tuple[Point, ...]:
    for i, (a, b) in enumerate(pairwise(points)):
        if a == b:
            raise ValueError(f"points {i} and {i + 1} are the same: a side without length")
    if (pair := geometry.self_crossing(points, closed=False)) is not None:
        raise ValueError(f"crosses itself: side {pair[0]} meets side {pair[1]}; draw it without a loop")
    return points


def _polygon(points: tuple[Point, ...]) -> tuple[Point, ...]:
    if len(points) > 3 and points[0] == points[-1]:
        raise ValueError("the last corner repeats the first; leave it out, the polygon closes by itself")
    for i, a in enumerate(points):
        if a == points[(i + 1) % len(points)]:
            raise ValueError(f"corners {i} and {(i + 1) % len(points)} are the same")
    if all(abs(geometry.signed_area((points[0], a, b))) < 1e-6 for a, b in pairwise(points[1:])):
        raise ValueError("encloses no area: its corners lie on one line")
    if (pair := geometry.self_crossing(points, closed=True)) is not None:
        raise ValueError(
            f"crosses itself: the side from corner {pair[0]} meets the side from corner {pair[1]}; "
            "list the corners in order around the area"
        )
    return points


Line = Annotated[
    tuple[PicturePoint, ...],
    tuple_of(None, "a list of two or more points"),
    Field(min_length=2, max_length=32),
    AfterValidator(_line),
]
Area = Annotated[
    tuple[PicturePoint, ...],
    tuple_of(None, "a list of three or more corners"),
    Field(min_length=3, max_length=64),
    AfterValidator(_polygon),
]
LimitKmh = Annotated[FiniteFloat, Field(ge=5, le=150)]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]


class Drawn(BaseModel):
    """Strict and frozen: an unknown key is an error, never silently ignored."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


Arrow = Annotated[tuple[PicturePoint, PicturePoint], tuple_of(2, "two points: [from, to]")]


def check_arrow(key: str, arrow: tuple[Point, Point], line: tuple[Point, ...]) -> None:
    """Raises ValueError for an arrow that does not say in which direction a line is crossed."""
    start, end = arrow
    if start == end:
        raise ValueError(f"{key} has no length: draw the arrow from before the line to beyond it")
    _, _, direction = geometry.project(start, line)
    angle = abs(geometry.turn_deg(direction, geometry.minus(end, start)))
    if min(angle, 180 - angle) < PARALLEL_DEG:
        raise ValueError(f"{key} runs parallel to the line: draw the arrow across it")
    if geometry.crossed(start, end, line) is None:
        raise ValueError(f"{key} does not cross the line: start the arrow before it and end it beyond")
