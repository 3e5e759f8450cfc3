"""The bars on real pictures: what is read is right, and what is told as legible is not wrong."""

from __future__ import annotations

import csv
from collections import defaultdict
from pathlib import Path

import cv2
import pytest

from pipeline.plates import PlateReader, Sighting


@pytest.fixture(scope="module")
def folder(shared_dir: Path) -> Path:
    found = shared_dir / "real" / "plates"
    if not found.is_dir():
        pytest.skip(f"no real plates: {found} is missing")
    return found


@pytest.mark.slow
def test_crops(reader: PlateReader, folder: Path) -> None:
    rows = list(csv.DictReader((folder / "crops.csv").open(encoding="utf-8")))
    assert len(rows) >= 150
    readings = [
        (row["plate"], reader.read([Sighting(cv2.imread(str(folder / row["file"])), (0, 0, 1, 1), 0.0)]))
        for row in rows
    ]
    assert sum(reading.text == plate for plate, reading in readings) >= 0.98 * len(rows)
    legible = [(plate, reading) for plate, reading in readings if reading.legible]
    # A number of four digits needs a second picture to be legible; here is one of each.
    assert len(legible) >= 0.65 * len(rows)
    assert sum(reading.text != plate for plate, reading in legible) <= 0.01 * len(legible)


@pytest.mark.slow
def test_scenes(reader: PlateReader, folder: Path) -> None:
    wanted: dict[str, set[str]] = defaultdict(set)
    for row in csv.DictReader((folder / "scenes.csv").open(encoding="utf-8")):
        wanted[row["file"]].add(row["plate"])
    found = sum(
        len(plates & {reading.text for reading in reader.plates(cv2.imread(str(folder / file)), 960)})
        for file, plates in wanted.items()
    )
    assert sum(map(len, wanted.values())) == 30
    assert found >= 29
