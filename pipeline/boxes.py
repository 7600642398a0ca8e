"""Pure geometry of boxes, in pixels of the upright photo."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Box:
    """An axis-aligned box; x to the right, y down, the origin at the photo's upper left corner.

    Args:
        left, top, right, bottom: edges in pixels, fractions allowed, ``left <= right`` and ``top <= bottom``.

    Raises:
        ValueError: an edge is not finite, or the edges are in the wrong order.
    """

    left: float
    top: float
    right: float
    bottom: float

    def __post_init__(self) -> None:
        if not all(math.isfinite(edge) for edge in self.edges):
            raise ValueError(f"box edges must be finite, got {self.edges}")
        if self.left > self.right or self.top > self.bottom:
            raise ValueError(f"box edges must be ordered left <= right and top <= bottom, got {self.edges}")

    @property
    def edges(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom in pixels."""
        return self.left, self.top, self.right, self.bottom

    @property
    def width(self) -> float:
        """Width in pixels."""
        return self.right - self.left

    @property
    def height(self) -> float:
        """Height in pixels."""
        return self.bottom - self.top

    @property
    def area(self) -> float:
        """Area in square pixels."""
        return self.width * self.height

    def scaled(self, factor: float) -> Box:
        """The same box in a picture ``factor`` times as large."""
        return Box(*(edge * factor for edge in self.edges))

    def moved(self, x: float, y: float) -> Box:
        """The same box so many pixels further right and down."""
        return Box(self.left + x, self.top + y, self.right + x, self.bottom + y)

    def grown(self, margin: float) -> Box:
        """The box with ``margin`` times its longer side added on every side."""
        pad = margin * max(self.width, self.height)
        return Box(self.left - pad, self.top - pad, self.right + pad, self.bottom + pad)

    def clipped(self, width: float, height: float) -> Box:
        """The part of the box inside a photo of ``width`` x ``height`` pixels; without area where it lies outside."""
        return Box(
            min(max(self.left, 0.0), width),
            min(max(self.top, 0.0), height),
            min(max(self.right, 0.0), width),
            min(max(self.bottom, 0.0), height),
        )


def iou(one: Box, other: Box) -> float:
    """Intersection over union of two boxes, 0 to 1; 0 where neither has an area."""
    width = min(one.right, other.right) - max(one.left, other.left)
    height = min(one.bottom, other.bottom) - max(one.top, other.top)
    if width <= 0 or height <= 0:
        return 0.0
    intersection = width * height
    return intersection / (one.area + other.area - intersection)


def match_boxes(found: list[Box], truth: list[Box], *, min_iou: float) -> dict[int, int]:
    """Pair found boxes with true ones, one to one, as PASCAL VOC does.

    Args:
        found: in falling order of confidence; an earlier one takes its best free true box first.
        truth: true boxes, in any order.
        min_iou: lowest IoU, 0 to 1, at which two boxes are the same subject.

    Returns:
        Index into ``found`` to index into ``truth``, for those paired.
    """
    pairs: dict[int, int] = {}
    free = set(range(len(truth)))
    for index, box in enumerate(found):
        best = max(free, key=lambda candidate: iou(box, truth[candidate]), default=None)
        if best is not None and iou(box, truth[best]) >= min_iou:
            pairs[index] = best
            free.remove(best)
    return pairs
