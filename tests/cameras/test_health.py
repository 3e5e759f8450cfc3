"""What of a camera's health is told: every change, and no flood of them."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest

import pipeline.cameras.camera as camera_module
from pipeline.cameras.camera import Camera
from pipeline.types import CameraHealth
from tests.cameras.support import settings
from tests.waiting import wait_for

AHEAD = "the camera's clock is 5.3 s ahead of this host's: frames are timed by arrival"


class Told:
    """A camera without a process: what its process would say is said by the test."""

    def __init__(self) -> None:
        self.health: list[CameraHealth] = []
        self._process: Any = SimpleNamespace(send=lambda _: None)
        self._camera = Camera(settings("rtsp://10.0.0.5/main"), lambda _: None, self.health.append)

    def says(self, state: str = "up", reason: str = "", source: str = "rtcp", **fields: Any) -> None:
        stamp = [time.time(), source, 0.0, 5.0]
        condition = {"state": state, "reason": reason, "reconnects": 0, "time": stamp}
        self._hears({"kind": "condition", "codec": "h264", "size": (1920, 1080), **condition, **fields})

    def status(self) -> None:
        self._hears({"kind": "status", "ring": None})

    def _hears(self, message: dict[str, Any]) -> None:
        self._camera._handle(self._process, message)


def test_a_complaint_is_told_and_withdrawn() -> None:
    told = Told()
    for reason in ("", AHEAD, AHEAD, ""):
        told.says(reason=reason)
    assert [health.reason for health in told.health] == ["", AHEAD, ""]
    assert len({health.since_s for health in told.health}) == 1


def test_what_flickers_is_held_back_and_the_last_is_told_later(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    told = Told()
    for number in range(600):
        now[0] += 1.0
        told.says(source="arrival" if number % 2 else "rtcp")
    assert len(told.health) <= 6
    told.says(reason=AHEAD, source="arrival")
    now[0] += 600.0
    told.status()
    assert told.health[-1].reason == AHEAD
    count = len(told.health)
    told.status()
    assert len(told.health) == count


def test_a_change_of_state_is_never_held_back(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    told = Told()
    for number in range(20):
        told.says(source="arrival" if number % 2 else "rtcp")
    told.says("stalled", "sent no video for 5 s")
    told.says()
    assert [health.state for health in told.health[-2:]] == ["stalled", "up"]
    now[0] += 600.0
    told.says(reason=AHEAD)
    assert told.health[-1] == replace(told.health[-2], reason=AHEAD, time=told.health[-1].time)


def test_what_flickers_with_the_connection_is_held_back_but_for_the_states(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    told = Told()
    for _ in range(140):
        for state, reason in (("stalled", "sent no video for 5 s"), ("up", ""), ("up", AHEAD), ("up", "")):
            now[0] += 1.0
            told.says(state, reason)
    changes = sum(before.state != after.state for before, after in pairwise(told.health))
    assert changes == 2 * 140 - 1
    assert len(told.health) == 1 + changes + 4
    told.says(reason=AHEAD)
    now[0] += 600.0
    told.status()
    assert told.health[-1].reason == AHEAD, "the last is told"


def test_a_complaint_after_a_single_reconnect_is_told_at_once() -> None:
    told = Told()
    told.says(source="arrival")
    told.says()
    told.says("stalled", "sent no video for 5 s")
    told.says(source="arrival")
    told.says()
    told.says(reason=AHEAD)
    assert told.health[-1].reason == AHEAD


class Silent:
    """A camera's process that is gone as soon as it is listened to; `made` has all of them."""

    made: list[Silent]

    def __init__(self, *_: object) -> None:
        self.pid, self.frames, self.killed = 0, SimpleNamespace(sendall=self.receive), False
        self.made.append(self)

    def receive(self, _: object) -> dict[str, Any]:
        raise EOFError

    def kill(self, _grace_s: float) -> str:
        self.killed = True
        return "it was ended"

    def leave(self, _timeout_s: float) -> None:
        self.killed = True


@pytest.mark.parametrize("fails", ["process", "thread"])
def test_a_host_out_of_threads_is_told_and_the_camera_tried_again(
    fails: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Silent, "made", [], raising=False)
    monkeypatch.setattr(camera_module, "CameraProcess", Silent)
    start, init = threading.Thread.start, Silent.__init__
    left = [1, 1]

    def refuse(name: str) -> None:
        if left and (name == "made") == (fails == "process"):
            left.pop()
            raise RuntimeError("can't start new thread")

    def refusing_start(thread: threading.Thread) -> None:
        if thread.name.startswith("frames-"):
            refuse("frames")
        start(thread)

    def refusing_init(process: Silent, *_: object) -> None:
        refuse("made")
        init(process)

    monkeypatch.setattr(threading.Thread, "start", refusing_start)
    monkeypatch.setattr(Silent, "__init__", refusing_init)
    health: list[CameraHealth] = []
    camera = Camera(settings("rtsp://10.0.0.5/main"), lambda _: None, health.append)
    camera.start()
    try:
        assert wait_for(lambda: camera.stats().restarts > 3)
        reasons = [each.reason for each in health]
        assert any("could not run" in reason and "new thread" in reason for reason in reasons)
        assert all(process.killed for process in Silent.made[:-1])
        assert health[-1].state == "down"
        assert "ended unexpectedly" in health[-1].reason, "the ordinary failure keeps its own sentence"
    finally:
        camera.stop(5)
    assert health[-1].state == "stopped"
