"""What is worked out of times, of rows, and of two answers for the same photos."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from statistics import median

from pipeline.boxes import Box, match_boxes
from pipeline.results import PhotoResult, Prediction

SIZES = {"small": 0.03, "medium": 0.10, "large": math.inf}
"""Boxes by the part of the photo that they cover, up to these."""

AGAIN = 0.9
"""IoU from which a box is the same as another."""

CLEAR = 0.05
"""How far above the threshold a box has to be for it to count whether it is found again."""

_CHANGING = {"seconds"}
"""Columns that differ from run to run."""

Line = tuple[str, ...]


def steady_rate(photos: int, seconds: float, few: int, few_seconds: float) -> float:
    """Photos a second beyond the first few; nan where a run of few took no less time, and so says nothing.

    Args:
        photos: how many there were.
        seconds: that a whole run of them took.
        few: how many there were in another run.
        few_seconds: that it took.
    """
    return (photos - few) / (seconds - few_seconds) if seconds > few_seconds else math.nan


def start_up(photos: int, seconds: float, few: int, few_seconds: float) -> float:
    """Seconds of a run of few that are not the photos': imports, weights, the report's beginning."""
    return few_seconds - few / steady_rate(photos, seconds, few, few_seconds)


def spread(values: Sequence[float], digits: int = 2) -> str:
    """The median, with the least and the most."""
    low, middle, high = (f"{value:.{digits}f}" for value in (min(values), median(values), max(values)))
    return f"{middle} ({low} to {high})" if len(values) > 1 else middle


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Ours over theirs, round by round."""
    return [one / other for one, other in zip(ours, theirs, strict=True)]


@dataclass(frozen=True, slots=True)
class Again:
    """Of the boxes that are clearly above the threshold, how many were found again."""

    found: int
    clear: int

    def __str__(self) -> str:
        return f"{self.found / self.clear:.4f} of {self.clear}" if self.clear else "none there"


def count_again(
    reference: Mapping[str, PhotoResult], answer: Mapping[str, PhotoResult], threshold: float
) -> dict[str, Again]:
    """The boxes of one answer that another has as well, with the same class: by ``SIZES``, and of all.

    Args:
        reference: what counts, by photo.
        answer: what is compared with it; a photo that it lacks has no boxes.
        threshold: the detector's, 0 to 1.
    """
    found, clear = Counter[str](), Counter[str]()
    for name, truth in reference.items():
        others = answer[name].predictions if name in answer else ()
        pairs = match_boxes(_boxes(truth.predictions), _boxes(others), min_iou=AGAIN)
        for place, one in enumerate(truth.predictions):
            if one.detection.confidence >= threshold + CLEAR:
                same = place in pairs and others[pairs[place]].class_name == one.class_name
                for size in (size_of(one, truth.size), "all"):
                    clear[size] += 1
                    found[size] += same
    return {size: Again(found[size], clear[size]) for size in (*SIZES, "all")}


def size_of(prediction: Prediction, photo: tuple[int, int] | None) -> str:
    """Which of ``SIZES`` a box is in a photo of so many pixels."""
    width, height = photo or (1, 1)
    share = prediction.detection.box.area / (width * height)
    return next(size for size, limit in SIZES.items() if share <= limit)


def _boxes(predictions: Iterable[Prediction]) -> list[Box]:
    return [one.detection.box for one in predictions]


def without_seconds(table: Sequence[Line]) -> list[Line]:
    """A table without the columns that differ from run to run; its first line is the heading."""
    kept = [place for place, name in enumerate(table[0]) if name not in _CHANGING]
    return [tuple(line[place] for place in kept) for line in table]


def compare_rows(expected: Sequence[str], found: Sequence[str]) -> tuple[int, int]:
    """How many names are lost, and how many there are too often."""
    wanted, there = Counter(expected), Counter(found)
    return (wanted - there).total(), (there - wanted).total()


def latest_kill(start: float, work: float, kills: int) -> float:
    """Until when a run may be killed so that so many kills are spread over all of its work.

    A run that is killed after ``d`` seconds, ``d`` drawn evenly from 0 to what this gives, gets ``d - start`` further,
    if that is more than nothing: on average ``work / (kills + 1)``.

    Args:
        start: seconds from its start to its first photo.
        work: seconds that all photos take.
        kills: how often.
    """
    share = work / (kills + 1)
    return start + share + math.sqrt(share * share + 2 * share * start)


def count_rises(counts: Sequence[int]) -> int:
    """How many of the counts are above all before them, nothing included."""
    highest = [0, *accumulate(counts, max)]
    return sum(count > before for count, before in zip(counts, highest, strict=False))
