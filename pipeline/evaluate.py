"""How good a trained pair is on labelled photos: each stage alone, and the chain of both."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from pipeline.batches import lacks_memory
from pipeline.boxes import iou, match_boxes
from pipeline.config import Config, read_config
from pipeline.console import counting
from pipeline.dataset import list_parts, list_photos, load_dataset
from pipeline.errors import DataError, PhotoError
from pipeline.finder import locate_subjects
from pipeline.images import read_photo
from pipeline.labels import Annotation, Subject
from pipeline.problems import Kind, raise_errors, summarise
from pipeline.reading import read_parts
from pipeline.results import Detection, Prediction
from pipeline.sorter import Sorter
from pipeline.weights import default_weights
from pipeline.yolo import average_precision

SAME = 0.5
"""IoU from which a detection is the subject."""

THRESHOLDS = tuple(round(step / 20, 2) for step in range(2, 19))
"""Confidences among which the detector's threshold is chosen."""

_FAINTEST = 0.001
_COCO_IOUS = tuple(round(0.5 + step / 20, 2) for step in range(10))
_RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class JudgedPhoto:
    """What a pair made of a labelled photo.

    Args:
        truth: the labelled subjects.
        detections: everything the detector saw, however faint, the surest first.
        predictions: of the detections from the lowest threshold on, with their classes, the surest first.
        on_truth: the class that the classifier gives to the crop of each labelled box.
    """

    truth: tuple[Subject, ...]
    detections: tuple[Detection, ...]
    predictions: tuple[Prediction, ...]
    on_truth: tuple[str, ...]


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


def evaluate_pair(data_file: Path, *, on: str = "", weights: Path | None = None, console: Console) -> Scores:
    """Score a trained pair at its own threshold.

    Args:
        data_file: the data.yaml.
        on: ``val``, ``test``, or a folder of labelled photos; empty for test if there is one, else val.
        weights: folder of the pair; by default that of the data set.
        console: told of the progress.

    Raises:
        CropsortError: something of it is missing or cannot be worked with.
    """
    config = read_config(data_file)
    sorter = Sorter(weights or default_weights(data_file), device=config.device)
    annotations, notes = _choose_photos(data_file, config, on, sorter.class_names)
    for note in notes:
        console.print(note)
    labelled = config.classes_from == "labels"
    if not labelled and sorter.cards.detector is not None:
        with counting(console, "finding the subjects", len(annotations)) as advance:
            annotations, _ = locate_subjects(annotations, sorter.finder, on_photo=advance)
    with counting(console, "scoring", len(annotations)) as advance:
        judged = judge(sorter, annotations, on_photo=advance, on_unreadable=partial(_say_left_out, console))
    if not judged:
        raise DataError(f"none of the {len(annotations)} photos can be read", where=on or data_file)
    return score(judged, confidence=sorter.confidence, labelled=labelled)


def _say_left_out(console: Console, error: PhotoError) -> None:
    console.print(f"note: left out: {error}")


def judge(
    sorter: Sorter,
    annotations: Iterable[Annotation],
    *,
    on_photo: Callable[[], None],
    on_unreadable: Callable[[PhotoError], None] | None = None,
) -> list[JudgedPhoto]:
    """Run a pair on labelled photos.

    Args:
        sorter: the pair.
        annotations: the photos.
        on_photo: called after each.
        on_unreadable: called for a photo that cannot be read, which then is left out.

    Raises:
        PhotoError: a photo cannot be read, and there is no ``on_unreadable``.
    """
    judged = []
    for annotation in annotations:
        try:
            judged.append(_judge_photo(sorter, annotation))
        except PhotoError as error:
            if on_unreadable is None or lacks_memory(error):
                raise
            on_unreadable(error)
        on_photo()
    return judged


def score(judged: Sequence[JudgedPhoto], *, confidence: float, labelled: bool = True) -> Scores:
    """The figures at a threshold of the detector, 0 to 1; ``labelled`` as in ``Scores``."""
    counts = _count_all(judged, confidence)
    right, made, true, found = counts.sum(0)
    precisions = _average_precisions(judged)
    on_truth = [
        name == subject.class_name
        for photo in judged
        for name, subject in zip(photo.on_truth, photo.truth, strict=True)
    ]
    low, high = np.quantile(_resample_f1(counts), (0.025, 0.975))
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
        f1_low=float(low),
        f1_high=float(high),
        confidence=confidence,
        labelled=labelled,
    )


def choose_confidence(judged: Sequence[JudgedPhoto]) -> float:
    """The lowest threshold at which the F1 of the chain is within one standard error of the best.

    On a few dozen photos the best F1 stands out from its neighbours by chance (the one-standard-error rule of Breiman
    et al. 1984). Among equals the lower one is better: a row too many can be deleted in the spreadsheet, a subject
    that was missed cannot be put back.
    """
    counts = {threshold: _count_all(judged, threshold) for threshold in THRESHOLDS}
    scores = {threshold: float(_f1(table.sum(0))) for threshold, table in counts.items()}
    best = max(THRESHOLDS, key=scores.__getitem__)
    allowed = scores[best] - float(_resample_f1(counts[best]).std())
    return min(threshold for threshold in THRESHOLDS if scores[threshold] >= allowed)


def _choose_photos(
    data_file: Path, config: Config, on: str, class_names: tuple[str, ...]
) -> tuple[tuple[Annotation, ...], list[str]]:
    if on not in ("", "val", "test"):
        reading = read_parts({on: list_photos(Path(on))}, class_names, classes_from=config.classes_from)
        raise_errors(reading.problems)
        return reading.parts[on], summarise(reading.problems)
    dataset = load_dataset(data_file, config)
    if on == "test" and not dataset.test:
        raise DataError("names no test photos", where=data_file, remedy="add a line 'test: folder'")
    part = "test" if on != "val" and dataset.test else "val"
    named = list_parts(data_file, config)
    photos = set(named.get(part, named["train"]))  # without a val of its own, some of train are
    unreadable = (one for one in dataset.problems if one.kind is Kind.PHOTO_UNREADABLE and one.path in photos)
    if part == "test":
        return dataset.test, summarise(unreadable)
    return dataset.val, [*summarise(unreadable), "note: scored on val, which epoch and threshold were chosen on"]


def _judge_photo(sorter: Sorter, annotation: Annotation) -> JudgedPhoto:
    pixels = read_photo(annotation.photo).pixels
    detections = sorter.detect(pixels, conf=_FAINTEST)
    visible = [detection for detection in detections if detection.confidence >= THRESHOLDS[0]]
    true_crops = sorter.classify(pixels, [Detection(subject.box, 1.0) for subject in annotation.subjects])
    names = tuple(prediction.class_name for prediction in true_crops)
    return JudgedPhoto(annotation.subjects, tuple(detections), tuple(sorter.classify(pixels, visible)), names)


def _count(photo: JudgedPhoto, confidence: float) -> tuple[int, int, int, int]:
    """Detections with the right box and class, all detections, labelled boxes, and labelled boxes found."""
    made = [one for one in photo.predictions if one.detection.confidence >= confidence]
    pairs = match_boxes([one.detection.box for one in made], [subject.box for subject in photo.truth], min_iou=SAME)
    right = sum(made[index].class_name == photo.truth[true].class_name for index, true in pairs.items())
    return right, len(made), len(photo.truth), len(pairs)


def _average_precisions(judged: Sequence[JudgedPhoto]) -> NDArray[np.float64]:
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


def _count_all(judged: Sequence[JudgedPhoto], confidence: float) -> NDArray[np.float64]:
    """What ``_count`` says of each photo: shape (photos, 4)."""
    return np.array([_count(photo, confidence) for photo in judged], float).reshape(-1, 4)


def _resample_f1(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """F1 of as many photos drawn with replacement, many times: shape (resamples,)."""
    drawn = np.random.default_rng(0).integers(0, len(counts), (_RESAMPLES, len(counts)))
    return _f1(counts[drawn].sum(1))


def _f1(totals: NDArray[np.float64]) -> NDArray[np.float64]:
    """F1 of counts of right, made and true boxes along the last axis; 0 where there are none."""
    right, made, true, _ = np.moveaxis(totals, -1, 0)
    values: NDArray[np.float64] = 2 * right / np.maximum(made + true, 1)
    return values


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else 0.0
