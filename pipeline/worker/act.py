"""What travels from a camera's watch to the events."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.scene import Scene
from pipeline.types import Hit


@dataclass(frozen=True, slots=True)
class Act:
    """A hit, and the scene that it was judged by: another may be in force when its event is made."""

    hit: Hit
    scene: Scene | None
    """None: not known any more, of an act that an earlier run saw."""
