"""What there is to say of a run as a whole, from one pass over its results, however many there are."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from pipeline.results import PhotoResult, Prediction, Results, Status
from pipeline.run_info import RunInfo
from pipeline.workbook.tables import MAX_PICTURES, is_web_address

SPREAD_PARTS = 10
"""Parts of the range of class confidence, 0 to 1, that boxes are counted in."""

_AT_A_TIME = 20_000
"""Doubtful boxes whose photos' results are in memory at once; for so many the results are gone through once."""


class Subject(NamedTuple):
    """A box of a photo.

    Args:
        result: of its photo.
        place: among the predictions there, from 0.
        prediction: what is there.
        ranking: of the prediction, which every column would have to sort for itself.
    """

    result: PhotoResult
    place: int
    prediction: Prediction
    ranking: tuple[str, ...]

    @classmethod
    def of(cls, result: PhotoResult, place: int) -> Subject:
        """The box of a prediction."""
        prediction = result.predictions[place]
        return cls(result, place, prediction, prediction.ranking)

    @property
    def class_name(self) -> str:
        """The most probable class."""
        return self.ranking[0]

    @property
    def confidence(self) -> float:
        """Probability of the class, 0 to 1."""
        return self.prediction.probabilities[self.ranking[0]]

    @property
    def runner_up(self) -> str | None:
        """The second most probable class; None where there is but one."""
        return self.ranking[1] if len(self.ranking) > 1 else None

    @property
    def runner_up_confidence(self) -> float | None:
        """Probability of the runner-up, 0 to 1."""
        return self.prediction.probabilities[self.ranking[1]] if len(self.ranking) > 1 else None

    @property
    def lead(self) -> float:
        """By how much the class is more probable than the runner-up, 0 to 1."""
        return self.confidence - (self.runner_up_confidence or 0.0)


class Doubt(NamedTuple):
    """Where an unsure box is to be found again; they sort by doubt, the greatest first.

    Args:
        lead: by how much the class is more probable than the runner-up, 0 to 1.
        confidence: of the class, 0 to 1.
        number: of the photo among the results, from 0.
        place: among its predictions.
    """

    lead: float
    confidence: float
    number: int
    place: int


@dataclass(slots=True)
class Tally:
    """What was counted of a class, or of a part of the range of confidence.

    Args:
        boxes: how many.
        confidence: the sum of their class confidences.
        unsure: how many of them are.
        best: the surest; the first of several.
        worst: the least sure; the first of several.
    """

    boxes: int = 0
    confidence: float = 0.0
    unsure: int = 0
    best: Subject | None = None
    worst: Subject | None = None

    @property
    def mean_confidence(self) -> float | None:
        """Mean class confidence, 0 to 1; None without boxes."""
        return self.confidence / self.boxes if self.boxes else None

    def count(self, subject: Subject) -> None:
        """Count a box."""
        confidence = subject.confidence
        self.boxes += 1
        self.confidence += confidence
        self.unsure += not subject.prediction.sure
        if self.best is None or confidence > self.best.confidence:
            self.best = subject
        if self.worst is None or confidence < self.worst.confidence:
            self.worst = subject


@dataclass(slots=True)
class Survey:
    """What was counted in a run's results.

    Args:
        classes: of each class by its name: those of the run, and any other that the results name.
        statuses: files by their status.
        boxes: how many were found.
        spread: boxes by class confidence, in ``SPREAD_PARTS`` of the same width.
        doubts: the unsure boxes.
        gone: files that are not where they were; those of the web are not asked for.
        crops_lost: boxes whose crop should be shown, and cannot be.
        drawn: whether there is a photo with its boxes drawn in.
    """

    classes: dict[str, Tally]
    statuses: Counter[Status] = field(default_factory=Counter)
    boxes: int = 0
    spread: list[Tally] = field(default_factory=lambda: [Tally() for _ in range(SPREAD_PARTS)])
    doubts: list[Doubt] = field(default_factory=list)
    gone: int = 0
    crops_lost: int = 0
    drawn: bool = False

    @property
    def files(self) -> int:
        """How many files there are."""
        return self.statuses.total()

    @property
    def problems(self) -> int:
        """How many of them were not looked at."""
        return self.files - self.statuses["ok"] - self.statuses["empty"]


def survey_results(
    results: Results,
    run: RunInfo,
    *,
    thumbnail: Callable[[PhotoResult, int], bytes | None] | None = None,
    drawn: Callable[[str], Path | None] | None = None,
) -> Survey:
    """Go through the results once.

    Args:
        results: every file of the run.
        run: what was run.
        thumbnail: as for ``write_report``; None where no crops are to be shown.
        drawn: as for ``write_report``.
    """
    tallies = defaultdict[str, Tally](Tally)
    seen = Survey({})
    for number, result in enumerate(results):
        seen.statuses[result.status] += 1
        seen.gone += not is_web_address(result.photo) and not _exists(run.photos, result.photo)
        if result.predictions and drawn is not None and not seen.drawn:
            seen.drawn = drawn(result.photo) is not None
        for place in range(len(result.predictions)):
            subject = Subject.of(result, place)
            tallies[subject.class_name].count(subject)
            if thumbnail is not None and seen.boxes < MAX_PICTURES:
                seen.crops_lost += thumbnail(result, place) is None
            _count_box(seen, subject, number)
    seen.doubts.sort()
    seen.classes = {name: tallies[name] for name in (*run.class_names, *sorted(tallies.keys() - set(run.class_names)))}
    return seen


def _count_box(seen: Survey, subject: Subject, number: int) -> None:
    seen.boxes += 1
    seen.spread[min(int(subject.confidence * SPREAD_PARTS), SPREAD_PARTS - 1)].count(subject)
    if not subject.prediction.sure:
        seen.doubts.append(Doubt(subject.lead, subject.confidence, number, subject.place))


def find_subjects(results: Results, doubts: Sequence[Doubt]) -> Iterator[Subject]:
    """The boxes of ``doubts``, in their order, a few passes over the results for however many."""
    for first in range(0, len(doubts), _AT_A_TIME):
        some = doubts[first : first + _AT_A_TIME]
        photos = _pick(results, {doubt.number for doubt in some})
        for doubt in some:
            yield Subject.of(photos[doubt.number], doubt.place)


def _pick(results: Iterable[PhotoResult], numbers: set[int]) -> dict[int, PhotoResult]:
    return {number: result for number, result in enumerate(results) if number in numbers}


def _exists(folder: Path, photo: str) -> bool:
    return os.path.exists(folder / photo)  # noqa: PTH110 - Path.exists() raises where a name is too long
