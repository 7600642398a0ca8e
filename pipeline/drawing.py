"""Photos with what was found drawn in: a frame a subject, with its class and how sure that is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pipeline.errors import PhotoError
from pipeline.images import Pixels, open_photo, shrink
from pipeline.naming import Taken, plain_parts
from pipeline.pictures import OpenPhoto, PicturesMade, is_made_from, make_pictures
from pipeline.plots import find_font, readable_names, shorten
from pipeline.results import PhotoResult, Prediction

BOXES = "boxes"
"""The folder of these photos in that of a report."""

LONGEST_PX = 1600
"""The longer side of a drawn photo at most: it fills a screen, and is sent around in a message."""

_COLOURS = (  # white letters are legible on each, and people who cannot tell red from green tell most of them apart
    "#1f5fb4",
    "#b8390a",
    "#1b7f3c",
    "#7b4fa3",
    "#8a5a00",
    "#c2207a",
    "#007a87",
    "#5c6b00",
    "#6b4a2f",
    "#2c3e8f",
)
_WIDTH = 36
_QUALITY = 88
_Edges = tuple[int, int, int, int]


def write_drawn(
    results: Iterable[PhotoResult], open_source: OpenPhoto, folder: Path, *, class_names: Sequence[str]
) -> PicturesMade:
    """Draw each photo that something was found in, ``boxes/<its path>.jpg``: no side longer than ``LONGEST_PX``.

    Args:
        results: as for ``make_pictures``.
        open_source: as for ``make_pictures``.
        folder: the report's.
        class_names: every class of the run; each has its colour by its place.

    Raises:
        OutputError: as ``make_pictures`` does.
    """
    root, taken, style = folder / BOXES, Taken(), _choose_style(tuple(class_names))

    def place(result: PhotoResult) -> list[Path]:
        return [root / _claim_name(result.photo, taken)]

    def draw(result: PhotoResult, source: Path | bytes) -> list[Pixels]:
        photo = open_photo(source, side=LONGEST_PX, name=result.photo)
        if photo.size != result.size:
            raise PhotoError("has changed since it was sorted", where=result.photo)
        pixels = shrink(photo.pixels, LONGEST_PX)
        return [draw_predictions(pixels, result.predictions, style, scale=max(pixels.shape) / max(photo.size))]

    return make_pictures(results, open_source, [root], place=place, draw=draw, quality=_QUALITY)


def list_drawn(results: Iterable[PhotoResult], folder: Path) -> dict[str, Path]:
    """The drawn photos that are there, by their photo; those that an earlier run drew of other results are left out.

    Args:
        results: as for ``make_pictures``; not gone through where nothing was drawn.
        folder: the report's.
    """
    root, taken = folder / BOXES, Taken()
    if not root.is_dir():
        return {}
    found = ((one, root / _claim_name(one.photo, taken)) for one in results if one.predictions)
    return {one.photo: path for one, path in found if is_made_from(path, one)}


def _claim_name(photo: str, taken: Taken) -> str:
    path = "/".join(plain_parts(photo))
    return taken.claim(path[:-4] if path.lower().endswith(".jpg") else path, ".jpg")


@dataclass(frozen=True, slots=True)
class Style:
    """How classes are shown.

    Args:
        labels: what each class is called in letters that ``font`` has.
        colours: of each class.
        font: file of the font.
    """

    labels: dict[str, str]
    colours: dict[str, str]
    font: str


def draw_predictions(pixels: Pixels, predictions: Sequence[Prediction], style: Style, *, scale: float) -> Pixels:
    """A copy of a photo with frames and labels; what is unsure has a question mark.

    Args:
        pixels: upright RGB, shape (height, width, 3).
        predictions: what was found in the full photo.
        style: how its classes are shown.
        scale: pixels of this photo to one of the full photo.
    """
    image = Image.fromarray(pixels)
    canvas = ImageDraw.Draw(image)
    longest = max(image.size)
    line = max(2, round(longest / 400))
    font = ImageFont.truetype(style.font, max(13, round(longest / 55)), layout_engine=ImageFont.Layout.BASIC)
    for one in predictions:
        _frame(canvas, _edges(one, scale, image.size), style.colours.get(one.class_name, _COLOURS[0]), line)
    pad = max(3, round(font.size / 4))
    written: list[_Edges] = []
    for one in predictions:
        text = _label(one, style)
        label = round(canvas.textlength(text, font)) + 2 * pad, sum(font.getmetrics()) + pad
        place = _find_place(image.size, label, _edges(one, scale, image.size), written)
        canvas.rectangle(place, fill=style.colours.get(one.class_name, _COLOURS[0]), outline="white")
        canvas.text((place[0] + pad, place[1] + pad // 2), text, "white", font)
        written.append(place)
    return np.asarray(image, np.uint8)


def _choose_style(class_names: tuple[str, ...]) -> Style:
    readable = readable_names(class_names)
    labels = {name: shorten(shown, _WIDTH) for name, shown in zip(class_names, readable, strict=True)}
    colours = {name: _COLOURS[number % len(_COLOURS)] for number, name in enumerate(class_names)}
    return Style(labels, colours, _font_file("".join(readable)))


def _font_file(text: str) -> str:
    from matplotlib.font_manager import FontProperties, fontManager

    family = find_font(text) or "DejaVu Sans"  # which comes with matplotlib
    return str(fontManager.findfont(FontProperties(family=family), fallback_to_default=True))


def _label(one: Prediction, style: Style) -> str:
    name = style.labels.get(one.class_name, one.class_name)
    return f"{name} {one.confidence:.0%}{'' if one.sure else ' ?'}"


def _edges(one: Prediction, scale: float, size: tuple[int, int]) -> _Edges:
    """Of the frame, all inside of the picture."""
    box = one.detection.box.scaled(scale).clipped(size[0] - 1, size[1] - 1)
    left, top, right, bottom = (round(edge) for edge in box.edges)
    return left, top, right, bottom


def _frame(canvas: ImageDraw.ImageDraw, edges: _Edges, colour: str, line: int) -> None:
    """With a light rim on both sides, so that it stands out from any photo."""
    left, top, right, bottom = edges
    if min(right - left, bottom - top) > 4 * line:
        canvas.rectangle(edges, outline="white", width=line + 2)
        canvas.rectangle((left + 1, top + 1, right - 1, bottom - 1), outline=colour, width=line)
    else:
        canvas.rectangle(edges, outline=colour, width=1)


def _find_place(size: tuple[int, int], label: tuple[int, int], frame: _Edges, written: Sequence[_Edges]) -> _Edges:
    """Above the frame, below it, beside it, or in it: the first place that is free, else above it after all."""
    (width, height), (left, top, right, bottom) = label, frame
    lefts, tops = (left, right - width), (top, bottom - height)
    spots = [(x, y) for y in (top - height, bottom + 1) for x in lefts]
    spots += [(x, y) for x in (right + 1, left - width) for y in tops]
    spots += [(x, y) for y in tops for x in lefts]
    places = [(x, y, x + width, y + height) for x, y in spots if 0 <= x < size[0] - width and 0 <= y < size[1] - height]
    free = (place for place in places if not any(_overlap(place, other) for other in written))
    x, y = max(0, min(left, size[0] - 1 - width)), max(0, min(top - height, size[1] - 1 - height))
    return next(free, (x, y, x + width, y + height))


def _overlap(one: _Edges, other: _Edges) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
