"""A vehicle's plate out of a few pictures of it."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Protocol

import numpy as np

from pipeline.plates.find import Candidate, PixelBox, by_text, in_box, touches
from pipeline.plates.grammar import borne_by, correct, four_digits, lost_a_digit, suits
from pipeline.plates.text import TextReader
from pipeline.plates.vote import vote
from pipeline.types import Box, Picture, PlateCause, PlateColor, PlateReading, PlateSight, RoadUserKind

LEGIBLE = 0.8
"""Confidence from which a plate that two pictures agree on is told as the vehicle's. Set on degraded pictures
of the city's development seeds; docs/plates.md has the error rate above it."""
LEGIBLE_ALONE = 0.95
"""The same for a plate that was read so in one picture alone."""

_MARGIN = 0.06
"""Of the vehicle's box on each side: a box is rarely exact."""
_ASIDE = 0.25
"""Of a box's width: how far from its middle plates usually are."""
_LOW = 0.45
"""Of a box's height: plates are below."""
_RIVAL = 0.6
"""Another plate counts as a rival when its place is so much as usual as the best one's."""
_ENOUGH = 2
"""Pictures that must agree before the rest are spared."""
_SAME = 0.5
"""Readings of one plate share at least this much of their characters (difflib's ratio)."""


class PlateFinder(Protocol):
    """A detector that knows plates."""

    def __call__(self, picture: Picture) -> Sequence[tuple[PixelBox, float]]:
        """Boxes around plates in pixels of `picture`, and their confidence."""
        ...


@dataclass(frozen=True, slots=True)
class Sighting:
    """A picture with the vehicle in it."""

    picture: Picture
    box: Box
    """The vehicle's, in picture coordinates 0..1."""
    captured_at_s: float


class PlateReader:
    """Reads plates; threads may share it.

    >>> reading = PlateReader().read([Sighting(picture, box, captured_at_s)])
    >>> reading.text, reading.legible
    """

    def __init__(self, finder: PlateFinder | None = None) -> None:
        """Load rapidocr's models (about 0.5 s). Without a `finder` plates are found by their text.

        Raises PlateError when the models cannot be loaded.
        """
        self._text = TextReader()
        self._finder = finder

    def read(
        self, sightings: Iterable[Sighting], budget_s: float = math.inf, kind: RoadUserKind | None = None
    ) -> PlateReading:
        """Read the plate of a vehicle of that `kind` in `sightings`, best picture first.

        Stops when two pictures agree with confidence, or after the picture in which `budget_s` ran out.
        """
        until_s = time.monotonic() + budget_s
        found: list[tuple[Sighting, Candidate, bool]] = []
        reading = PlateReading.unread("no picture of the vehicle could be had", cause="no_picture")
        for looked, sighting in enumerate(sightings, 1):
            if looked > 1 and time.monotonic() >= until_s:
                break
            candidate, rivals = self._best(sighting, kind)
            if candidate is not None:
                found.append((sighting, candidate, rivals))
            reading = (
                _told(found, kind)
                if found
                else PlateReading.unread(
                    f"no plate can be made out in {looked} picture{'s' if looked > 1 else ''}", "not_found"
                )
            )
            if reading.legible and _agree(found, reading.voted) >= _ENOUGH:
                break
        return reading

    def plates(self, picture: Picture, side_px: int) -> list[PlateReading]:
        """All plates of a whole picture, searched for at `side_px` of its longer side; for measuring."""
        whole = Sighting(picture, (0.0, 0.0, 1.0, 1.0), 0.0)
        kept: list[Candidate] = []
        for candidate in by_text(picture, self._text, side_px=side_px):
            if not any(touches(candidate.box, other.box) for other in kept):
                kept.append(candidate)
        return [_told([(whole, candidate, False)], None) for candidate in kept]

    def _best(self, sighting: Sighting, kind: RoadUserKind | None) -> tuple[Candidate | None, bool]:
        """The likeliest plate of the vehicle, and whether another vehicle's could be meant as well."""
        height, width = sighting.picture.shape[:2]
        left, top, right, bottom = sighting.box
        air_x, air_y = _MARGIN * (right - left), _MARGIN * (bottom - top)
        x0, x1 = (round(min(max(x, 0.0), 1.0) * width) for x in (left - air_x, right + air_x))
        y0, y1 = (round(min(max(y, 0.0), 1.0) * height) for y in (top - air_y, bottom + air_y))
        if x1 - x0 < 16 or y1 - y0 < 16:
            return None, False
        crop = np.ascontiguousarray(sighting.picture[y0:y1, x0:x1])
        box = (left * width - x0, top * height - y0, right * width - x0, bottom * height - y0)
        found = sorted(self._candidates(crop, box), key=lambda each: _claim(each, box, kind), reverse=True)
        if not found:
            return None, False
        best = found[0]
        rivals = any(
            each.correction.form is not None
            and not touches(each.box, best.box)
            and _place(each, box) > _RIVAL * _place(best, box)
            for each in found[1:]
        )
        return best.moved(x0, y0), rivals

    def _candidates(self, crop: Picture, box: PixelBox) -> list[Candidate]:
        if self._finder is not None:
            middles = [((b[0] + b[2]) / 2, (b[1] + b[3]) / 2, b) for b, _ in self._finder(crop)]
            inside = [b for x, y, b in middles if box[0] <= x <= box[2] and box[1] <= y <= box[3]]
            found = [each for plate in inside for each in in_box(crop, plate, self._text)]
            if any(each.correction.form is not None for each in found):
                return found
        return by_text(crop, self._text, box)


def _claim(candidate: Candidate, box: PixelBox, kind: RoadUserKind | None) -> tuple[bool, float]:
    """Sorts what is likelier the plate of the vehicle in `box` after what is less likely."""
    fits = candidate.whole and suits(borne_by(candidate.correction, kind), kind)
    mended = 0.8**candidate.correction.changes
    sure = math.sqrt(candidate.confidence) * mended
    return fits, sure * _place(candidate, box)


def _place(candidate: Candidate, box: PixelBox) -> float:
    """How usual a place of its vehicle's box a plate has, 0..1: near the middle, in the lower half. What is
    higher or at the side belongs more likely to somebody behind or beside."""
    x = (candidate.middle[0] - box[0]) / max(box[2] - box[0], 1.0)
    y = (candidate.middle[1] - box[1]) / max(box[3] - box[1], 1.0)
    return math.exp(-(((x - 0.5) / _ASIDE) ** 2)) * (1.0 if y > _LOW else 0.3)


def _told(found: Sequence[tuple[Sighting, Candidate, bool]], kind: RoadUserKind | None) -> PlateReading:
    """Vote over the candidates of several pictures, and what the grammar makes of it."""
    same = _of_one_plate(found)
    voted = vote([([line.likely for line in each.lines], _weight(each)) for _, each, _ in same])
    color = _color(same)
    corrected = correct(voted.lines, color, voted.likely)
    form = borne_by(corrected, kind)
    # What was read of other plates speaks against this one.
    confidence = voted.confidence * sum(_weight(each) for _, each, _ in same)
    confidence /= sum(_weight(each) for _, each, _ in found)
    agree = _agree(found, voted.lines)
    asked = LEGIBLE if agree >= _ENOUGH else LEGIBLE_ALONE
    old = form not in (None, "military") and four_digits(corrected.lines[-1])
    numbers = (each.lines[-1].text for _, each, _ in same)
    parted = next((text for text in numbers if lost_a_digit(text)), None)
    reason = ""
    cause: PlateCause | None = None
    if form is None:
        cause = "unlike_a_plate"
        reason = f"what was read ({' / '.join(voted.lines)}) is not written like a Vietnamese plate"
    elif sum(rival for _, _, rival in same) * 2 > len(same):
        cause = "rival_plate"
        reason = "another plate is as likely the vehicle's"
    elif not suits(form, kind):
        cause = "rival_plate"
        reason = f"what was read is not written like the plate of a {kind}"
    elif old and parted is not None:
        cause = "unsure"
        reason = f"{parted} is parted like five digits, but has four: one may be hidden"
    elif old and agree < _ENOUGH:
        cause = "unsure"
        reason = f"four digits were read in {agree} of {len(found)} pictures: a fifth may be hidden"
    elif confidence < asked:
        cause = "unsure"
        reason = f"it was read with confidence {confidence:.2f}, and {asked:.2f} is asked for"
    return PlateReading(
        text="".join(corrected.lines),
        lines=corrected.lines,
        voted=voted.lines,
        confidence=round(confidence, 4),
        outcome="not_legible" if reason else "legible",
        form=form,
        province=corrected.province,
        color=color,
        sights=tuple(_sight(sighting, candidate) for sighting, candidate, _ in found),
        reason=reason,
        cause=cause,
    )


def _weight(candidate: Candidate) -> float:
    """Large, sure readings that fit the grammar count for more."""
    return (0.05 + candidate.confidence) * candidate.char_px * (2.0 if candidate.whole else 1.0)


def _of_one_plate(
    found: Sequence[tuple[Sighting, Candidate, bool]],
) -> list[tuple[Sighting, Candidate, bool]]:
    """The readings of the plate that has most weight: another vehicle's may have been read in one picture."""
    groups: list[list[tuple[Sighting, Candidate, bool]]] = []
    for each in sorted(found, key=lambda one: -_weight(one[1])):
        text = _plain(each[1])
        for group in groups:
            if SequenceMatcher(None, text, _plain(group[0][1]), autojunk=False).ratio() >= _SAME:
                group.append(each)
                break
        else:
            groups.append([each])
    return max(groups, key=lambda group: sum(_weight(candidate) for _, candidate, _ in group))


def _agree(found: Sequence[tuple[Sighting, Candidate, bool]], voted: Sequence[str]) -> int:
    """In how many pictures what was voted was read."""
    return sum(_plain(candidate) == "".join(voted) for _, candidate, _ in found)


def _plain(candidate: Candidate) -> str:
    return "".join(line.plain for line in candidate.lines)


def _color(found: Sequence[tuple[Sighting, Candidate, bool]]) -> PlateColor | None:
    votes: Counter[PlateColor] = Counter()
    for _, candidate, _ in found:
        if candidate.color is not None:
            votes[candidate.color] += 1
    return votes.most_common(1)[0][0] if votes else None


def _sight(sighting: Sighting, candidate: Candidate) -> PlateSight:
    height, width = sighting.picture.shape[:2]
    left, top, right, bottom = candidate.box
    return PlateSight(
        captured_at_s=sighting.captured_at_s,
        box=(left / width, top / height, right / width, bottom / height),
        lines=tuple(line.text for line in candidate.lines),
        confidence=round(candidate.confidence, 4),
        char_px=round(candidate.char_px, 1),
    )
