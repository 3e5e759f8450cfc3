"""A folder of decrees: read whole, or refused with file, line and key."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from pipeline.config.load import ConfigError
from pipeline.law.load import SHIPPED, load_law
from pipeline.rules import RULES, SECURITY
from pipeline.types import RoadUserKind

DECREE = """\
decree: 1/2030/NĐ-CP
title: {vi: Nghị định, en: Decree}
source: a test
effective_from: 2030-01-01
provisions:
  - act: red_light
    vehicles: [car, truck]
    title: {vi: Vượt đèn đỏ, en: Red light}
    entries:
      - {article: 6, clause: 9, point: b, fine_vnd: [18000000, 20000000], licence_points: 4}
"""


def folder(tmp_path: Path, *texts: str) -> Path:
    for number, text in enumerate(texts):
        (tmp_path / f"{number}.yaml").write_text(text)
    return tmp_path


def problems(where: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_law(where)
    return [problem.replace(f"{where}/", "") for problem in caught.value.problems]


def test_the_shipped_law_knows_every_act_that_a_rule_sees() -> None:
    catalogue = load_law()
    assert set(catalogue.acts()) == set(RULES) - SECURITY
    assert not any(entry.verified for entry in catalogue.entries), "nobody has compared it with the gazette"
    assert all(entry.source and entry.title.vi and entry.title.en for entry in catalogue.entries)
    kinds = {kind for entry in catalogue.entries for kind in entry.vehicles}
    assert kinds == {RoadUserKind.CAR, RoadUserKind.BUS, RoadUserKind.TRUCK, RoadUserKind.MOTORBIKE}


def test_the_operators_own_folder_replaces_the_shipped_one(tmp_path: Path) -> None:
    catalogue = load_law(folder(tmp_path, DECREE.replace("licence_points: 4", "verified: true")))
    [entry] = catalogue.entries
    assert (entry.decree, entry.verified, entry.licence_points) == ("1/2030/NĐ-CP", True, 0)


def test_it_is_packed_into_the_wheel() -> None:
    project = (Path(__file__).resolve().parents[2] / "pyproject.toml").read_text()
    assert '"configs/law" = "pipeline/law/decrees"' in project
    assert SHIPPED.name == "law", "in a checkout it is configs/law itself"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("act: red_light", "act: red_ligth", "0.yaml:6: provisions[0].act: no rule sees"),
        ("act: red_light", "act: intrusion", "0.yaml:6: provisions[0].act: no rule sees"),
        ("[car, truck]", "[car, tram]", "0.yaml:7: provisions[0].vehicles[1]: "),
        ("vehicles:", "vehicle:", "0.yaml:7: provisions[0].vehicle: unknown key; did you mean 'vehicles'?"),
        ("point: b", "point: 9", "0.yaml:10: provisions[0].entries[0].point: "),
        ("[18000000, 20000000]", "[20000000, 18000000]", "0.yaml:10: provisions[0].entries[0]: fine_vnd"),
        ("[18000000, 20000000]", "18000000", "0.yaml:10: provisions[0].entries[0].fine_vnd: must be a list"),
        ("licence_points: 4", "licence_points: 40", "0.yaml:10: provisions[0].entries[0].licence_points: "),
        ("2030-01-01", "New Year", "0.yaml:4: effective_from: "),
        ("source: a test\n", "", "0.yaml:1: source is missing; add `source:`"),
        (
            "licence_points: 4",
            "over_kmh: {from: 20, to: 10}",
            "0.yaml:10: provisions[0].entries[0].over_kmh: holds no value",
        ),
        (
            "licence_points: 4",
            "over_kmh: {from: 20, above: 10}",
            "0.yaml:10: provisions[0].entries[0].over_kmh: give `from` or `above`",
        ),
        (
            "    title: {vi: Vượt",
            "    effective_to: 2029-12-31\n    title: {vi: Vượt",
            "0.yaml:8: provisions[0].effective_to: ends on 2029-12-31, before it begins on 2030-01-01",
        ),
        ("2030-01-01", "2030-01-01: x", "0.yaml:4: not valid YAML"),
    ],
)  # fmt: skip
def test_a_file_that_is_wrong_is_refused_by_line_and_key(
    tmp_path: Path, old: str, new: str, told: str
) -> None:
    assert old in DECREE
    found = problems(folder(tmp_path, DECREE.replace(old, new, 1)))
    assert any(problem.startswith(told) for problem in found), found


def test_every_problem_of_every_file_is_told_at_once(tmp_path: Path) -> None:
    found = problems(folder(tmp_path, DECREE.replace("act:", "acts:"), DECREE.replace("2030-01-01", "soon")))
    assert {problem.partition(":")[0] for problem in found} == {"0.yaml", "1.yaml"}


def test_a_folder_without_decrees_is_refused(tmp_path: Path) -> None:
    assert "holds no .yaml file" in problems(tmp_path)[0]
    assert "cannot be read" in problems(tmp_path / "nowhere")[0]


def test_periods_of_one_act_and_vehicle_that_overlap_are_refused_by_name(tmp_path: Path) -> None:
    later = DECREE.replace("1/2030", "2/2031").replace("2030-01-01", "2031-06-01").replace("[car, ", "[bus, ")
    assert problems(folder(tmp_path, DECREE, later)) == [
        "1.yaml:6: provisions[0]: red_light of truck is in force from 2031-06-01, and by 0.yaml:6 from "
        "2030-01-01: end one of them with `effective_to:`"
    ]
    ended = DECREE.replace("provisions:", "effective_to: 2031-05-31\nprovisions:")
    catalogue = load_law(folder(tmp_path, ended, later))
    assert [entry.decree for entry in catalogue.entries] == ["1/2030/NĐ-CP", "2/2031/NĐ-CP"]


def test_one_value_never_has_two_fines(tmp_path: Path) -> None:
    shutil.copy(SHIPPED / "nd-168-2024.yaml", tmp_path)
    path = tmp_path / "nd-168-2024.yaml"
    decree = yaml.safe_load(path.read_text())
    speeding = next(one for one in decree["provisions"] if one["act"] == "speeding")
    speeding["entries"][2]["over_kmh"] = {"from": 20, "to": 35}
    path.write_text(yaml.safe_dump(decree, allow_unicode=True, sort_keys=False))
    [problem] = problems(tmp_path)
    assert "over_kmh overlaps that of 6.5.đ" in problem
    speeding["entries"][2] = {**speeding["entries"][1], "fine_vnd": [1, 2], "over_kmh": {"above": 20}}
    path.write_text(yaml.safe_dump(decree, allow_unicode=True, sort_keys=False))
    assert any("6.5.đ is given twice" in problem for problem in problems(tmp_path))
