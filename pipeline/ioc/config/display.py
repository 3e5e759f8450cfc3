"""What the wall shows beside counts, and what goes to other systems: all of it optional."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from pipeline.config.base import Settings
from pipeline.config.camera import CameraId
from pipeline.config.document import ConfigError

Position = tuple[Annotated[float, Field(ge=-85, le=85)], Annotated[float, Field(ge=-180, le=180)]]
"""Latitude and longitude in degrees, WGS 84."""
MAX_LINES_BYTES, MAX_POINTS = 8_000_000, 50_000
_ALL_PARTS = ("{z}", "{x}", "{y}")


class MapSettings(Settings):
    """The wall's map. Nothing is asked of the internet unless `tiles` names a server."""

    cameras: dict[CameraId, Position] = Field(default_factory=dict)
    """Where each stands; cameras without a place are listed beside the map."""
    lines: Path | None = None
    """GeoJSON of roads and boundaries, drawn as plain lines behind the cameras."""
    tiles: str | None = None
    """Of a tile server: https://tiles.example.org/{z}/{x}/{y}.png; browsers fetch from it."""
    attribution: Annotated[str, Field(max_length=200)] = ""
    """What its owner asks to be shown."""

    @field_validator("tiles")
    @classmethod
    def _is_a_tile_server(cls, url: str | None) -> str | None:
        if url is not None:
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
                raise ValueError("must be http(s)://HOST/..., without a login")
            if any(part not in parts.path for part in _ALL_PARTS) or set(url) & set(" ;,'\"<>"):
                raise ValueError("must hold {z}, {x} and {y} in its path, and no blanks, commas or quotes")
        return url

    @property
    def tiles_origin(self) -> str:
        """Where pictures may come from, for the pages' security policy; "" where nowhere else."""
        parts = urlsplit(self.tiles or "")
        return f"{parts.scheme}://{parts.netloc}" if self.tiles else ""


class CitizensSettings(Settings):
    """Answers to whoever asks by plate whether a case was confirmed; for a portal or chat channel to call."""

    enabled: bool = False
    days: Annotated[int, Field(ge=1, le=3650)] = 365
    """Acts further back are not told."""
    per_address_per_minute: Annotated[int, Field(ge=1, le=100_000)] = 30
    """A portal that asks for its users has one address: it needs more."""
    per_second: Annotated[int, Field(ge=1, le=10_000)] = 20
    """Of all addresses together."""
    unit: Annotated[str, Field(max_length=200)] = ""
    """The unit that handles cases, as citizens are told it."""
    phone: Annotated[str, Field(max_length=40)] = ""


class ExchangeSettings(Settings):
    """Formats of other systems."""

    ngsi_ld: bool = False
    """Confirmed violations and traffic as FIWARE's TrafficViolation and TrafficFlowObserved."""


def map_lines(settings: MapSettings) -> list[dict[str, Any]]:
    """Lines of the map as {"kind": "road" or "boundary", "name", "points": [[latitude, longitude], ...]}.

    Raises ConfigError.
    """
    path = settings.lines
    if path is None:
        return []
    try:
        if path.stat().st_size > MAX_LINES_BYTES:
            raise ConfigError([f"{path}: larger than {MAX_LINES_BYTES} bytes: simplify it"])
        found = list(_drawn(json.loads(path.read_text("utf-8"))))
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ConfigError([f"{path}: no GeoJSON of lines and polygons can be read: {error}"]) from error
    if sum(len(line["points"]) for line in found) > MAX_POINTS:
        raise ConfigError([f"{path}: more than {MAX_POINTS} points: simplify it"])
    return found


def _drawn(shape: Any) -> Any:
    if shape["type"] == "FeatureCollection":
        for feature in shape["features"]:
            name = str((feature.get("properties") or {}).get("name", ""))[:60]
            yield from ({**line, "name": name} for line in _drawn(feature["geometry"]))
    elif shape["type"] == "Feature":
        yield from _drawn({"type": "FeatureCollection", "features": [shape]})
    elif shape["type"] in ("LineString", "MultiLineString"):
        lines = [shape["coordinates"]] if shape["type"] == "LineString" else shape["coordinates"]
        yield from ({"kind": "road", "name": "", "points": _points(line)} for line in lines)
    elif shape["type"] in ("Polygon", "MultiPolygon"):
        polygons = [shape["coordinates"]] if shape["type"] == "Polygon" else shape["coordinates"]
        rings = [ring for polygon in polygons for ring in polygon]
        yield from ({"kind": "boundary", "name": "", "points": _points(ring)} for ring in rings)
    elif shape["type"] != "Point":
        raise ValueError(f"the type {str(shape['type'])[:40]!r} is not drawn")


def _points(line: Any) -> list[list[float]]:
    points = [[round(float(y), 6), round(float(x), 6)] for x, y, *_ in line]
    if any(not (-85 <= y <= 85 and -180 <= x <= 180) for y, x in points):
        raise ValueError("a point is not on the map: coordinates are longitude, latitude in degrees")
    return points
