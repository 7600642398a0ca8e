"""What the readers of the three formats are given, and what they give back."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from pipeline.boxes import Box
from pipeline.labels.label import CreatemlDetails, LabelledBox, VocDetails
from pipeline.problems import Kind, Problem


@dataclass(frozen=True, slots=True)
class Source:
    """The label that is being read.

    Args:
        path: the label.
        photo: the photo it belongs to.
        size: width and height of the upright photo in pixels.
        class_names: as data.yaml has them.
    """

    path: Path
    photo: Path
    size: tuple[int, int]
    class_names: tuple[str, ...]

    def problem(
        self, kind: Kind, found: str, *, line: int | None = None, boxes: tuple[Box, ...] = (), remedy: str = ""
    ) -> Problem:
        """Something that is wrong with it."""
        return Problem(kind, self.path, found, line=line, photo=self.photo, boxes=boxes, remedy=remedy)


@dataclass(slots=True)
class Parsed:
    """What stands in a label.

    Args:
        boxes: with their classes as the file has them: a number in YOLO, a name in the others.
        problems: rows that cannot be understood.
        drawn_on: width and height in pixels of what the boxes were drawn on; None where the file does not say it.
        details: what else it says.
    """

    boxes: list[LabelledBox] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    drawn_on: tuple[float, float] | None = None
    details: VocDetails | CreatemlDetails | None = None
