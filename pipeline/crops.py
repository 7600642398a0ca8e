"""Crops: the subject cut out with a margin and letterboxed into a square, the same in training and in prediction."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from scipy import sparse

from pipeline.boxes import Box
from pipeline.images import GREY, Pixels, ScaledPhoto

JITTER = 0.04
"""Standard deviation of a detector's edges around the true ones, as a part of the box's side; about IoU 0.88."""

_MIDDLES = (0.9, 0.8)
"""Squares from the middle of a whole photo that are looked at, as parts of its shorter side."""

_SPARE = 1.2
"""Pixels that a smaller photo has for each one of a crop, at least. So what a classifier says of the crop differs less
from what it says of the full photo's than what it says after OpenCV's resizing and after Pillow's: means of 0.016 and
0.017 in the probability that changes most. With 1.0 it is 0.03."""

_PHONE = 4 / 3
"""Longer by shorter side of a phone's photos."""

_Window = tuple[int, int, int, int]
"""Left, top, right and bottom edge of whole pixels, at least one, all inside of the photo."""


def cut_crop(pixels: Pixels, box: Box, *, side: int, margin: float) -> Pixels:
    """Cut a subject out: nothing of it is cut off, nothing stretched, what is left of the square is grey.

    Args:
        pixels: upright RGB, shape (height, width, 3).
        box: the subject, in pixels of ``pixels``; what lies outside of them is left out.
        side: side of the crop in pixels.
        margin: what is added around the box, as a part of its longer side, 0 to 1.

    Returns:
        RGB, shape (side, side, 3).
    """
    return letterbox(cut_subject(pixels, box.grown(margin)), side)


def cut_views(pixels: Pixels, box: Box, *, side: int, margin: float, whole: bool) -> list[Pixels]:
    """What a classifier looks at to decide on a subject, each RGB of shape (side, side, 3).

    Of a subject that was cut out its crop; of a whole photo also two squares from its middle: the subject is there as
    a rule, and in training it was mostly shown larger than the whole photo shows it (Touvron et al. 2019).

    Args:
        pixels: as for ``cut_crop``.
        box: as for ``cut_crop``.
        side: side of each view in pixels.
        margin: as for ``cut_crop``.
        whole: whether the box is the whole photo.
    """
    height, width = pixels.shape[:2]
    windows = _windows((width, height), box, margin=margin, whole=whole)
    return [letterbox(pixels[top:bottom, left:right], side) for left, top, right, bottom in windows]


def cut_scaled(photo: ScaledPhoto, box: Box, *, side: int, margin: float, whole: bool) -> list[Pixels]:
    """What ``cut_views`` gives of the full photo, from one that was decoded smaller: the same windows, to the pixel.

    Cut to whole pixels of the smaller photo they would be off by up to one of them, and a crop differ from that of the
    full photo by more than twice as much (a mean of 2.2 instead of 0.9 grey levels where it is hardly scaled down).

    Args:
        photo: decoded at least at ``needed_scale``, or a crop is enlarged from fewer pixels than the file has.
        box: the subject, in pixels of the full photo.
        side: as for ``cut_views``.
        margin: as for ``cut_views``.
        whole: as for ``cut_views``.
    """
    if photo.factor == 1:
        return cut_views(photo.pixels, box, side=side, margin=margin, whole=whole)
    windows = _windows(photo.size, box, margin=margin, whole=whole)
    return [_letterbox_part(photo, window, side) for window in windows]


def needed_scale(size: tuple[int, int], box: Box, *, side: int, margin: float, whole: bool) -> float:
    """The smallest part of a photo's full size that has pixels to spare for each view, above 0, at most 1.

    Args:
        size: width and height of the full photo in pixels.
        box: as for ``cut_scaled``.
        side: as for ``cut_views``.
        margin: as for ``cut_views``.
        whole: as for ``cut_views``.
    """
    windows = _windows(size, box, margin=margin, whole=whole)
    smallest = min(max(right - left, bottom - top) for left, top, right, bottom in windows)
    return min(1.0, _SPARE * side / smallest)


def useful_side(side: int, *, whole: bool) -> int:
    """Longer side in pixels from which a photo's views need no larger one as a rule.

    Of subjects: where they are longer than about a quarter of the photo. A JPEG that is decoded a second time has to be
    unpacked a second time, which is most of the work at 1/8 and 1/4: one step larger at once costs less where more than
    one photo in five shows a smaller subject.

    Args:
        side: as for ``cut_views``.
        whole: as for ``cut_views``.
    """
    return math.ceil(side * (_SPARE * _PHONE / min(_MIDDLES) if whole else 4))


def count_views(*, whole: bool) -> int:
    """How many views ``cut_views`` gives."""
    return 1 + len(_MIDDLES) if whole else 1


def letterbox(pixels: Pixels, side: int) -> Pixels:
    """Fit an image into a grey square of ``side`` pixels, its proportions kept, in the middle."""
    height, width = pixels.shape[:2]
    size = _fitted(width, height, side)
    shrinks = side < max(height, width)
    scaled = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return _put_on_grey(np.asarray(scaled, np.uint8), side)


def letterbox_changed(pixels: Pixels, change: NDArray[np.float64], side: int) -> Pixels:
    """What ``letterbox`` does, turned and moved in the same go; what comes in from outside is grey.

    Args:
        pixels: RGB, at most about twice as large as the square: a larger one would lose fine lines.
        change: of the image around its middle, shape (2, 3): a matrix, and a shift as a part of the square's side.
        side: side of the square in pixels.
    """
    height, width = pixels.shape[:2]
    matrix = change[:, :2] * (side / max(height, width))
    shift = (side - 1) / 2 + change[:, 2] * side - matrix @ ((width - 1) / 2, (height - 1) / 2)
    placed = np.column_stack([matrix, shift])
    return np.asarray(cv2.warpAffine(pixels, placed, (side, side), borderValue=(GREY, GREY, GREY)), np.uint8)


def jitter_box(box: Box, *, rng: Generator, amount: float = JITTER) -> Box:
    """Move each edge as a detector would miss it.

    Args:
        box: the labelled box.
        rng: source of the randomness.
        amount: standard deviation of an edge, as a part of the box's width or height.
    """
    shifts = np.clip(rng.normal(0.0, amount, 4), -3 * amount, 3 * amount)
    sides = (box.width, box.height, box.width, box.height)
    return Box(*(edge + float(shift) * side for edge, shift, side in zip(box.edges, shifts, sides, strict=True)))


def cut_subject(pixels: Pixels, box: Box) -> Pixels:
    """The whole pixels that a box touches, at least one; a view of ``pixels``."""
    height, width = pixels.shape[:2]
    left, top, right, bottom = _touched((width, height), box)
    return pixels[top:bottom, left:right]


def _touched(size: tuple[int, int], box: Box) -> _Window:
    width, height = size
    inside = box.clipped(width, height)
    left, top = min(math.floor(inside.left), width - 1), min(math.floor(inside.top), height - 1)
    return left, top, max(math.ceil(inside.right), left + 1), max(math.ceil(inside.bottom), top + 1)


def _windows(size: tuple[int, int], box: Box, *, margin: float, whole: bool) -> list[_Window]:
    """What the views show."""
    crop = _touched(size, box.grown(margin))
    return [crop, *(_middle(size, part) for part in _MIDDLES)] if whole else [crop]


def _middle(size: tuple[int, int], part: float) -> _Window:
    """The square in the middle, its side a part of the shorter one."""
    width, height = size
    edge = max(1, round(part * min(height, width)))
    top, left = (height - edge) // 2, (width - edge) // 2
    return left, top, left + edge, top + edge


def _fitted(width: int, height: int, side: int) -> tuple[int, int]:
    factor = side / max(height, width)
    return max(1, round(width * factor)), max(1, round(height * factor))


def _put_on_grey(scaled: Pixels, side: int) -> Pixels:
    height, width = scaled.shape[:2]
    square = np.full((side, side, 3), GREY, np.uint8)
    left, top = (side - width) // 2, (side - height) // 2
    square[top : top + height, left : left + width] = scaled
    return square


def _letterbox_part(photo: ScaledPhoto, window: _Window, side: int) -> Pixels:
    """``letterbox`` of a window of the full photo, from the pixels that there are."""
    left, top, right, bottom = window
    size = _fitted(right - left, bottom - top, side)
    height, width = photo.pixels.shape[:2]
    x, y = photo.origin
    columns = np.minimum((np.linspace(left, right, size[0] + 1) - x) / photo.factor, width)
    rows = np.minimum((np.linspace(top, bottom, size[1] + 1) - y) / photo.factor, height)
    return _put_on_grey(_average(photo.pixels, columns, rows), side)


def _average(pixels: Pixels, columns: NDArray[np.float64], rows: NDArray[np.float64]) -> Pixels:
    """The mean of each cell of a grid whose lines lie anywhere between and on the pixels.

    One axis after the other, by sparse matrices: a cell has few pixels.
    """
    x, y = math.floor(columns[0]), math.floor(rows[0])
    part = pixels[y : math.ceil(rows[-1]), x : math.ceil(columns[-1])]
    height, width = part.shape[:2]
    lower = _share_out(rows - y, height) @ part.reshape(height, -1).astype(np.float32)
    turned = np.ascontiguousarray(lower.reshape(-1, width, 3).swapaxes(0, 1)).reshape(width, -1)
    cells = (_share_out(columns - x, width) @ turned).reshape(len(columns) - 1, -1, 3)
    return np.asarray(np.rint(cells.swapaxes(0, 1)).clip(0, 255), np.uint8)


def _share_out(lines: NDArray[np.float64], pixels: int) -> sparse.csr_array:
    """How much each of so many pixels in a row counts in each of the cells between lines; shape (cells, pixels)."""
    begin, end = lines[:-1, None], lines[1:, None]
    first = np.floor(begin).astype(int)
    touched = int((np.ceil(end) - first).max())
    places = first + np.arange(touched)
    inside = np.clip(np.minimum(places + 1, end) - np.maximum(places, begin), 0.0, None)
    weights = (inside / inside.sum(1, keepdims=True)).astype(np.float32)
    starts = np.arange(0, weights.size + 1, touched)
    shape = len(lines) - 1, pixels
    return sparse.csr_array((weights.ravel(), np.minimum(places, pixels - 1).ravel(), starts), shape=shape)
