"""A page of fixed size: surfaces and pictures first, then every text on top, each kept as what it says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from PIL import Image, ImageDraw

from pipeline.evidence.drawing import Rect
from pipeline.evidence.text import Color, fit, font
from pipeline.types import Picture


@dataclass(frozen=True, slots=True)
class Line:
    """One line of text, as it stands on the page."""

    text: str
    """Cut with an ellipsis where there was no room."""
    rect: Rect
    """Around its letters, accents and descenders included."""
    size_px: int
    bold: bool
    color: Color


class Sheet:
    """A page to fill. Places are in pixels from its left top corner."""

    def __init__(self, width_px: int, height_px: int, background: Color) -> None:
        self.canvas: Picture = np.full((height_px, width_px, 3), background, np.uint8)
        self.lines: list[Line] = []

    def fill(self, rect: Rect, color: Color) -> None:
        """A plain surface."""
        left, top, right, bottom = rect
        self.canvas[top:bottom, left:right] = color

    def paste(self, picture: Picture, left: int, top: int) -> None:
        """A picture as it is."""
        self.canvas[top : top + picture.shape[0], left : left + picture.shape[1]] = picture

    def show(self, picture: Picture, rect: Rect, background: Color) -> Rect:
        """A whole picture as large as `rect` allows, in its middle; where it came to lie."""
        self.fill(rect, background)
        left, top, right, bottom = rect
        height, width = picture.shape[:2]
        scale = min((right - left) / width, (bottom - top) / height)
        size = max(1, round(width * scale)), max(1, round(height * scale))
        x, y = left + (right - left - size[0]) // 2, top + (bottom - top - size[1]) // 2
        self.paste(resized(picture, size), x, y)
        return x, y, x + size[0], y + size[1]

    def write(
        self,
        x: float,
        baseline: float,
        text: str,
        size_px: int,
        color: Color,
        *,
        room: float,
        bold: bool = False,
        align: Literal["left", "right", "middle"] = "left",
    ) -> float:
        """One line that starts, ends or has its middle at `x`; its width, at most `room`."""
        face = font(size_px, bold)
        text = fit(text, face, room)
        width = face.getlength(text)
        left = x - {"left": 0.0, "right": width, "middle": width / 2}[align]
        ascent, descent = face.getmetrics()
        rect = (int(left), int(baseline - ascent), int(left + width) + 1, int(baseline + descent) + 1)
        if text:
            self.lines.append(Line(text, rect, size_px, bold, color))
        return width

    def chip(
        self,
        right: float,
        middle: float,
        text: str,
        size_px: int,
        color: Color,
        ground: Color,
        *,
        room: float,
    ) -> float:
        """A small sign that ends at `right`; its width."""
        pad = round(size_px * 0.6)
        face = font(size_px, bold=True)
        text = fit(text, face, room - 2 * pad)
        width = round(face.getlength(text)) + 2 * pad
        tall = round(size_px * 0.85)
        self.fill((round(right) - width, round(middle) - tall, round(right), round(middle) + tall), ground)
        baseline = middle + size_px * 0.36
        self.write(right - width + pad, baseline, text, size_px, color, room=width, bold=True)
        return width

    def draw(self) -> Picture:
        """The page as (H, W, 3) BGR."""
        image = Image.fromarray(np.ascontiguousarray(self.canvas[:, :, ::-1]))
        draw = ImageDraw.Draw(image)
        for line in self.lines:
            face = font(line.size_px, line.bold)
            baseline = line.rect[1] + face.getmetrics()[0]
            draw.text((line.rect[0], baseline), line.text, font=face, fill=line.color[::-1], anchor="ls")
        return np.ascontiguousarray(np.asarray(image)[:, :, ::-1])


def resized(picture: Picture, size: tuple[int, int]) -> Picture:
    """`picture` at another size (width, height), smooth either way."""
    shrinks = size[0] * size[1] < picture.shape[0] * picture.shape[1]
    way = cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(picture, size, interpolation=way), np.uint8)
