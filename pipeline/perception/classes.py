"""The project's classes, and how other models call them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from pipeline.types import RoadUserKind

KINDS: tuple[RoadUserKind, ...] = tuple(RoadUserKind)
"""Class id of a road user in `supervision.Detections` = its place here."""

PARTS: tuple[str, ...] = ("license_plate", "helmet", "head")
"""Things on a road user that some models see; their class ids follow those of `KINDS`."""

KIND_ID: dict[RoadUserKind, int] = {kind: index for index, kind in enumerate(KINDS)}

PERSON, BICYCLE, MOTORBIKE, CAR, BUS, TRUCK = (
    KIND_ID[kind]
    for kind in (
        RoadUserKind.PERSON,
        RoadUserKind.BICYCLE,
        RoadUserKind.MOTORBIKE,
        RoadUserKind.CAR,
        RoadUserKind.BUS,
        RoadUserKind.TRUCK,
    )
)

_ALIASES: dict[str, tuple[str, ...]] = {
    "person": ("pedestrian", "people", "rider", "human"),
    "bicycle": ("bike", "cyclist"),
    "motorbike": ("motorcycle", "motor", "motorcyclist", "scooter", "moped", "two wheeler"),
    "car": ("van", "taxi", "suv", "pickup", "minivan"),
    "bus": ("coach", "minibus"),
    "truck": ("lorry", "trailer"),
    "license_plate": ("licence plate", "plate", "number plate", "licenseplate"),
    "helmet": ("with helmet",),
    "head": ("no helmet", "without helmet"),
}


def _plain(name: str) -> str:
    """A name without case, hyphens and underscores."""
    return " ".join(name.lower().replace("_", " ").replace("-", " ").split())


_ID_OF_NAME: dict[str, int] = {
    _plain(alias): index
    for index, name in enumerate((*(kind.value for kind in KINDS), *PARTS))
    for alias in (name, *_ALIASES[name])
}


def project_ids(names: Sequence[str]) -> npt.NDArray[np.intp]:
    """(C,) project class id for each of a model's class names, -1 for what the project does not know."""
    return np.array([_ID_OF_NAME.get(_plain(name), -1) for name in names], dtype=np.intp)
