"""A bundle holds what the camera's ring held, and says what it did not."""

from __future__ import annotations

import errno
import hashlib
import json
import math
import threading
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from pipeline.config import CameraSettings
from pipeline.evidence import ROLES, EvidenceError, EvidenceMaker, SigningKey, store, verify
from pipeline.types import Clip, EvidenceBundle, EvidenceItem, Hit, RecordingError, Still, TrackPoint
from tests.evidence.conftest import EVENT_ID, MODEL, make_maker
from tests.evidence.film import RATE_HZ, START_S, Film, FilmRecording, frames_of


def item(bundle: EvidenceBundle, role: str) -> EvidenceItem:
    return next(item for item in bundle.items if item.role == role)


def missing(bundle: EvidenceBundle) -> dict[str, str]:
    return {part.role: part.reason for part in bundle.missing}


def test_whole_bundle(
    maker: EvidenceMaker, key: SigningKey, hit: Hit, film: Film, camera: CameraSettings
) -> None:
    bundle = maker.make(hit, EVENT_ID, FilmRecording(film), camera)

    assert bundle.path == maker.store.root / "2025-09-25" / "giang-vo-1" / EVENT_ID
    assert tuple(item.role for item in bundle.items) == ROLES
    assert bundle.missing == ()
    for part in bundle.items:
        data = (bundle.path / part.file).read_bytes()
        assert (part.size_bytes, part.sha256) == (len(data), hashlib.sha256(data).hexdigest())
    # The stills are the ring's own bytes, of the frames of these moments, stamped with their own time.
    for role, moment in (("before", hit.before), ("at", hit.at), ("after", hit.after)):
        number = round((moment.time_s - START_S) * RATE_HZ)
        assert (bundle.path / item(bundle, role).file).read_bytes() == film.jpegs[number]
        assert item(bundle, role).captured_at_s == START_S + film.units[number].time_s
    # The clip decodes, starts on the key frame before 4 s ahead of the act and ends 3 s behind it.
    clip = item(bundle, "clip")
    assert clip.captured_at_s == START_S + 4.0
    assert frames_of(bundle.path / clip.file) == 101
    # The crop shows the box and a margin, pixel for pixel.
    still = cv2.imdecode(np.frombuffer((bundle.path / "at.jpg").read_bytes(), np.uint8), cv2.IMREAD_COLOR)
    crop = cv2.imread(str(bundle.path / item(bundle, "crop").file))
    top, left = round((0.30 - 0.15 * 0.32) * 360), round((0.40 - 0.15 * 0.12) * 640)
    assert np.array_equal(crop, still[top : top + crop.shape[0], left : left + crop.shape[1]])
    assert crop.shape[:2] == (149, 100)

    raw = (bundle.path / "manifest.json").read_bytes()
    assert bundle.manifest_sha256 == hashlib.sha256(raw).hexdigest()
    assert bundle.signature_key_id == key.key_id
    assert verify(bundle.path, {key.public_key}).trusted


def test_manifest_says_all(
    maker: EvidenceMaker, key: SigningKey, hit: Hit, recording: FilmRecording, camera: CameraSettings
) -> None:
    bundle = maker.make(hit, EVENT_ID, recording, camera)
    raw = (bundle.path / "manifest.json").read_bytes()
    manifest = json.loads(raw)

    compact = json.dumps(manifest, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    assert raw == compact.encode(), "canonical JSON"
    assert manifest["event_id"] == EVENT_ID
    assert manifest["worker_id"] == "edge-01"
    assert manifest["camera"] == {"id": "giang-vo-1", "name": "Giảng Võ – Láng Hạ", "place": "Hà Nội"}
    assert manifest["model"] == {"name": MODEL[0], "sha256": MODEL[1]}
    assert manifest["track"] == {"id": 17, "kind": "motorbike"}
    assert manifest["time"] == {
        "captured_at": "2025-09-25T09:15:30.250000000Z",
        "source": "rtcp",
        "offset_ms": 3.25,
        "uncertainty_ms": 12.0,
    }
    assert manifest["moments"]["before"]["captured_at"] == "2025-09-25T09:15:28.750000000Z"
    assert manifest["facts"] == hit.facts
    assert manifest["geometry"] == {"stop_line south": [[0.1, 0.6], [0.9, 0.65]]}
    assert manifest["lamps"] == {"main": {"box": [0.9, 0.2, 0.95, 0.35], "color": "red"}}
    assert manifest["clip"]["frames"] == 101
    assert manifest["clip"]["codec"] == "h264"
    assert {entry["role"]: entry["sha256"] for entry in manifest["items"]} == {
        entry.role: entry.sha256 for entry in bundle.items
    }
    assert manifest["signature"]["public_key"] == key.public_key.hex()
    assert manifest["software"].startswith("ngatu ")


def test_odd_facts_do_not_cost_the_evidence(
    maker: EvidenceMaker, hit: Hit, recording: FilmRecording, camera: CameraSettings
) -> None:
    facts = {"angle_deg": np.float32(170.5), "way": np.array([1, 2]), "gap_s": math.nan, "at": (1, 2)}
    bundle = maker.make(replace(hit, facts=facts), EVENT_ID, recording, camera)
    manifest = json.loads((bundle.path / "manifest.json").read_text())
    assert manifest["facts"] == {"angle_deg": 170.5, "way": [1, 2], "gap_s": None, "at": [1, 2]}


def test_repeat_returns_the_first_bundle(
    maker: EvidenceMaker, hit: Hit, recording: FilmRecording, camera: CameraSettings
) -> None:
    first = maker.make(hit, EVENT_ID, recording, camera)
    assert maker.make(hit, EVENT_ID, recording, camera) == first


def test_two_threads_with_one_event_agree(
    maker: EvidenceMaker, hit: Hit, recording: FilmRecording, camera: CameraSettings
) -> None:
    bundles: list[EvidenceBundle] = []
    start = threading.Barrier(3)

    def run() -> None:
        start.wait()
        bundles.append(maker.make(hit, EVENT_ID, recording, camera))

    threads = [threading.Thread(target=run) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(bundles) == 3
    assert bundles[0] == bundles[1] == bundles[2]
    assert verify(bundles[0].path).ok


def test_ring_that_does_not_reach_back(
    maker: EvidenceMaker, hit: Hit, film: Film, camera: CameraSettings
) -> None:
    late = FilmRecording(film, first_s=hit.at.time_s - 0.05)
    bundle = maker.make(hit, EVENT_ID, late, camera)
    assert missing(bundle) == {
        "before": "the nearest frame is 1.50 s too late",
        "clip.before": "the clip starts 5.50 s late: the ring held no more",
    }
    assert {part.role for part in bundle.items} == {"at", "after", "crop", "annotated", "clip", "composite"}
    assert verify(bundle.path).ok
    assert [part.role for part in verify(bundle.path).missing] == ["before", "clip.before"]


def test_camera_that_died_during_the_act(
    tmp_path: Path, key: SigningKey, hit: Hit, film: Film, camera: CameraSettings
) -> None:
    maker = make_maker(tmp_path / "evidence", key, after_s=0.5, wait_s=1.0)
    dead = FilmRecording(film, last_s=hit.at.time_s - 0.6)
    began = time.monotonic()
    bundle = maker.make(hit, EVENT_ID, dead, camera)
    assert 1.4 <= time.monotonic() - began < 3.0, "waits after_s + wait_s, then makes do"
    gaps = missing(bundle)
    assert set(gaps) == {"at", "after", "crop", "annotated", "composite", "clip.after"}
    assert "decisive moment" in gaps["crop"]
    assert {part.role for part in bundle.items} == {"before", "clip"}


def test_waits_for_what_is_still_being_filmed(
    tmp_path: Path, key: SigningKey, hit: Hit, film: Film, camera: CameraSettings
) -> None:
    maker = make_maker(tmp_path / "evidence", key, after_s=0.5, wait_s=5.0)
    live = FilmRecording(film, last_s=hit.at.time_s, live=True)
    bundle = maker.make(hit, EVENT_ID, live, camera)
    assert bundle.missing == ()
    assert frames_of(bundle.path / "clip.mp4") >= 70


@pytest.mark.parametrize("how", ["hurry", "over"])
def test_waits_no_longer_than_it_makes_sense(
    maker: EvidenceMaker, hit: Hit, film: Film, camera: CameraSettings, how: str
) -> None:
    dead = FilmRecording(film, last_s=hit.after.time_s, over=how == "over")
    began = time.monotonic()
    if how == "hurry":
        threading.Timer(0.5, maker.hurry).start()
    bundle = maker.make(hit, EVENT_ID, dead, camera)
    assert time.monotonic() - began < 3.0
    assert set(missing(bundle)) == {"clip.after"}


def test_nothing_in_the_ring_still_makes_a_signed_bundle(
    maker: EvidenceMaker, hit: Hit, film: Film, camera: CameraSettings
) -> None:
    empty = FilmRecording(film, first_s=START_S + 100)
    bundle = maker.make(hit, EVENT_ID, empty, camera)
    assert bundle.items == ()
    assert set(missing(bundle)) == set(ROLES)
    assert all(reason for reason in missing(bundle).values())
    assert verify(bundle.path).ok


def test_damaged_still_and_box_outside(
    maker: EvidenceMaker, hit: Hit, film: Film, camera: CameraSettings
) -> None:
    outside = replace(hit, at=TrackPoint(hit.at.time_s, (1.2, 0.1, 1.4, 0.3)))
    assert set(missing(maker.make(outside, "outside", FilmRecording(film), camera))) == {"crop"}

    broken = replace(film, jpegs=tuple(jpeg[:100] for jpeg in film.jpegs))
    bundle = maker.make(hit, "broken", FilmRecording(broken), camera)
    assert missing(bundle) == dict.fromkeys(
        ("crop", "annotated", "composite"), "the still of the decisive moment is no readable JPEG"
    )


def test_recording_errors_are_named(
    maker: EvidenceMaker, hit: Hit, film: Film, camera: CameraSettings
) -> None:
    class Garbled(FilmRecording):
        def stills(self, times_s):
            first: list[Still | RecordingError] = super().stills(times_s)
            return [RecordingError("no key frame before it"), *first[1:]]

    bundle = maker.make(hit, EVENT_ID, Garbled(film), camera)
    assert missing(bundle) == {"before": "no key frame before it"}


def test_hits_that_cannot_be_stored(
    maker: EvidenceMaker, hit: Hit, recording: FilmRecording, camera: CameraSettings
) -> None:
    with pytest.raises(EvidenceError, match="cannot name a directory"):
        maker.make(hit, "../../escape", recording, camera)
    with pytest.raises(EvidenceError, match="has no moment"):
        maker.make(replace(hit, at=TrackPoint(math.nan, hit.at.box)), EVENT_ID, recording, camera)
    with pytest.raises(EvidenceError, match="cannot be put in a manifest"):
        maker.make(replace(hit, confidence=math.inf), EVENT_ID, recording, camera)
    assert not list(maker.store.root.glob("2*")), "nothing is left under a final name"


class Heavy(FilmRecording):
    """A real camera's clip: megabytes."""

    def clip(self, start_s: float, end_s: float, path: Path) -> Clip:
        made = super().clip(start_s, end_s, path)
        with path.open("ab") as file:
            file.write(bytes(2_000_000))
        return made


@pytest.mark.parametrize(
    ("recorded", "given_up"), [(Heavy, ["clip", "composite"]), (FilmRecording, ["composite"])]
)
def test_a_composite_is_kept_with_all_that_it_was_drawn_of(
    maker: EvidenceMaker,
    hit: Hit,
    film: Film,
    camera: CameraSettings,
    monkeypatch: pytest.MonkeyPatch,
    recorded: type[FilmRecording],
    given_up: list[str],
) -> None:
    """The disk is full just when the manifest is to be written, and the largest file gives way."""
    real, lacks = store.write_file, [1]

    def full(path: Path, data: bytes) -> None:
        if path.name == "manifest.json" and lacks[0]:
            lacks[0] -= 1
            raise OSError(errno.ENOSPC, "No space left on device")
        real(path, data)

    monkeypatch.setattr(store, "write_file", full)
    bundle = maker.make(hit, EVENT_ID, recorded(film), camera)
    assert verify(bundle.path).ok
    assert list(missing(bundle)) == given_up
    assert [each.role for each in bundle.items] == [role for role in ROLES if role not in given_up]
