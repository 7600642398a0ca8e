"""``map.jpg``: all subjects in one picture, like ones near each other, each framed in the colour of its group."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pipeline.cluster.canvas import FAINT, INK, Canvas, group_colour
from pipeline.cluster.groups import Group, Grouped
from pipeline.cluster.layout import Points, place_subjects, push_apart
from pipeline.cluster.wording import some
from pipeline.images import write_jpeg
from pipeline.plots import is_legible, shorten

MOST = 2000
"""Subjects on a map; more would be too small to be recognised, and take minutes to be put in their places."""

_MAP_PX = (1800, 1440)
_HEADER_PX, _EDGE_PX = 110, 28
_FILLED = 0.45
"""Part of the map that thumbnails fill: with more of it nothing stays where it was put."""

_SMALLEST_PX, _LARGEST_PX = 28, 130
_ROW_PX, _CHIP_PX = 34, 30
_TAGS = 60
_WIDTH = 22
_QUALITY = 90


def draw_map(path: Path, grouped: Grouped, *, title: str, seed: int = 0) -> None:
    """Draw the map of groups.

    Args:
        path: the JPEG.
        grouped: the subjects and their groups.
        title: what it is a map of.
        seed: of the places, and of which subjects are shown where there are more than ``MOST``.

    Raises:
        OutputError: it cannot be written there.
    """
    shown = choose_shown(grouped.groups, MOST, seed=seed)
    points = place_subjects(grouped.gathered.features[shown], seed=seed)
    side = _tile_side(len(shown))
    room = float(_MAP_PX[0]), float(_MAP_PX[1])
    inner = side / 2 + points * (np.array(room) - side)
    places = push_apart(inner, room, (side, side)) + _corner()
    nearest = list_nearest(grouped.groups, _WIDTH)
    said = _say_size(grouped, len(shown))
    texts = [title, said, *nearest, *(one.name for one in grouped.groups)]
    legend = _measure_legend(Canvas((1, 1), texts), grouped.groups, nearest)
    size = _MAP_PX[0] + 3 * _EDGE_PX + sum(legend), _MAP_PX[1] + _HEADER_PX + _EDGE_PX
    canvas = Canvas(size, texts)
    canvas.write((_EDGE_PX, 22), shorten(title, 90), 34)
    canvas.write((_EDGE_PX, 68), said, 22, FAINT)
    _draw_subjects(canvas, grouped, shown, places, side)
    _draw_tags(canvas, grouped.groups, dict(zip(shown, places - (0, side / 2), strict=True)))
    _draw_legend(canvas, grouped.groups, nearest, legend[0])
    write_jpeg(path, np.asarray(canvas.image, np.uint8), quality=_QUALITY)


def choose_shown(groups: Sequence[Group], most: int, *, seed: int) -> list[int]:
    """The places of the subjects that are shown: all, or as many of each group as its share, its central one always.

    Args:
        groups: all of them.
        most: subjects at most, but for one of each group.
        seed: of the choice.
    """
    total = sum(len(group.members) for group in groups)
    if total <= most:
        return sorted(place for group in groups for place in group.members)
    rng, shown = np.random.default_rng(seed), list[int]()
    for group in groups:
        count = math.floor((len(group.members) - 1) * max(0, most - len(groups)) / total)
        shown += [group.members[0], *(int(one) for one in rng.choice(group.members[1:] or (0,), count, replace=False))]
    return sorted(shown)


def _tile_side(count: int) -> float:
    side = math.sqrt(_FILLED * _MAP_PX[0] * _MAP_PX[1] / count)
    return float(min(max(int(side), _SMALLEST_PX), _LARGEST_PX))


def _corner() -> Points:
    return np.array([_EDGE_PX, _HEADER_PX], np.float64)


def _say_size(grouped: Grouped, shown: int) -> str:
    total = len(grouped.gathered.subjects)
    subjects = some(total, "subject") if shown == total else f"{shown:,} of {total:,} subjects"
    groups = some(len(grouped.grouping.centres), "group")
    left = f", {grouped.noise:,} in none" if grouped.noise else ""
    return f"{subjects} in {groups}{left}; near each other is what looks alike to the features"


def list_nearest(groups: Sequence[Group], width: int) -> list[str]:
    """The class that each group is most like, shortened; empty where there is none, or no font has its letters."""
    names = [group.nearest[0] if group.nearest else "" for group in groups]
    return [shorten(name, width) if is_legible(name) else "" for name in names]


def _draw_subjects(canvas: Canvas, grouped: Grouped, shown: Sequence[int], places: Points, side: float) -> None:
    """Those of no group first: where tiles touch, the others are on top."""
    labels = grouped.grouping.labels
    line = 3 if side >= 44 else 2
    for index in sorted(range(len(shown)), key=lambda index: int(labels[shown[index]]) >= 0):
        subject, label = grouped.gathered.subjects[shown[index]], int(labels[shown[index]])
        middle = float(places[index, 0]), float(places[index, 1])
        canvas.picture(subject.thumbnail, middle, int(side) - 2, frame=group_colour(label), line=line)


def _draw_tags(canvas: Canvas, groups: Sequence[Group], places: dict[int, Points]) -> None:
    """Names in the midst of their groups, none over another.

    Args:
        canvas: to write on.
        groups: all of them.
        places: of the upper edge of each subject that is shown.
    """
    named = [group for group in groups if group.label >= 0][:_TAGS]
    middles = np.array([_find_middle([places[one] for one in group.members if one in places]) for group in named])
    if not named:
        return
    size = 24
    wide, high = (max(canvas.tag_size(group.name, size)[at] for group in named) + 4 for at in (0, 1))
    apart = push_apart(middles - _corner(), (float(_MAP_PX[0]), float(_MAP_PX[1])), (wide, high)) + _corner()
    for group, (x, y) in zip(named, apart, strict=True):
        own = canvas.tag_size(group.name, size)
        canvas.tag((round(x - own[0] / 2), round(y - own[1] / 2)), group.name, size, group_colour(group.label))


def _find_middle(points: Sequence[Points]) -> Points:
    """The one of the points that is nearest to all others: the mean of a group in two parts lies in neither."""
    table = np.array(points)
    across = np.linalg.norm(table[:, None] - table[None], axis=2).sum(1)
    return np.asarray(table[int(across.argmin())])


def _measure_legend(canvas: Canvas, groups: Sequence[Group], nearest: Sequence[str]) -> tuple[int, int]:
    """Width of colours, names and counts, and of the classes beside them."""
    names = max(canvas.measure(group.name, 22)[0] for group in groups)
    counts = max(canvas.measure(f"{len(group.members):,}", 22)[0] for group in groups)
    classes = max(canvas.measure(name, 19)[0] for name in nearest)
    return _CHIP_PX + names + 16 + counts, 16 + classes if classes else 0


def _draw_legend(canvas: Canvas, groups: Sequence[Group], nearest: Sequence[str], width: int) -> None:
    left, top = _MAP_PX[0] + 2 * _EDGE_PX, _HEADER_PX
    room = (_MAP_PX[1] - _ROW_PX) // _ROW_PX
    for row, (group, name) in enumerate(zip(groups[:room], nearest, strict=False)):
        y, count = top + row * _ROW_PX, f"{len(group.members):,}"
        canvas.draw.rectangle((left, y + 4, left + 20, y + 24), fill=group_colour(group.label))
        canvas.write((left + _CHIP_PX, y), group.name, 22, INK)
        canvas.write((left + width - canvas.measure(count, 22)[0], y), count, 22, INK)
        canvas.write((left + width + 16, y + 2), name, 19, FAINT)
    if len(groups) > room:
        canvas.write((left, top + room * _ROW_PX), f"and {len(groups) - room} more groups", 20, FAINT)
