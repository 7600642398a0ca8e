"""What a label says: every box as the file has it, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipeline.boxes import Box
from pipeline.problems import Problem

Edges = tuple[float, float, float, float]
"""Left, top, right, bottom in pixels."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A labelled box.

    Args:
        box: in pixels of the upright photo.
        class_name: what is in it.
    """

    box: Box
    class_name: str


@dataclass(frozen=True, slots=True)
class Annotation:
    """What a label says of a photo.

    Args:
        photo: the photo's file.
        size: width and height of the upright photo in pixels.
        subjects: the labelled boxes; none for a background.
        label: the file they were read from; None where the photo has none.
    """

    photo: Path
    size: tuple[int, int]
    subjects: tuple[Subject, ...]
    label: Path | None


@dataclass(frozen=True, slots=True)
class LabelledBox:
    """A box as a label file says it.

    Args:
        class_name: what is in it, as ``names`` in data.yaml spells it.
        edges: in pixels of the upright photo, not clipped to it, ``left <= right`` and ``top <= bottom``.
        line: line of the file, counted from 1; None for JSON, which LabelImg writes in a single one.
        difficult: LabelImg's mark; only Pascal VOC keeps it.
        spelling: how the file spells the class, where ``names`` does otherwise (Unicode form, white space).
        centred: centre x, y, width and height as a CreateML file has them: their sums are rounded, so that they do not
            come back from ``edges`` to the last digit.

    Raises:
        ValueError: an edge is not finite, or the edges are in the wrong order.
    """

    class_name: str
    edges: Edges
    line: int | None = None
    difficult: bool = False
    spelling: str = ""
    centred: Edges | None = None

    def __post_init__(self) -> None:
        Box(*self.edges)

    @property
    def box(self) -> Box:
        """Its edges, not clipped."""
        return Box(*self.edges)


@dataclass(frozen=True, slots=True)
class VocDetails:
    """What a Pascal VOC file says beside its boxes.

    Args:
        folder: name of the photo's folder.
        filename: name of the photo.
        path: the photo's path on the machine that it was labelled on; None where the file has none.
        database: where the photo is from.
        depth: 1 for grey photos, else 3.
        verified: whether somebody pressed space in LabelImg to confirm the label.
    """

    folder: str
    filename: str
    path: str | None
    database: str = "Unknown"
    depth: str = "3"
    verified: bool = False


@dataclass(frozen=True, slots=True)
class CreatemlDetails:
    """What a CreateML file says beside the boxes of its photo: LabelImg adds to a file that is there already.

    Args:
        image: the photo's name as the file spells it.
        before: JSON of the photos that come before it in the file.
        after: JSON of those that come after it.
    """

    image: str
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Label:
    """A label file's contents: nothing dropped that LabelImg writes, so that it can be written back the same.

    Args:
        path: the label.
        photo: the photo it belongs to.
        size: width and height of the upright photo in pixels.
        boxes: all that could be understood, in the file's order.
        problems: everything wrong with the file and its boxes.
        details: what its format says beside the boxes; None for YOLO and for a file that cannot be read.
    """

    path: Path
    photo: Path
    size: tuple[int, int]
    boxes: tuple[LabelledBox, ...]
    problems: tuple[Problem, ...]
    details: VocDetails | CreatemlDetails | None = None

    @property
    def annotation(self) -> Annotation:
        """Its boxes clipped to the photo, those without area inside left out."""
        clipped = ((box.box.clipped(*self.size), box.class_name) for box in self.boxes)
        subjects = tuple(Subject(box, name) for box, name in clipped if box.area > 0)
        return Annotation(self.photo, self.size, subjects, self.path)
