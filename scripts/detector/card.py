"""What the model says of itself: metadata in the ONNX file, the card beside it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path
from statistics import median

import onnx
import yaml

from pipeline.config import ModelSettings
from pipeline.perception.cards import Riders
from pipeline.perception.detector import Detector
from scripts.detector.learn import ARCHITECTURE, INPUT
from scripts.detector.pictures import LEAST_HEAD_PX, LEAST_PLATE_PX, LEAST_PX, LEAST_VISIBLE, NAMES
from scripts.detector.real import CONFIDENCE
from scripts.detector.score import ROAD_USERS, Score, detector, labelled, real, riders, score

LICENSE = "AGPL-3.0 (trained and exported with Ultralytics)"
RIDERS: Riders = "in-box"
TITLE = "Ngã Tư nano: road users, plates, helmets and heads at 640x384, trained on the synthetic city"


def stamp(model: Path, facts: Mapping[str, str]) -> None:
    """Add facts to the file's own metadata, and take out the exporter's time and place."""
    graph = onnx.load(str(model))
    kept = {key: value for key, value in _told_by(graph).items() if key not in ("date", "docs")}
    kept |= {"description": TITLE, "license": LICENSE, "riders": RIDERS, **facts}
    del graph.metadata_props[:]
    for key, value in sorted(kept.items()):
        graph.metadata_props.add(key=key, value=value)
    onnx.save(graph, str(model))


def _told_by(model: onnx.ModelProto) -> dict[str, str]:
    """The file's own metadata."""
    return {entry.key: entry.value for entry in model.metadata_props}


def history(start: Path) -> str:
    """What an export was trained on, and what those before it were, the latest first."""
    if start.suffix != ".onnx":
        return f"{start.name}, which does not say"
    told = _told_by(onnx.load(str(start)))
    latest = f"{told.get('training_data', 'unknown')}; epochs: {told.get('epochs', 'unknown')}"
    return "; before that ".join([latest, *([told["before"]] if "before" in told else [])])


def write(
    model: Path,
    small: Path,
    *,
    heldout: Path,
    clips: Sequence[Path],
    unseen: Sequence[str],
    labeller: Path | None,
    riders_folder: Path | None,
) -> None:
    """Score the model and its 8-bit copy: NAME.yaml of each for the pipeline, NAME.md for people."""
    for one, title in ((model, TITLE), (small, f"{TITLE}, in 8 bits")):
        told = {"title": title, "license": LICENSE, "riders": RIDERS, "names": list(NAMES)}
        one.with_suffix(".yaml").write_text(
            yaml.safe_dump(told, sort_keys=False, allow_unicode=True, width=110), encoding="utf-8"
        )
    ours = detector(model)
    scored = score(ours, labelled(heldout))
    metadata = _told_by(onnx.load(str(model)))
    text = [
        f"# {model.stem}",
        "",
        f"{TITLE}. Written by scripts/train_detector.py; figures are measured, not typed.",
        "",
        f"- Architecture: {ARCHITECTURE.removesuffix('.yaml')} from scratch, no weights of others; "
        f"input {INPUT[0]}x{INPUT[1]} RGB 0..1, letterboxed; {model.stat().st_size / 1e6:.1f} MB.",
        f"- Classes: {', '.join(NAMES)}. A two-wheeler's box includes its riders, who are no `person`; "
        "`helmet` and `head` are heads with and without one, of riders and of people on foot.",
        f"- Labelled: road users from {LEAST_PX:g} px (longer side) {LEAST_VISIBLE:.0%} visible, "
        f"plates from {LEAST_PLATE_PX:g} px of width, heads from {LEAST_HEAD_PX:g} px of height, in 640x360.",
        f"- Training data: {metadata['training_data']}. Seed {metadata['seed']}; "
        f"epochs: {metadata['epochs']}; code {metadata['code_version']}.",
        *([f"- It goes on from an export trained on {metadata['before']}."] if "before" in metadata else []),
        f"- License: {LICENSE}.",
        "",
        "## On held-out cities",
        "",
        "Cities of the family `heldout`, the catalogue's own cameras, day to night, rain too; 640x360.",
        "",
        *_table(scored),
        "",
        *_compared({model: scored, small: score(detector(small), labelled(heldout))}, heldout),
    ]
    if clips and labeller is not None:
        judge = detector(labeller, CONFIDENCE)
        text += [
            "",
            "## On real clips",
            "",
            f"Against the boxes of {labeller.stem} (which misses much and calls riders persons): a stand-in "
            "for truth, so the figures say how far the two agree. Last 30 % of each clip; the first 60 % "
            "were in the training data unless said otherwise.",
            "",
            "| clip | pictures | mAP50 | mAP50-95 | AP50 motorbike | AP50 car | AP50 person |",
            "|---|---|---|---|---|---|---|",
        ]
        for clip in clips:
            one = score(ours, real([clip], judge, 30), ROAD_USERS)
            apart = " (never trained on)" if clip.stem in unseen else ""
            shown = " | ".join(
                f"{one.classes[name][0]:.2f}" if name in one.classes else "-"
                for name in ("motorbike", "car", "person")
            )
            text.append(
                f"| {clip.stem}{apart} | {one.pictures} | {one.map50:.2f} | {one.map50_95:.2f} | {shown} |"
            )
        if riders_folder is not None:
            text += [
                "",
                "Riders' pictures may be of clips in the training data (with the other model's boxes).",
                "",
            ]
            for name, asked in ((model.stem, ours), (labeller.stem, detector(labeller))):
                found, total = riders(asked, riders_folder, 0.3)
                text.append(
                    f"Labelled riders with a person's or two-wheeler's box of {name} on them (IoU 0.5, "
                    f"confidence 0.3): {found} of {total}, {found / total:.2f}."
                )
    model.with_suffix(".md").write_text("\n".join(text) + "\n", encoding="utf-8")


def _compared(scores: Mapping[Path, Score], heldout: Path) -> list[str]:
    """Models side by side, CPU time of one picture on one thread taken in turns."""
    tried = [Detector(ModelSettings(path=one, confidence=0.3), threads_per_run=1) for one in scores]
    times_ms: list[list[float]] = [[] for _ in tried]
    for picture, _ in islice(labelled(heldout), 60):
        for one, spent in zip(tried, times_ms, strict=True):
            began = time.process_time()
            one.detect([picture])
            spent.append((time.process_time() - began) * 1e3)
    return [
        "| file | MB | mAP50 | mAP50-95 | CPU ms a picture, one thread |",
        "|---|---|---|---|---|",
        *(
            f"| {path.name} | {path.stat().st_size / 1e6:.1f} | {scored.map50:.3f} | {scored.map50_95:.3f} | "
            f"{median(spent):.0f} |"
            for (path, scored), spent in zip(scores.items(), times_ms, strict=True)
        ),
    ]


def _table(scored: Score) -> list[str]:
    rows = [
        f"| {name} | {there} | {ap50:.3f} | {ap:.3f} |" for name, (ap50, ap, there) in scored.classes.items()
    ]
    return [
        f"{scored.pictures} pictures: **mAP50 {scored.map50:.3f}, mAP50-95 {scored.map50_95:.3f}**.",
        "",
        "| class | there | AP50 | AP50-95 |",
        "|---|---|---|---|",
        *rows,
    ]
