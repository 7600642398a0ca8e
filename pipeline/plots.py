"""What all pictures share: a figure that is written whole, letters that its font has, boxes with names."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.files import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PREFERRED = ("Malgun Gothic", "Apple SD Gothic Neo", "AppleGothic", "NanumGothic", "Noto Sans CJK KR", "Noto Sans KR")


@contextmanager
def make_figure(
    path: Path,
    size: tuple[float, float],
    *,
    rows: int = 1,
    columns: int = 1,
    names: tuple[str, ...] = (),
    heights: tuple[float, ...] | None = None,
) -> Iterator[tuple[Figure, Any]]:
    """A figure with a grid of axes, saved to ``path`` when the block ends; Agg whatever the user's own settings.

    Args:
        path: the picture.
        size: width and height in inches, of 110 pixels each.
        rows: of the grid.
        columns: of the grid.
        names: texts of the user's in it, for a font that has their letters.
        heights: of the rows, as parts of each other; by default all the same.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    font = find_font(unicodedata.normalize("NFC", "".join(names)))
    families = [font, "DejaVu Sans"] if font else ["DejaVu Sans"]
    with rc_context({"font.family": families, "font.size": 9, "text.parse_math": False}):
        figure = Figure(size, dpi=110, layout="constrained")
        FigureCanvasAgg(figure)
        yield figure, figure.subplots(rows, columns, squeeze=False, height_ratios=heights)
        with replacing(path) as temporary:
            figure.savefig(temporary)


@cache
def find_font(text: str) -> str | None:
    """A font on this machine that has every letter of ``text``; None where there is none, or plain letters will do."""
    if text.isascii():
        return None
    from matplotlib.font_manager import findSystemFonts, fontManager

    listed = {font.fname for font in fontManager.ttflist}
    for file in findSystemFonts():  # matplotlib's own list may be older than a font
        if file not in listed:
            with suppress(OSError, RuntimeError):  # a font that FreeType cannot open
                fontManager.addfont(file)
    fonts = sorted(fontManager.ttflist, key=lambda font: (font.name not in _PREFERRED, font.name))
    return next((font.name for font in fonts if not _is_boxes(font.name) and _covers(font.fname, text)), None)


def _is_boxes(font_name: str) -> bool:
    """Matplotlib ships a font that has every letter there is, each drawn as a box."""
    return font_name.startswith("Last Resort")


@cache
def _covers(font_file: str, text: str) -> bool:
    from matplotlib.ft2font import FT2Font

    try:
        known = FT2Font(font_file).get_charmap()
    except (OSError, RuntimeError):  # a font that FreeType cannot open
        return False
    return all(ord(letter) in known for letter in text)


def readable_names(class_names: tuple[str, ...]) -> tuple[str, ...]:
    """The names, or numbers where no font on this machine has their letters: they would print as boxes."""
    composed = tuple(unicodedata.normalize("NFC", name) for name in class_names)  # no jamo in a row for a syllable
    if is_legible("".join(composed)):
        return composed
    return tuple(f"class {index}" for index in range(len(class_names)))


def is_legible(text: str) -> bool:
    """Whether a font on this machine has every letter of ``text``."""
    return text.isascii() or find_font(text) is not None


def shorten(text: str, width: int) -> str:
    """The text where it fits, else its beginning and its end, which is where long names differ.

    Args:
        text: a name.
        width: how wide it may be, in Latin letters; a Korean one counts as two.
    """
    if text_width(text) <= width:
        return text
    half = (width - 1) // 2
    return f"{_cut(text, width - 1 - half)}…{_cut(text[::-1], half)[::-1]}"


def text_width(text: str) -> int:
    """How wide a text is, in Latin letters."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def _cut(text: str, width: int) -> str:
    """As many letters from the beginning as fit."""
    while text_width(text) > width:
        text = text[:-1]
    return text


def draw_box(axes: Axes, edges: tuple[float, float, float, float], colour: str, text: str) -> None:
    """A frame, and a name on its colour in its upper left corner.

    Args:
        axes: where a photo is shown.
        edges: left, top, right, bottom in pixels of what is shown.
        colour: as matplotlib understands it; dark enough for white letters.
        text: the name; empty for a frame alone.
    """
    from matplotlib.patches import Rectangle

    left, top, right, bottom = edges
    axes.add_patch(Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor=colour, linewidth=2))
    axes.text(
        left + 4,
        top + 4,
        text,
        color="white",
        va="top",
        fontsize=8,
        bbox={"facecolor": colour, "edgecolor": "none", "pad": 1.5},
    )
