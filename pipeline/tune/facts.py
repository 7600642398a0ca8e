"""What the annotations of a data set say about image size and batch."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

from pipeline.errors import DataError
from pipeline.labels import Annotation
from pipeline.tune.trials import Facts, Stage

_SMALL = 0.05


def read_facts(stage: Stage, annotations: Sequence[Annotation], *, margin: float) -> Facts:
    """Facts of the photos that a stage learns from.

    Args:
        stage: ``detector`` or ``classifier``.
        annotations: of the training photos; a sorted photo has one subject, itself.
        margin: what is added around a box before it is cropped, as a part of its longer side.

    Raises:
        DataError: there is no labelled box.
        ValueError: the stage is ``prediction``: nothing is labelled there.
    """
    if stage == "prediction":
        raise ValueError("photos to predict have no labels to read facts from")
    if not any(annotation.subjects for annotation in annotations):
        raise DataError("no labelled box in train", remedy="label some photos first, with make label")
    return _of_subjects(annotations, margin) if stage == "classifier" else _of_photos(annotations)


def _of_photos(annotations: Sequence[Annotation]) -> Facts:
    return Facts(
        photos=len(annotations),
        side=_median(max(annotation.size) for annotation in annotations),
        smallest=small_quantile([part for annotation in annotations for part in _shorter_sides(annotation)]),
        boxes=max(len(annotation.subjects) for annotation in annotations),
    )


def _of_subjects(annotations: Sequence[Annotation], margin: float) -> Facts:
    boxes = [
        subject.box.grown(margin).clipped(*annotation.size)
        for annotation in annotations
        for subject in annotation.subjects
    ]
    return Facts(photos=len(boxes), side=_median(max(box.width, box.height) for box in boxes), smallest=1.0, boxes=1)


def _shorter_sides(annotation: Annotation) -> list[float]:
    """Of the boxes, as parts of the photo's longer side."""
    return [min(subject.box.width, subject.box.height) / max(annotation.size) for subject in annotation.subjects]


def small_quantile(values: Sequence[float]) -> float:
    """The value that at most 5 % of the values are smaller than; at least one value."""
    return sorted(values)[int(_SMALL * len(values))]


def _median(values: Iterable[float]) -> int:
    return max(1, round(median(values)))
