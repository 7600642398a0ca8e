"""Corrections of boxes on a label that is there already."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from pipeline.boxes import Box, match_boxes
from pipeline.corrections.verdicts import Verdict
from pipeline.labels import Label, LabelledBox

SAME_IOU = 0.5
"""From this overlap on a box that was found and one that was labelled are of one subject."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a box that was found shows.

    Args:
        box: in pixels of the labelled photo.
        verdict: the reader's; where he gave none and the photo is reviewed, the class that was found.
        answered: whether the reader gave it.
    """

    box: Box
    verdict: Verdict
    answered: bool


@dataclass(frozen=True, slots=True)
class Relabelled:
    """A label as it should be.

    Args:
        label: with all else as it was.
        changes: what becomes of its boxes, in words; none where it stays as it is.
        refused: by the place of the box among those wanted: why nothing is done about it.
        left: labelled boxes that nothing was found for.
    """

    label: Label
    changes: tuple[str, ...]
    refused: dict[int, str]
    left: int


def relabel(
    label: Label, wanted: Sequence[Wanted], *, may_add: bool, may_remove: bool, may_change: bool = True
) -> Relabelled:
    """Correct the classes of the labelled boxes that the wanted ones lie on.

    Args:
        label: as it is.
        wanted: the boxes, the detector's surest first.
        may_add: whether a box that nothing is labelled for is added.
        may_remove: whether a labelled box that is no subject is removed.
        may_change: whether a labelled box of another class becomes one of this.
    """
    pairs = _pair(label, wanted)
    boxes: list[LabelledBox | None] = list(label.boxes)
    changes, refused = list[str](), dict[int, str]()
    for index, one in enumerate(wanted):
        place, name = pairs.get(index), one.verdict.class_name
        before = None if place is None else label.boxes[place].class_name
        if why := _refuse(before, name, may_add=may_add, may_remove=may_remove):
            refused[index] = why
        elif name is not None and before not in (None, name) and not may_change:
            refused[index] = f"is labelled '{before}' already, not '{name}': left as it is"
        elif name != before:
            changes.append(_say(before, name))
            boxes += [LabelledBox(name, one.box.edges)] if place is None and name is not None else []
            if place is not None:
                boxes[place] = None if name is None else replace(label.boxes[place], class_name=name, spelling="")
    kept = tuple(box for box in boxes if box is not None)
    return Relabelled(replace(label, boxes=kept), _count(changes), refused, len(label.boxes) - len(pairs))


def _pair(label: Label, wanted: Sequence[Wanted]) -> dict[int, int]:
    """The labelled box of each wanted one that lies on one, by their places."""
    order = sorted(range(len(wanted)), key=lambda index: _rank(wanted[index]))
    paired = match_boxes([wanted[index].box for index in order], [box.box for box in label.boxes], min_iou=SAME_IOU)
    return {order[found]: place for found, place in paired.items()}


def _rank(one: Wanted) -> int:
    """Of two boxes on one subject the one that the reader named has it, not the one that he called none."""
    if one.verdict.class_name is None:
        return 2
    return 0 if one.answered else 1


def _refuse(before: str | None, name: str | None, *, may_add: bool, may_remove: bool) -> str:
    """Why a labelled box (None: there is none) is not made what it was found to be; empty where it may be."""
    if before is None and name is not None and not may_add:
        draw = "draw it with cropsort label, or mark the photo as reviewed"
        return f"no box is labelled where '{name}' was found: {draw}"
    if before is not None and name is None and not may_remove:
        return f"not a subject, but it is labelled '{before}': remove that box with cropsort label"
    return ""


def _say(before: str | None, name: str | None) -> str:
    if before is None:
        return f"{name} added"
    return f"{before} removed" if name is None else f"{before} -> {name}"


def _count(changes: Iterable[str]) -> tuple[str, ...]:
    said = list(changes)
    return tuple(f"{said.count(one)} x {one}" if said.count(one) > 1 else one for one in dict.fromkeys(said))
