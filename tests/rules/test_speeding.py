from __future__ import annotations

import math
import random
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from pipeline.rules import RuleError, build_rules
from pipeline.rules.speed import measure
from pipeline.scene import Calibration, Scene, SceneSettings
from pipeline.types import FrameTime, Hit, Observation, RoadUserKind, TrackPoint
from tests.rules.drive import judge as judge_by
from tests.rules.drive import moments
from tests.rules.metres import (
    CALIBRATION,
    SIZE,
    START_S,
    SURVEYED,
    Vehicle,
    every,
    lane,
    observe,
    seen,
    steady,
)

ASPECT = SIZE[0] / SIZE[1]
ROAD: dict[str, Any] = {
    "calibration": CALIBRATION,
    "lanes": [lane("north", -3.5, 3.5, limit_kmh=50)],
    "rules": {"speeding": None},
}


def calibrated() -> Calibration:
    calibration = Scene(SceneSettings.model_validate({"calibration": CALIBRATION})).calibration
    assert calibration is not None
    return calibration


def judge(observations: Iterable[Observation], **changes: Any) -> list[Hit]:
    return judge_by({**ROAD, **changes}, observations)


@pytest.mark.parametrize("kmh", [60, 80, 100])
def test_a_vehicle_surely_over_the_limit_is_reported_once_with_its_speed(kmh: float) -> None:
    (hit,) = judge(observe([Vehicle(steady(kmh), jitter=0.02)]))

    assert hit.rule == "speeding"
    assert hit.facts["speed_kmh"] == pytest.approx(kmh, abs=3)
    assert 0 < hit.facts["uncertainty_kmh"] < 8
    assert hit.facts["speed_kmh"] - hit.facts["uncertainty_kmh"] > hit.facts["limit_kmh"] == 50
    assert hit.facts["limit_of"] == "lane north"
    assert hit.before.time_s < hit.at.time_s < hit.after.time_s
    assert hit.confidence > 0.9


@pytest.mark.parametrize("kmh", [30, 45, 50])
@pytest.mark.parametrize("jitter", [0.0, 0.02, 0.05])
def test_nobody_at_or_under_the_limit_is_reported(kmh: float, jitter: float) -> None:
    for seed in range(4):
        assert judge(observe([Vehicle(steady(kmh), jitter=jitter, seed=seed)])) == []


def test_a_little_over_the_limit_is_within_the_uncertainty() -> None:
    assert judge(observe([Vehicle(steady(50.5), jitter=0.02)])) == []


def test_the_operator_may_ask_for_more() -> None:
    assert judge(observe([Vehicle(steady(58))]))
    assert judge(observe([Vehicle(steady(58))]), rules={"speeding": {"over_kmh": 10}}) == []


def test_speed_is_taken_over_capture_time_and_not_over_frames() -> None:
    rng = random.Random(3)
    uneven, time_s = [], 0.0
    while time_s < 6:
        uneven.append(time_s)
        time_s += rng.choice([0.1, 0.12, 0.2, 0.35])

    assert judge(observe([Vehicle(steady(45))], uneven)) == []
    (hit,) = judge(observe([Vehicle(steady(70))], uneven))
    assert hit.facts["speed_kmh"] == pytest.approx(70, abs=2)


def test_a_moment_told_twice_makes_no_speed() -> None:
    # A recorder that stamps two pictures alike, though the vehicle moved on in between.
    twice = lambda time_s: time_s - (1 / 6 if round(time_s * 6) % 4 == 3 else 0)  # noqa: E731
    assert judge(observe([Vehicle(steady(45))], stamp=twice)) == []
    (hit,) = judge(observe([Vehicle(steady(75))], stamp=twice))
    assert hit.facts["speed_kmh"] == pytest.approx(75, abs=4)


@pytest.mark.parametrize("leap_m", [2.0, 4.0, 8.0, 20.0])
@pytest.mark.parametrize("at_s", [0.8, 1.5, 2.2])
def test_an_id_that_leaps_to_the_vehicle_in_front_is_not_fast(leap_m: float, at_s: float) -> None:
    leaps = lambda time_s: 45 / 3.6 * time_s + (leap_m if time_s >= at_s else 0)  # noqa: E731
    for hit in judge(observe([Vehicle(leaps, jitter=0.01)])):
        pytest.fail(f"leap of {leap_m} m at {at_s} s: {hit.facts}")


def test_speeds_of_tracks_that_leap_are_never_absurd() -> None:
    rng = random.Random(5)
    at = sorted(rng.uniform(0, 5) for _ in range(6))
    hops = [rng.uniform(-6, 6) for _ in at]
    jumps = lambda t: 40 / 3.6 * t + sum(hop for s, hop in zip(at, hops, strict=True) if t >= s)  # noqa: E731
    for hit in judge(observe([Vehicle(jumps)])):
        assert hit.facts["speed_kmh"] < 90


def test_lost_and_found_again_is_reported_once() -> None:
    gone = lambda time_s: 1.0 < time_s < 1.9  # noqa: E731
    hits = judge(observe([Vehicle(steady(65), jitter=0.01, unseen=gone)]))
    assert [hit.facts["speed_kmh"] for hit in hits] == [pytest.approx(65, abs=2)]


def test_another_id_for_the_same_vehicle_is_measured_anew_and_right() -> None:
    hits = judge(observe([Vehicle(steady(55), jitter=0.01, track=lambda t: 1 if t < 1.6 else 2)]))
    assert all(hit.facts["speed_kmh"] == pytest.approx(55, abs=3) for hit in hits)


def test_a_lower_edge_that_gets_hidden_is_not_motion() -> None:
    # Something drives up between the camera and the vehicle and covers it, bit by bit.
    covers = lambda time_s: min(0.6, max(0.0, 0.3 * (time_s - 0.5)))  # noqa: E731
    assert judge(observe([Vehicle(steady(42), hidden=covers, jitter=0.01)])) == []


def approaches(kmh: float, hidden: float, over_s: float, kind: RoadUserKind, seed: int) -> Vehicle:
    """Drives up from 50 m, while what hides a share of it from below uncovers it bit by bit."""
    size_m = (4.3, 1.75, 1.5) if kind is RoadUserKind.CAR else (1.9, 0.7, 1.6)
    uncovers = lambda time_s: max(0.0, hidden * (1 - time_s / over_s))  # noqa: E731
    ahead = lambda time_s: 50 - kmh / 3.6 * time_s  # noqa: E731
    return Vehicle(ahead, kind=kind, size_m=size_m, hidden=uncovers, jitter=0.01, seed=seed)


@pytest.mark.parametrize("kind", [RoadUserKind.CAR, RoadUserKind.MOTORBIKE])
@pytest.mark.parametrize(("hidden", "over_s"), [(0.15, 1.0), (0.2, 2.0), (0.3, 2.0), (0.3, 3.0)])
def test_a_lower_edge_that_is_uncovered_is_not_motion(
    hidden: float, over_s: float, kind: RoadUserKind
) -> None:
    for seed in range(3):
        for kmh in (40, 45, 48):
            assert judge(observe([approaches(kmh, hidden, over_s, kind, seed)])) == []


@pytest.mark.parametrize("kind", [RoadUserKind.CAR, RoadUserKind.MOTORBIKE])
@pytest.mark.parametrize(("hidden", "jitter"), [(0.0, 0.02), (0.2, 0.01)])
def test_who_is_fast_and_comes_nearer_is_told(kind: RoadUserKind, hidden: float, jitter: float) -> None:
    """Seen wholly all the time, or a second after it came into view."""
    for seed in range(3):
        vehicle = replace(approaches(62, hidden, 1.0, kind, seed), jitter=jitter)
        (hit,) = judge(observe([vehicle]))
        assert hit.facts["speed_kmh"] == pytest.approx(62, abs=5)


def test_a_clock_that_is_being_put_right_widens_the_uncertainty() -> None:
    slews = lambda time_s: 300.0 - 80.0 * time_s  # noqa: E731
    (hit,) = judge(observe([Vehicle(steady(70))], uncertainty_ms=slews))
    (sure,) = judge(observe([Vehicle(steady(70))]))
    assert hit.facts["uncertainty_kmh"] > 1.5 * sure.facts["uncertainty_kmh"]
    assert judge(observe([Vehicle(steady(56))], uncertainty_ms=slews)) == []


def test_a_zone_has_its_own_limit() -> None:
    school = {
        "id": "school",
        "purpose": "school",
        "polygon": lane("x", -3.5, 3.5)["polygon"],
        "limit_kmh": 30,
    }
    (hit,) = judge(observe([Vehicle(steady(40))]), zones=[school])
    assert (hit.facts["limit_kmh"], hit.facts["limit_of"]) == (30, "zone school")
    assert "zone school" in hit.geometry


@pytest.mark.parametrize("only", [{"hours": [{"start": "12:00", "end": "13:00"}]}, {"classes": ["truck"]}])
def test_a_zones_limit_holds_in_its_hours_and_for_its_classes(only: dict[str, Any]) -> None:
    """Elsewhere, and before five in the morning, the lane's 50."""
    polygon = lane("x", -3.5, 3.5)["polygon"]
    school = {"id": "school", "purpose": "school", "polygon": polygon, "limit_kmh": 30, **only}
    assert judge(observe([Vehicle(steady(40))]), zones=[school]) == []
    (hit,) = judge(observe([Vehicle(steady(60))]), zones=[school])
    assert hit.facts["limit_of"] == "lane north"


def test_persons_and_those_outside_limits_are_not_measured() -> None:
    assert judge(observe([Vehicle(steady(70), kind=RoadUserKind.PERSON)])) == []
    assert judge(observe([Vehicle(steady(70), x=6.0)])) == []


@pytest.mark.parametrize(
    ("parameters", "advisory"),
    [
        (None, True),
        ({"verified": {"certificate": "V09.CN.0123", "valid_until": "2023-11-14"}}, False),
        ({"verified": {"certificate": "V09.CN.0123", "valid_until": "2023-11-13"}}, True),
    ],
)
def test_speeds_are_advisory_unless_the_device_is_verified_on_that_day(
    parameters: dict[str, Any] | None, advisory: bool
) -> None:
    (hit,) = judge(observe([Vehicle(steady(70))]), rules={"speeding": parameters})
    assert hit.facts["advisory"] is advisory
    assert ("certificate" in hit.facts) is (parameters is not None)


@pytest.mark.parametrize(
    ("scene", "lacking"),
    [
        ({**ROAD, "calibration": None}, "lacks a calibration"),
        ({**ROAD, "lanes": [lane("north", -3.5, 3.5)]}, "lacks a speed limit"),
    ],
)
def test_without_metres_or_limit_the_rule_is_refused_by_name(scene: dict[str, Any], lacking: str) -> None:
    with pytest.raises(RuleError, match=f"rule speeding .*{lacking}"):
        build_rules(Scene(SceneSettings.model_validate(scene)))


def test_a_certificate_needs_its_last_day() -> None:
    with pytest.raises(RuleError, match="valid_until"):
        build_rules(
            Scene(
                SceneSettings.model_validate(
                    {**ROAD, "rules": {"speeding": {"verified": {"certificate": "1"}}}}
                )
            )
        )


def test_a_limit_must_be_a_speed() -> None:
    with pytest.raises(ValidationError, match="limit_kmh"):
        SceneSettings.model_validate({"lanes": [lane("north", -3.5, 3.5, limit_kmh=0)]})


def test_the_uncertainty_covers_the_error_of_survey_and_boxes_together() -> None:
    """The whole chain: points surveyed as badly as told, boxes jittering as assumed."""
    rng = np.random.default_rng(11)
    covered = []
    for seed in range(150):
        picture = np.array([seen(*at) for at in SURVEYED]) + rng.normal(0, 0.001, (len(SURVEYED), 2))
        calibration = Calibration(picture, np.array(SURVEYED) + rng.normal(0, 0.05, (len(SURVEYED), 2)))
        kmh = float(rng.uniform(20, 100))
        vehicle = Vehicle(
            steady(kmh, 8), size_m=(1.9, 0.7, 1.6), jitter=0.02, seed=seed, kind=RoadUserKind.MOTORBIKE
        )
        last = [list(o.road_users) for o in observe([vehicle], every(1 / 6, 1.6))][-1]
        if not last:
            continue
        speed = measure(calibration, last[0].trajectory, RoadUserKind.MOTORBIKE, ASPECT)
        assert speed is not None
        covered.append(abs(speed.kmh - kmh) <= speed.uncertainty_kmh)
    assert len(covered) > 80
    assert np.mean(covered) >= 0.9, "told as some 95 %"


def test_too_little_makes_no_speed() -> None:
    calibration = calibrated()
    (*_, last) = observe([Vehicle(steady(50))], every(1 / 6, 2.0))
    points = last.road_users[0].trajectory
    whole = measure(calibration, points, RoadUserKind.CAR, ASPECT)
    assert whole is not None
    assert measure(calibration, points[:4], RoadUserKind.CAR, ASPECT) is None, "four points"
    assert measure(calibration, [points[0]] * 9, RoadUserKind.CAR, ASPECT) is None, "one moment"
    in_the_sky = [TrackPoint(p.time_s, (0.4, 0.0, 0.5, 0.001)) for p in points]
    assert measure(calibration, in_the_sky, RoadUserKind.CAR, ASPECT) is None
    at_the_edge = [TrackPoint(p.time_s, (p.box[0], p.box[1], p.box[2], 1.0)) for p in points]
    assert measure(calibration, at_the_edge, RoadUserKind.CAR, ASPECT) is None, "cut by the picture's edge"
    times = (FrameTime(START_S, "rtcp", 0, 100.0), FrameTime(START_S + 2, "rtcp", 0, 0.0))
    slewed = measure(calibration, points, RoadUserKind.CAR, ASPECT, times)
    assert slewed is not None
    assert slewed.uncertainty_kmh > whole.uncertainty_kmh


def test_boxes_that_lose_their_lower_edge_do_not_count() -> None:
    """Something stands before it, or a detector takes what is large in the picture too small."""
    (*_, last) = observe([Vehicle(steady(50))], every(1 / 6, 2.0))
    points = last.road_users[0].trajectory
    calibration = calibrated()
    whole = measure(calibration, points, RoadUserKind.CAR, ASPECT)
    assert whole is not None
    for gone in (points[:2], points[-2:]):
        cut = [shorter(p) if p in gone else p for p in points]
        speed = measure(calibration, cut, RoadUserKind.CAR, ASPECT)
        assert speed is not None
        assert speed.kmh == pytest.approx(50, abs=1.5)
        assert speed.points == whole.points - len(gone)
    half = [shorter(p) if number % 2 else p for number, p in enumerate(points)]
    assert measure(calibration, half, RoadUserKind.CAR, ASPECT) is None


def shorter(point: TrackPoint) -> TrackPoint:
    left, top, right, bottom = point.box
    return TrackPoint(point.time_s, (left, top, right, bottom - 0.25 * (bottom - top)), point.confidence)


def test_who_turns_before_the_camera_is_as_fast_as_it_is() -> None:
    """From its side to its end the lower edge's middle slides by half its length."""
    calibration = calibrated()
    points = [TrackPoint(time_s, turning(36, 14, time_s), 0.9) for time_s in every(1 / 6, 1.8)]
    speed = measure(calibration, points, RoadUserKind.MOTORBIKE, ASPECT)
    assert speed is not None
    assert speed.kmh == pytest.approx(36, abs=1.0)


def turning(kmh: float, radius_m: float, time_s: float) -> tuple[float, float, float, float]:
    """The box of a motorbike that comes from the left and turns away from the camera."""
    angle = kmh / 3.6 * time_s / radius_m
    x, y = -9 + radius_m * math.sin(angle), 15 + radius_m * (1 - math.cos(angle))
    corners = [
        seen(x + a * math.cos(angle) - b * math.sin(angle), y + a * math.sin(angle) + b * math.cos(angle), z)
        for a in (-0.95, 0.95)
        for b in (-0.35, 0.35)
        for z in (0.0, 1.6)
    ]
    (left, top), (right, bottom) = np.min(corners, axis=0), np.max(corners, axis=0)
    return float(left), float(top), float(right), float(bottom)


def test_a_find_is_told_when_its_trajectory_breaks() -> None:
    """The identity goes over to one that stands for a minute: the pictures would be gone."""
    leaps = Vehicle(lambda time_s: 80 / 3.6 * time_s if time_s < 1.5 else 2.0, jitter=0.005)
    scene = Scene(SceneSettings.model_validate(ROAD))
    rules, told_s = build_rules(scene), []
    for moment in moments(scene, observe([leaps], every(1 / 10, 30)), finish=False):
        for rule in rules:
            told_s += [
                moment.observation.time.captured_at_s - hit.after.time_s for hit in rule.observe(moment)
            ]
    assert len(told_s) == 1
    assert told_s[0] < 2
