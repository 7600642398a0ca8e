"""What can be wrong with a data set: every kind once, how bad it is, and what to do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, StrEnum
from pathlib import Path

from pipeline.boxes import Box
from pipeline.errors import DataError


class Severity(StrEnum):
    """How bad a problem is."""

    ERROR = "error"
    """Training would learn something wrong, or cannot be done: it stops, with exit code 1."""

    WARNING = "warning"
    """Training goes on; its result may be worse than it need be."""

    NOTE = "note"
    """Nothing is wrong; said so that nobody has to guess."""


class Kind(Enum):
    """The kinds of problems.

    Args:
        severity: how bad it is.
        title: what it is, in a few words.
        remedy: what the user can do.
    """

    LABEL_UNREADABLE = (
        Severity.ERROR,
        "label that is no YOLO text, Pascal VOC XML or CreateML JSON, or may not be read",
        "label the photo again",
    )
    LABEL_OF_ANOTHER = (
        Severity.ERROR,
        "label that says it belongs to another photo",
        "give the photo that name again, or label it again",
    )
    ROW_MALFORMED = (Severity.ERROR, "row of a label that cannot be understood", "label the photo again")
    CLASS_UNKNOWN = (
        Severity.ERROR,
        "class that names in data.yaml lacks",
        "add it to names in data.yaml, or label the box again",
    )
    CLASS_PREDEFINED = (
        Severity.ERROR,
        "class number of LabelImg's own list of 15 classes, which came before yours",
        "put classes.txt as LabelImg wrote it into names of data.yaml, or subtract 15 from the numbers",
    )
    CLASS_LIST_DIFFERS = (
        Severity.ERROR,
        "classes.txt in another order than names in data.yaml",
        "bring both lists into the same order",
    )
    PART_UNLABELLED = (
        Severity.ERROR,
        "no labelled box among all photos of train, or of val",
        "label some photos first, with make label",
    )
    BOX_EMPTY = (Severity.ERROR, "box without area inside the photo", "remove or redraw it")
    SIZE_DIFFERS = (
        Severity.ERROR,
        "label drawn on a photo of another size",
        "label the photo again as it is now",
    )
    PHOTO_UNREADABLE = (Severity.WARNING, "photo that cannot be opened; it is left out", "replace or remove it")
    PHOTO_TRUNCATED = (
        Severity.WARNING,
        "photo whose end is missing or damaged; it is left out",
        "copy it from the phone again",
    )
    PHOTO_SUFFIX = (
        Severity.WARNING,
        "photo whose name says another format than its content",
        "give it the right ending, or other programs will stumble",
    )
    STEM_SHARED = (
        Severity.WARNING,
        "photos that share a label, because only the ends of their names differ",
        "rename one of them, and its label with it",
    )
    BOX_OUTSIDE = (Severity.WARNING, "box that reaches outside the photo; the part inside is used", "redraw it")
    BOX_TINY = (Severity.WARNING, "box too small to be seen by the networks", "remove or redraw it")
    ROW_REPEATED = (Severity.WARNING, "the same box with the same class twice", "remove one of them")
    BOXES_SAME = (
        Severity.WARNING,
        "two boxes of one class that nearly cover each other (IoU over 0.9)",
        "remove one of them",
    )
    BOXES_AMBIGUOUS = (
        Severity.WARNING,
        "two boxes of different classes on the same thing (IoU over 0.7)",
        "decide for one class; classes that people mix up, a network mixes up",
    )
    LABEL_MISSING = (
        Severity.WARNING,
        "photo without a label; it counts as background",
        "label it, or save it in LabelImg without boxes where there is nothing to see",
    )
    LABEL_ORPHAN = (Severity.WARNING, "label without a photo", "bring the photo back, or remove the label")
    LABEL_SEVERAL = (
        Severity.WARNING,
        "photo with labels in several formats or places; only the first is used",
        "keep the newest one",
    )
    CLASS_UNTOLD = (
        Severity.WARNING,
        "sorted photo whose folder or name is none of the classes; it is left out",
        "move it to a class's folder, or add the class to names in data.yaml",
    )
    NAMES_PREDEFINED = (
        Severity.WARNING,
        "LabelImg's own list of 15 classes, which no label uses, at the beginning of names",
        "cropsort convert to VOC labels, which hold names and not numbers; then take the 15 out of names",
    )
    CLASS_NOT_IN_TRAIN = (
        Severity.WARNING,
        "class that no training photo shows",
        "add photos of it, or remove it from names",
    )
    CLASS_NOT_IN_VAL = (
        Severity.WARNING,
        "class that no val photo shows, so that nothing is known of how well it is learnt",
        "cropsort split shares the photos out anew, each class on both sides",
    )
    CLASS_IMBALANCE = (Severity.WARNING, "classes of very different sizes", "add photos of the smallest classes")
    PHOTO_REPEATED = (Severity.WARNING, "photos that are the same file", "keep one of them")
    PHOTO_SIMILAR = (
        Severity.WARNING,
        "photos that nearly are the same",
        "keep the best one, or see to it that they stay in one part",
    )
    PHOTO_LEAKED = (
        Severity.WARNING,
        "the same picture, a near duplicate or a burst in two parts: the scores will flatter",
        "cropsort split keeps them on one side",
    )
    CORRECTION_LEFT_OUT = (
        Severity.WARNING,
        "corrected photo that the data set has as well, or nearly so in val or test; nothing is learnt from it",
        "see that the other photo's label is right, then remove this one from corrections",
    )
    ORIENTATION_UNCLEAR = (
        Severity.WARNING,
        "label of a photo that its camera marked as turned: nothing tells whether it was drawn upright",
        "see on the page of make check whether the boxes lie on their subjects, as they do where LabelImg 1.8 drew "
        "them; label the photo again if not",
    )
    ORIENTATION_MAPPED = (
        Severity.NOTE,
        "label drawn on the photo before it was turned upright; its boxes are turned with the photo",
        "nothing",
    )
    LABEL_EMPTY = (Severity.NOTE, "label without boxes: a background", "nothing")

    def __init__(self, severity: Severity, title: str, remedy: str) -> None:
        self.severity = severity
        self.title = title
        self.remedy = remedy

    @property
    def slug(self) -> str:
        """What it is called on the page, in JSON and in the README: ``box-outside``."""
        return self.name.lower().replace("_", "-")


@dataclass(frozen=True, slots=True)
class Problem:
    """Something wrong at one place of a data set.

    Args:
        kind: what kind of thing.
        path: the file it is in: a label, a photo, a list of classes, or data.yaml.
        found: what is wrong, with the figures.
        line: line in that file, counted from 1.
        photo: the photo that shows it, where there is one.
        boxes: where in that photo, in pixels of the upright photo.
        others: further photos that it takes to see it, as with duplicates.
        remedy: what to do, where it is more than the kind's remedy says.
    """

    kind: Kind
    path: Path
    found: str
    line: int | None = None
    photo: Path | None = None
    boxes: tuple[Box, ...] = ()
    others: tuple[Path, ...] = ()
    remedy: str = ""

    @property
    def severity(self) -> Severity:
        """How bad it is."""
        return self.kind.severity

    @property
    def advice(self) -> str:
        """What to do: its own remedy, else the kind's."""
        return self.remedy or self.kind.remedy

    @property
    def where(self) -> str:
        """File, line and what is wrong there, without the remedy."""
        return str(DataError(self.found, where=self.path, line=self.line))

    def as_error(self) -> DataError:
        """The error that stops a command because of it."""
        return DataError(self.found, where=self.path, line=self.line, remedy=self.advice)

    def __str__(self) -> str:
        return str(self.as_error())


_MOST_ERRORS = 20


def raise_errors(problems: Iterable[Problem]) -> None:
    """Stop where there are errors.

    Raises:
        DataError: there is one.
        ExceptionGroup: of ``DataError``, one for each of the first 20; the others are counted.
    """
    errors = [problem.as_error() for problem in problems if problem.severity is Severity.ERROR]
    if len(errors) == 1:
        raise errors[0]
    more = len(errors) - _MOST_ERRORS
    if errors:
        counted = [DataError(f"and {more} more like these", remedy="cropsort check shows all")] if more > 0 else []
        raise ExceptionGroup("a data set that cannot be used", errors[:_MOST_ERRORS] + counted)


def group_by_kind(problems: Iterable[Problem]) -> dict[Kind, list[Problem]]:
    """The problems of each kind, errors first, in an order that does not hang on theirs."""
    ordered = sorted(problems, key=_rank)
    return {kind: [problem for problem in ordered if problem.kind is kind] for kind in _in_order(ordered)}


def summarise(problems: Iterable[Problem]) -> list[str]:
    """A line for each kind: how many there are, the first, and what to do."""
    lines = []
    for kind, found in group_by_kind(problems).items():
        count = f" ({len(found)}, the first)" if len(found) > 1 else ""
        lines.append(f"{kind.severity}: {kind.title}{count}: {found[0]}")
    return lines


def _in_order(problems: Iterable[Problem]) -> list[Kind]:
    return list(dict.fromkeys(problem.kind for problem in problems))


def _rank(problem: Problem) -> tuple[int, int, str, int, str]:
    """Errors first, then by kind, file and line."""
    kind = problem.kind
    place = _SEVERITIES.index(kind.severity), _KINDS.index(kind)
    return *place, problem.path.as_posix(), problem.line or 0, problem.found


_SEVERITIES, _KINDS = tuple(Severity), tuple(Kind)
