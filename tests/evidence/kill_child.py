"""Makes bundles as fast as it can, to be killed: run as `python -m tests.evidence.kill_child ROOT FILM CLIP`.

For every line on stdin one fresh writer is forked and its process id printed; when it is dead, "dead" is.
"""

from __future__ import annotations

import os
import pickle
import shutil
import sys
from pathlib import Path
from uuid import uuid4

import structlog

from pipeline.config import CameraSettings, StreamSettings
from pipeline.evidence import SigningKey
from pipeline.types import Clip
from tests.evidence.conftest import make_hit, make_maker
from tests.evidence.film import START_S, Film, FilmRecording


class Copying(FilmRecording):
    """GStreamer does not outlive a fork: the clip is one that was muxed before."""

    ready: Path

    def clip(self, start_s: float, end_s: float, path: Path) -> Clip:
        shutil.copyfile(self.ready, path)
        return Clip(path, start_s, end_s, "h264", 101)


def write_forever(root: Path, film: Film, clip: Path) -> None:
    recording = Copying(film)
    recording.ready = clip
    maker = make_maker(root / "evidence", SigningKey.load_or_create(root / "data"))
    maker.store.sweep()
    camera = CameraSettings(id="giang-vo-1", detect=StreamSettings(url="rtsp://10.0.0.5/main"))
    track_id = 0
    while True:
        track_id += 1
        maker.make(make_hit(START_S + 6 + track_id % 8, track_id), str(uuid4()), recording, camera)


def main() -> None:
    root, film_path, clip = (Path(argument) for argument in sys.argv[1:])
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    film = pickle.loads(film_path.read_bytes())
    for _ in sys.stdin:
        writer = os.fork()
        if writer == 0:
            write_forever(root, film, clip)
        print(writer, flush=True)
        os.waitpid(writer, 0)
        print("dead", flush=True)


if __name__ == "__main__":
    main()
