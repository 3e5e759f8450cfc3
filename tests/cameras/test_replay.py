from __future__ import annotations

import itertools
import socket
import statistics
from pathlib import Path
from urllib.parse import quote

import cv2
import pytest

from pipeline.cameras.gst import Gst
from pipeline.cameras.probe import probe
from pipeline.cameras.replay import ReplayError, ReplayServer, served
from pipeline.config.camera import StreamSettings
from tests.cameras.clips import make_clip, number_of
from tests.cameras.support import Watched, settings


@pytest.mark.serial
@pytest.mark.parametrize(("codec", "suffix", "bframes"), [("h264", ".mp4", 3), ("mpeg4", ".mkv", 0)])
def test_it_loops_at_the_files_pace_and_time_goes_on(
    tmp_path: Path, codec: str, suffix: str, bframes: int
) -> None:
    clip = make_clip(tmp_path / f"short{suffix}", codec, frames=50, bframes=bframes)
    with (
        ReplayServer([clip]) as server,
        Watched(settings(server.urls["short"]), lambda f: (number_of(f.picture), f)) as watched,
    ):
        watched.until(lambda: sum(b[0] < a[0] for a, b in itertools.pairwise(watched.frames)) >= 2, 20)
    numbers = [number for number, _ in watched.frames]
    assert set(range(3, 47)) <= set(numbers)
    late = [
        (number, frame.time.captured_at_s) for number, frame in watched.frames if frame.time.source == "rtcp"
    ]
    steps = [(b[0] - a[0]) % 50 for a, b in itertools.pairwise(late)]
    gaps = [b[1] - a[1] for a, b in itertools.pairwise(late)]
    # A busy machine may skip a picture; each that comes has its own time, over the loop too.
    assert steps.count(1) > 0.8 * len(steps)
    assert gaps == pytest.approx([step / 25 for step in steps], abs=0.01)
    took_s = watched.came_s[-1] - watched.came_s[0]
    assert len(numbers) / took_s == pytest.approx(25, rel=0.1)
    assert "down" not in watched.states()


def test_two_clients_share_one_playback(clips: dict[str, Path]) -> None:
    def seen(watched: Watched) -> dict[int, float]:
        return {number: round(time_s, 3) for number, time_s, source in watched.frames if source == "rtcp"}

    def keep(frame: object) -> tuple[int, float, str]:
        return number_of(frame.picture), frame.time.captured_at_s, frame.time.source

    with (
        ReplayServer([clips["plain"]]) as server,
        Watched(settings(server.urls["plain"]), keep) as one,
        Watched(settings(server.urls["plain"], "c2"), keep) as two,
    ):
        one.until(lambda: len(seen(one)) > 60)
        two.until(lambda: len(seen(two)) > 60)
    common = sorted(seen(one).keys() & seen(two).keys())
    assert len(common) > 40
    apart_s = [abs(seen(one)[number] - seen(two)[number]) for number in common]
    # A busy sender's report can be some ms late, and only one of the two may have begun with it:
    # the clock then closes the gap by 4 ms a picture. A playback of its own would be seconds away.
    assert max(apart_s[-20:]) < 0.01
    assert max(apart_s) < 0.2


def test_files_that_cannot_be_served_are_named(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    for path, says in [
        (tmp_path / "missing.mp4", "missing.mp4 cannot be served"),
        (tmp_path / "text.mp4", "text.mp4 cannot be served"),
        (make_clip(tmp_path / "web.mkv", "vp8", frames=5), "no supported video"),
        (make_clip(tmp_path / "bare.h264", frames=5), "carry no times"),
        (make_clip(tmp_path / "motion.mkv", "jpeg", frames=5), "not one of h264, h265, mpeg4"),
    ]:
        with pytest.raises(ReplayError, match=says):
            ReplayServer([path])
    with pytest.raises(ReplayError, match="same name"):
        ReplayServer([tmp_path / "a" / "x.mp4", tmp_path / "b" / "x.mp4"])


@pytest.mark.parametrize("name", ["a b", "Ngã Tư 1", "a#b 100% ?", "plain-1_a.b~c"])
def test_a_file_of_any_name_is_opened_by_the_address_that_is_given(clips: dict[str, Path], name: str) -> None:
    link = clips["plain"].parent / f"{name}.mp4"
    link.symlink_to(clips["plain"])
    with ReplayServer([link]) as server:
        (url,) = server.urls.values()
        assert url == f"rtsp://127.0.0.1:{server.port}/{quote(name)}"
        assert probe(StreamSettings(url=url), timeout_s=10).codec == "h264"
    link.unlink()


def test_a_port_in_use_is_said(clips: dict[str, Path]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ReplayError, match=f"cannot listen on 127.0.0.1:{port}"):
            ReplayServer([clips["plain"]], port=port)


def test_files_served_together_run_on_one_clock_whoever_comes_when(tmp_path: Path) -> None:
    """A main and a sub stream: what one shows at a moment, the other shows at that moment, over the loop."""
    files = [
        make_clip(tmp_path / f"{name}.mp4", frames=50, fps=12.5, size=size)
        for name, size in (("main", (640, 360)), ("sub", (320, 180)))
    ]

    def keep(frame: object) -> tuple[int, float, str]:
        return number_of(frame.picture), frame.time.captured_at_s, frame.time.source

    def timed(watched: Watched) -> list[tuple[int, float]]:
        return [(number, time_s) for number, time_s, source in watched.frames if source == "rtcp"]

    with served(files, together=True) as server, Watched(settings(server.urls["main"]), keep) as main:
        main.until(lambda: len(timed(main)) > 20)
        with Watched(settings(server.urls["sub"], "c2"), keep) as sub:
            sub.until(lambda: len(timed(sub)) > 70, 20)
    # How long before a picture its pass began: the same for both files and every pass, 4 s apart.
    began = [[(time_s - number / 12.5) % 4 for number, time_s in timed(one)] for one in (main, sub)]
    one, other = (statistics.median(times) for times in began)
    assert one == pytest.approx(other, abs=0.005)
    near = [abs(time_s - one) < 0.05 for times in began for time_s in times]
    assert sum(near) > 0.9 * len(near), "a busy machine may make a camera's first reports late"
    assert any(b[0] < a[0] for a, b in itertools.pairwise(timed(sub))), "it looped"


def test_pictures_of_several_slices_stay_whole(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "sliced.mp4", "h264-sliced", frames=50)
    assert slices_of_the_first_picture(clip) > 1, "the encoder made what this is about"
    with ReplayServer([clip]) as server, Watched(settings(server.urls["sliced"])) as watched:
        watched.until_frames(60, 20)
        first_s, last_s = (watched.frames[n].time.captured_at_s for n in (0, -1))
        got = watched.camera.clip(first_s + 0.1, last_s - 0.5, tmp_path / "got.mp4")
    numbers = []
    video = cv2.VideoCapture(str(got.path))
    while (read := video.read())[0]:
        numbers.append(number_of(read[1]))
    assert len(numbers) == got.frames > 40
    assert all((b - a) % 50 == 1 for a, b in itertools.pairwise(numbers))


def slices_of_the_first_picture(path: Path) -> int:
    shape = "video/x-h264,stream-format=byte-stream,alignment=au"
    pipeline = Gst.parse_launch(
        f'filesrc location="{path}" ! qtdemux ! h264parse ! {shape} ! appsink name=out'
    )
    pipeline.set_state(Gst.State.PLAYING)
    try:
        buffer = pipeline.get_by_name("out").emit("pull-sample").get_buffer()
    finally:
        pipeline.set_state(Gst.State.NULL)
    units = buffer.extract_dup(0, buffer.get_size()).split(b"\0\0\1")[1:]
    return sum(unit[0] & 31 == 5 for unit in units)


def test_a_server_in_a_process_of_its_own_says_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(ReplayError, match=r"text\.mp4 cannot be served"), served([tmp_path / "text.mp4"]):
        pass
