"""Clips for the tests of cameras, made once per process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.cameras.replay import ReplayServer
from tests.cameras.clips import make_clip, make_clip_of_two_sizes


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Numbered pictures, ten seconds of each: H.264 plain and with B-frames, H.265, MPEG-4 part 2; and
    three seconds of two sizes.
    """
    folder = tmp_path_factory.mktemp("clips")
    return {
        "plain": make_clip(folder / "plain.mp4"),
        "h264": make_clip(folder / "h264.mp4", bframes=3),
        "h265": make_clip(folder / "h265.mp4", "h265", bframes=3),
        "mpeg4": make_clip(folder / "mpeg4.mkv", "mpeg4"),
        "sizes": make_clip_of_two_sizes(folder / "sizes.ts"),
    }


@pytest.fixture(scope="session")
def server(clips: dict[str, Path]) -> Iterator[ReplayServer]:
    """All clips as cameras."""
    with ReplayServer(list(clips.values())) as running:
        yield running
