"""Number plates: the text as it is written on metal, and its picture."""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from pipeline.sim.errors import SimError
from pipeline.sim.render.textures import font
from pipeline.sim.types import Plate

_GROUND = {"white": (246, 246, 242), "yellow": (250, 196, 20), "blue": (22, 62, 150)}
_INK = {"white": (16, 16, 18), "yellow": (18, 16, 12), "blue": (245, 245, 245)}
_PX_PER_MM = 1.0
SIZES_MM = {"long": (520, 110), "short": (330, 165), "motorbike": (190, 140)}
"""Width and height of a car's one-line and two-line plate and of a motorbike's."""
CHARACTER_SHARE = {"long": 0.70, "short": 0.385, "motorbike": 0.39}
"""Height of a character relative to the plate's."""


def shape(plate: Plate, motorbike: bool) -> str:
    """Which of SIZES_MM a plate has."""
    return "motorbike" if motorbike else "long" if plate.lines == 1 else "short"


def written(plate: Plate, motorbike: bool) -> tuple[str, ...]:
    """Lines as on the plate: 70A12345 is 70A-123.45 on a car's one line, 70A and 123.45 on two, and on a
    motorbike 70AB12345 is 70-AB and 123.45. Raises SimError for a text that is none."""
    pattern = r"(\d{2})([A-Z][A-Z0-9])(\d{4,5})" if motorbike else r"(\d{2})([A-Z]{1,2})(\d{4,5})"
    found = re.fullmatch(pattern, plate.text)
    if found is None:
        kind = "motorbike" if motorbike else "car"
        raise SimError(
            f"plate {plate.text!r} is no {kind}'s: want e.g. {'70AB12345' if motorbike else '70A12345'}"
        )
    province, series, digits = found.groups()
    number = f"{digits[:3]}.{digits[3:]}" if len(digits) == 5 else digits
    if motorbike:
        return (f"{province}-{series}", number)
    return (f"{province}{series}-{number}",) if plate.lines == 1 else (f"{province}{series}", number)


@lru_cache(maxsize=512)
def picture(plate: Plate, motorbike: bool) -> npt.NDArray[np.uint8]:
    """(H, W, 3) RGB, a millimetre a pixel, with an embossed look and a rim."""
    kind = shape(plate, motorbike)
    wide, high = SIZES_MM[kind]
    image = Image.new("RGB", (wide, high), _GROUND[plate.color])
    draw = ImageDraw.Draw(image)
    ink = _INK[plate.color]
    draw.rounded_rectangle((2, 2, wide - 3, high - 3), 8, outline=ink, width=3)
    lines = written(plate, motorbike)
    tall = CHARACTER_SHARE[kind] * high
    gap = high / (2 * len(lines))
    for k, line in enumerate(lines):
        middle = gap * (2 * k + 1) + (0 if len(lines) == 1 else (0.022 if k == 0 else -0.022) * high)
        room = wide * (0.92 if k or len(lines) == 1 else 0.74)
        _write(image, line, (wide / 2, middle), tall, room, ink)
    for x in (0.12, 0.88):
        at = (wide * x, high * (0.10 if len(lines) == 2 else 0.5))
        if len(lines) == 2:
            draw.ellipse((at[0] - 3, at[1] - 3, at[0] + 3, at[1] + 3), fill=(120, 120, 120))
    return np.asarray(image)


def _write(
    image: Image.Image,
    text: str,
    middle: tuple[float, float],
    tall: float,
    room: float,
    ink: tuple[int, int, int],
) -> None:
    """Characters of exactly `tall` pixels, squeezed to the room."""
    face = font("DejaVuSansCondensed-Bold", 160)
    _, top, _, bottom = face.getbbox("0123456789ABCDEFGHKLMNPRSTUVXYZ")
    stroke = Image.new("L", (int(face.getlength(text)) + 8, bottom - top), 0)
    ImageDraw.Draw(stroke).text((4, -top), text, font=face, fill=255)
    box = stroke.getbbox()
    if box is None:
        return
    stroke = stroke.crop((box[0], 0, box[2], stroke.height))
    wide = min(stroke.width * tall / stroke.height * 0.94, room)
    stroke = stroke.resize((round(wide), round(tall)), Image.Resampling.LANCZOS)
    image.paste(ink, (round(middle[0] - wide / 2), round(middle[1] - tall / 2)), stroke)
