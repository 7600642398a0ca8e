"""Figures of classes, on photos made up so that they can be counted by hand."""

from __future__ import annotations

import pytest

from pipeline.boxes import Box
from pipeline.labels import Subject
from pipeline.per_class import (
    Confusion,
    Tally,
    count_chain,
    count_confusion,
    list_confusions,
    mean_recall,
    score_classes,
)
from pipeline.results import Detection, Prediction
from pipeline.scores import JudgedPhoto

NAMES = ("고양이", "dog", "cow")
CAT, DOG, COW = NAMES
PLACES = [Box(200 * place, 0, 200 * place + 100, 100) for place in range(6)]
FAR = Box(0, 900, 50, 950)


def predict(box: Box, name: str, confidence: float = 0.9) -> Prediction:
    return Prediction(Detection(box, confidence), {other: float(other == name) for other in NAMES})


def judge(labels: list[str], given: list[str], *detections: Prediction) -> JudgedPhoto:
    truth = tuple(Subject(box, name) for box, name in zip(PLACES, labels, strict=False))
    on_truth = tuple(predict(box, name) for box, name in zip(PLACES, given, strict=False))
    return JudgedPhoto(truth, (), detections, on_truth)


PHOTOS = [
    judge([CAT, CAT, DOG], [CAT, DOG, DOG], predict(PLACES[0], CAT), predict(PLACES[2], CAT), predict(FAR, DOG)),
    judge([CAT, DOG], [DOG, DOG], predict(PLACES[0], DOG), predict(PLACES[1], DOG, 0.3)),
    judge([], []),
]


def test_crops_are_counted_by_label_and_answer() -> None:
    counts = count_confusion(PHOTOS, NAMES)
    assert counts.tolist() == [[1, 2, 0], [0, 2, 0], [0, 0, 0]]
    assert list_confusions(NAMES, counts) == [Confusion(CAT, DOG, 2, 3)]


def test_missed_and_false_boxes_have_a_place_of_their_own() -> None:
    assert count_chain(PHOTOS, NAMES, 0.5).tolist() == [[1, 1, 0, 1], [1, 0, 0, 1], [0, 0, 0, 0], [0, 1, 0, 0]]
    assert count_chain(PHOTOS, NAMES, 0.2)[1].tolist() == [1, 1, 0, 0]


def test_figures_of_each_class_are_those_of_its_row_and_column() -> None:
    confusion, chain = count_confusion(PHOTOS, NAMES), count_chain(PHOTOS, NAMES, 0.5)
    cat, dog, cow = score_classes(NAMES, confusion, chain, {CAT: 30, DOG: 20, COW: 0})
    assert (cat.trained, cat.classifier, cat.chain) == (30, Tally(1, 1, 3), Tally(1, 2, 3))
    assert (cat.classifier.recall, cat.classifier.precision, cat.classifier.f1) == (1 / 3, 1, 0.5)
    assert (dog.classifier.recall, dog.classifier.precision, dog.chain.recall) == (1, 0.5, 0)
    assert (cow.classifier.recall, cow.classifier.precision, cow.classifier.f1) == (0, 0, 0)
    assert score_classes(NAMES, confusion, chain, None)[0].trained is None


def test_most_frequent_confusions_come_first() -> None:
    photos = [judge([DOG, COW, COW], [CAT, CAT, CAT])] * 2
    found = list_confusions(NAMES, count_confusion(photos, NAMES))
    assert [(one.class_name, one.count) for one in found] == [(COW, 4), (DOG, 2)]


def test_mean_recall_heeds_only_classes_that_there_are() -> None:
    mean, (low, high) = mean_recall(PHOTOS * 20, NAMES)
    assert mean == pytest.approx((1 / 3 + 1) / 2)
    assert low < mean < high
    assert mean_recall([PHOTOS[2]], NAMES) == (0, (0, 0))


@pytest.mark.parametrize(
    ("right", "true", "interval"),
    [(10, 10, (0.7225, 1.0)), (0, 10, (0.0, 0.2775)), (5, 10, (0.2366, 0.7634)), (0, 0, (0, 1))],
)
def test_interval_of_a_recall_is_wilsons(right: int, true: int, interval: tuple[float, float]) -> None:
    assert Tally(right, true, true).recall_interval == pytest.approx(interval, abs=1e-4)
