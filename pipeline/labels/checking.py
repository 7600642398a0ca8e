"""What can be wrong with boxes that are well-formed: where they lie, how small they are, what they share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from pipeline.boxes import Box, iou
from pipeline.labels.label import LabelledBox
from pipeline.labels.source import Source
from pipeline.problems import Kind, Problem

TINY_PIXELS = 4
"""A box with a shorter side has fewer pixels than a letter."""

TINY_PART = 0.005
"""A box with a side shorter than this part of the photo's longer side has three pixels of the detector's 640, of
which it takes eight together at its finest."""

SAME_IOU = 0.9
AMBIGUOUS_IOU = 0.7

_OUTSIDE_PIXELS = 1.0  # LabelImg and others round by up to a pixel
_OUTSIDE_PART = 0.005


def check_boxes(boxes: Sequence[LabelledBox], source: Source) -> Iterator[Problem]:
    """Everything wrong with single boxes, then with pairs of them."""
    for box in boxes:
        yield from _check_box(box, source)
    seen: dict[tuple[str, tuple[float, ...]], LabelledBox] = {}
    for box in boxes:
        first = seen.setdefault((box.class_name, box.edges), box)
        if first is not box:
            found = f"the same box of '{box.class_name}'{_as_in(first)} once more"
            yield source.problem(Kind.ROW_REPEATED, found, line=box.line, boxes=(box.box,))
    yield from _check_pairs(list(seen.values()), source)


def _check_box(box: LabelledBox, source: Source) -> Iterator[Problem]:
    width, height = source.size
    inside = box.box.clipped(width, height)
    if inside.area <= 0:
        found = f"a box without area inside the photo ({_say(box.box)} of {width} x {height})"
        yield source.problem(Kind.BOX_EMPTY, found, line=box.line, boxes=(box.box,))
        return
    left, top, right, bottom = box.edges
    beyond_x, beyond_y = max(-left, right - width), max(-top, bottom - height)
    if beyond_x > _allowed(width) or beyond_y > _allowed(height):
        found = (
            f"reaches {max(beyond_x, beyond_y):.0f} pixels outside the photo ({_say(box.box)} of {width} x {height})"
        )
        yield source.problem(Kind.BOX_OUTSIDE, found, line=box.line, boxes=(box.box,))
    if min(inside.width, inside.height) < max(TINY_PIXELS, TINY_PART * max(width, height)):
        found = f"a box of {inside.width:.1f} x {inside.height:.1f} pixels in a photo of {width} x {height}"
        yield source.problem(Kind.BOX_TINY, found, line=box.line, boxes=(box.box,))


def _allowed(side: int) -> float:
    return max(_OUTSIDE_PIXELS, _OUTSIDE_PART * side)


def _check_pairs(boxes: list[LabelledBox], source: Source) -> Iterator[Problem]:
    for one, other, overlap in _overlapping(boxes, source.size):
        kind = Kind.BOXES_SAME if one.class_name == other.class_name else Kind.BOXES_AMBIGUOUS
        if kind is Kind.BOXES_AMBIGUOUS:
            found = f"'{one.class_name}'{_as_in(one)} and '{other.class_name}' on the same thing (IoU {overlap:.2f})"
        else:
            found = f"'{one.class_name}'{_as_in(one)} once more, nearly the same box (IoU {overlap:.2f})"
        if kind is Kind.BOXES_AMBIGUOUS or overlap > SAME_IOU:
            yield source.problem(kind, found, line=other.line, boxes=(one.box, other.box))


def _overlapping(boxes: list[LabelledBox], size: tuple[int, int]) -> Iterator[tuple[LabelledBox, LabelledBox, float]]:
    """Pairs with an IoU over 0.7.

    Only near ones are compared, sorted by their left edges: a box that begins behind three tenths of another's width
    covers less than seven tenths of it.
    """
    clipped = sorted(
        ((box.box.clipped(*size), index) for index, box in enumerate(boxes)), key=lambda pair: (pair[0].left, pair[1])
    )
    pairs = []
    for place, (one, index) in enumerate(clipped):
        reach = one.left + one.width * (1 - AMBIGUOUS_IOU)
        for other, other_index in islice(clipped, place + 1, None):
            if other.left > reach:
                break
            overlap = iou(one, other)
            if overlap > AMBIGUOUS_IOU:
                pairs.append((*sorted((index, other_index)), overlap))
    for first, second, overlap in sorted(pairs):
        yield boxes[int(first)], boxes[int(second)], overlap


def _as_in(box: LabelledBox) -> str:
    return "" if box.line is None else f" of line {box.line}"


def _say(box: Box) -> str:
    return f"{box.left:.0f}, {box.top:.0f} to {box.right:.0f}, {box.bottom:.0f}"
