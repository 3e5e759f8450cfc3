"""What counts as true for a camera."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pipeline.scene import SceneSettings
from pipeline.sim.layout import solid_lines
from pipeline.sim.scenario import scenario
from pipeline.sim.truth import read_acts, read_frames, write_acts
from pipeline.sim.types import Act
from scripts.accuracy.places import Places
from scripts.accuracy.truth import Sighting, TrueAct, camera_truth, judge, sightings
from tests.accuracy.city import DRAWN, DURATION_S, RULES, act, sighting
from tests.rules.drive import junction
from tests.rules.test_red_light import GREEN_ARROW
from tests.worker.test_check_limits import FREE


def judged(one: Act, seen: Sighting, rules: frozenset[str] = RULES) -> TrueAct:
    return judge(one, seen, rules, DRAWN, one.place or None, DURATION_S)


def test_an_act_that_is_well_seen_counts() -> None:
    true = judged(act("red_light", 1, 10.0), sighting(1))
    assert true.counts
    assert true.moment_s == 10.0
    assert true.height_px == pytest.approx(36)


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (sighting(1, visible=0.45), "not seen well enough"),
        (sighting(1, size=15 / 360), "not seen well enough"),
        (sighting(1, start_s=9.8), "not seen well enough"),
        (sighting(1, end_s=10.5), "not seen well enough"),
    ],
    ids=["hidden", "small", "comes late", "leaves early"],
)
def test_an_act_at_a_moment_must_be_seen_around_it(seen: Sighting, why: str) -> None:
    assert judged(act("red_light", 1, 10.0), seen).why_not == why


def test_being_hidden_for_a_moment_does_no_harm() -> None:
    whole = sighting(1)
    gone = (whole.times_s > 10.05) & (whole.times_s < 10.35)
    brief = Sighting(1, "motorbike", whole.times_s, whole.boxes, np.where(gone, 0.1, 1.0))
    assert judged(act("red_light", 1, 10.0), brief).counts
    gone = (whole.times_s > 10.05) & (whole.times_s < 10.95)
    long = Sighting(1, "motorbike", whole.times_s, whole.boxes, np.where(gone, 0.1, 1.0))
    assert not judged(act("red_light", 1, 10.0), long).counts


def standing(gone: tuple[float, float], until_s: float = DURATION_S, shift: float = 0.0) -> Sighting:
    """Stands, but for a shift while something hides it for some seconds."""
    times = np.arange(0, round(until_s * 10)) / 10
    boxes = np.tile([0.3, 0.5, 0.4, 0.6], (len(times), 1))
    boxes[times > gone[0], ::2] += shift
    visible = np.where((times > gone[0]) & (times < gone[1]), 0.1, 1.0)
    return Sighting(1, "car", times, boxes, visible)


STANDS = act("illegal_stop", 1, 30.0, start_s=20.0, end_s=41.0, place="S.in1")


@pytest.mark.parametrize(
    ("seen", "counts"),
    [
        (standing((30.0, 31.1)), True),
        (standing((30.0, 31.1), shift=0.06), False),
        (standing((30.0, 33.5)), False),
        (standing((21.0, 22.5), until_s=32.0), False),
    ],
    ids=["one passes before it", "drives on meanwhile", "hidden for long", "hardly seen before"],
)
def test_who_stands_may_be_hidden_by_one_who_passes(seen: Sighting, counts: bool) -> None:
    """21 s, and neither of its halves is the 11.5 s that are asked for."""
    assert judged(STANDS, seen).counts is counts


def test_a_stand_that_is_hidden_again_and_again_is_not_well_seen() -> None:
    seen = standing((0.0, 0.0))
    blinks = np.where((seen.times_s > 21) & (seen.times_s % 2 > 1), 0.1, 1.0)
    assert not judged(STANDS, Sighting(1, "car", seen.times_s, seen.boxes, blinks)).counts


@pytest.mark.parametrize(("gone", "counts"), [((10.2, 11.3), True), ((9.5, 10.6), False)])
def test_who_stops_past_a_line_may_be_hidden_once_it_has_crossed(
    gone: tuple[float, float], counts: bool
) -> None:
    """It rolls on by more than half its width meanwhile."""
    stops = act("stop_line", 1, 10.0, end_s=40.0)
    assert judged(stops, standing(gone, shift=0.07)).counts is counts
    assert not judged(act("red_light", 1, 10.0, end_s=13.0), standing(gone, shift=0.07)).counts


def test_heads_that_are_hidden_are_not_bridged() -> None:
    bare = act("no_helmet", 1, 21.0, start_s=20.0, end_s=22.0, place="")
    assert not judged(bare, standing((20.8, 21.5))).counts


def test_a_place_that_is_not_drawn_is_another_cameras() -> None:
    true = judged(act("red_light", 1, 10.0, place="N.line"), sighting(1))
    assert true.why_not == "its place is not drawn for this camera"
    assert judged(act("red_light", 1, 10.0, place=""), sighting(1)).counts


def test_a_stop_past_a_line_with_a_free_turn_cannot_be_told() -> None:
    actor = {"id": 1, "kind": "car", "box": [128, 72, 256, 144], "visible": 0.9, "heads": []}
    frames = tuple({"time_s": k / 10, "frame": k, "actors": [actor], "lamps": []} for k in range(200))
    stopped = act("stop_line", 1, 6.0, start_s=6.0, end_s=15.0, place="south")
    for movements, why in ((GREEN_ARROW, ""), (FREE, "its place is not drawn for this camera")):
        scene = SceneSettings.model_validate(junction(movements=movements))
        (true,) = camera_truth(
            "s", frames, [stopped], scene, {"stop_line"}, lambda one: one.place, (1280, 720), 10.0
        ).acts
        assert true.why_not == why


def test_a_kind_without_a_rule_does_not_count() -> None:
    true = judged(act("red_light", 1, 10.0), sighting(1), frozenset({"wrong_way"}))
    assert true.why_not == "no such rule on this camera"


@pytest.mark.parametrize("decisive_s", [2.0, 58.0])
def test_the_films_ends_do_not_count(decisive_s: float) -> None:
    true = judged(act("red_light", 1, decisive_s), sighting(1))
    assert true.why_not == "at the film's very start or end"


def test_an_act_that_lasts_counts_from_when_the_camera_can_know() -> None:
    """A rider who is against the lane from 8 s, and comes into view at 20 s, can be told at 21 s."""
    against = act("wrong_way", 1, 9.0, start_s=8.0, end_s=30.0, place="S.in1")
    true = judged(against, sighting(1, start_s=20.0))
    assert true.counts
    assert true.moment_s == pytest.approx(21.0)
    assert judged(against, sighting(1)).moment_s == 9.0
    assert judged(against, sighting(1, start_s=28.0)).why_not == "not seen well enough"


def test_riders_must_be_seen_larger() -> None:
    bare = act("no_helmet", 1, 30.0, start_s=0.0, end_s=60.0, place="")
    assert not judged(bare, sighting(1, size=31 / 360)).counts
    assert judged(bare, sighting(1, size=33 / 360)).counts


@pytest.mark.parametrize(
    ("kind", "heads", "counts"),
    [
        ("too_many_riders", [True, True, True], True),
        ("too_many_riders", [True, True], False),
        ("no_helmet", [True, False], True),
        ("no_helmet", [True], False),
    ],
)
def test_an_act_of_riders_counts_where_the_heads_that_make_it_one_are_seen(
    kind: str, heads: list[bool], counts: bool
) -> None:
    boxes = [[100.0, 90.0, 108.0, 99.0, helmet] for helmet in heads]
    actor = {"id": 1, "kind": "motorbike", "box": [90, 90, 120, 170], "visible": 1.0, "heads": boxes}
    frames = [{"time_s": k / 10, "frame": k, "actors": [actor], "lamps": []} for k in range(200)]
    seen = sightings(frames, (1280, 720))[1]
    assert judged(act(kind, 1, 5.0, start_s=4.0, end_s=9.0, place=""), seen).counts is counts


def test_a_camera_has_its_part_of_the_truth(tmp_path: Path) -> None:
    """From the city's files: seconds, boxes 0..1, legal acts apart, acts of those it never sees left out."""
    actor = {"id": 1, "kind": "car", "box": [128, 72, 256, 144], "visible": 0.9, "heads": []}
    frames = [
        {"time_s": k / 10, "frame": k, "actors": [actor] if k < 90 else [], "lamps": []} for k in range(100)
    ]
    (tmp_path / "south.jsonl").write_text("".join(f"{json.dumps(frame)}\n" for frame in frames))
    acts = [
        act("red_light", 1, 5.0),
        act("red_light", 2, 5.0),
        act("legal.right_on_arrow", 1, 6.0),
        act("legal.right_on_arrow", 1, 9.8),
    ]
    write_acts(tmp_path / "acts.jsonl", acts)
    truth = camera_truth(
        "south",
        tuple(read_frames(tmp_path / "south.jsonl")),
        read_acts(tmp_path / "acts.jsonl"),
        SceneSettings(),
        {"red_light"},
        lambda _: None,
        (1280, 720),
        10.0,
    )
    assert truth.duration_s == 10.0
    assert truth.sightings[1].box_at(5.03) == pytest.approx((0.1, 0.1, 0.2, 0.2))
    assert truth.sightings[1].box_at(9.8) is None
    [true] = truth.acts
    assert true.counts
    assert true.act.actor_id == 1
    assert [one.decisive_s for one in truth.look_alikes] == [6.0]


@pytest.mark.parametrize(
    ("place", "decisive_s", "visible", "box", "seen"),
    [
        ("south", 6.0, 0.9, [128, 72, 256, 144], 1),
        ("", 6.0, 0.9, [128, 72, 256, 144], 1),
        ("north", 6.0, 0.9, [128, 72, 256, 144], 0),
        ("south", 6.0, 0.4, [128, 72, 256, 144], 0),
        ("south", 6.0, 0.9, [128, 72, 256, 82], 0),
        ("south", 2.0, 0.9, [128, 72, 256, 144], 0),
    ],
    ids=["well seen", "anywhere", "at another's line", "hidden", "5 px", "at the film's start"],
)
def test_a_look_alike_counts_where_it_could_fool_the_camera(
    place: str, decisive_s: float, visible: float, box: list[float], seen: int
) -> None:
    actor = {"id": 1, "kind": "car", "box": box, "visible": visible, "heads": []}
    frames = tuple({"time_s": k / 10, "frame": k, "actors": [actor], "lamps": []} for k in range(200))
    waits = act("legal.waits_past_line", 1, decisive_s, place=place)
    scene = SceneSettings.model_validate(junction())
    found = camera_truth(
        "s", frames, [waits], scene, {"stop_line"}, lambda one: one.place or None, (1280, 720), 10.0
    )
    assert len(found.look_alikes) == seen


def test_acts_are_placed_as_scene_files_draw_them() -> None:
    """A forbidden turn by its line and kind, a solid line by the nearest one, a rider's act nowhere."""
    site = scenario("demo").site()
    line = solid_lines(site)[3]
    where = [(line[0][0] + line[1][0]) / 2 + 0.3, (line[0][1] + line[1][1]) / 2 + 0.3]
    frames = [{"time_s": 5.0, "actors": [{"id": 1, "position_m": where}]}]
    places = Places(site, frames)
    assert places.of(act("red_light", 1, 5.0, place="S.line")) == "S.line"
    assert places.of(act("u_turn", 1, 5.0, place="S.line")) == "S.line.u_turn"
    assert places.of(act("solid_line", 1, 5.0, place="solid")) == "solid.3"
    assert places.of(act("no_helmet", 1, 5.0, place="")) is None
