"""Areas form a tree (province, town, ward); an area is known by the path of ids from the root."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from typing import Annotated

from pydantic import Field

from pipeline.config.base import Settings
from pipeline.config.camera import CameraId


class AreaSettings(Settings):
    """One area, its cameras, and the areas in it."""

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
    """Names the area in paths such as tayninh/hoathanh."""
    name: Annotated[str, Field(min_length=1, max_length=100)]
    """Shown to people."""
    cameras: tuple[CameraId, ...] = ()
    """Cameras that stand here, in no area below."""
    areas: tuple[AreaSettings, ...] = ()


class AreaTree:
    """Looks up what the configuration says of areas. Immutable."""

    def __init__(self, root: AreaSettings) -> None:
        self.root = root.id
        """Path of the whole; cameras that no area names belong here."""
        self.names = {path: area.name for path, area in _walk(root, "")}
        """Path to name, parents before children."""
        self._of_camera = {camera: path for path, area in _walk(root, "") for camera in area.cameras}

    def area_of(self, camera_id: str) -> str:
        """Path of the camera's area."""
        return self._of_camera.get(camera_id, self.root)


def problems(root: AreaSettings) -> Iterator[str]:
    """What contradicts itself in a tree."""
    paths = Counter(path for path, _ in _walk(root, ""))
    yield from (f"area {path} is given {count} times" for path, count in paths.items() if count > 1)
    cameras = Counter(camera for _, area in _walk(root, "") for camera in area.cameras)
    yield from (f"camera {camera} is in {count} areas" for camera, count in cameras.items() if count > 1)
    yield from (f"area {path} is deeper than 5 levels" for path in paths if path.count("/") > 4)


def within(area: str, scopes: Collection[str]) -> bool:
    """Whether an area is one of the scopes, or below one."""
    return any(area == scope or area.startswith(f"{scope}/") for scope in scopes)


def _walk(area: AreaSettings, above: str) -> Iterator[tuple[str, AreaSettings]]:
    path = f"{above}/{area.id}" if above else area.id
    yield path, area
    for inner in area.areas:
        yield from _walk(inner, path)
