"""Scenarios: families, and those that cannot be."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipeline.sim import scenario as module
from pipeline.sim.scenario import CATALOGUE, FAMILIES, SEEDS, ScenarioError, check_signals, scenario
from pipeline.sim.sites import site
from pipeline.sim.types import ActKind


def test_families_share_no_seed() -> None:
    spans = [range(first, first + SEEDS) for first in FAMILIES.values()]
    for k, one in enumerate(spans):
        for other in spans[k + 1 :]:
            assert one[-1] < other[0] or other[-1] < one[0]
    drawn = {scenario("demo", family, seed).seed for family in FAMILIES for seed in (0, 1, SEEDS - 1)}
    assert len(drawn) == 9


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_scenario_of_the_catalogue_can_be(name: str) -> None:
    one = scenario(name)
    assert [camera.id for camera in one.poses()] == list(one.cameras)
    assert one.site().lanes or one.site().zones


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: scenario("juncton"), "juncton"),
        (lambda: scenario("demo", "test"), "test"),  # type: ignore[arg-type]
        (lambda: scenario("demo", "dev", SEEDS), str(SEEDS)),
        (lambda: scenario("demo", "dev", 0, 0.0), "duration"),
        (lambda: replace(scenario("demo"), plan="moon").site(), "moon"),
        (lambda: replace(scenario("demo"), cameras=("roof",)).site(), "roof"),
        (lambda: replace(scenario("road-day"), acts={ActKind.RED_LIGHT: 1.0}).site(), "red_light"),
    ],
)
def test_what_cannot_be_is_refused_by_name(call: object, said: str) -> None:
    with pytest.raises(ScenarioError, match=said):
        call()  # type: ignore[operator]


def test_a_signal_without_a_lamp_is_refused_by_name() -> None:
    whole = site("junction", 0)
    heads = tuple(head for head in whole.layout.heads if not head.id.startswith("E."))
    dark = replace(whole, layout=replace(whole.layout, heads=heads))
    with pytest.raises(ScenarioError, match=r"'E\.ball'.*no lamp"):
        check_signals("dark", dark)


def test_a_signal_without_a_phase_is_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PHASES", module.PHASES[:2])
    with pytest.raises(ScenarioError, match=r"'W\.ball'.*no phase"):
        check_signals("stuck", site("junction", 0))
