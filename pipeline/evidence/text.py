"""Text as pixels: DejaVu Sans through Pillow, because its glyphs cover Vietnamese."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pipeline.types import Picture

Color = tuple[int, int, int]
"""Blue, green, red, 0..255."""


@lru_cache(maxsize=32)
def font(size_px: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    """DejaVu Sans. Raises OSError saying which package to install when the machine lacks it."""
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    try:
        return ImageFont.truetype(name, size_px)
    except OSError as error:
        raise OSError(f"font {name} is not installed: apt-get install fonts-dejavu-core") from error


def plain(text: str) -> str:
    """One line of composed characters: a camera's name may come with line breaks or loose accents."""
    composed = unicodedata.normalize("NFC", text)
    return "".join(char if char.isprintable() else " " for char in composed).strip()


LONGEST = 500
"""Characters of a text that are looked at: no page has room for more."""


def fit(text: str, face: ImageFont.FreeTypeFont, width_px: float) -> str:
    """`text`, cut with an ellipsis where it is wider than `width_px`."""
    text = plain(text[:LONGEST])
    if face.getlength(text) <= width_px:
        return text
    while text and face.getlength(text + "…") > width_px:
        text = text[:-1]
    return text + "…"


def wrap(text: str, face: ImageFont.FreeTypeFont, width_px: float, lines: int) -> list[str]:
    """`text` on at most so many `lines`, broken at spaces, the last one cut with an ellipsis."""
    words = plain(text[:LONGEST]).split()
    broken: list[str] = []
    while words and len(broken) < lines - 1:
        count = 1
        while count < len(words) and face.getlength(" ".join(words[: count + 1])) <= width_px:
            count += 1
        broken.append(fit(" ".join(words[:count]), face, width_px))
        words = words[count:]
    return [*broken, fit(" ".join(words), face, width_px)] if words else broken


class Panel:
    """A picture to write on, of one background colour."""

    def __init__(self, width_px: int, height_px: int, background: Color) -> None:
        self._image = Image.new("RGB", (width_px, height_px), background[::-1])
        self._draw = ImageDraw.Draw(self._image)

    def write(self, x: float, baseline: float, text: str, face: ImageFont.FreeTypeFont, color: Color) -> None:
        """Write one line that starts at `x`."""
        self._draw.text((x, baseline), text, font=face, fill=color[::-1], anchor="ls")

    def fill(self, left: int, top: int, right: int, bottom: int, color: Color) -> None:
        """Fill a rectangle."""
        self._draw.rectangle((left, top, right - 1, bottom - 1), fill=color[::-1])

    def picture(self) -> Picture:
        """The panel as (H, W, 3) BGR."""
        return np.ascontiguousarray(np.asarray(self._image)[:, :, ::-1])


def label(text: str, size_px: int, color: Color, background: Color) -> Picture:
    """A small sign: bold text on a plain ground."""
    face = font(size_px, bold=True)
    text = plain(text)
    pad = max(3, round(size_px * 0.4))
    ascent, descent = face.getmetrics()
    panel = Panel(int(face.getlength(text)) + 2 * pad, ascent + descent + pad, background)
    panel.write(pad, pad // 2 + ascent, text, face, color)
    return panel.picture()
