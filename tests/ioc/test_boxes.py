"""Which worker is asked for a camera: one that answers, before one that did once."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pipeline.ioc.config.workers import WorkerAccess
from pipeline.ioc.desk.cameras import Boxes, CameraError
from pipeline.ioc.people import Person
from tests.ioc.acts import AREAS

ME = Person(1, "op", "Op", "operator", ("tayninh",), "vi", False, False, "")


class Worker(ThreadingHTTPServer):
    """Says which cameras it has, and its name as their scene."""

    def __init__(self, name: str, cameras: list[str]) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.name, self.cameras, self.up = name, cameras, True
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def access(self) -> WorkerAccess:
        return WorkerAccess(url=f"http://127.0.0.1:{self.server_address[1]}", token_env="NGATU_TEST_TOKEN")

    def stop(self) -> None:
        if self.up:
            self.up = False
            self.shutdown()
            self.server_close()


class Answer(BaseHTTPRequestHandler):
    server: Worker

    def do_GET(self) -> None:
        cameras = json.dumps([{"id": camera} for camera in self.server.cameras])
        body = (self.server.name if self.path.endswith("/scene") else cameras).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Worker]]:
    monkeypatch.setenv("NGATU_TEST_TOKEN", "a-token-of-this-test-alone")
    found = [Worker("old", ["cam-1", "cam-3"]), Worker("new", ["cam-2"])]
    yield found
    for worker in found:
        worker.stop()


def scene(boxes: Boxes, camera: str) -> str:
    boxes.told(ME, camera)  # asks all workers anew
    return boxes.scene(ME, camera)


@pytest.mark.parametrize("old_first", [True, False])
def test_a_camera_moved_from_a_dead_worker_is_asked_for_where_it_is_now(
    workers: list[Worker], old_first: bool
) -> None:
    old, new = workers
    listed = workers if old_first else workers[::-1]
    boxes = Boxes([worker.access() for worker in listed], AREAS)
    assert scene(boxes, "cam-1") == "old"
    old.stop()
    new.cameras.append("cam-1")
    assert scene(boxes, "cam-1") == "new"
    assert scene(boxes, "cam-2") == "new"
    # What was not moved is still known, and why it cannot be had.
    assert boxes.offered() == {"cam-1", "cam-2", "cam-3"}
    with pytest.raises(CameraError, match="does not answer"):
        scene(boxes, "cam-3")


@pytest.mark.parametrize("text", ["rules: {}  # tư ô ô\n", "# Đèn đỏ\nrules: {}\n", "rules: {}\n", ""])
def test_a_scene_file_is_read_as_it_stands_however_few_letters_it_has(
    workers: list[Worker], text: str
) -> None:
    workers[0].name = text
    assert scene(Boxes([workers[0].access()], AREAS), "cam-1") == text
