"""Figures of a pair, from what it made of labelled photos: each stage alone, and the chain of both."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.boxes import iou, match_boxes
from pipeline.labels import Subject
from pipeline.results import Detection, Prediction
from pipeline.yolo import average_precision

SAME = 0.5
"""IoU from which a detection is the subject."""

THRESHOLDS = tuple(round(step / 20, 2) for step in range(2, 19))
"""Confidences among which the detector's threshold is chosen."""

Table = NDArray[np.float64]
Interval = tuple[float, float]

_COCO_IOUS = tuple(round(0.5 + step / 20, 2) for step in range(10))
_RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class JudgedPhoto:
    """What a pair made of a labelled photo.

    Args:
        truth: the labelled subjects.
        detections: everything the detector saw, however faint, the surest first.
        predictions: of the detections from the lowest threshold on, with their classes, the surest first.
        on_truth: what the classifier makes of the crop of each labelled box.
        photo: its file; None where nobody will want to see it.
    """

    truth: tuple[Subject, ...]
    detections: tuple[Detection, ...]
    predictions: tuple[Prediction, ...]
    on_truth: tuple[Prediction, ...]
    photo: Path | None = None

    def made(self, confidence: float) -> list[Prediction]:
        """The predictions from a threshold of the detector on, 0 to 1."""
        return [one for one in self.predictions if one.detection.confidence >= confidence]

    def pair(self, made: Sequence[Prediction]) -> dict[int, int]:
        """Index into ``made`` to index into ``truth``, for those whose boxes are the same subject."""
        boxes = [one.detection.box for one in made]
        return match_boxes(boxes, [subject.box for subject in self.truth], min_iou=SAME)


@dataclass(frozen=True, slots=True)
class Scores:
    """Figures of a pair on labelled photos; all but the counts are 0 to 1.

    Args:
        photos: how many photos.
        subjects: how many labelled boxes.
        map50: the detector's average precision at IoU 0.5, all classes as one.
        map50_95: the same, averaged over IoU 0.5 to 0.95.
        top1_true: part of the labelled boxes whose crop the classifier gives the right class.
        top1_detected: part of the found subjects that get the right class.
        found: part of the labelled boxes that the detector finds at the threshold.
        precision: part of the detections at the threshold that are a subject with the right class.
        recall: part of the labelled boxes found and given the right class.
        f1: harmonic mean of the two.
        f1_low, f1_high: its 95 % interval, by bootstrap over the photos (Efron and Tibshirani 1993).
        confidence: the threshold.
        labelled: whether people drew the boxes, so that they say something of the detector; where photos are sorted
            into classes they did not.
    """

    photos: int
    subjects: int
    map50: float
    map50_95: float
    top1_true: float
    top1_detected: float
    found: float
    precision: float
    recall: float
    f1: float
    f1_low: float
    f1_high: float
    confidence: float
    labelled: bool = True

    def as_dict(self) -> dict[str, float]:
        """The figures by name, rounded to what they can be told to."""
        return {name: round(value, 4) for name, value in asdict(self).items() if name != "labelled"}

    def __str__(self) -> str:
        if not self.labelled:
            return f"{self.photos} photos\nclassifier   top-1 {self.top1_true:.3f}"
        rows = [
            f"{self.photos} photos, {self.subjects} labelled boxes",
            f"detector     mAP50 {self.map50:.3f}   mAP50-95 {self.map50_95:.3f}   found {self.found:.3f}",
            f"classifier   top-1 {self.top1_true:.3f} on true crops, {self.top1_detected:.3f} on detected crops",
            f"both         F1 {self.f1:.3f} (95 % interval {self.f1_low:.3f} to {self.f1_high:.3f})"
            f"   precision {self.precision:.3f}   recall {self.recall:.3f}   at confidence {self.confidence:.2f}",
        ]
        return "\n".join(rows)


def score(judged: Sequence[JudgedPhoto], *, confidence: float, labelled: bool = True) -> Scores:
    """The figures at a threshold of the detector, 0 to 1; ``labelled`` as in ``Scores``."""
    counts = _count_all(judged, confidence)
    right, made, true, found = counts.sum(0)
    precisions = _average_precisions(judged)
    on_truth = [
        prediction.class_name == subject.class_name
        for photo in judged
        for prediction, subject in zip(photo.on_truth, photo.truth, strict=True)
    ]
    low, high = find_interval(counts, _f1)
    return Scores(
        photos=len(judged),
        subjects=int(true),
        map50=float(precisions[0]),
        map50_95=float(precisions.mean()),
        top1_true=_ratio(sum(on_truth), len(on_truth)),
        top1_detected=_ratio(right, found),
        found=_ratio(found, true),
        precision=_ratio(right, made),
        recall=_ratio(right, true),
        f1=_ratio(2 * right, made + true),
        f1_low=low,
        f1_high=high,
        confidence=confidence,
        labelled=labelled,
    )


def choose_confidence(judged: Sequence[JudgedPhoto]) -> float:
    """The lowest threshold at which the detector's F2 is less than the best by no more than one standard error.

    F2 counts a subject that was found twice as much as a box that is none (van Rijsbergen 1979): a row too many can be
    deleted in the spreadsheet, a subject that was missed cannot be put back. On a few dozen photos the best stands out
    from its neighbours by chance (the one-standard-error rule of Breiman et al. 1984); the error is that of the
    difference on the same photos, as some are harder than others at any threshold. What class a subject gets does not
    count: another classifier must not have the detector find less.
    """
    counts = {threshold: _count_all(judged, threshold) for threshold in THRESHOLDS}
    scores = {threshold: float(_f2_found(table.sum(0))) for threshold, table in counts.items()}
    best = max(THRESHOLDS, key=scores.__getitem__)
    totals = np.split(_resample(np.hstack([*counts.values()])), len(counts), axis=1)  # of the same photos at each
    drawn = dict(zip(counts, map(_f2_found, totals), strict=True))
    return min(
        threshold
        for threshold in THRESHOLDS
        if scores[best] - scores[threshold] <= float((drawn[best] - drawn[threshold]).std())
    )


def find_intervals(judged: Sequence[JudgedPhoto], confidence: float) -> dict[str, Interval]:
    """95 % intervals of the figures that are shares, by their names in ``Scores``; see ``find_interval``."""
    counts = _count_all(judged, confidence)
    on_truth = np.array([_count_on_truth(photo) for photo in judged], float).reshape(-1, 2)
    right, made, true, found = range(4)
    shares = {
        "top1_detected": (right, found),
        "found": (found, true),
        "precision": (right, made),
        "recall": (right, true),
    }
    intervals = {name: find_interval(counts[:, columns], _share) for name, columns in shares.items()}
    return {"top1_true": find_interval(on_truth, _share), **intervals, "f1": find_interval(counts, _f1)}


def measure_f1(judged: Sequence[JudgedPhoto], confidence: float) -> tuple[float, Interval]:
    """The F1 of the chain at a threshold, 0 to 1, and its 95 % interval; see ``find_interval``."""
    counts = _count_all(judged, confidence)
    return float(_f1(counts.sum(0))), find_interval(counts, _f1)


def compare_f1(*chains: tuple[Sequence[JudgedPhoto], float]) -> tuple[float, Interval]:
    """How much higher the F1 of one chain is than another's, and the 95 % interval of that; see ``find_interval``.

    Args:
        chains: of each of the two, what it made of the photos, the same in the same order, and its threshold, 0 to 1.
    """
    counts = np.hstack([_count_all(judged, confidence) for judged, confidence in chains])

    def lead(totals: Table) -> Table:
        ours, theirs = np.split(totals, 2, axis=-1)
        return _f1(ours) - _f1(theirs)

    return float(lead(counts.sum(0))), find_interval(counts, lead)


def find_interval(counts: Table, figure: Callable[[Table], Table]) -> Interval:
    """95 % interval of a figure by bootstrap over the photos (Efron and Tibshirani 1993).

    Args:
        counts: of each photo, shape (photos, k).
        figure: makes figures, shape (n,), of sums of such counts, shape (n, k).
    """
    low, high = np.quantile(figure(_resample(counts)), (0.025, 0.975))
    return float(low), float(high)


def _count(photo: JudgedPhoto, confidence: float) -> tuple[int, int, int, int]:
    """Detections with the right box and class, all detections, labelled boxes, and labelled boxes found."""
    made = photo.made(confidence)
    pairs = photo.pair(made)
    right = sum(made[index].class_name == photo.truth[true].class_name for index, true in pairs.items())
    return right, len(made), len(photo.truth), len(pairs)


def _count_on_truth(photo: JudgedPhoto) -> tuple[int, int]:
    """Labelled boxes whose crop gets the right class, and all labelled boxes."""
    pairs = zip(photo.on_truth, photo.truth, strict=True)
    return sum(given.class_name == subject.class_name for given, subject in pairs), len(photo.truth)


def _average_precisions(judged: Sequence[JudgedPhoto]) -> Table:
    subjects = sum(len(photo.truth) for photo in judged)
    if not subjects:
        return np.zeros(len(_COCO_IOUS))
    correct = [row for photo in judged for row in _correct_rows(photo)]
    confidence = [detection.confidence for photo in judged for detection in photo.detections]
    table = np.array(correct, bool).reshape(-1, len(_COCO_IOUS))
    return average_precision(table, np.array(confidence, float), subjects=subjects)


def _correct_rows(photo: JudgedPhoto) -> NDArray[np.bool_]:
    """Whether each detection is a subject, at each IoU of COCO's: shape (detections, 10)."""
    rows = np.zeros((len(photo.detections), len(_COCO_IOUS)), bool)
    boxes, truth = [one.box for one in photo.detections], [subject.box for subject in photo.truth]
    close = [index for index, box in enumerate(boxes) if any(iou(box, other) >= SAME for other in truth)]
    for column, min_iou in enumerate(_COCO_IOUS):
        for index in match_boxes([boxes[i] for i in close], truth, min_iou=min_iou):
            rows[close[index], column] = True
    return rows


def _count_all(judged: Sequence[JudgedPhoto], confidence: float) -> Table:
    """What ``_count`` says of each photo: shape (photos, 4)."""
    return np.array([_count(photo, confidence) for photo in judged], float).reshape(-1, 4)


def _resample(counts: Table) -> Table:
    """Sums over as many photos drawn with replacement, many times: shape (resamples, k)."""
    rng, photos = np.random.default_rng(0), len(counts)
    # one draw at a time: all at once would be photos x resamples x k numbers
    return np.array(
        [np.bincount(rng.integers(0, photos, photos), minlength=photos) @ counts for _ in range(_RESAMPLES)]
    )


def _f1(totals: Table) -> Table:
    """F1 of counts of right, made and true boxes along the last axis; 0 where there are none."""
    right, made, true, _ = np.moveaxis(totals, -1, 0)
    values: Table = 2 * right / np.maximum(made + true, 1)
    return values


def _f2_found(totals: Table) -> Table:
    """F2 of the boxes, whatever their class, of the same counts."""
    _, made, true, found = np.moveaxis(totals, -1, 0)
    values: Table = 5 * found / np.maximum(made + 4 * true, 1)
    return values


def _share(totals: Table) -> Table:
    """The first count as a part of the second, along the last axis; 0 where there are none."""
    values: Table = totals[..., 0] / np.maximum(totals[..., 1], 1)
    return values


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else 0.0
