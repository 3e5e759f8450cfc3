"""Sidecars come from outside: whatever they hold, the answer is one sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.perception.cards import KNOWN_MODELS, card_for, card_of_metadata, read_card
from pipeline.perception.coco import COCO_NAMES
from pipeline.perception.errors import PerceptionError


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("layuot: yolox", "key layuot"),
        ("input: {width: 1000000}", "key input.width"),
        ("input: {color: cmyk}", "key input.color"),
        ("names: {0: person, 2: car}", "class number 1 is missing"),
        ("names: []", "key names"),
        ("names: [!!python/object/apply:os.system [id]]", "is not YAML"),
        ("a: &a [1]\nnames: *a", "alias"),
        ("names: [a\nlayout: b", "line 2 is not YAML"),
        ("[" * 20_000, "nested too deeply|is not YAML"),
        ("# " + "x" * 70_000, "larger than 64 KiB"),
        ("- a\n- b", "key \\(top\\)"),
        ("download: {url: 'ftp://host/x', sha256: 00}", "key download"),
        ("download: {url: 'https://host/x', sha256: zz}", "key download.sha256"),
        ("export: {weights: ../../etc/passwd.pt}", "key export.weights"),
    ],
)
def test_a_hostile_card_is_refused_in_one_sentence(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "m.yaml"
    path.write_text(text)
    with pytest.raises(PerceptionError, match=reason) as error:
        read_card(path)
    assert str(path) in str(error.value)
    assert len(str(error.value)) < 400


def test_binary_junk_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.yaml"
    path.write_bytes(b"\xff\xfe\x00junk")
    with pytest.raises(PerceptionError, match="cannot be read"):
        read_card(path)


@pytest.mark.parametrize(
    "metadata",
    [
        {"names": "__import__('os').system('id')"},
        {"names": "(" * 9999},
        {"names": "{0: 'person', 5: 'car'}"},
        {"names": "{0: 1.5}"},
        {"imgsz": "[0, -5]", "names": "{0: 'person'}"},
        {"riders": "beside"},
    ],
)
def test_junk_in_metadata_counts_as_not_said(metadata: dict[str, str]) -> None:
    assert not card_of_metadata(metadata).model_fields_set


def test_metadata_of_ultralytics_is_understood() -> None:
    card = card_of_metadata({"names": "{0: 'person', 1: 'bicycle'}", "imgsz": "[384, 640]"})
    assert card.names == ("person", "bicycle")
    assert (card.input.width, card.input.height) == (640, 384)
    assert card.riders == "persons"


def test_metadata_of_our_training_tells_where_riders_are() -> None:
    card = card_of_metadata({"names": "{0: 'person'}", "riders": "in-box"})
    assert (card.names, card.riders) == (("person",), "in-box")
    assert card_of_metadata({"names": "{0: 'person'}", "riders": "both"}).names == ("person",)


def test_a_card_beside_the_model_corrects_its_metadata(tmp_path: Path) -> None:
    (tmp_path / "m.yaml").write_text("input: {color: bgr}")
    card, source = card_for(tmp_path / "m.onnx", {"names": "{0: 'person'}", "imgsz": "[64, 64]"})
    assert card.names == ("person",)
    assert (card.input.color, card.input.width) == ("bgr", 64)
    assert source == f"{tmp_path / 'm.yaml'}, then its ONNX metadata"


def test_a_known_model_is_recognised_by_its_file_name(tmp_path: Path) -> None:
    card, source = card_for(tmp_path / "yolox_nano_416.onnx", {})
    assert card.layout == "yolox"
    assert card.names == COCO_NAMES
    assert "known model" in source


@pytest.mark.parametrize("beside", [None, "input: {color: bgr}"])
def test_our_model_without_its_own_card_still_boxes_riders(tmp_path: Path, beside: str | None) -> None:
    if beside is not None:
        (tmp_path / "ngatu_nano.yaml").write_text(beside)
    metadata = {"names": "{0: 'bicycle'}", "imgsz": "[64, 96]"}
    card, source = card_for(tmp_path / "ngatu_nano.onnx", metadata)
    assert card.riders == "in-box"
    assert card.names == ("bicycle",), "the model's own word wins over its name"
    assert (card.input.height, card.input.width) == (64, 96)
    assert source.endswith("its ONNX metadata, then the known model ngatu_nano")
    assert card.input.color == ("bgr" if beside else None)


def test_the_projects_own_card_beside_a_model_is_named_once() -> None:
    card, source = card_for(KNOWN_MODELS / "ngatu_nano.onnx", {})
    assert card.riders == "in-box"
    assert source == str(KNOWN_MODELS / "ngatu_nano.yaml")


def test_every_card_of_the_project_reads() -> None:
    cards = {path: read_card(path) for path in KNOWN_MODELS.glob("*.yaml")}
    assert cards
    for path, card in cards.items():
        # Where to get it, unless it is there.
        assert card.download or card.export or path.with_suffix(".onnx").is_file(), path
