"""What a scene refuses, and by which name."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.scene import Scene, SceneProblemsError, SceneSettings
from pipeline.types import Lamp

GOOD: dict[str, Any] = {
    "lamps": [{"id": "ball", "box": [0.8, 0.1, 0.85, 0.2]}],
    "stop_lines": [
        {
            "id": "south",
            "line": [[0.2, 0.6], [0.8, 0.6]],
            "travel": [[0.5, 0.8], [0.5, 0.4]],
            "movements": {"straight": {"lamp": "ball"}, "right": {"free": True}},
        }
    ],
    "lanes": [
        {
            "id": "lane",
            "polygon": [[0.2, 0.2], [0.8, 0.2], [0.8, 0.9], [0.2, 0.9]],
            "direction": [[0.5, 0.8], [0.5, 0.3]],
        }
    ],
}


def refused(change: Callable[[dict[str, Any]], Any]) -> list[tuple[tuple[int | str, ...], str]]:
    scene = copy.deepcopy(GOOD)
    change(scene)
    with pytest.raises(ValidationError) as caught:
        SceneSettings.model_validate(scene)
    found: list[tuple[tuple[int | str, ...], str]] = []
    for error in caught.value.errors():
        cause = error.get("ctx", {}).get("error")
        found += cause.problems if isinstance(cause, SceneProblemsError) else [(error["loc"], error["msg"])]
    return found


def test_a_good_scene_is_read() -> None:
    scene = SceneSettings.model_validate(GOOD)
    assert scene.lamps_to_read() == (Lamp("ball", (0.8, 0.1, 0.85, 0.2)),)
    assert set(scene.stop_lines[0].movements.present()) == {"straight", "right"}


@pytest.mark.parametrize(
    ("change", "place", "says"),
    [
        pytest.param(
            lambda s: s["lanes"][0].update(polygon=[[0.2, 0.2], [0.8, 0.8], [0.8, 0.2], [0.2, 0.8]]),
            ("lanes", 0, "polygon"), "crosses itself", id="self-crossing polygon",
        ),
        pytest.param(
            lambda s: s["lanes"][0].update(polygon=[[0.2, 0.2], [0.4, 0.4], [0.6, 0.6]]),
            ("lanes", 0, "polygon"), "no area", id="polygon without area",
        ),
        pytest.param(
            lambda s: s["lanes"][0]["polygon"].append([0.2, 0.2]),
            ("lanes", 0, "polygon"), "repeats the first", id="closed by hand",
        ),
        pytest.param(
            lambda s: s["lanes"][0].update(polygon=[[0.2, 0.2], [0.8, 0.2]]),
            ("lanes", 0, "polygon"), "at least 3", id="two corners",
        ),
        pytest.param(
            lambda s: s["lanes"][0].update(direction=[[0.5, 0.8], [0.95, 0.3]]),
            ("lanes", 0, "direction", 1), "outside the polygon", id="direction outside its lane",
        ),
        pytest.param(
            lambda s: s["stop_lines"][0].update(line=[[0.2, 0.6], [1.8, 0.6]]),
            ("stop_lines", 0, "line", 1, 0), "less than or equal to 1", id="outside the picture",
        ),
        pytest.param(
            lambda s: s["stop_lines"][0].update(line=[[0.2, 0.6], [float("nan"), 0.6]]),
            ("stop_lines", 0, "line", 1, 0), "finite", id="not a number",
        ),
        pytest.param(
            lambda s: s["stop_lines"][0].update(line=[[0.2, 0.6], [0.2, 0.6]]),
            ("stop_lines", 0, "line"), "without length", id="line without length",
        ),
        pytest.param(
            lambda s: s["stop_lines"][0].update(line=[[0.2, 0.6, 0.1], [0.2, 0.6]]),
            ("stop_lines", 0, "line", 0), "a point [x, y]", id="three coordinates",
        ),
        pytest.param(
            lambda s: s["stop_lines"][0].update(travel=[[0.3, 0.62], [0.7, 0.58]]),
            ("stop_lines", 0), "parallel", id="travel along the line",
        ),
        pytest.param(
            lambda s: s["stop_lines"][0].update(travel=[[0.5, 0.9], [0.5, 0.7]]),
            ("stop_lines", 0), "does not cross", id="travel ends before the line",
        ),
        pytest.param(
            lambda s: s["stop_lines"][0]["movements"].update(straight={"lamp": "bal"}),
            ("stop_lines", 0, "movements", "straight", "lamp"), "'bal' is not among", id="unknown lamp",
        ),
        pytest.param(
            lambda s: s["stop_lines"][0]["movements"].update(straight={}),
            ("stop_lines", 0, "movements", "straight"), "lamp: ID", id="neither lamp nor free",
        ),
        pytest.param(
            lambda s: s["stop_lines"][0].update(movements={}),
            ("stop_lines", 0, "movements"), "at least one", id="no movement",
        ),
        pytest.param(
            lambda s: s["stop_lines"][0].update(junction={}),
            ("stop_lines", 0, "junction"), "exactly one", id="no idea of the junction",
        ),
        pytest.param(
            lambda s: s["stop_lines"][0].update(
                junction={"beyond_heights": 1, "clearance": [[0.2, 0.5], [0.8, 0.5]]}
            ),
            ("stop_lines", 0, "junction"), "exactly one", id="two ideas of the junction",
        ),
        pytest.param(
            lambda s: s["lamps"][0].update(box=[0.85, 0.1, 0.8, 0.2]),
            ("lamps", 0, "box"), "no area", id="box turned round",
        ),
        pytest.param(
            lambda s: s["lamps"].append(s["lamps"][0]), ("lamps", 1, "id"), "more than once", id="id twice"
        ),
        pytest.param(lambda s: s.update(lanse=[]), ("lanse",), "Extra", id="unknown key"),
        pytest.param(
            lambda s: s.update(ignore=[[[0.1, 0.1], [0.2, 0.2], [0.2, 0.1], [0.1, 0.2]]]),
            ("ignore", 0), "crosses itself", id="self-crossing ignored area",
        ),
    ],
)  # fmt: skip
def test_impossible_geometry_is_refused_by_name(
    change: Callable[[dict[str, Any]], Any], place: tuple[int | str, ...], says: str
) -> None:
    problems = refused(change)
    assert [(loc, says in text) for loc, text in problems] == [(place, True)], problems


def test_several_contradictions_are_named_together() -> None:
    def change(scene: dict[str, Any]) -> None:
        scene["stop_lines"][0]["movements"]["straight"]["lamp"] = "gone"
        scene["lanes"][0]["direction"] = [[0.5, 0.8], [0.95, 0.3]]

    assert len(refused(change)) == 2


def test_geometry_follows_the_pictures_proportions() -> None:
    scene = Scene(SceneSettings.model_validate(GOOD))
    wide, square = scene.stop_lines(2.0)[0], scene.stop_lines(1.0)[0]
    assert wide.line == ((0.4, 0.6), (1.6, 0.6))
    assert square.line == ((0.2, 0.6), (0.8, 0.6))
    assert wide.distance((1.0, 0.5)) == pytest.approx(0.1)
    assert wide.distance((1.0, 0.7)) == pytest.approx(-0.1)
    assert scene.lanes(2.0)[0].length == pytest.approx(0.5)
