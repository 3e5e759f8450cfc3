"""Pictures that surfaces are covered with: tiling noise, shop fronts and floors of houses, rain, grain."""

from __future__ import annotations

from functools import cache
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from pipeline.sim.errors import SimError

Pixels = npt.NDArray[np.uint8]
_FONTS = "/usr/share/fonts/truetype/dejavu/"
SHOPS, FLOORS = 10, 8
"""Layers of the facades: shop fronts first, then upper floors."""
_SIGNS = (
    ("CÀ PHÊ", (110, 60, 30), (250, 240, 215)),
    ("PHỞ BÒ", (190, 30, 30), (255, 235, 60)),
    ("NHÀ THUỐC", (20, 120, 60), (255, 255, 255)),
    ("SỬA XE", (30, 60, 150), (255, 255, 255)),
    ("TẠP HÓA", (210, 120, 20), (255, 255, 240)),
    ("CƠM TẤM", (160, 30, 40), (255, 250, 220)),
    ("TRÀ SỮA", (225, 130, 160), (255, 255, 255)),
    ("ĐIỆN THOẠI", (20, 20, 30), (90, 210, 255)),
    ("VÀNG BẠC", (150, 20, 20), (255, 210, 60)),
    ("BÁNH MÌ", (235, 200, 50), (170, 30, 20)),
)


@cache
def font(name: str, size: int) -> Any:
    """A DejaVu font; raises SimError where it is not installed."""
    try:
        return ImageFont.truetype(f"{_FONTS}{name}.ttf", size)
    except OSError as error:
        raise SimError(
            f"font {_FONTS}{name}.ttf is missing ({error}): install fonts-dejavu-core (scripts/setup does)"
        ) from error


@cache
def clouds() -> Pixels:
    """(512, 512, 4) tiling noise of four grains; its mean is about a half."""
    rng = np.random.default_rng(7)
    n = 512
    fx, fy = np.meshgrid(np.fft.fftfreq(n), np.fft.fftfreq(n))
    radius = np.hypot(fx, fy) * n
    out = np.empty((n, n, 4), np.uint8)
    for channel, (power, low, high) in enumerate(
        ((0.35, 12, 400), (0.9, 6, 256), (1.5, 2, 256), (0.0, 0, 1e9))
    ):
        spectrum = np.fft.fft2(rng.standard_normal((n, n)))
        gain = np.where((radius >= low) & (radius <= high), np.maximum(radius, 1.0) ** -power, 0.0)
        field = np.real(np.fft.ifft2(spectrum * gain))
        field = (field - field.mean()) / field.std()
        out[..., channel] = np.clip(field * 42 + 128, 0, 255)
    return out


@cache
def grain() -> Pixels:
    """(256, 256, 4) sensor noise around a half, a little correlated as after demosaicing."""
    rng = np.random.default_rng(11)
    fine = rng.standard_normal((256, 256, 4)).astype(np.float32)
    soft = cv2.GaussianBlur(np.tile(fine, (3, 3, 1)), (0, 0), 0.7)[256:512, 256:512]
    out: Pixels = np.clip(soft / soft.std() * 40 + 128, 0, 255).astype(np.uint8)
    return out


@cache
def streaks() -> Pixels:
    """(512, 512, 1) tiling rain streaks."""
    rng = np.random.default_rng(13)
    out = np.zeros((1536, 512 * 3), np.float32)
    for _ in range(420):
        x, y = rng.uniform(512, 1024), rng.uniform(0, 512)
        long, bright = rng.uniform(18, 60), rng.uniform(0.25, 1.0)
        for dx in (-512, 0, 512):
            for dy in (0, 512, 1024):
                end = (int(x + dx + long * 0.10), int(y + dy + long))
                cv2.line(out, (int(x + dx), int(y + dy)), end, float(bright), 1, cv2.LINE_AA)
    tile = cv2.GaussianBlur(out, (0, 0), 0.8)[512:1024, 512:1024]
    return np.clip(tile * 255, 0, 255).astype(np.uint8)[..., None]


@cache
def facades() -> Pixels:
    """(SHOPS + FLOORS, 256, 256, 4); colours of floors are multiplied with the house's. Alpha: 255 minus the
    glow at night. First row is the top."""
    layers = [_shop(k) for k in range(SHOPS)] + [_floor(k) for k in range(FLOORS)]
    return np.stack(layers)


def _shop(k: int) -> Pixels:
    rng = np.random.default_rng([k, 31])
    text, ground, ink = _SIGNS[k % len(_SIGNS)]
    image = Image.new("RGBA", (256, 256), (205, 200, 190, 255))
    draw = ImageDraw.Draw(image)
    style = k % 3
    if style == 0:
        draw.rectangle((12, 84, 244, 256), fill=(40, 36, 33, 120))
        for row in range(4):
            y = 110 + row * 36
            draw.rectangle((20, y + 22, 236, y + 26), fill=(110, 95, 80, 150))
            x = 22
            while x < 228:
                wide, tall = int(rng.integers(7, 20)), int(rng.integers(8, 22))
                tone = tuple(int(v) for v in rng.integers(60, 230, 3))
                draw.rectangle((x, y + 22 - tall, x + wide, y + 22), fill=(*tone, 130))
                x += wide + int(rng.integers(1, 6))
    elif style == 1:
        for y in range(84, 256, 7):
            shade = 150 + 20 * ((y // 7) % 2)
            draw.rectangle((14, y, 242, y + 6), fill=(shade, shade + 4, shade + 6, 255))
        draw.rectangle((120, 230, 136, 236), fill=(60, 60, 60, 255))
    else:
        draw.rectangle((12, 84, 244, 256), fill=(52, 60, 66, 90))
        for x in (12, 88, 166, 240):
            draw.rectangle((x, 84, x + 6, 256), fill=(150, 150, 150, 255))
        draw.rectangle((100, 120, 160, 256), fill=(30, 34, 38, 120))
        draw.ellipse((30, 180, 70, 240), fill=(150, 60, 60, 140))
        draw.rectangle((180, 170, 228, 246), fill=(60, 110, 150, 140))
    for x in range(0, 256, 32):
        stripe = (
            (190, 40, 40) if (x // 32) % 2 and k % 2 else (40, 110, 70) if (x // 32) % 2 else (235, 232, 222)
        )
        draw.polygon([(x, 74), (x + 32, 74), (x + 32, 92), (x + 16, 98), (x, 92)], fill=(*stripe, 255))
    draw.rectangle((4, 6, 252, 74), fill=(*ground, 110))
    size = 54
    while font("DejaVuSans-Bold", size).getlength(text) > 232:
        size -= 2
    draw.text((128, 36), text, font=font("DejaVuSans-Bold", size), fill=(*ink, 90), anchor="mm")
    draw.text(
        (128, 66),
        f"ĐT: 0{int(rng.integers(900, 999))} {int(rng.integers(100, 999))} {int(rng.integers(100, 999))}",
        font=font("DejaVuSans-Bold", 11),
        fill=(*ink, 110),
        anchor="mm",
    )
    return np.asarray(image)


def _floor(k: int) -> Pixels:
    rng = np.random.default_rng([k, 37])
    image = Image.new("RGBA", (256, 256), (240, 238, 232, 255))
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, 256, 12), fill=(205, 202, 196, 255))
    glow = int(rng.choice([255, 255, 90, 140]))
    frame = [(250, 250, 250, 255), (120, 85, 60, 255), (90, 95, 100, 255)][k % 3]
    count = [2, 3, 1, 2][k % 4]
    for c in range(count):
        wide = 190 // count
        x = int(128 + (c - (count - 1) / 2) * (wide + 12) - wide / 2)
        top, low = 52, (244 if k % 2 else 190)
        draw.rectangle((x - 5, top - 5, x + wide + 5, low + 4), fill=frame)
        pane = tuple(int(v) for v in rng.integers(38, 78, 3))
        draw.rectangle((x, top, x + wide, low), fill=(*pane, glow))
        draw.polygon([(x, top), (x + wide * 0.6, top), (x, low)], fill=(95, 110, 122, glow))
        draw.rectangle((x + wide // 2 - 2, top, x + wide // 2 + 2, low), fill=frame)
        if k % 3 == 1:
            draw.rectangle((x + wide // 2 + 4, top + 8, x + wide - 2, low), fill=(150, 60, 50, glow))
    if k % 2:
        for x in range(6, 252, 11):
            draw.rectangle((x, 190, x + 3, 250), fill=(70, 70, 74, 255))
        draw.rectangle((2, 186, 254, 193), fill=(60, 60, 64, 255))
        draw.rectangle((0, 248, 256, 256), fill=(190, 186, 178, 255))
    if k % 4 in (0, 3):
        draw.rectangle((196, 204, 246, 238), fill=(225, 226, 224, 255))
        draw.ellipse((202, 208, 228, 234), fill=(90, 92, 95, 255))
    picture = np.array(image)
    drips = cv2.GaussianBlur(rng.uniform(0.82, 1.0, (1, 256)).astype(np.float32), (0, 0), 2.5)
    fade = np.linspace(0, 1, 256, dtype=np.float32)[:, None]
    stained = picture[..., :3] * (1 - (1 - drips) * (0.4 + 0.6 * fade))[..., None]
    picture[..., :3] = stained.astype(np.uint8)
    return picture
