"""Bundles are whole or not there, whatever dies or fills up; only what is old and acknowledged goes."""

from __future__ import annotations

import os
import pickle
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.config import CameraSettings
from pipeline.evidence import ROLES, EvidenceError, EvidenceMaker, SigningKey, verify, verify_tree
from pipeline.types import EvidenceBundle, FrameTime, Hit, TrackPoint
from tests.conftest import ROOT
from tests.evidence.conftest import EVENT_ID, make_hit, make_maker
from tests.evidence.film import START_S, Film, FilmRecording, mux

DAY_S = 86_400.0
Mount = Callable[[str], Path]


@pytest.fixture
def mount(tmp_path: Path) -> Iterator[Mount]:
    """Mounts a small file system in memory, with options; unmounts it afterwards."""
    target = tmp_path / "disk"
    target.mkdir()
    mounted = False

    def run(options: str) -> Path:
        nonlocal mounted
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(target)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            pytest.skip("there is no mount command")
        if done.returncode != 0:
            pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
        mounted = True
        return target

    yield run
    if mounted:
        subprocess.run(["umount", "--lazy", str(target)], check=True)


def files_below(path: Path) -> list[Path]:
    return [file for file in path.rglob("*") if file.is_file()]


def test_killed_at_any_moment_leaves_whole_bundles(tmp_path: Path, film: Film, key: SigningKey) -> None:
    root = tmp_path / "evidence"
    (tmp_path / "film").write_bytes(pickle.dumps(film))
    mux(film, film.units[:101], tmp_path / "clip.mp4")
    arguments = [str(tmp_path), str(tmp_path / "film"), str(tmp_path / "clip.mp4")]
    rng = random.Random(0)
    left_half_done = 0
    with subprocess.Popen(
        [sys.executable, "-m", "tests.evidence.kill_child", *arguments],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as nursery:
        assert nursery.stdin is not None
        assert nursery.stdout is not None
        for _ in range(20):
            nursery.stdin.write("go\n")
            nursery.stdin.flush()
            writer = int(nursery.stdout.readline())
            before = len(list(root.glob("2*/*/*")))
            deadline = time.monotonic() + 20
            while len(list(root.glob("2*/*/*"))) <= before:
                assert time.monotonic() < deadline, "the writer writes nothing"
                time.sleep(0.002)
            time.sleep(rng.uniform(0.0, 0.06))
            os.kill(writer, signal.SIGKILL)
            assert nursery.stdout.readline() == "dead\n"
            left_half_done += bool(files_below(root / ".staging"))
        nursery.stdin.close()

    results = list(verify_tree(root, {key.public_key}))
    assert len(results) >= 20
    assert [result for result in results if not result.ok] == []
    assert left_half_done > 0, "no kill came while a bundle was being written"

    maker = make_maker(root, key)
    maker.store.sweep()
    assert files_below(root / ".staging") == []
    assert {b.event_id for b in maker.store.unsent_bundles(lambda _: False)} == {r.event_id for r in results}


def test_sweep_spares_the_living(
    tmp_path: Path, key: SigningKey, hit: Hit, film: Film, camera: CameraSettings
) -> None:
    root = tmp_path / "evidence"
    alive = make_maker(root, key)
    starting = make_maker(root, key)
    dead = root / ".staging" / "123-dead" / "some-event"

    class Interrupted(FilmRecording):
        def clip(self, start_s, end_s, path):
            dead.mkdir(parents=True)
            (dead / "at.jpg").write_bytes(b"half")
            assert starting.store.sweep() == 1
            return super().clip(start_s, end_s, path)

    bundle = alive.make(hit, EVENT_ID, Interrupted(film), camera)
    assert bundle.missing == ()
    assert not dead.exists()
    assert verify(bundle.path).ok


def test_unsent_bundles_bring_all_that_the_event_needs(
    tmp_path: Path, maker: EvidenceMaker, key: SigningKey, film: Film, camera: CameraSettings
) -> None:
    # Moments as they come: no round figures, at any time of a century.
    rng = random.Random(1)
    hits = {}
    bundles = {}
    maker.hurry()
    for number in range(40):
        shift = rng.uniform(-1e9, 2.2e9)
        hit = make_hit(track_id=number)
        hit = replace(
            hit,
            before=replace(hit.before, time_s=hit.before.time_s + shift),
            at=replace(hit.at, time_s=hit.at.time_s + shift),
            after=replace(hit.after, time_s=hit.after.time_s + shift),
            time=FrameTime(hit.at.time_s + shift, "arrival", uncertainty_ms=rng.uniform(0, 500)),
        )
        event_id = f"event-{number}"
        hits[event_id] = hit
        bundles[event_id] = maker.make(hit, event_id, FilmRecording(film), camera)

    restarted = make_maker(maker.store.root, key)
    found = list(restarted.store.unsent_bundles(lambda event_id: event_id == "event-7"))
    assert {stored.event_id for stored in found} == set(hits) - {"event-7"}
    for stored in found:
        assert stored.bundle == bundles[stored.event_id]
        assert stored.hit == replace(
            hits[stored.event_id],
            geometry={"stop_line south": ((0.1, 0.6), (0.9, 0.65))},
        )
        assert (stored.manifest.worker_id, stored.manifest.camera.name) == ("edge-01", camera.name)

    # What is damaged, another's, or at a wrong place is not published.
    paths = [stored.bundle.path for stored in found]
    (paths[0] / "manifest.sig").write_bytes(b"")
    paths[1].rename(paths[1].parent / "event-99")
    assert len(list(restarted.store.unsent_bundles(lambda _: False))) == 38
    other = make_maker(maker.store.root, SigningKey.load_or_create(tmp_path / "other"))
    assert list(other.store.unsent_bundles(lambda _: False)) == []


def test_retention(maker: EvidenceMaker, key: SigningKey, film: Film, camera: CameraSettings) -> None:
    ids = ("old-sent", "old-unsent", "new-sent", "new-unsent")
    paths = {}
    now_s = time.time()
    for number, event_id in enumerate(ids):
        hit = make_hit(track_id=number)
        hit = replace(hit, camera_id=event_id)
        paths[event_id] = maker.make(hit, event_id, FilmRecording(film), camera).path
        made_s = now_s - (31 if event_id.startswith("old") else 29) * DAY_S
        os.utime(paths[event_id], (made_s, made_s))

    assert maker.store.expire(now_s, lambda event_id: event_id.endswith("-sent")) == 1
    assert {event_id for event_id, path in paths.items() if path.exists()} == set(ids) - {"old-sent"}
    assert not paths["old-sent"].parent.exists(), "empty folders go too"
    assert files_below(maker.store.root / ".staging") == []
    assert all(result.ok for result in verify_tree(maker.store.root, {key.public_key}))
    assert maker.store.expire(now_s + 100 * DAY_S, lambda _: False) == 0


def test_room_is_made_with_the_oldest_that_were_sent_and_with_no_other(
    maker: EvidenceMaker, film: Film, camera: CameraSettings
) -> None:
    """Their order is that in which they were made, whatever folders they lie in."""
    now_s = time.time() - 8 * DAY_S
    paths = []
    for number, made_s in enumerate((5, 1, 4, 2, 3)):
        seen = replace(make_hit(track_id=number), camera_id=f"cam-{number}")
        path = maker.make(seen, f"event-{made_s}", FilmRecording(film), camera).path
        os.utime(path, (now_s, now_s + made_s))
        paths.append(path)
    size_bytes = maker.store.bytes() // 5

    def left() -> list[str]:
        return sorted(path.name[-1] for path in paths if path.exists())

    def make_room(wanted_bytes: int, but: str = "") -> int:
        return maker.store.make_room(time.time(), wanted_bytes, lambda event_id: event_id != but)

    assert make_room(round(1.5 * size_bytes), but="event-2") == 2
    assert left() == ["2", "4", "5"]
    assert maker.store.bytes() == sum(file.stat().st_size for file in files_below(maker.store.root))
    assert make_room(0) == 0
    assert make_room(100 * size_bytes, but="event-2") == 2
    assert left() == ["2"]


@pytest.mark.parametrize(("settings", "going"), [({}, 2), ({"least_days": 3.0}, 3), ({"least_days": 0.0}, 4)])
def test_no_room_is_made_with_what_is_younger_than_the_least_days(
    tmp_path: Path,
    key: SigningKey,
    film: Film,
    camera: CameraSettings,
    settings: dict[str, float],
    going: int,
) -> None:
    maker = make_maker(tmp_path / "evidence", key, **settings)
    now_s = time.time()
    for number, days in enumerate((29.0, 7.1, 6.9, 0.1)):
        path = maker.make(make_hit(track_id=number), f"event-{number}", FilmRecording(film), camera).path
        os.utime(path, (now_s, now_s - days * DAY_S))
    assert maker.store.make_room(now_s, 10**12, lambda _: True) == going


def test_running_figure_of_bytes(
    maker: EvidenceMaker, key: SigningKey, hit: Hit, film: Film, camera: CameraSettings
) -> None:
    root = maker.store.root
    assert maker.store.bytes() == 0
    for number in range(3):
        maker.make(hit, f"event-{number}", FilmRecording(film), camera)
    maker.make(hit, "event-0", FilmRecording(film), camera)
    on_disk = sum(file.stat().st_size for file in files_below(root))
    assert maker.store.bytes() == on_disk > 0
    assert make_maker(root, key).store.bytes() == on_disk, "counted anew at start"
    assert maker.store.expire(time.time() + 40 * DAY_S, lambda event_id: event_id != "event-1") == 2
    assert maker.store.bytes() == sum(file.stat().st_size for file in files_below(root))
    assert maker.store.bytes() == maker.store.recount() > 0


def test_read_only_disk(
    mount: Mount, key: SigningKey, hit: Hit, recording: FilmRecording, camera: CameraSettings
) -> None:
    disk = mount("ro,size=1m")
    maker = make_maker(disk / "evidence", key)
    assert maker.store.sweep() == 0
    with pytest.raises(EvidenceError, match=r"cannot be written to .*/disk/evidence: Read-only file system"):
        maker.make(hit, EVENT_ID, recording, camera)
    subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    assert maker.make(hit, EVENT_ID, recording, camera).missing == (), "and goes on when it can"


def test_full_disk(
    mount: Mount, key: SigningKey, hit: Hit, recording: FilmRecording, camera: CameraSettings
) -> None:
    """From plenty of room down to none: what fits is kept and signed, the rest is listed, nothing is half."""
    disk = mount("size=2m")
    maker = make_maker(disk / "evidence", key)
    whole = maker.make(hit, "whole", recording, camera)
    assert whole.missing == ()

    outcomes: list[EvidenceBundle | EvidenceError] = []
    for number, room in enumerate((200_000, 120_000, 64_000, 32_000, 16_000, 12_000, 8_000, 4_096, 0)):
        fill(disk / "filler", room)
        try:
            bundle = maker.make(hit, f"event-{number}", recording, camera)
        except EvidenceError as error:
            outcomes.append(error)
        else:
            assert verify(bundle.path, {key.public_key}).trusted
            roles = {item.role for item in bundle.items} | {part.role for part in bundle.missing}
            assert set(ROLES) <= roles
            outcomes.append(bundle)
        assert files_below(disk / "evidence" / ".staging") == []

    partly = [o for o in outcomes if isinstance(o, EvidenceBundle) and o.missing and o.items]
    assert partly, "some bundle was kept in part"
    for bundle in partly:
        assert any("No space left" in part.reason for part in bundle.missing)
    last = outcomes[-1]
    assert isinstance(last, EvidenceError)
    assert "No space left on device; check the disk" in str(last)
    assert all(result.ok for result in verify_tree(disk / "evidence", {key.public_key}))
    on_disk = sum(file.stat().st_size for file in files_below(disk / "evidence"))
    assert maker.store.bytes() == on_disk


def fill(filler: Path, room: int) -> None:
    """Leave about `room` bytes free on the disk that `filler` is on."""
    filler.unlink(missing_ok=True)
    status = os.statvfs(filler.parent)
    with filler.open("wb") as stream:
        os.posix_fallocate(stream.fileno(), 0, max(1, status.f_bavail * status.f_frsize - room))


def test_day_of_the_act_in_utc(maker: EvidenceMaker, hit: Hit) -> None:
    midnight_s = 1_758_844_800.0
    for time_s, day in ((midnight_s - 0.001, "2025-09-25"), (midnight_s, "2025-09-26")):
        late = replace(hit, at=TrackPoint(time_s, hit.at.box))
        assert maker.store.path_of(late, "x") == maker.store.root / day / "giang-vo-1" / "x"
    assert midnight_s > START_S
