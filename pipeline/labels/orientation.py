"""Labels drawn on a photo before it was turned upright, as older programs than LabelImg 1.8 show photos."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from enum import Enum

from pipeline.labels.label import Edges, LabelledBox

_ROUNDING = 1.0  # pixels by which programs let a box reach over the edge

_TURNS: dict[int, Callable[[float, float, float, float], tuple[float, float]]] = {
    2: lambda x, y, width, _: (width - x, y),
    3: lambda x, y, width, height: (width - x, height - y),
    4: lambda x, y, _, height: (x, height - y),
    5: lambda x, y, *_: (y, x),
    6: lambda x, y, _, height: (height - y, x),
    7: lambda x, y, width, height: (height - y, width - x),
    8: lambda x, y, width, _: (y, width - x),
}
"""Where a point of the stored photo lies in the upright one, by EXIF orientation; the stored size follows the point."""

_ON_ITS_SIDE = frozenset({5, 6, 7, 8})


class Drawn(Enum):
    """What a label was drawn on."""

    UPRIGHT = "upright"
    STORED = "stored"
    UNCLEAR = "unclear"
    OTHER = "other"


def tell_drawn(
    size: tuple[int, int], orientation: int, drawn_on: tuple[float, float] | None, boxes: Iterable[LabelledBox] = ()
) -> Drawn:
    """Whether a label was drawn on the upright photo or on its pixels as they are stored.

    Args:
        size: width and height of the upright photo in pixels.
        orientation: EXIF orientation of the stored pixels, 1 to 8.
        drawn_on: width and height in pixels of what it was drawn on, where the label says it.
        boxes: where it does not: in pixels, and they may fit one of the two only.
    """
    stored = _stored_size(size, orientation)
    if drawn_on is not None and drawn_on not in (size, stored):
        return Drawn.OTHER
    if orientation == 1:
        return Drawn.UPRIGHT
    if stored == size:  # turned by 180 degrees or mirrored, or square: the size is the same either way
        return Drawn.UNCLEAR
    if drawn_on is not None:
        return Drawn.UPRIGHT if drawn_on == size else Drawn.STORED
    fits = _fit(boxes, size), _fit(boxes, stored)
    return {(True, False): Drawn.UPRIGHT, (False, True): Drawn.STORED}.get(fits, Drawn.UNCLEAR)


def turn_box(box: LabelledBox, size: tuple[int, int], orientation: int) -> LabelledBox:
    """A box drawn on the stored pixels as it lies in the upright photo of ``size``."""
    return replace(box, edges=turn_edges(box.edges, _stored_size(size, orientation), orientation), centred=None)


def turn_edges(edges: Edges, stored: tuple[int, int], orientation: int) -> Edges:
    """Edges in a photo of ``stored`` width and height, after the turn that EXIF's orientation, 1 to 8, asks for."""
    turn = _TURNS.get(orientation)
    if turn is None:
        return edges
    left, top, right, bottom = edges
    (x1, y1), (x2, y2) = turn(left, top, *stored), turn(right, bottom, *stored)
    return min(x1, x2), min(y1, y2), max(x1, x2), max(y1, y2)


def _stored_size(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    return (size[1], size[0]) if orientation in _ON_ITS_SIDE else size


def _fit(boxes: Iterable[LabelledBox], size: tuple[int, int]) -> bool:
    width, height = size[0] + _ROUNDING, size[1] + _ROUNDING
    return all(box.edges[2] <= width and box.edges[3] <= height for box in boxes)
