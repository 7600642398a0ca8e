"""Crops: the subject cut out with a margin and letterboxed into a square, the same in training and in prediction."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from pipeline.boxes import Box
from pipeline.images import GREY, Pixels

JITTER = 0.04
"""Standard deviation of a detector's edges around the true ones, as a part of the box's side; about IoU 0.88."""


_MIDDLES = (0.9, 0.8)
"""Squares from the middle of a whole photo that are looked at, as parts of its shorter side."""


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
    crop = cut_crop(pixels, box, side=side, margin=margin)
    return [crop, *(letterbox(_middle(pixels, part), side) for part in _MIDDLES)] if whole else [crop]


def count_views(*, whole: bool) -> int:
    """How many views ``cut_views`` gives."""
    return 1 + len(_MIDDLES) if whole else 1


def letterbox(pixels: Pixels, side: int) -> Pixels:
    """Fit an image into a grey square of ``side`` pixels, its proportions kept, in the middle."""
    height, width = pixels.shape[:2]
    factor = side / max(height, width)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    scaled = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR)
    square = np.full((side, side, 3), GREY, np.uint8)
    left, top = (side - size[0]) // 2, (side - size[1]) // 2
    square[top : top + size[1], left : left + size[0]] = scaled
    return square


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
    inside = box.clipped(width, height)
    left, top = min(math.floor(inside.left), width - 1), min(math.floor(inside.top), height - 1)
    right, bottom = max(math.ceil(inside.right), left + 1), max(math.ceil(inside.bottom), top + 1)
    return pixels[top:bottom, left:right]


def _middle(pixels: Pixels, part: float) -> Pixels:
    """The square in the middle, its side a part of the shorter one; a view of ``pixels``."""
    height, width = pixels.shape[:2]
    edge = max(1, round(part * min(height, width)))
    top, left = (height - edge) // 2, (width - edge) // 2
    return pixels[top : top + edge, left : left + edge]
