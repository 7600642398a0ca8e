"""What cropping is worth: two stages beside a classifier of whole photos and a detector that knows the classes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pipeline.labels import Subject
from pipeline.plots import text_width
from pipeline.scores import Interval, JudgedPhoto, Table, compare_f1, find_interval, measure_f1

TWO_STAGES, WHOLE_PHOTO, ONE_STAGE = "two stages", "whole photo", "one stage"

Answers = Sequence[str | None]
"""The class that is given to each photo; None where nothing was found in it."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure from photos, and how far chance may move it.

    Args:
        value: -1 to 1.
        interval: its 95 % interval, by bootstrap over the photos.
    """

    value: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class Row:
    """One of the ways to do it.

    Args:
        name: what it is called.
        photos: how many it learnt from; None where that is not known.
        seconds: that its training took, validation included; None where that is not known.
        right: part of the photos of one class that are given it; None where it was not measured.
        right_lead: how much more of them the two stages get right, on the same photos.
        f1: of boxes with the right class, on all photos; None for what draws no boxes.
        f1_lead: how much higher that of the two stages is.
        confidence: threshold of its boxes; None where it draws none.
        why: why figures are missing, and what there is to know of it.
    """

    name: str
    photos: int | None = None
    seconds: float | None = None
    right: Figure | None = None
    right_lead: Figure | None = None
    f1: Figure | None = None
    f1_lead: Figure | None = None
    confidence: float | None = None
    why: str = ""

    def as_dict(self) -> dict[str, Any]:
        """The figures by name, rounded; what was not measured is null."""
        figures = {
            "right_class": self.right,
            "right_class_lead": self.right_lead,
            "f1": self.f1,
            "f1_lead": self.f1_lead,
        }
        return {
            "name": self.name,
            "photos": self.photos,
            "seconds": None if self.seconds is None else round(self.seconds, 1),
            "confidence": self.confidence,
            **{key: value for name, figure in figures.items() for key, value in _figure_record(name, figure).items()},
            "why": self.why,
        }


@dataclass(frozen=True, slots=True)
class Worth:
    """What cropping is worth.

    Args:
        rows: the two stages first.
        photos: how many photos all were scored on.
        single: how many of them show subjects of one class only, so that a whole photo has a right class.
        notes: what else there is to know, a line each.
    """

    rows: tuple[Row, ...]
    photos: int
    single: int
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """All of it as plain values, ready for JSON."""
        return {
            "photos": self.photos,
            "photos_of_one_class": self.single,
            "rows": [row.as_dict() for row in self.rows],
            "notes": list(self.notes),
        }

    @property
    def words(self) -> str:
        """What the figures are of."""
        rest = self.photos - self.single
        left = f"; the other {rest} show several classes or none, and count only for the boxes" if rest else ""
        return f"right class: of the {self.single} photos, of {self.photos}, that show one class{left}"

    def __str__(self) -> str:
        return "\n".join(_lines(self))


@dataclass(frozen=True, slots=True)
class Rival:
    """What another way made of the photos.

    Args:
        row: what is known of it before it is compared.
        answers: the class that it gives to each photo, all photos in their order; None where it was not tried.
        judged: the boxes with classes that it draws in them; None where it draws none.
    """

    row: Row
    answers: Answers | None = None
    judged: Sequence[JudgedPhoto] | None = None


def find_single(truth: Sequence[Subject]) -> str | None:
    """The class of a photo whose subjects are all of one; None where they are of several, or there are none."""
    names = {subject.class_name for subject in truth}
    return names.pop() if len(names) == 1 else None


def answer(photo: JudgedPhoto, confidence: float) -> str | None:
    """The class for a whole photo: whose probabilities, of all that is found at a threshold, make the largest sum."""
    sums: dict[str, float] = {}
    for one in photo.made(confidence):
        for name, probability in one.probabilities.items():
            sums[name] = sums.get(name, 0.0) + probability
    return max(sums, key=sums.__getitem__, default=None)


def answer_surest(photo: JudgedPhoto, confidence: float) -> str | None:
    """The class of what is surest of all that is found at a threshold."""
    made = photo.made(confidence)
    return max(made, key=lambda one: one.detection.confidence).class_name if made else None


def compare(own: Rival, rivals: Sequence[Rival], truth: Sequence[Sequence[Subject]], notes: tuple[str, ...]) -> Worth:
    """Set the two stages beside other ways, photo by photo.

    Args:
        own: what the two stages made of the photos; ``judged`` is None where nobody drew boxes.
        rivals: what others made of them.
        truth: what each photo shows.
        notes: see ``Worth``.
    """
    classes = [find_single(subjects) for subjects in truth]
    rows = [_fill(one, own, classes) for one in (own, *rivals)]
    return Worth(tuple(rows), len(classes), sum(name is not None for name in classes), notes)


def _fill(one: Rival, own: Rival, classes: Answers) -> Row:
    row, confidence, ours = one.row, one.row.confidence, own.row.confidence
    if one.answers is not None and own.answers is not None and any(classes):
        right, own_right = (_mark(answers, classes) for answers in (one.answers, own.answers))
        row = replace(row, right=_share(right), right_lead=None if one is own else _share(own_right - right))
    if one.judged is None or confidence is None:
        return row
    row = replace(row, f1=Figure(*measure_f1(one.judged, confidence)))
    if one is own or own.judged is None or ours is None:
        return row
    return replace(row, f1_lead=Figure(*compare_f1((own.judged, ours), (one.judged, confidence))))


def _mark(answers: Answers, classes: Answers) -> Table:
    """1 for each photo of one class whose answer is right, 0 for each other one of them."""
    return np.array([given == name for given, name in zip(answers, classes, strict=True) if name is not None], float)


def _share(values: Table) -> Figure:
    """Their mean, and its interval; shape (photos,)."""
    counts = np.column_stack([values, np.ones(len(values))])
    return Figure(float(values.mean()), find_interval(counts, lambda totals: totals[..., 0] / totals[..., 1]))


def _figure_record(name: str, figure: Figure | None) -> Mapping[str, Any]:
    if figure is None:
        return {name: None, f"{name}_interval": None}
    return {name: round(figure.value, 4), f"{name}_interval": [round(edge, 4) for edge in figure.interval]}


def _lines(worth: Worth) -> Iterator[str]:
    yield f"what cropping is worth, on {worth.photos} photos"
    heads = ("", "photos", "seconds", "right class", "two stages ahead", "F1 of boxes", "two stages ahead")
    table = [heads, *(_cells(row) for row in worth.rows)]
    widths = [max(text_width(cell) for cell in column) for column in zip(*table, strict=True)]
    for cells in table:
        yield "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()
    yield worth.words
    yield from (f"{row.name}: {row.why}" for row in worth.rows if row.why)
    yield from worth.notes


def _cells(row: Row) -> tuple[str, ...]:
    known = ("?" if value is None else f"{value:.0f}" for value in (row.photos, row.seconds))
    tried = row.right is not None or row.f1 is not None
    learnt = tuple(known) if tried else ("-", "-")
    figures = (row.right, ""), (row.right_lead, "+"), (row.f1, ""), (row.f1_lead, "+")
    return (row.name, *learnt, *(describe_figure(figure, sign) for figure, sign in figures))


def describe_figure(figure: Figure | None, sign: str = "") -> str:
    """``0.950 (0.900 to 1.000)``; with the sign ``+`` always with one, for differences."""
    if figure is None:
        return "-"
    low, high = figure.interval
    return f"{figure.value:{sign}.3f} ({low:{sign}.3f} to {high:{sign}.3f})"
