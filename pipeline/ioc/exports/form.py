"""Paper: an A4 form of a Vietnamese authority, with its letters, tables, boxes and pictures."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Literal

import segno
from fpdf import FPDF
from PIL import Image, ImageFont

from pipeline.evidence.text import plain

LEFT_MM, RIGHT_MM, TOP_MM, BOTTOM_MM = 25.0, 15.0, 15.0, 18.0
LABEL_MM = 41.0
LONGEST = 600
"""Characters of any text: outside input is cut, never left to push a form off its page."""
INK, MUTED, RED, LINE = (20, 20, 20), (95, 95, 95), (176, 20, 20), (120, 120, 120)

_FONTS = {
    ("serif", ""): "DejaVuSerif.ttf",
    ("serif", "B"): "DejaVuSerif-Bold.ttf",
    ("mono", ""): "DejaVuSansMono.ttf",
}
Align = Literal["L", "C", "R", "J"]


class Form(FPDF):
    """Sizes of letters in points, of everything else in millimetres."""

    def __init__(self, title: str, footer: str) -> None:
        """Raises OSError when the fonts are not installed."""
        super().__init__(orientation="portrait", unit="mm", format="A4")
        for (family, style), file in _FONTS.items():
            try:
                path = ImageFont.truetype(file, 10).path
            except OSError as error:
                raise OSError(f"font {file} is not installed: apt-get install fonts-dejavu-core") from error
            self.add_font(family, style, str(path))
        self._foot = footer
        self.set_title(title)
        self.set_creator("Ngã Tư IOC")
        self.set_lang("vi-VN")
        self.set_margins(LEFT_MM, TOP_MM, RIGHT_MM)
        self.set_auto_page_break(True, BOTTOM_MM)
        self.alias_nb_pages()

    def footer(self) -> None:
        """On every page: which case it is of, and how many there are."""
        self.set_y(-12)
        self.set_draw_color(*LINE)
        self.set_line_width(0.2)
        self.line(self.l_margin, self.y - 1, self.w - self.r_margin, self.y - 1)
        self.pen(6.5, color=MUTED)
        self.cell(self.epw - 25, 4, self._foot)
        self.cell(25, 4, f"Trang {self.page_no()}/{{nb}}", align="R")

    def pen(
        self, points: float, *, bold: bool = False, mono: bool = False, color: Sequence[int] = INK
    ) -> None:
        """What is written with from now on."""
        self.set_font("mono" if mono else "serif", "B" if bold else "", points)
        self.set_text_color(*color)

    def text_at(
        self, x: float, y: float, width: float, text: str, *, line: float, align: Align = "L"
    ) -> float:
        """Text in a column from there on, broken into lines; where it ends."""
        self.set_xy(x, y)
        self.multi_cell(width, line, clean(text), align=align, new_x="LEFT", new_y="NEXT")
        return self.y

    def row(self, label: str, value: str, *, bold: bool = False, sub: bool = False) -> None:
        """What something is, and what it is like, beside each other; `sub`: of the row above."""
        top, wide = self.y, LABEL_MM
        self.pen(9.6, color=MUTED if sub else INK)
        indent = 5.0 if sub else 0.0
        low = self.text_at(self.l_margin + indent, top, wide - indent - 2, label, line=5.1)
        self.pen(10.2, bold=bold)
        low = max(low, self.text_at(self.l_margin + wide, top, self.epw - wide, value or "—", line=5.1))
        self.set_xy(self.l_margin, low + 0.7)

    def heading(self, text: str) -> None:
        """Of a part."""
        self.ln(1.2)
        self.pen(10.2, bold=True)
        self.set_x(self.l_margin)
        self.multi_cell(self.epw, 5.2, clean(text), new_x="LMARGIN", new_y="NEXT")
        self.ln(0.5)

    def stamp(self, text: str, x: float, y: float, points: float = 9.5) -> float:
        """A warning in a red frame; its width."""
        self.pen(points, bold=True, color=RED)
        width = self.get_string_width(text) + 5
        self.set_draw_color(*RED)
        self.set_line_width(0.5)
        self.rect(x, y, width, points * 0.62)
        self.set_xy(x, y)
        self.cell(width, points * 0.62, text, align="C")
        self.set_draw_color(*LINE)
        self.set_line_width(0.2)
        return width

    def dotted(self, label: str, *, width: float | None = None) -> None:
        """A line to be filled in by hand."""
        self.pen(10.2)
        left, room = self.x, width or self.epw
        self.cell(self.get_string_width(label) + 1.5, 6, label)
        dots = int((room - (self.x - left)) / self.get_string_width("."))
        self.cell(room - (self.x - left), 6, "." * max(dots - 1, 0), align="R", new_x="LMARGIN", new_y="NEXT")

    def picture(self, image: Image.Image | bytes, x: float, y: float, width: float, height: float) -> None:
        """A picture as large as the room allows, in its middle, in a thin frame."""
        source: Image.Image | io.BytesIO = io.BytesIO(image) if isinstance(image, bytes) else image
        info = self.image(source, x, y, width, height, keep_aspect_ratio=True)
        wide, tall = float(info.rendered_width), float(info.rendered_height)
        self.set_draw_color(*LINE)
        self.set_line_width(0.2)
        self.rect(x + (width - wide) / 2, y + (height - tall) / 2, wide, tall)

    def code(self, text: str, x: float, y: float, side: float) -> None:
        """A QR code (ISO/IEC 18004, error correction M) with its quiet zone."""
        out = io.BytesIO()
        segno.make_qr(text, error="m").save(out, kind="png", scale=8, border=4)
        out.seek(0)
        self.image(out, x, y, side, side)

    def watermark(self, text: str) -> None:
        """Across the page, light enough to read through."""
        with self.local_context(fill_opacity=0.13):
            self.pen(46, bold=True, color=RED)
            width = self.get_string_width(text)
            with self.rotation(52, self.w / 2, self.h / 2):
                self.text((self.w - width) / 2, self.h / 2, text)


def clean(text: str) -> str:
    """One line of letters that can be printed, of bounded length."""
    text = plain(text)
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"
