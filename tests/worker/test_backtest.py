"""Back-test: what ran live comes out again, and a changed scene shows exactly what it changes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.config import Config, TracksSettings
from pipeline.ioc.console.texts import Texts
from pipeline.rules import Moments, build_rules
from pipeline.scene import Scene, SceneSettings
from pipeline.sim.scenario import scenario
from pipeline.tracks import log as tracks_log
from pipeline.tracks.log import TrackLog
from pipeline.tracks.store import StoredTracks
from pipeline.types import Head, Hit, Observation, on_grid
from pipeline.worker.backtest import Change, Replayed, caveats, compare, differing, on_trial, replay
from tests.rules.city import watch
from tests.rules.drive import RED, START_S, Driver, junction, observe

RUNS = [(0.0, 0.5, 0.95), (3.0, 0.5, 0.65), (4.0, 0.5, 0.55), (6.0, 0.5, 0.3)]
"""Crosses the line (y = 0.6) at 3.5 s and goes on into the junction."""
STOPS = [(0.0, 0.3, 0.95), (3.0, 0.3, 0.65), (4.0, 0.3, 0.56), (11.0, 0.3, 0.56)]
"""Crosses the line and stays a little beyond it."""


def on_the_grid(seen: Observation) -> Observation:
    """As perception tells it."""
    users = tuple(
        replace(
            user,
            kind_confidence=on_grid(user.kind_confidence),
            trajectory=tuple(
                replace(point, box=tuple(map(on_grid, point.box)), confidence=on_grid(point.confidence))
                for point in user.trajectory
            ),
        )
        for user in seen.road_users
    )
    signals = {k: replace(s, confidence=on_grid(s.confidence)) for k, s in seen.signals.items()}
    return replace(seen, road_users=users, signals=signals)


def live(scene: SceneSettings, observations: Iterable[Observation]) -> list[Hit]:
    """What a worker would have reported."""
    ready = Scene(scene)
    moments, rules = Moments(ready), build_rules(ready)
    hits = [
        hit
        for observation in observations
        for moment in moments.observe(observation)
        for rule in rules
        for hit in rule.observe(moment)
    ]
    return hits + [hit for moment in moments.finish() for rule in rules for hit in rule.observe(moment)]


@pytest.fixture(autouse=True)
def _tests_add_faster_than_any_camera(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracks_log, "WAITING", 10_000)


def store(root: Path, camera_id: str, observations: Iterable[Observation]) -> StoredTracks:
    tracks = TrackLog(root, TracksSettings(enabled=True), lambda *counted: None)
    tracks.start()
    camera = tracks.camera(camera_id)
    assert camera is not None
    for observation in observations:
        camera.add(observation)
    tracks.close(30.0)
    return StoredTracks(root)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "camera", "duration_s", "seed", "least"),
    [("junction-day", "south", 60.0, 3, 2), ("security", "yard-gate", 100.0, 1, 2)],
)
def test_what_the_rules_reported_live_comes_out_again(
    name: str, camera: str, duration_s: float, seed: int, least: int, tmp_path: Path
) -> None:
    """Every hit with every fact, moment and box; nothing else."""
    chosen = replace(scenario(name, "dev", seed, duration_s), cameras=(camera,))
    (watched,) = watch(chosen)[1]
    observations = [on_the_grid(seen) for seen in watched.observations]
    scene = watched.scene.settings
    stored = store(tmp_path, camera, observations)
    replayed = replay(stored, camera, [scene])
    expected = live(scene, observations)
    print([hit.rule for hit in expected])
    assert len(expected) >= least
    assert [found.hit for found in replayed.found[0]] == expected
    assert replayed.frames == len(observations)


def traffic() -> Iterator[Observation]:
    for seen in observe([Driver(RUNS, jitter=0.02), Driver(STOPS, track_id=2, jitter=0.02)], RED):
        yield on_the_grid(seen)


def line_at(y: float) -> SceneSettings:
    return SceneSettings.model_validate(junction(line=[[0.2, y], [0.8, y]]))


def outcomes(changes: list[Change]) -> list[tuple[str, str, int]]:
    return sorted((change.outcome, change.found.hit.rule, change.found.hit.track_id) for change in changes)


def test_a_stop_line_moved_forward_frees_who_stopped_just_beyond_it(tmp_path: Path) -> None:
    stored = store(tmp_path, "cam", traffic())
    replayed = replay(stored, "cam", [line_at(0.53), line_at(0.6), line_at(0.6)])
    now, then, same = replayed.found
    assert outcomes(compare(then, now)) == [("gone", "stop_line", 2), ("moved", "red_light", 1)]
    assert outcomes(compare(now, then)) == [("moved", "red_light", 1), ("new", "stop_line", 2)]
    assert {change.outcome for change in compare(then, same)} == {"same"}
    (moved,) = [change for change in compare(then, now) if change.outcome == "moved"]
    assert 0.3 < moved.moved_s < 1.2
    assert len(moved.found.way) > 10


def test_each_life_of_a_worker_is_judged_anew(tmp_path: Path) -> None:
    """The same ids again after a restart are other road users."""
    store(tmp_path, "cam", list(traffic()))
    later = [
        replace(
            seen,
            time=replace(seen.time, captured_at_s=seen.time.captured_at_s + 13.0),
            road_users=tuple(
                replace(u, trajectory=tuple(replace(p, time_s=p.time_s + 13.0) for p in u.trajectory))
                for u in seen.road_users
            ),
        )
        for seen in traffic()
    ]
    stored = store(tmp_path, "cam", later)
    found = replay(stored, "cam", [line_at(0.6)]).found[0]
    assert sorted((one.hit.rule, one.hit.track_id) for one in found) == [
        ("red_light", 1), ("red_light", 1), ("stop_line", 2), ("stop_line", 2)
    ]  # fmt: skip
    assert len({one.run for one in found}) == 2
    first_half = replay(stored, "cam", [line_at(0.6)], to_s=START_S + 12.5)
    assert len(first_half.found[0]) == 2


def caveats_of(now: dict[str, Any], then: dict[str, Any], replayed: Replayed) -> str:
    scenes = [SceneSettings.model_validate(scene) for scene in (now, then)]
    return "\n".join(caveats(scenes[0], scenes[1], replayed))


SEEN = Replayed([], frames=1, lamps={"ball", "arrow"})


def test_what_was_done_before_tracks_were_stored_is_told_where_scenes_differ_in_it() -> None:
    assert caveats_of(junction(), junction(), SEEN) == ""
    assert "windows differ" in caveats_of({**junction(), "windows": [[0.3, 0.3, 0.8, 0.7]]}, junction(), SEEN)


def test_rules_about_riders_without_heads_in_the_tracks_are_named() -> None:
    riders = {"rules": {"no_helmet": None, "too_many_riders": None}}
    assert "no riders' heads" in caveats_of(riders, {}, SEEN)
    assert caveats_of(riders, {}, SEEN).endswith("nothing here: no_helmet, too_many_riders")
    assert "no riders' heads" in caveats_of({}, riders, SEEN), "what is gone is not seen either"
    told = replace(SEEN, heads=True)
    assert "those of the detector, without model.heads" in caveats_of(riders, {}, told)
    assert caveats_of(riders, riders, told) == caveats_of({}, riders, told) == ""


def test_whether_heads_were_stored_is_found_in_the_tracks(tmp_path: Path) -> None:
    head = Head((0.5, 0.5, 0.51, 0.52), 0.25, 0.5, 10.0)
    observations = list(traffic())
    assert not replay(store(tmp_path / "without", "cam", observations), "cam", [line_at(0.6)]).heads
    with_heads = [
        replace(seen, road_users=tuple(replace(user, heads=(head,)) for user in seen.road_users))
        for seen in observations
    ]
    assert replay(store(tmp_path / "with", "cam", with_heads), "cam", [line_at(0.6)]).heads


def test_rules_that_go_on_trial_or_leave_it_are_told() -> None:
    def scene(**rules: dict[str, Any] | None) -> SceneSettings:
        return SceneSettings.model_validate({"rules": rules})

    live, trial = scene(crowd={}, loitering={"shadow": True}), scene(crowd={"shadow": True}, loitering=None)
    assert on_trial(live, None) == {"loitering": "on trial (shadow): not published"}
    assert on_trial(trial, live) == {
        "crowd": "on trial (shadow): not published; before it was published",
        "loitering": "published; before it was on trial (shadow)",
    }
    assert on_trial(scene(), trial) == {"crowd": "off; before it was on trial (shadow)"}
    assert on_trial(live, live) == on_trial(live, scene()) == on_trial(live, None)


def test_the_scene_editor_tells_them_in_vietnamese() -> None:
    """The browser does: JavaScript's regular expressions are Python's here."""
    problems = [pattern for pattern, _ in Texts("vi").sayings("problems")]
    rules = {"no_helmet": None, "red_light": {"shadow": True}}
    lit = SceneSettings.model_validate({**junction(), "rules": rules})
    bare = SceneSettings.model_validate(
        {
            "ignore": [[[0.1, 0.1], [0.2, 0.1], [0.2, 0.2]]],
            "windows": [[0.3, 0.3, 0.8, 0.7]],
            "rules": {"crowd": {"shadow": True}, "red_light": None},
        }
    )
    nothing, heads = Replayed([[], []], frames=9), Replayed([[], []], frames=9, heads=True)
    said = [*caveats(lit, bare, nothing), *caveats(lit, bare, heads)]
    for scenes in ((lit, bare), (bare, lit), (lit, None)):
        said += [f"{rule}: {text}" for rule, text in on_trial(*scenes).items()]
    assert len(set(said)) >= 9
    assert [text for text in said if not any(re.match(pattern, text) for pattern in problems)] == []


def test_configurations_are_held_against_each_other_in_what_makes_tracks() -> None:
    def config(model: dict[str, Any] | None = None, **camera: Any) -> Config:
        plain = {"id": "cam", "detect": {"url": "rtsp://192.0.2.1/"}}
        other = {"id": "other", "detect": {"url": f"rtsp://192.0.2.2/{len(camera)}"}}
        return Config.model_validate(
            {"model": {"path": "a.onnx", **(model or {})}, "cameras": [{**plain, **camera}, other]}
        )

    assert differing(config(), config(), "cam") == []
    assert differing(config({"path": "b.onnx", "heads": "h.onnx"}), config(), "cam") == [
        "model.path",
        "model.heads",
    ]
    assert differing(config({"confidence": 0.4, "iou": 0.5, "threads": 3}), config(), "cam") == [
        "model.confidence",
        "model.iou",
    ]
    changed = config(detect={"url": "rtsp://192.0.2.1/sub", "username": "me"}, analysis={"rate_hz": 2})
    assert differing(changed, config(), "cam") == ["detect.url", "analysis.rate_hz"]
