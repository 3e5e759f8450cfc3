"""Whether a camera still shows what its scene was drawn on: a reference picture against the picture now.

Compared is where edges run, not how bright they are: the doubled angle of the gradient (a lamp that is darker
than its wall by day and brighter by night keeps its edges) as unit complex numbers, correlated (orientation
correlation, Fitch, Kadyrov, Christmas, Kittler, BMVC 2002). What moves averages out over some seconds. Each
block of the picture looks for its own displacement, so a turn, a tilt, a roll and a zoom all show. A
recorder's overlay never moves, and is written along the upper and the lower edge: that a picture fits must be
said by half of the blocks that have something to compare, and by some of them between those edges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.types import Picture

Complex = npt.NDArray[np.complex64]
Grey = npt.NDArray[np.uint8]

WIDTH_PX = 320
"""Pictures are compared this wide: a degree is some 6 pixels of a usual camera's."""
EVERY_S = 2.0
"""A picture so often goes into the average."""
COMPARE_EVERY = 3
"""Pictures; with that a camera costs some five milliseconds a second."""
FADE = 0.2
"""Share of the newest picture in the average: some ten seconds count."""
SETTLE = 8
"""Pictures before the average says anything, and of which a reference is made."""
GAP_S = 30.0
"""After a longer gap the average begins anew."""

BLOCKS = (4, 3)
"""Across and down. An overlay lies in the uppermost and the lowest row."""
SAME_SHAPE = 0.02
"""Of the height: a picture that differs by less for its width is stretched and compared, because decoders add
rows (1088 of 1080)."""
LEAST_EDGES = 0.02
"""Of a block's pixels: fewer lasting edges say nothing."""
SURE, SURE_WHOLE = 5.0, 8.0
"""A displacement must stand out from all others by so many of their standard deviations: of a block, and of
the whole picture. Pictures of one place reach 50, of different places 5."""
CLEAR = 1.15
"""A block's displacement must stand out over the next best one elsewhere by this factor."""
MOVED_PX = 3.0
"""Half a degree of a usual camera."""
VOTES = 4
"""Fewer blocks that can tell, and the whole picture is asked."""
MOVED_SHARE, FITS_SHARE = 0.5, 0.25
"""Of the votes, those for a displacement: so many, and it has moved; no more, and it may fit. A roll leaves
the middle where it is."""
KNOWN_SHARE, KNOWN_BETWEEN = 0.5, 2
"""To fit, so many of the blocks with edges then and now must be where they were, and so many of them between
the rows of an overlay."""
EDGE_SIGMAS = 3.0
HOLD, HOLD_STRANGE = 4, 50
"""Verdicts in a row that change the state: half a minute; where nothing is to be recognized, five minutes,
because fog and darkness also hide what was there."""


class Fit(StrEnum):
    """What is known of one moment."""

    FITS = "fits"
    MOVED = "moved"
    STRANGE = "strange"
    """There is enough to see, and nothing of it is the reference."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Comparison:
    """The average of now against the reference."""

    fit: Fit
    across: float = 0.0
    """Median displacement of the blocks that can tell, of the picture's width; to the right is positive."""
    down: float = 0.0
    """Of its height."""
    votes: int = 0
    other_shape: bool = False
    """MOVED because the picture has another shape; nothing could be compared."""


def small(picture: Picture) -> Grey:
    """Grey, WIDTH_PX wide."""
    height = max(1, round(picture.shape[0] * WIDTH_PX / picture.shape[1]))
    shrunk = cv2.resize(picture, (WIDTH_PX, height), interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(shrunk, cv2.COLOR_BGR2GRAY), dtype=np.uint8)


def edges(grey: Grey) -> Complex:
    """(H, W): unit numbers at twice the gradient's angle where there is an edge, fading to 0 elsewhere."""
    smooth = cv2.GaussianBlur(grey.astype(np.float32), (0, 0), 1.2)
    across, down = cv2.Sobel(smooth, cv2.CV_32F, 1, 0), cv2.Sobel(smooth, cv2.CV_32F, 0, 1)
    size = np.hypot(across, down)
    # Noise has gradients everywhere: what is an edge is told against the picture's own median.
    level = max(6.0, EDGE_SIGMAS * float(np.median(size)))
    angle = np.where(size > 0, (across + 1j * down) / np.maximum(size, 1e-6), 0) ** 2
    return np.asarray(angle * np.clip(size / level, 0, 1) ** 2, dtype=np.complex64)


def compare(reference: Complex, now: Complex) -> Comparison:
    """Displacements of the blocks, and what most of them say."""
    if reference.shape != now.shape:
        return Comparison(Fit.MOVED, other_shape=True)
    height, width = reference.shape
    blocks = _blocks(reference.shape)
    telling = [i for i, block in enumerate(blocks) if _enough(reference[block]) and _enough(now[block])]
    moves = {i: move for i in telling if (move := _move(reference[blocks[i]], now[blocks[i]])) is not None}
    known = [i for i, move in moves.items() if np.hypot(*move) < MOVED_PX]
    between = sum(BLOCKS[0] <= i < len(blocks) - BLOCKS[0] for i in known)
    share = 1 - len(known) / len(moves) if len(moves) >= VOTES else 0.0
    if len(moves) >= VOTES:
        away = np.array(list(moves.values()))
        x, y = np.median(away, axis=0)
        if share >= MOVED_SHARE:
            x, y = np.median(away[np.hypot(away[:, 0], away[:, 1]) >= MOVED_PX], axis=0)
            return Comparison(Fit.MOVED, float(x) / width, float(y) / height, len(moves))
        enough = len(known) >= KNOWN_SHARE * len(telling) and between >= KNOWN_BETWEEN
        if share <= FITS_SHARE and enough:
            return Comparison(Fit.FITS, float(x) / width, float(y) / height, len(moves))
    # What is where it was may be the overlay, which is there wherever the camera looks: the rest is asked.
    rest, rest_now = reference.copy(), now.copy()
    for i in known:
        rest[blocks[i]] = rest_now[blocks[i]] = 0
    whole = _as_a_whole(rest, rest_now, len(moves))
    # More than an overlay is known again, and something large may stand before the rest.
    hidden = whole.fit is Fit.STRANGE and between > 0 and len(known) >= VOTES
    if hidden or (share > FITS_SHARE and whole.fit is not Fit.MOVED):
        return Comparison(Fit.UNKNOWN, votes=len(moves))
    return whole


def _blocks(shape: tuple[int, ...]) -> list[tuple[slice, slice]]:
    height, width = shape
    columns, rows = BLOCKS
    return [
        (
            slice(r * height // rows, (r + 1) * height // rows),
            slice(c * width // columns, (c + 1) * width // columns),
        )
        for r in range(rows)
        for c in range(columns)
    ]


def _as_a_whole(reference: Complex, now: Complex, votes: int) -> Comparison:
    """Where single blocks cannot tell: moved too far for them, too dark, or another place."""
    height, width = reference.shape
    if not (_enough(reference) and _enough(now)):
        return Comparison(Fit.UNKNOWN, votes=votes)
    peaks = _correlation(reference, now)
    sigmas = (peaks - peaks.mean()) / peaks.std()
    middle = (peaks.shape[0] // 2, peaks.shape[1] // 2)
    y, x = (int(v) for v in np.unravel_index(int(np.argmax(sigmas)), peaks.shape))
    across, down = x - middle[1], y - middle[0]
    if sigmas[y, x] < SURE_WHOLE:
        return Comparison(Fit.STRANGE, votes=votes)
    if np.hypot(across, down) < MOVED_PX:
        return Comparison(Fit.FITS, votes=votes)
    return Comparison(Fit.MOVED, across / width, down / height, votes)


def _move(reference: Complex, now: Complex) -> tuple[float, float] | None:
    """By how many pixels (right, down) a block with enough edges has moved; None where it cannot tell."""
    peaks = _correlation(reference, now)
    y, x = (int(v) for v in np.unravel_index(int(np.argmax(peaks)), peaks.shape))
    best, elsewhere = float(peaks[y, x]), peaks.copy()
    elsewhere[max(0, y - 3) : y + 4, max(0, x - 3) : x + 4] = peaks.min()
    if best - peaks.mean() < SURE * peaks.std() or best < CLEAR * float(elsewhere.max()):
        return None
    return float(x - peaks.shape[1] // 2), float(y - peaks.shape[0] // 2)


def _enough(field: Complex) -> bool:
    return float(np.abs(field).sum()) >= LEAST_EDGES * field.size


def _correlation(reference: Complex, now: Complex) -> npt.NDArray[np.float32]:
    """How alike they are by displacement, up to a third of the size each way; none in the middle.

    Half whitened: between the blunt peak of a plain correlation and the noise of a phase correlation.
    """
    height, width = reference.shape
    shape = (2 * height, 2 * width)
    product = np.conj(np.fft.fft2(reference - reference.mean(), shape)) * np.fft.fft2(now - now.mean(), shape)
    peaks = np.fft.fftshift(np.fft.ifft2(product / np.sqrt(np.maximum(np.abs(product), 1e-9))).real)
    down, across = height // 3, width // 3
    near = peaks[height - down : height + down + 1, width - across : width + across + 1]
    return np.asarray(cv2.GaussianBlur(near.astype(np.float32), (0, 0), 0.8))


class MovedCamera:
    """Follows one camera against its reference. Without one, the first pictures become it.

    `known` is what an earlier run knew of it. Not for several threads at once.
    """

    def __init__(self, reference: Grey | None = None, known: Comparison | None = None) -> None:
        self.reference = reference
        self.comparison = known or Comparison(Fit.UNKNOWN)
        """The newest."""
        self.state: Fit = self.comparison.fit
        """FITS, MOVED, STRANGE; UNKNOWN until the first of them has held."""
        self._edges = edges(reference) if reference is not None else None
        self._average: Complex | None = None
        self._first: list[Grey] = []
        self._count = 0
        self._last_s = -np.inf
        self._row: tuple[Fit, int] = (Fit.UNKNOWN, 0)

    def observe(self, picture: Picture, time_s: float) -> bool:
        """Take up a picture; most cost nothing. Whether `state` has changed."""
        if 0 <= time_s - self._last_s < EVERY_S:
            return False
        if not 0 <= time_s - self._last_s <= GAP_S:
            self._average, self._count = None, 0
        self._last_s = time_s
        grey = small(picture)
        if self._edges is None:
            self._make_reference(grey)
            return False
        now = self._edges_of(grey)
        if self._average is None or self._average.shape != now.shape:
            self._average, self._count = now, 0
        self._average += np.float32(max(FADE, 1 / (self._count + 1))) * (now - self._average)
        self._count += 1
        if self._count < SETTLE or self._count % COMPARE_EVERY:
            return False
        self.comparison = compare(self._edges, self._average)
        return self._hold(self.comparison.fit)

    def look(self, picture: Picture) -> Complex | None:
        """A picture by itself, for `fit_of`; None while there is no reference."""
        return self._edges_of(small(picture)) if self._edges is not None else None

    def fit_of(self, looks: Sequence[Complex]) -> Fit:
        """What pictures of a few seconds say together."""
        assert self._edges is not None
        if any(look.shape != self._edges.shape for look in looks):
            return Fit.MOVED
        return compare(self._edges, np.mean(looks, axis=0)).fit

    def _edges_of(self, grey: Grey) -> Complex:
        """In the reference's shape where the two are nearly alike."""
        assert self.reference is not None
        height, width = self.reference.shape
        if 0 < abs(grey.shape[0] - height) < SAME_SHAPE * height:
            grey = np.asarray(cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA), dtype=np.uint8)
        return edges(grey)

    def _make_reference(self, grey: Grey) -> None:
        """The median of the first pictures: who passed by is not in it."""
        if self._first and self._first[0].shape != grey.shape:
            self._first.clear()
        self._first.append(grey)
        if len(self._first) == SETTLE:
            self.reference = np.asarray(np.median(self._first, axis=0), dtype=np.uint8)
            self._edges = edges(self.reference)
            self._first.clear()

    def _hold(self, fit: Fit) -> bool:
        if fit is Fit.UNKNOWN:
            return False
        self._row = (fit, self._row[1] + 1 if fit is self._row[0] else 1)
        if fit is self.state or self._row[1] < (HOLD_STRANGE if fit is Fit.STRANGE else HOLD):
            return False
        self.state = fit
        return True
