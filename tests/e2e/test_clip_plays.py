"""The clip of a bundle plays in a real browser, as an officer's console will show it."""

from __future__ import annotations

import http.server
import os
import queue
import shutil
import subprocess
import threading
import urllib.parse
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from pipeline.cameras.camera import Camera
from pipeline.config import CameraSettings, StreamSettings
from tests.cameras.clips import make_clip

PAGE = """<!doctype html><video id="v" muted src="clip.mp4"></video><script>
const tell = (what) => fetch('/told?' + new URLSearchParams(what));
const v = document.getElementById('v');
v.onerror = () => tell({state: 'error', message: v.error.message});
v.onended = () => tell({state: 'ended', at: v.currentTime, duration: v.duration, width: v.videoWidth,
                        height: v.videoHeight, frames: v.getVideoPlaybackQuality().totalVideoFrames});
v.playbackRate = 2;
v.play().catch((e) => tell({state: 'refused', message: String(e)}));
</script>"""


class Site(http.server.SimpleHTTPRequestHandler):
    told: queue.Queue[dict[str, str]]

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        if path == "/told":
            self.told.put(dict(urllib.parse.parse_qsl(query)))
            self.send_response(204)
            self.end_headers()
        else:
            super().do_GET()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[str, Path, queue.Queue[dict[str, str]]]]:
    told: queue.Queue[dict[str, str]] = queue.Queue()
    handler = type("Handler", (Site,), {"told": told})
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(handler, directory=str(tmp_path))
    ) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/page.html", tmp_path, told
        server.shutdown()


@pytest.mark.timeout(120)
@pytest.mark.parametrize("bframes", [0, 2])
def test_clip_plays_to_its_end(
    site: tuple[str, Path, queue.Queue[dict[str, str]]],
    tmp_path_factory: pytest.TempPathFactory,
    bframes: int,
) -> None:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        if os.environ.get("CI"):
            pytest.fail("no Chromium: run scripts/setup")
        pytest.skip("no Chromium: run scripts/setup")
    url, folder, told = site
    source = make_clip(folder / "source.mp4", frames=150, bframes=bframes)
    camera = Camera(
        CameraSettings(id="film", detect=StreamSettings(url=f"file://{source}")),
        lambda _: None,
        lambda _: None,
    )
    camera.start()
    try:
        while camera.health.time is None:
            threading.Event().wait(0.05)
        began_s = camera.health.time.captured_at_s
        assert camera.wait_until(began_s + 5, 15)
        clip = camera.clip(began_s + 1.5, began_s + 4, folder / "clip.mp4")
    finally:
        camera.stop(3)
    (folder / "page.html").write_text(PAGE)
    browser = subprocess.Popen(
        [
            chromium,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--autoplay-policy=no-user-gesture-required",
            f"--user-data-dir={tmp_path_factory.mktemp('profile')}",
            "--remote-debugging-port=0",
            url,
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        answer = told.get(timeout=60)
    finally:
        browser.terminate()
        browser.wait(10)
    print(
        f"\nclip {clip.start_s - began_s:.2f}..{clip.end_s - began_s:.2f} s, {clip.frames} frames: {answer}"
    )
    assert answer["state"] == "ended", answer
    assert (answer["width"], answer["height"]) == ("640", "360")
    assert float(answer["duration"]) == pytest.approx(clip.end_s - clip.start_s, abs=0.15)
    assert int(answer["frames"]) >= 0.8 * clip.frames
