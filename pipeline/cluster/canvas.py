"""What the pictures of groups are drawn with: colours, letters, thumbnails."""

from __future__ import annotations

import colorsys
import unicodedata
from collections.abc import Iterable
from io import BytesIO

from PIL import Image, ImageDraw, ImageFont

from pipeline.plots import find_font

INK, FAINT, PAPER = "#1f2933", "#5a6675", "#ffffff"
NOISE_COLOUR = "#8b949e"

_COLOURS = (  # white letters are legible on each; those next to each other differ in lightness as well
    "#1f5fb4",
    "#d1480a",
    "#1b7f3c",
    "#7b4fa3",
    "#a86a00",
    "#c2207a",
    "#007a87",
    "#5c6b00",
    "#6b4a2f",
    "#2c3e8f",
)
_GOLDEN = 0.618034
"""Turns of the wheel of colours after which no colour comes near one of before for long."""


def group_colour(label: int) -> str:
    """The colour of a group by its number; grey for noise."""
    if label < 0:
        return NOISE_COLOUR
    if label < len(_COLOURS):
        return _COLOURS[label]
    lightness = (0.3, 0.36, 0.23)[label % 3]
    red, green, blue = colorsys.hls_to_rgb(label * _GOLDEN % 1, lightness, 0.6)
    return f"#{round(255 * red):02x}{round(255 * green):02x}{round(255 * blue):02x}"


class Canvas:
    """A picture to be drawn, with letters for all that is to be written in it.

    Args:
        size: width and height in pixels.
        texts: all that will be written.
    """

    def __init__(self, size: tuple[int, int], texts: Iterable[str]) -> None:
        self.image = Image.new("RGB", size, PAPER)
        self.draw = ImageDraw.Draw(self.image)
        self._file = _font_file("".join(texts))
        self._fonts: dict[int, ImageFont.FreeTypeFont] = {}

    def font(self, size: int) -> ImageFont.FreeTypeFont:
        """The letters, so many pixels high."""
        if size not in self._fonts:
            self._fonts[size] = ImageFont.truetype(self._file, size, layout_engine=ImageFont.Layout.BASIC)
        return self._fonts[size]

    def measure(self, text: str, size: int) -> tuple[int, int]:
        """Width and height of a line in pixels."""
        font = self.font(size)
        return round(self.draw.textlength(_composed(text), font)), sum(font.getmetrics())

    def write(self, place: tuple[float, float], text: str, size: int, colour: str = INK) -> None:
        """A line of text from its upper left corner on."""
        self.draw.text(place, _composed(text), colour, self.font(size))

    def tag(self, place: tuple[int, int], text: str, size: int, colour: str) -> None:
        """White letters on a colour, in a box whose upper left corner is at ``place``; see ``tag_size``."""
        width, height = self.tag_size(text, size)
        left, top = place
        edges = (left, top, left + width, top + height)
        self.draw.rounded_rectangle(edges, radius=size // 3, fill=colour, outline=PAPER, width=2)
        self.write((left + size // 2, top + size // 5), text, size, PAPER)

    def tag_size(self, text: str, size: int) -> tuple[int, int]:
        """Width and height of a tag in pixels."""
        width, height = self.measure(text, size)
        return width + 2 * (size // 2), height + 2 * (size // 5)

    def picture(self, jpeg: bytes, middle: tuple[float, float], side: int, *, frame: str | None, line: int = 3) -> None:
        """A thumbnail that fits into a square, its frame included.

        Args:
            jpeg: the thumbnail.
            middle: of the square.
            side: of the square, pixels.
            frame: colour of the frame; None for none.
            line: width of the frame.
        """
        line = 0 if frame is None else line
        with Image.open(BytesIO(jpeg)) as opened:
            small = opened.convert("RGB")
        inner = side - 2 * line
        factor = inner / max(small.size)
        size = max(1, round(small.width * factor)), max(1, round(small.height * factor))
        small = small.resize(size, Image.Resampling.LANCZOS)
        left, top = round(middle[0] - size[0] / 2), round(middle[1] - size[1] / 2)
        if frame is not None:
            edges = (left - line, top - line, left + size[0] + line - 1, top + size[1] + line - 1)
            self.draw.rectangle(edges, fill=frame)
        self.image.paste(small, (left, top))


def _composed(text: str) -> str:
    """No jamo in a row for a syllable."""
    return unicodedata.normalize("NFC", text)


def _font_file(text: str) -> str:
    from matplotlib.font_manager import FontProperties, fontManager

    family = find_font(_composed(text)) or "DejaVu Sans"  # which comes with matplotlib
    return str(fontManager.findfont(FontProperties(family=family), fallback_to_default=True))
