"""Pictures for others: all but the judged vehicle is a mosaic, and the picture says that it is a copy."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageDraw, UnidentifiedImageError

from pipeline.evidence.blur import blur
from pipeline.evidence.text import fit, font
from pipeline.ioc.desk import CaseView
from pipeline.ioc.desk.files import EvidenceFiles, FileChangedError
from pipeline.ioc.store.act import Box, Item

STILLS = ("before", "at", "after")
_AIR = 0.06
"""Of the judged vehicle's box, kept clear around it: a mirror, a wheel, a rider's head stick out."""
_QUALITY = 92


def hidden_still(files: EvidenceFiles, view: CaseView, item: Item) -> Image.Image:
    """A still with everything hidden but the judged vehicle and the lamps. Raises FileError.

    The event does not say who else is in the picture, so nothing else stays.
    """
    content, _ = files.read(view, item.file)
    try:
        with Image.open(io.BytesIO(content), formats=["JPEG", "PNG"]) as picture:
            pixels = np.asarray(picture.convert("RGB"))
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
        raise FileChangedError(f"{item.file} is no picture") from error
    box = getattr(view.act.moments, item.role).box
    keep = [grown(box, _AIR), *(lamp.box for lamp in view.act.lamps.values())]
    return Image.fromarray(blur(pixels, keep, None))


def marked(picture: Image.Image, text: str) -> bytes:
    """A JPEG with a strip below that says what it is."""
    tall = max(24, picture.height // 26)
    face = font(round(tall * 0.58), bold=True)
    page = Image.new("RGB", (picture.width, picture.height + tall), (150, 20, 20))
    page.paste(picture, (0, 0))
    draw = ImageDraw.Draw(page)
    place = (tall // 3, picture.height + round(tall * 0.72))
    draw.text(place, fit(text, face, picture.width - tall), font=face, fill=(255, 255, 255), anchor="ls")
    return jpeg(page)


def jpeg(picture: Image.Image) -> bytes:
    """As a file."""
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=_QUALITY)
    return out.getvalue()


def grown(box: Box, air: float) -> Box:
    """With so much of its size around it."""
    left, top, right, bottom = box
    x, y = (right - left) * air, (bottom - top) * air
    return left - x, top - y, right + x, bottom + y


def cut(picture: Image.Image, box: Box, air: float) -> Image.Image | None:
    """What is in the box and around it; None where that is outside of the picture."""
    edges = np.clip(grown(box, air), 0, 1) * np.array([*picture.size, *picture.size])
    left, top, right, bottom = np.rint(edges).astype(int).tolist()
    return picture.crop((left, top, right, bottom)) if left + 4 <= right and top + 4 <= bottom else None
