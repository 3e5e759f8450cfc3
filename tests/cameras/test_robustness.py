"""What happens to one camera must not touch another: a bystander's frame rate is watched throughout."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

import pipeline.cameras.camera as camera_module
from pipeline.cameras.replay import ReplayServer
from pipeline.types import Frame
from tests.cameras.clips import make_clip, number_of
from tests.cameras.support import Relay, Watched, settings
from tests.waiting import wait_for

# Frame rates are measured here: nothing else may run beside them.
pytestmark = pytest.mark.serial

BYSTANDER_HZ = 10


def summary(frame: Frame) -> tuple[int, int, float]:
    return number_of(frame.picture), frame.connection, frame.time.captured_at_s


@pytest.fixture(scope="module")
def bystander(clips: dict[str, Path]) -> Iterator[Watched]:
    """A camera with a server of its own that is left in peace."""
    with ReplayServer([clips["plain"]]) as server:
        config = settings(server.urls["plain"], "bystander", rate_hz=BYSTANDER_HZ)
        with Watched(config, lambda frame: frame.connection) as watched:
            watched.until_frames(20)
            yield watched


@contextmanager
def undisturbed(bystander: Watched, what: str) -> Iterator[None]:
    """Whatever happens inside, the bystander's frames keep coming; the numbers are printed."""
    began_s = time.time()
    before_hz = bystander.rate_hz(began_s - 2, began_s)
    yield
    time.sleep(max(0.0, began_s + 3 - time.time()))
    ended_s = time.time()
    rate_hz = bystander.rate_hz(began_s, ended_s)
    came = [came_s for came_s in bystander.came_s if began_s <= came_s <= ended_s]
    longest_s = max(b - a for a, b in itertools.pairwise(came))
    print(
        f"\n{what}: bystander {before_hz:.1f} Hz before, {rate_hz:.2f} Hz for {ended_s - began_s:.1f} s, "
        f"longest gap {longest_s * 1e3:.0f} ms"
    )
    assert rate_hz == pytest.approx(BYSTANDER_HZ, rel=0.1)
    assert longest_s < 0.5
    assert bystander.states() == ["connecting", "up", *bystander.states()[2:]]
    assert set(bystander.states()[1:]) == {"up"}
    assert bystander.camera.stats().restarts == 0


def recovered(watched: Watched, since: int, timeout_s: float = 20) -> None:
    """Frames of a later connection come, with rising times in every connection."""
    connection = watched.frames[since - 1][1]
    watched.until(lambda: watched.frames[-1][1] > connection and watched.states()[-1] == "up", timeout_s)
    watched.until_frames(15)
    marks = [(connection, time_s) for _, connection, time_s in watched.frames]
    assert marks == sorted(marks)


def wounded(watched: Watched, since: int) -> list[str]:
    return [f"{health.state}: {health.reason}" for health in watched.health[since:]]


class ServerProcess:
    """`serve_forever` in a process of its own, so that it can be killed."""

    def __init__(self, clip: Path, port: int) -> None:
        code = (
            "import sys; from pathlib import Path; from pipeline.cameras.replay import serve_forever; "
            "serve_forever([Path(sys.argv[1])], '127.0.0.1', int(sys.argv[2]), "
            "lambda urls: print(*urls.values(), flush=True))"
        )
        self.process = subprocess.Popen(
            [sys.executable, "-c", code, str(clip), str(port)], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().strip()
        self.port = int(self.url.split(":")[2].split("/")[0])

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.mark.slow
def test_camera_disappears_for_thirty_seconds(clips: dict[str, Path], bystander: Watched) -> None:
    clip = clips["plain"]
    server = ServerProcess(clip, 0)
    try:
        with Watched(settings(server.url), summary) as watched:
            watched.until_frames(20)
            count, told = len(watched.frames), len(watched.health)
            with undisturbed(bystander, "camera gone for 30 s"):
                server.kill()
                time.sleep(30)
                assert watched.states()[-1] == "down"
                server = ServerProcess(clip, server.port)
                recovered(watched, count)
            assert any("cannot be reached" in said for said in wounded(watched, told))
            assert watched.health[-1].reconnects >= 2
    finally:
        server.kill()


def test_camera_sends_garbage_for_a_while(clips: dict[str, Path], bystander: Watched) -> None:
    with ReplayServer([clips["h264"]]) as server, Relay(server.port) as relay:
        with Watched(settings(relay.url("h264")), lambda frame: frame.connection) as watched:
            watched.until_frames(20)
            with undisturbed(bystander, "camera sends garbage"):
                relay.corrupt = True
                time.sleep(3)
                relay.corrupt = False
                mended_s = time.time()
                watched.until(lambda: watched.rate_hz(time.time() - 1, time.time()) > 20)
            assert time.time() - mended_s < 10
        assert watched.camera.stats().restarts == 0


def test_something_else_than_a_camera_answers(bystander: Watched) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def babble() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                    client.sendall(os.urandom(20000) + b"\r\n\r\nRTSP/1.0 200 OK\r\nCSeq: -1\r\n\r\n" * 50)
                except OSError:
                    return

        threading.Thread(target=babble, daemon=True).start()
        url = f"rtsp://127.0.0.1:{listener.getsockname()[1]}/x"
        with undisturbed(bystander, "nonsense instead of RTSP"), Watched(settings(url)) as watched:
            watched.until(lambda: watched.camera.health.reconnects >= 4)
            assert watched.camera.stats().restarts == 0
        assert "failed" in watched.health[1].reason
        assert watched.frames == []


def test_camera_stands_still_with_the_connection_open(clips: dict[str, Path], bystander: Watched) -> None:
    with (
        ReplayServer([clips["plain"]]) as server,
        Relay(server.port) as relay,
        Watched(settings(relay.url("plain")), summary) as watched,
    ):
        watched.until_frames(20)
        count, told = len(watched.frames), len(watched.health)
        with undisturbed(bystander, "camera stalls"):
            relay.frozen = True
            watched.until(lambda: "stalled" in watched.states())
            relay.mend()
            recovered(watched, count)
        assert any(f"{relay.port}/plain sent no video for 1 s" in said for said in wounded(watched, told))


@pytest.mark.parametrize("kind", ["two sizes", "zero gaps", "mpeg4", "b-frames"])
def test_strange_streams(kind: str, tmp_path: Path, clips: dict[str, Path], bystander: Watched) -> None:
    made: dict[str, Callable[[], Path]] = {
        "two sizes": lambda: clips["sizes"],
        "zero gaps": lambda: make_clip(
            tmp_path / "zero.mkv", frames=50, times_s=[n // 5 * 0.2 + (n % 5 > 2) * 0.04 for n in range(50)]
        ),
        "mpeg4": lambda: clips["mpeg4"],
        "b-frames": lambda: clips["h265"],
    }
    clip = made[kind]()
    with ReplayServer([clip]) as server, undisturbed(bystander, kind):
        with Watched(settings(server.urls[clip.stem]), summary) as watched:
            watched.until_frames(20)
            time.sleep(1)
        assert watched.states()[:2] == ["connecting", "up"]
        assert "down" not in watched.states()
        marks = [(connection, time_s) for _, connection, time_s in watched.frames]
        assert marks == sorted(set(marks)), "no moment is handed on twice"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGSTOP])
def test_a_cameras_process_dies_or_hangs(
    number: signal.Signals, clips: dict[str, Path], bystander: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(camera_module, "_SILENCE_S", 1.5)
    with (
        ReplayServer([clips["plain"]]) as server,
        Watched(settings(server.urls["plain"]), summary) as watched,
    ):
        watched.until_frames(20)
        count, told = len(watched.frames), len(watched.health)
        pid = watched.camera.stats().pid
        assert pid is not None
        with undisturbed(bystander, f"camera process gets {number.name}"):
            os.kill(pid, number)
            recovered(watched, count)
        said = wounded(watched, told)[0]
        assert said.startswith("down: the camera's process")
        assert number.name in said or "did not answer" in said
        stats = watched.camera.stats()
        assert stats.restarts == 1
        assert stats.pid != pid
        assert not psutil.pid_exists(pid)
        assert stats.units_received > count, "counts go on over a restart"


def test_when_the_parent_is_killed_its_children_go_too(clips: dict[str, Path]) -> None:
    code = (
        "import sys, time; from pipeline.cameras.camera import Camera\n"
        "from tests.cameras.support import settings\n"
        "camera = Camera(settings(sys.argv[1], loop=True), lambda _: None, lambda _: None); camera.start()\n"
        "while not camera.stats().frames_received: time.sleep(0.05)\n"
        "print('pid', camera.stats().pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code, clips["plain"].as_uri()], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    pid = next(int(line.split()[1]) for line in parent.stdout if line.startswith("pid"))
    child = psutil.Process(pid)
    assert child.is_running()
    assert os.getsid(pid) == pid, "Ctrl-C in a terminal is for the parent alone"
    parent.kill()
    parent.wait()
    assert wait_for(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE, 3)


def test_stop_ends_the_process_and_tells(server: ReplayServer) -> None:
    with Watched(settings(server.urls["plain"])) as watched:
        watched.until_frames(5)
        pid = watched.camera.stats().pid
        began_s = time.monotonic()
    assert time.monotonic() - began_s < 4
    assert pid is not None
    assert not psutil.pid_exists(pid)
    assert watched.states()[-1] == "stopped"
