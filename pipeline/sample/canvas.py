"""A picture of a thing, to draw and write on."""

from __future__ import annotations

import functools
import math
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw, ImageFont

from pipeline.sample.colours import INK, Colour
from pipeline.sample.shapes import SUBPIXEL_BITS, Bounds, fixed_point


class Canvas:
    """A picture to draw on in units of its own width, transparent where nothing was drawn.

    Args:
        width: in pixels.
        ratio: height by width.
        colour: what to fill it with; none leaves it transparent.

    ``pixels`` is (H, W, 4) RGBA, colours premultiplied by alpha: cv2 then draws right edges on transparent ground.
    """

    def __init__(self, width: int, ratio: float, colour: Colour | None = None) -> None:
        self.width = width
        self.ratio = ratio
        fill = (0, 0, 0, 0) if colour is None else (*colour, 255)
        self.pixels: NDArray[np.uint8] = np.full((max(1, round(width * ratio)), width, 4), fill, dtype=np.uint8)

    def _fixed(self, points: ArrayLike) -> NDArray[np.int32]:
        return fixed_point(np.asarray(points) * self.width)

    def _thick(self, width: float) -> int:
        return max(1, round(width * self.width))

    def polygon(self, points: ArrayLike, colour: Colour, *, edge: float = 0.0, ink: Colour = INK) -> None:
        """Fill the polygon (N, 2); with ``edge`` > 0 outline it in ``ink``, so wide."""
        cv2.fillPoly(self.pixels, [self._fixed(points)], (*colour, 255), cv2.LINE_AA, SUBPIXEL_BITS)
        if edge:
            self.line(points, ink, edge, closed=True)

    def line(self, points: ArrayLike, colour: Colour, width: float, *, closed: bool = False) -> None:
        """Draw through the points (N, 2), ``width`` wide, one pixel at least."""
        path = [self._fixed(points)]
        cv2.polylines(self.pixels, path, closed, (*colour, 255), self._thick(width), cv2.LINE_AA, SUBPIXEL_BITS)

    def ramp(self, top: Colour, bottom: Colour) -> None:
        """Fill all of it, running from one colour at the top to another at the bottom."""
        share = np.linspace(0, 1, len(self.pixels))[:, None, None]
        self.pixels[..., :3] = np.add(np.multiply(top, 1 - share), np.multiply(bottom, share)) + 0.5
        self.pixels[..., 3] = 255

    def blend(self, mask: NDArray[np.uint8], colour: Colour, left: int = 0, top: int = 0) -> None:
        """Paint ``colour`` through ``mask`` (H, W), whose upper left corner lies at pixel (left, top)."""
        high, wide = self.pixels.shape[:2]
        cut = mask[max(0, -top) : max(0, high - top), max(0, -left) : max(0, wide - left)]
        rows, columns = max(0, top), max(0, left)
        under = self.pixels[rows : rows + cut.shape[0], columns : columns + cut.shape[1]]
        share = cut[..., None].astype(np.float32) / 255
        under[:] = under * (1 - share) + np.array((*colour, 255), dtype=np.float32) * share + 0.5

    def text(
        self,
        words: str,
        box: Bounds,
        *,
        face: str,
        colour: Colour,
        edge: float = 0.0,
        ink: Colour = INK,
        tilt: float = 0.0,
        align: str = "center",
    ) -> None:
        """Write ``words`` as large as ``box`` allows.

        Args:
            words: lines, parted by a line feed.
            box: left, top, right, bottom.
            face: a font bundled with matplotlib, without its suffix.
            colour: of the letters.
            edge: width of the outline in ``ink``, as a share of the letters' size.
            ink: colour of the outline.
            tilt: degrees, anticlockwise.
            align: ``left`` or ``center``, within the box too.
        """
        left, top, right, bottom = (edge_ * self.width for edge_ in box)
        wide, high = _lettering(words, _load_font(face, 64), align, round(64 * edge), True).size
        size = max(4, int(64 * min((right - left) / wide, (bottom - top) / high)))
        stroke = math.ceil(size * edge)
        for outline, paint in ((True, ink), (False, colour)) if edge else ((False, colour),):
            mask = _lettering(words, _load_font(face, size), align, stroke, outline)
            mask = mask.rotate(tilt, Image.Resampling.BICUBIC, expand=True) if tilt else mask
            x = left if align == "left" else (left + right - mask.width) / 2
            self.blend(np.array(mask), paint, round(x), round((top + bottom - mask.height) / 2))

    def paste(self, other: Canvas, left: float, top: float) -> None:
        """Lay another canvas, in pixels of the same size, over this one with its upper left corner there."""
        x, y = round(left * self.width), round(top * self.width)
        under = self.pixels[y : y + other.pixels.shape[0], x : x + other.pixels.shape[1]]
        over = other.pixels[: under.shape[0], : under.shape[1]].astype(np.float32)
        under[:] = under * (1 - over[..., 3:] / 255) + over + 0.5

    def part(self, bounds: Bounds, colour: Colour) -> Canvas:
        """A canvas as large as ``bounds`` of this one, to draw on and :meth:`paste`."""
        left, top, right, bottom = bounds
        width = max(8, round((right - left) * self.width))
        return Canvas(width, (bottom - top) / (right - left), colour)


@functools.lru_cache(maxsize=64)  # bounded: every face keeps its file open
def _load_font(face: str, size: int) -> ImageFont.FreeTypeFont:
    import matplotlib  # only for its fonts, and slow to import

    path = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / f"{face}.ttf"
    return ImageFont.truetype(path, size, layout_engine=ImageFont.Layout.BASIC)


def _lettering(words: str, font: ImageFont.FreeTypeFont, align: str, stroke: int, outline: bool) -> Image.Image:
    """Mask of ``words`` with room for an outline of ``stroke`` pixels, and with it or without."""
    probe = ImageDraw.Draw(Image.new("L", (1, 1)))
    left, top, right, bottom = probe.textbbox((0, 0), words, font, align=align, stroke_width=stroke)
    mask = Image.new("L", (max(1, math.ceil(right - left)), max(1, math.ceil(bottom - top))))
    place, rim = (-left, -top), 255 if outline else 0
    ImageDraw.Draw(mask).text(place, words, 255, font, align=align, stroke_width=stroke, stroke_fill=rim)
    return mask
