"""``dendrogram.png``: how like the groups are to each other, each with the subjects in its middle."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.cluster.canvas import FAINT, INK, Canvas, group_colour
from pipeline.cluster.groups import Group, Grouped
from pipeline.cluster.pictures import list_nearest
from pipeline.cluster.wording import some
from pipeline.files import replacing
from pipeline.plots import shorten

MOST = 60
"""Groups that are drawn, the largest ones."""

_SHOWN = 6
"""Subjects that are shown of a group."""

_ROW_PX, _TREE_PX, _HEADER_PX, _EDGE_PX, _AXIS_PX = 84, 620, 110, 28, 66
_THUMB_PX = 74
_GAP_PX = 24
_LINE, _LINE_COLOUR = 3, "#7b8794"
_WIDTH = 24
_TICKS = 5


def draw_dendrogram(path: Path, grouped: Grouped, *, title: str) -> None:
    """Draw the groups as a tree: the further to the left two branches meet, the less alike they are.

    Args:
        path: the PNG.
        grouped: the subjects and their groups; noise has no branch.
        title: what it is of.

    Raises:
        OutputError: it cannot be written there.
    """
    groups = [group for group in grouped.groups if group.label >= 0][:MOST]
    forks, order = _lay_out(grouped, len(groups))
    nearest = list_nearest(groups, _WIDTH)
    said = _say_size(len(groups), len(grouped.grouping.centres))
    texts = [title, said, *nearest, *(group.name for group in groups)]
    wide = _measure(Canvas((1, 1), texts), groups, nearest)
    size = _EDGE_PX * 2 + _TREE_PX + wide + _SHOWN * _ROW_PX, _HEADER_PX + len(groups) * _ROW_PX + _AXIS_PX
    canvas = Canvas(size, texts)
    canvas.write((_EDGE_PX, 22), shorten(title, 70), 34)
    canvas.write((_EDGE_PX, 68), said, 22, FAINT)
    _draw_tree(canvas, forks, len(groups))
    for row, place in enumerate(order):
        _draw_group(canvas, row, groups[place], nearest[place])
        _draw_members(canvas, row, groups[place], grouped, _EDGE_PX + _TREE_PX + wide)
    with replacing(path) as temporary:
        canvas.image.save(temporary)


def _lay_out(grouped: Grouped, count: int) -> tuple[list[tuple[NDArray[np.float64], NDArray[np.float64]]], list[int]]:
    """The forks of the tree, each as four rows and four distances, and the groups from the top down."""
    from scipy.cluster.hierarchy import dendrogram, linkage

    tree = grouped.grouping.tree
    if count < len(grouped.grouping.centres):
        tree = linkage(grouped.grouping.centres[:count].astype(np.float64), "ward")
    if count < 2:
        return [], list(range(count))
    made = dendrogram(tree, no_plot=True)
    forks = zip(made["icoord"], made["dcoord"], strict=True)  # leaves lie at 5, 15, 25 ...
    return [(np.array(rows) / 10 - 0.5, np.array(far)) for rows, far in forks], [int(one) for one in made["leaves"]]


def _say_size(shown: int, total: int) -> str:
    groups = some(total, "group") if shown == total else f"the {shown} largest of {total} groups"
    return f"{groups}; the further left two branches meet, the less alike are their groups"


def _draw_tree(canvas: Canvas, forks: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]], count: int) -> None:
    furthest = max((float(far.max()) for _, far in forks), default=0.0) or 1.0
    right = _EDGE_PX + _TREE_PX

    def across(distance: float) -> float:
        return right - distance / furthest * (_TREE_PX - 40)

    for rows, far in forks:
        spots = [(across(float(one)), _middle(float(row))) for row, one in zip(rows, far, strict=True)]
        canvas.draw.line(spots, fill=_LINE_COLOUR, width=_LINE, joint="curve")
    if not forks:
        canvas.draw.line([(right - 40, _middle(0)), (right, _middle(0))], fill=_LINE_COLOUR, width=_LINE)
        return
    bottom = _HEADER_PX + count * _ROW_PX + 6
    canvas.draw.line([(across(furthest), bottom), (right, bottom)], fill=FAINT, width=1)
    for distance in _list_ticks(furthest):
        canvas.draw.line([(across(distance), bottom), (across(distance), bottom + 7)], fill=FAINT, width=1)
        said = f"{distance:g}"
        canvas.write((across(distance) - canvas.measure(said, 18)[0] / 2, bottom + 9), said, 18, FAINT)
    canvas.write((_EDGE_PX, bottom + 32), "distance of the groups' centres", 18, FAINT)


def _list_ticks(furthest: float) -> list[float]:
    """Round numbers from 0 on, five or so."""
    digit = 10.0 ** math.floor(math.log10(furthest / _TICKS))
    step = next(digit * times for times in (1, 2, 5, 10) if digit * times * _TICKS >= furthest)
    return [float(f"{step * number:.6g}") for number in range(math.floor(furthest / step + 1e-9) + 1)]


def _middle(row: float) -> float:
    return _HEADER_PX + (row + 0.5) * _ROW_PX


def _measure(canvas: Canvas, groups: Sequence[Group], nearest: Sequence[str]) -> int:
    """Width of the widest name with what stands beside and below it, and some room."""
    names = (canvas.tag_size(one.name, 22)[0] + 10 + canvas.measure(f"{len(one.members):,}", 22)[0] for one in groups)
    return 14 + max(*names, *(canvas.measure(_say_nearest(name), 19)[0] for name in nearest), 0) + _GAP_PX


def _say_nearest(name: str) -> str:
    return f"most like {name}" if name else ""


def _draw_group(canvas: Canvas, row: int, group: Group, nearest: str) -> None:
    """Name, size and class to the right of its branch."""
    left, y = _EDGE_PX + _TREE_PX + 14, _middle(row)
    wide, high = canvas.tag_size(group.name, 22)
    top = y - (high if nearest else high / 2)
    canvas.tag((left, round(top)), group.name, 22, group_colour(group.label))
    canvas.write((left + wide + 10, top + 4), f"{len(group.members):,}", 22, INK)
    canvas.write((left + 4, y + 6), _say_nearest(nearest), 19, FAINT)


def _draw_members(canvas: Canvas, row: int, group: Group, grouped: Grouped, left: int) -> None:
    """The subjects in its middle, the most central one framed."""
    for number, place in enumerate(group.members[:_SHOWN]):
        middle = left + (number + 0.5) * _ROW_PX, _middle(row)
        frame = group_colour(group.label) if number == 0 else None
        canvas.picture(grouped.gathered.subjects[place].thumbnail, middle, _THUMB_PX, frame=frame)
