"""What a worker is configured with and makes, the IOC takes in: neither has a limit that the other lacks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from pipeline.config import CameraSettings
from pipeline.config.limits import LONGEST_NAME, LONGEST_TEXT, MOST_AMENDMENTS, MOST_ENTRIES
from pipeline.config.load import ConfigError
from pipeline.events.build import build_act, build_health, with_evidence, with_plate
from pipeline.events.event import Event
from pipeline.ioc.store.act import Act, HealthReport
from pipeline.law import InForce
from pipeline.law.load import load_law
from pipeline.types import CameraHealth, MissingItem, PlateReading, RoadUserKind
from tests.events import examples
from tests.ioc.acts import parsed


def act(camera: CameraSettings | None = None, law: InForce | None = None, reason: str = "") -> Event:
    """Whatever is not given has the length that it has every day."""
    return build_act(
        examples.hit(),
        camera or examples.camera(),
        examples.ORIGIN,
        missing=[MissingItem("clip", reason)],
        law=law,
        plate=PlateReading.unread(reason),
    )


@pytest.mark.parametrize("key", ["name", "place"])
def test_a_name_that_the_worker_takes_is_taken_by_the_ioc(key: str) -> None:
    def named(length: int) -> CameraSettings:
        settings = examples.camera().model_dump() | {key: "ữ" * length}
        return CameraSettings.model_validate(settings)

    camera = named(LONGEST_NAME)
    state = CameraHealth("cam-1", "up", examples.START_S)
    health = build_health(state, camera, examples.ORIGIN, told_s=examples.START_S)
    for event in (act(camera), health):
        assert len(getattr(parsed(event).content.camera, key)) == LONGEST_NAME
    with pytest.raises(ValidationError, match=f"at most {LONGEST_NAME} characters"):
        named(LONGEST_NAME + 1)


@pytest.mark.parametrize("length", [LONGEST_TEXT, LONGEST_TEXT + 1, 5000])
def test_long_reasons_are_cut_and_no_event_is_lost_for_them(length: int) -> None:
    reason = "x" * length
    cut = reason if length <= LONGEST_TEXT else "x" * (LONGEST_TEXT - 1) + "…"
    health = parsed(examples.health(state="down", reason=reason)).content
    assert isinstance(health, HealthReport)
    assert health.reason == cut
    root = Path("evidence")
    lost = replace(examples.bundle(root), missing=(MissingItem("after", reason),))
    plate = replace(examples.PLATE, outcome="not_legible", reason=reason)
    for event in (act(reason=reason), with_plate(with_evidence(act(), lost, root), plate)):
        content = parsed(event).content
        assert isinstance(content, Act)
        assert content.plate is not None
        assert content.plate.reason == cut
        assert content.evidence.missing[0].reason == cut
        assert cut in {part.reason for part in content.missing}


def decree(tmp_path: Path, entries: int, amendments: int) -> Path:
    both = {"vi": "Vượt đèn đỏ", "en": "Red light"}
    entry: dict[str, Any] = {"article": 6, "point": "b", "fine_vnd": [1, 2]}
    later = {"effective_from": "2026-01-01", "note": both}
    text = {
        "decree": "1/2025/NĐ-CP",
        "title": both,
        "source": "a test",
        "effective_from": "2025-01-01",
        "amendments": [{**later, "decree": f"{number}/2026/NĐ-CP"} for number in range(amendments)],
        "provisions": [
            {
                "act": "red_light",
                "vehicles": ["motorbike"],
                "title": both,
                "entries": [
                    {**entry, "clause": number + 1, "passengers": {"from": number, "below": number + 1}}
                    for number in range(entries)
                ],
            }
        ],
    }
    (tmp_path / "decree.yaml").write_text(json.dumps(text))
    return tmp_path


def test_a_law_that_the_worker_takes_is_taken_by_the_ioc(tmp_path: Path) -> None:
    catalogue = load_law(decree(tmp_path, MOST_ENTRIES, MOST_AMENDMENTS))
    law = catalogue.in_force("red_light", RoadUserKind.MOTORBIKE, examples.START_S)
    content = parsed(act(law=law)).content
    assert isinstance(content, Act)
    assert content.law is not None
    assert [len(entry.amended_by) for entry in content.law.entries] == [MOST_AMENDMENTS] * MOST_ENTRIES
    for more in ((MOST_ENTRIES + 1, 1), (1, MOST_AMENDMENTS + 1)):
        with pytest.raises(ConfigError, match="at most 50"):
            load_law(decree(tmp_path, *more))
