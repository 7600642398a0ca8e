"""Which labels are most likely wrong: what networks that have not seen them say against them.

Classes go through confident learning (Northcutt et al. 2021, Confident Learning: Estimating Uncertainty in Dataset
Labels), boxes through ObjectLab (Tkachenko et al. 2023, Automated Detection of Mislabeled Images in Object Detection),
both of cleanlab.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.boxes import Box, iou
from pipeline.labels import Annotation, Subject
from pipeline.results import Prediction
from pipeline.scores import JudgedPhoto
from pipeline.suspects import Suspect

Floats = NDArray[np.float64]

_TOUCHING = 0.2
"""IoU below which a detection is not the labelled subject beside it; books on a desk overlap."""

_BELIEVED = 0.5
"""Part of detections of a confidence that fit a label, from which one that does not says something against a label."""

_AGAINST = 0.25
"""Score below which a class is doubted in any case: another one is more probable by a half.

Confident learning compares a probability with what the network usually gives to that class, and where it usually gives
0.9, it passes a single 0.8 over.
"""

_FENCE = 1.5
"""Interquartile ranges below the first quartile beyond which a fit is unusual (Tukey 1977)."""

_PERCENT = 100
"""Longer side of a photo in the units that cleanlab's distances are made for: a few dozen of them are far away."""


def find_suspects(
    judged: Sequence[JudgedPhoto],
    annotations: Mapping[Path, Annotation],
    class_names: tuple[str, ...],
    *,
    labelled: bool,
) -> list[Suspect]:
    """The labels that are likely to be wrong, the worst first; of each box the worst that can be said of it.

    Args:
        judged: photos as networks judge them that have not seen them.
        annotations: what is labelled, by photo.
        class_names: all classes.
        labelled: whether people drew the boxes, so that something may be wrong with them.
    """
    known = [photo for photo in judged if photo.photo is not None]
    boxes = [] if not labelled else list(_find_boxes(known, annotations))
    moved = {(one.photo, one.box) for one in boxes if one.kind == "misplaced"}
    # A crop that shows half the subject tells nothing of its class: the box comes first.
    classes = [one for one in _find_swapped(known, annotations, class_names) if (one.photo, one.box) not in moved]
    return sorted([*classes, *boxes], key=lambda one: (one.score, str(one.photo), one.box.edges))


def list_unjudged(judged: Sequence[JudgedPhoto], class_names: tuple[str, ...]) -> list[str]:
    """Classes that a single photo shows: whatever judges it has learnt nothing of them."""
    photos = Counter(name for photo in judged for name in {subject.class_name for subject in photo.truth})
    return [name for name in class_names if photos[name] == 1]


def _find_swapped(
    judged: Sequence[JudgedPhoto], annotations: Mapping[Path, Annotation], class_names: tuple[str, ...]
) -> Iterator[Suspect]:
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    unjudged = set(list_unjudged(judged, class_names))
    rows = [
        (photo.photo, subject, given)
        for photo in judged
        for subject, given in zip(photo.truth, photo.on_truth, strict=True)
        if photo.photo is not None and subject.class_name not in unjudged
    ]
    targets = np.array([class_names.index(subject.class_name) for _, subject, _ in rows], np.int64)
    if len(set(targets.tolist())) < 2:
        return
    table = np.array([[given.probabilities[name] for name in class_names] for _, _, given in rows], float)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="May not flag all label issues", category=UserWarning)
        wrong = find_label_issues(targets, table, n_jobs=1)
    scores = get_label_quality_scores(targets, table, method="normalized_margin")
    for (photo, subject, given), is_wrong, score in zip(rows, wrong, scores, strict=True):
        if is_wrong or score < _AGAINST:
            yield _swapped(annotations[photo], subject, given, float(score))


def _swapped(annotation: Annotation, subject: Subject, given: Prediction, score: float) -> Suspect:
    own = given.probabilities[subject.class_name]
    reason = (
        f"labelled {subject.class_name}; a classifier that has not seen it says {given.class_name} "
        f"({given.confidence:.0%}), and {subject.class_name} with {own:.0%}"
    )
    return Suspect(
        kind="swapped",
        photo=annotation.photo,
        box=subject.box,
        label=subject.class_name,
        given=given.class_name,
        confidence=given.confidence,
        seen=None,
        score=score,
        reason=reason,
        file=annotation.label or annotation.photo,
    )


def _find_boxes(judged: Sequence[JudgedPhoto], annotations: Mapping[Path, Annotation]) -> Iterator[Suspect]:
    """Boxes beside their subjects, and subjects without one; classes do not matter."""
    belief = _believe(judged)
    if belief is None:
        return
    confidences = [one.detection.confidence for photo in judged for one in photo.predictions]
    sure = min((value for value in confidences if belief(value) >= _BELIEVED), default=1.0)
    scores = _score_boxes(judged, annotations, sure)
    fence = _lower_fence(np.concatenate([row[row < 1] for row in scores]))
    for photo, row in zip(judged, scores, strict=True):
        misplaced = list(_find_misplaced(photo, row, fence, sure, annotations))
        yield from misplaced
        claimed = {one.seen for one in misplaced}
        for one in photo.predictions:
            if one.detection.confidence >= sure and one.detection.box not in claimed and _is_free(one, photo):
                yield _overlooked(photo, one, belief(one.detection.confidence), annotations)


def _believe(judged: Sequence[JudgedPhoto]) -> Callable[[float], float] | None:
    """How often a detection of a confidence fits a label, by isotonic regression; None where there are none.

    The detector's own figure says little: after a few epochs it is low for all.
    """
    from sklearn.isotonic import IsotonicRegression

    confidences, fits = [], []
    for photo in judged:
        pairs = photo.pair(photo.predictions)
        confidences += [one.detection.confidence for one in photo.predictions]
        fits += [index in pairs for index in range(len(photo.predictions))]
    if not confidences:
        return None
    fitted = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip").fit(confidences, np.array(fits, float))
    return lambda confidence: float(fitted.predict([confidence])[0])


def _score_boxes(judged: Sequence[JudgedPhoto], annotations: Mapping[Path, Annotation], sure: float) -> list[Floats]:
    """How well each labelled box fits what the detector sees there, 0 to 1; 1 where it sees nothing."""
    from cleanlab.object_detection.rank import compute_badloc_box_scores

    labels, predictions = [], []
    for photo in judged:
        assert photo.photo is not None  # find_suspects has left the others out
        factor = _PERCENT / max(annotations[photo.photo].size)
        truth = [subject.box.scaled(factor).edges for subject in photo.truth]
        seen = [(*one.detection.box.scaled(factor).edges, one.detection.confidence) for one in photo.predictions]
        labels.append({"bboxes": np.array(truth, float).reshape(-1, 4), "labels": np.zeros(len(truth), np.int64)})
        predictions.append([np.array(seen, float).reshape(-1, 5)])
    scored: list[Floats] = compute_badloc_box_scores(
        labels=labels, predictions=predictions, low_probability_threshold=np.nextafter(sure, 0)
    )
    return scored


def _find_misplaced(
    photo: JudgedPhoto, scores: Floats, fence: float, sure: float, annotations: Mapping[Path, Annotation]
) -> Iterator[Suspect]:
    assert photo.photo is not None
    detections = [one for one in photo.predictions if one.detection.confidence >= sure]
    for index, (subject, score) in enumerate(zip(photo.truth, scores, strict=True)):
        if score >= fence:
            continue
        others = [other.box for i, other in enumerate(photo.truth) if i != index]
        own = [one for one in detections if _is_nearest(one.detection.box, subject.box, others)]
        best = max(own, key=lambda one: iou(one.detection.box, subject.box), default=None)
        shared = 0.0 if best is None else iou(best.detection.box, subject.box)
        if best is None or shared < _TOUCHING:
            continue  # what is seen there is the subject beside it
        reason = f"the detector sees the subject elsewhere: the two boxes have {shared:.0%} of their area in common"
        yield Suspect(
            kind="misplaced",
            photo=photo.photo,
            box=subject.box,
            label=subject.class_name,
            given=best.class_name,
            confidence=best.detection.confidence,
            seen=best.detection.box,
            score=float(score),
            reason=reason,
            file=annotations[photo.photo].label or photo.photo,
        )


def _is_free(one: Prediction, photo: JudgedPhoto) -> bool:
    """Whether no label says anything of it, nor a surer detection of the same subject."""
    if any(iou(one.detection.box, subject.box) >= _TOUCHING for subject in photo.truth):
        return False
    surer = photo.predictions[: photo.predictions.index(one)]
    return all(iou(one.detection.box, other.detection.box) < _TOUCHING for other in surer)


def _overlooked(photo: JudgedPhoto, one: Prediction, share: float, annotations: Mapping[Path, Annotation]) -> Suspect:
    assert photo.photo is not None
    reason = (
        f"no box here, but a detector that has not seen the photo finds a subject ({one.class_name}); "
        f"of what it finds as surely, {share:.0%} is labelled"
    )
    return Suspect(
        kind="overlooked",
        photo=photo.photo,
        box=one.detection.box,
        label="",
        given=one.class_name,
        confidence=one.detection.confidence,
        seen=None,
        score=1 - share,
        reason=reason,
        file=annotations[photo.photo].label or photo.photo,
    )


def _is_nearest(box: Box, label: Box, others: Iterable[Box]) -> bool:
    """Whether no other label fits a detection better."""
    return all(iou(box, other) <= iou(box, label) for other in others)


def _lower_fence(values: Floats) -> float:
    if not len(values):
        return 0.0
    first, third = np.quantile(values, (0.25, 0.75))
    return float(first - _FENCE * (third - first))
