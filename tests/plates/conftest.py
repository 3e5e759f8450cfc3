"""The reader, loaded once."""

from __future__ import annotations

import pytest

from pipeline.plates import PlateReader


@pytest.fixture(scope="session")
def reader() -> PlateReader:
    return PlateReader()
