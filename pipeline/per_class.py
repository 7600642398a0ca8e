"""Figures of each class: how much of it is recognised, and what it is taken for."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.scores import Interval, JudgedPhoto, Table, find_interval

Counts = NDArray[np.int64]

_Z = 1.96
"""Standard deviations to either side that hold 95 % of a normal distribution."""


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of a class, counted.

    Args:
        right: subjects of the class that were given it.
        given: all that was given the class.
        true: all subjects of the class.
    """

    right: int
    given: int
    true: int

    @property
    def precision(self) -> float:
        """Part of what is given the class that is of it, 0 to 1; 0 where nothing is."""
        return self.right / self.given if self.given else 0.0

    @property
    def recall(self) -> float:
        """Part of the subjects of the class that are given it, 0 to 1; 0 where there are none."""
        return self.right / self.true if self.true else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of the two."""
        return 2 * self.right / (self.given + self.true) if self.given + self.true else 0.0

    @property
    def recall_interval(self) -> Interval:
        """95 % interval of the recall (Wilson 1927), honest for a handful of subjects; 0 to 1 where there are none."""
        if not self.true:
            return 0.0, 1.0
        square = _Z**2 / self.true
        middle = (self.recall + square / 2) / (1 + square)
        half = _Z * math.sqrt(self.recall * (1 - self.recall) / self.true + square / (4 * self.true)) / (1 + square)
        return max(0.0, middle - half), min(1.0, middle + half)

    def as_dict(self) -> dict[str, float]:
        """The figures by name, rounded."""
        figures = {"recall": self.recall, "precision": self.precision, "f1": self.f1}
        return {name: round(value, 4) for name, value in figures.items()}


@dataclass(frozen=True, slots=True)
class ClassScores:
    """Figures of a class.

    Args:
        class_name: its name.
        trained: how many boxes of it there are to train on; None where that cannot be told.
        classifier: of the crops of the labelled boxes.
        chain: of the detections at the threshold; what the detector misses counts against the recall.
    """

    class_name: str
    trained: int | None
    classifier: Tally
    chain: Tally

    def as_dict(self) -> dict[str, Any]:
        """The figures by name, rounded."""
        return {
            "class_name": self.class_name,
            "trained": self.trained,
            "subjects": self.classifier.true,
            **self.classifier.as_dict(),
            "recall_interval": [round(edge, 4) for edge in self.classifier.recall_interval],
            "chain": self.chain.as_dict(),
        }


@dataclass(frozen=True, slots=True)
class Confusion:
    """A class that is taken for another.

    Args:
        class_name: what the label says.
        given: what the classifier says.
        count: how often.
        true: subjects of the class.
    """

    class_name: str
    given: str
    count: int
    true: int


def count_confusion(judged: Sequence[JudgedPhoto], class_names: tuple[str, ...]) -> Counts:
    """What the classifier gives to the crops of labelled boxes: shape (classes, classes), labels in the rows."""
    counts = np.zeros((len(class_names), len(class_names)), np.int64)
    for photo in judged:
        counts += _count_on_truth(photo, class_names)
    return counts


def count_chain(judged: Sequence[JudgedPhoto], class_names: tuple[str, ...], confidence: float) -> Counts:
    """What the chain gives to labelled boxes: shape (classes + 1, classes + 1), labels in the rows.

    The last column counts the labelled boxes that were missed, the last row the detections that are no labelled box.
    """
    numbers = {name: number for number, name in enumerate(class_names)}
    nothing = len(class_names)
    counts = np.zeros((nothing + 1, nothing + 1), np.int64)
    for photo in judged:
        made = photo.made(confidence)
        pairs = photo.pair(made)
        for index, one in enumerate(made):
            row = numbers[photo.truth[pairs[index]].class_name] if index in pairs else nothing
            counts[row, numbers[one.class_name]] += 1
        for index in set(range(len(photo.truth))) - set(pairs.values()):
            counts[numbers[photo.truth[index].class_name], nothing] += 1
    return counts


def score_classes(
    class_names: tuple[str, ...], confusion: Counts, chain: Counts, trained: Mapping[str, int] | None
) -> tuple[ClassScores, ...]:
    """The figures of each class, in the order of ``class_names``.

    Args:
        class_names: the classes.
        confusion: see ``count_confusion``.
        chain: see ``count_chain``.
        trained: boxes to train on by class, where that can be told.
    """
    return tuple(
        ClassScores(name, None if trained is None else trained[name], _tally(confusion, number), _tally(chain, number))
        for number, name in enumerate(class_names)
    )


def list_confusions(class_names: tuple[str, ...], confusion: Counts) -> list[Confusion]:
    """Classes taken for others, the most frequent first."""
    wrong = [
        Confusion(class_names[row], class_names[column], int(confusion[row, column]), int(confusion[row].sum()))
        for row, column in np.argwhere(confusion)
        if row != column
    ]
    return sorted(wrong, key=lambda one: -one.count)


def mean_recall(judged: Sequence[JudgedPhoto], class_names: tuple[str, ...]) -> tuple[float, Interval]:
    """Mean of the classes' recalls on the crops of labelled boxes, each class as much, and its 95 % interval."""
    tables = [_count_on_truth(photo, class_names) for photo in judged]
    counts = np.array([np.concatenate((np.diag(table), table.sum(1))) for table in tables], float)
    return float(_mean_share(counts.sum(0))), find_interval(counts, _mean_share)


def _count_on_truth(photo: JudgedPhoto, class_names: tuple[str, ...]) -> Counts:
    counts = np.zeros((len(class_names), len(class_names)), np.int64)
    for subject, given in zip(photo.truth, photo.on_truth, strict=True):
        counts[class_names.index(subject.class_name), class_names.index(given.class_name)] += 1
    return counts


def _tally(counts: Counts, number: int) -> Tally:
    return Tally(int(counts[number, number]), int(counts[:, number].sum()), int(counts[number].sum()))


def _mean_share(totals: Table) -> Table:
    """Mean over the classes that there are of right ones as a part of all, in halves of the last axis; else 0."""
    right, true = np.split(totals, 2, axis=-1)
    values: Table = (right / np.maximum(true, 1)).sum(-1) / np.maximum((true > 0).sum(-1), 1)
    return values
