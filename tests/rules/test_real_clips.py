"""The rules on real footage with a real detector, held against what the eye sees (tests/e2e/truth.yaml)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import pytest
import yaml

from pipeline.config import ModelSettings
from pipeline.config.load import load_scene
from pipeline.perception.camera import CameraPerception
from pipeline.perception.closer import HeadFinder
from pipeline.perception.detector import Detector
from pipeline.rules import Moments, build_rules
from pipeline.scene import Scene, SceneSettings
from pipeline.types import Frame, FrameTime, Hit

E2E = Path(__file__).resolve().parents[1] / "e2e"
MODELS = Path(__file__).resolve().parents[2] / "models"
TRUTH: dict[str, Any] = yaml.safe_load((E2E / "truth.yaml").read_text(encoding="utf-8"))
NEAR_FRAMES = 4
RATE_HZ = 6.0


def frames(clip: Path) -> Iterator[tuple[int, Frame]]:
    """At most RATE_HZ a second, as the worker analyses them."""
    video = cv2.VideoCapture(str(clip))
    number, due_s = -1, 0.0
    while True:
        ok, picture = video.read()
        if not ok:
            return
        number += 1
        time_s = video.get(cv2.CAP_PROP_POS_MSEC) / 1000
        if time_s >= due_s - 0.5 / RATE_HZ:
            due_s = time_s + 1 / RATE_HZ
            yield number, Frame(clip.stem, picture, FrameTime(time_s, "file"), number)


def judge(
    clip: Path, model: Path, settings: SceneSettings, closer: HeadFinder | None = None
) -> list[tuple[int, Hit]]:
    """Hits with the frame number of their decisive moment."""
    scene = Scene(settings)
    moments, rules = Moments(scene), build_rules(scene)
    detector = Detector(ModelSettings(path=model))
    perception = CameraPerception(
        clip.stem,
        settings.lamps_to_read(),
        settings.ignore,
        closer=closer,
        riders_in_box=detector.riders_in_box,
    )
    numbers, hits = {}, []
    for number, frame in frames(clip):
        numbers[frame.time.captured_at_s] = number
        observation = perception.observe(frame, detector.detect([frame.picture])[0])
        hits += [
            hit for moment in moments.observe(observation) for rule in rules for hit in rule.observe(moment)
        ]
    hits += [hit for moment in moments.finish() for rule in rules for hit in rule.observe(moment)]
    return [(numbers[hit.at.time_s], hit) for hit in hits]


@pytest.mark.slow
@pytest.mark.parametrize("name", TRUTH)
def test_every_clear_act_is_found_and_nothing_else(name: str, video_dir: Path, yolox_path: Path) -> None:
    found = judge(video_dir / f"{name}.mp4", yolox_path, load_scene(E2E / "scenes" / f"{name}.yaml"))
    doubtful = [act for act in TRUTH[name]["doubtful"] for _ in range(act.get("count", 1))]
    for rule in ("red_light", "stop_line", "wrong_way"):
        open_acts = [act["crosses"] for act in TRUTH[name][rule]]
        for number, hit in found:
            if hit.rule != rule:
                continue
            near = [crosses for crosses in open_acts if abs(crosses - number) <= NEAR_FRAMES]
            if near:
                open_acts.remove(near[0])
            else:
                excuses = [
                    d for d in doubtful if d["rule"] == rule and d["frames"][0] <= number <= d["frames"][1]
                ]
                assert excuses, f"{rule} at frame {number} is no act: {dict(hit.facts)}"
                doubtful.remove(excuses[0])
        assert open_acts == [], f"{rule} missed at frames {open_acts}"


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in TRUTH if name.startswith(("junction", "oncoming"))])
def test_of_hundreds_of_riders_only_who_has_a_bare_head_is_told(name: str, video_dir: Path) -> None:
    """With our own detector, and our model of heads, which has never seen a real one."""
    scene = SceneSettings.model_validate({"rules": {"no_helmet": None, "too_many_riders": None}})
    heads = HeadFinder(MODELS / "ngatu_heads_int8.onnx")
    found = judge(video_dir / f"{name}.mp4", MODELS / "ngatu_nano_int8.onnx", scene, heads)
    clear = TRUTH[name].get("no_helmet", [])
    doubtful = [act for act in TRUTH[name]["doubtful"] if act["rule"] == "no_helmet"]
    told = [(hit.rule, number) for number, hit in found]
    print(f"\n{name}: {told}")
    for rule, number in told:
        assert rule == "no_helmet"
        assert any(act["frames"][0] <= number <= act["frames"][1] for act in [*clear, *doubtful]), told
    assert len(told) <= len(clear) + len(doubtful)
    for act in clear:
        assert any(act["frames"][0] <= number <= act["frames"][1] for _, number in told), act


def test_a_lane_turned_round_makes_the_oncoming_traffic_wrong(video_dir: Path, yolox_path: Path) -> None:
    name = "oncoming-motorbikes-1600x1200-6fps-mpeg4"
    scene = load_scene(E2E / "scenes" / f"{name}.yaml")
    lanes = tuple(lane.model_copy(update={"direction": lane.direction[::-1]}) for lane in scene.lanes)
    found = judge(video_dir / f"{name}.mp4", yolox_path, scene.model_copy(update={"lanes": lanes}))
    assert len(found) >= 3
    assert {hit.rule for _, hit in found} == {"wrong_way"}
    assert len({hit.track_id for _, hit in found}) == len(found)
