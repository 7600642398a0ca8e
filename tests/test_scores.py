"""Figures of a pair, on detections made up so that they can be worked out by hand."""

from __future__ import annotations

import json

import pytest

from pipeline.boxes import Box
from pipeline.labels import Subject
from pipeline.results import Detection, Prediction
from pipeline.scores import THRESHOLDS, JudgedPhoto, choose_confidence, find_intervals, score

HERE, THERE, FAR = Box(0, 0, 100, 100), Box(200, 0, 300, 100), Box(500, 500, 600, 600)


def predict(box: Box, class_name: str, confidence: float = 0.9) -> Prediction:
    other = {"cat": "dog", "dog": "cat"}[class_name]
    return Prediction(Detection(box, confidence), {class_name: 0.8, other: 0.2})


def judge(
    truth: list[tuple[Box, str]], predictions: list[Prediction], on_truth: list[str] | None = None
) -> JudgedPhoto:
    """A photo whose classifier is right on the labelled boxes unless ``on_truth`` says otherwise."""
    return JudgedPhoto(
        truth=tuple(Subject(box, name) for box, name in truth),
        detections=tuple(prediction.detection for prediction in predictions),
        predictions=tuple(predictions),
        on_truth=tuple(
            predict(box, name) for (box, _), name in zip(truth, on_truth or [name for _, name in truth], strict=True)
        ),
    )


PERFECT = judge([(HERE, "cat"), (THERE, "dog")], [predict(HERE, "cat"), predict(THERE, "dog")])
BLANK = judge([], [])


def test_perfect_pair_is_perfect() -> None:
    scores = score([PERFECT, PERFECT, BLANK], confidence=0.5)
    assert (scores.photos, scores.subjects, scores.confidence) == (3, 4, 0.5)
    assert [scores.map50, scores.map50_95] == pytest.approx([1, 1], abs=0.006)
    assert (scores.top1_true, scores.top1_detected, scores.found) == (1, 1, 1)
    assert (scores.precision, scores.recall, scores.f1) == (1, 1, 1)
    assert scores.f1_high == 1


def test_missing_everything_scores_nothing() -> None:
    scores = score([judge([(HERE, "cat")], []), BLANK], confidence=0.5)
    assert (scores.map50, scores.found, scores.precision, scores.recall, scores.f1) == (0, 0, 0, 0, 0)
    assert (scores.top1_true, scores.top1_detected) == (1, 0)


def test_no_labelled_box_at_all_scores_nothing_and_does_not_fail() -> None:
    scores = score([BLANK, judge([], [predict(HERE, "cat")])], confidence=0.5)
    assert (scores.subjects, scores.map50, scores.f1, scores.f1_low, scores.f1_high) == (0, 0, 0, 0, 0)


def test_wrong_class_is_found_but_not_right() -> None:
    photo = judge([(HERE, "cat"), (THERE, "dog")], [predict(HERE, "dog"), predict(THERE, "dog")], ["dog", "dog"])
    scores = score([photo], confidence=0.5)
    assert (scores.found, scores.top1_detected, scores.top1_true) == (1, 0.5, 0.5)
    assert (scores.precision, scores.recall, scores.f1) == (0.5, 0.5, 0.5)
    assert scores.map50 == pytest.approx(1, abs=0.006)  # the detector has only to find it


def test_second_detection_of_a_subject_is_false() -> None:
    photo = judge([(HERE, "cat")], [predict(HERE, "cat", 0.9), predict(Box(0, 0, 98, 99), "cat", 0.8)])
    scores = score([photo], confidence=0.5)
    assert (scores.precision, scores.recall, scores.found) == (0.5, 1, 1)
    assert scores.f1 == pytest.approx(2 / 3)


def test_detection_elsewhere_is_false() -> None:
    photo = judge([(HERE, "cat"), (THERE, "dog")], [predict(FAR, "cat", 0.95), predict(HERE, "cat", 0.9)])
    scores = score([photo], confidence=0.5)
    assert (scores.precision, scores.recall, scores.f1, scores.found) == (0.5, 0.5, 0.5, 0.5)


@pytest.mark.parametrize(("width", "found"), [(51, 1), (49, 0)])
def test_half_an_overlap_is_the_same_subject(width: int, found: int) -> None:
    photo = judge([(HERE, "cat")], [predict(Box(0, 0, width, 100), "cat")])
    assert score([photo], confidence=0.5).found == found


def test_better_boxes_count_in_the_stricter_average() -> None:
    photo = judge([(HERE, "cat")], [predict(Box(0, 0, 72, 100), "cat")])  # IoU 0.72: right at 5 of the 10 thresholds
    scores = score([photo], confidence=0.5)
    assert scores.map50 == pytest.approx(1, abs=0.006)
    assert scores.map50_95 == pytest.approx(0.5, abs=0.006)


def test_only_what_is_as_sure_as_the_threshold_counts() -> None:
    photo = judge([(HERE, "cat")], [predict(HERE, "cat", 0.6), predict(FAR, "cat", 0.4)])
    assert score([photo], confidence=0.4).precision == 0.5
    assert score([photo], confidence=0.5).precision == 1
    assert score([photo], confidence=0.7).f1 == 0


def test_average_precision_heeds_the_faintest_detection() -> None:
    faint = JudgedPhoto((Subject(HERE, "cat"),), (Detection(HERE, 0.01),), (), (predict(HERE, "cat"),))
    scores = score([faint], confidence=0.5)
    assert scores.map50 == pytest.approx(1, abs=0.006)
    assert scores.found == 0


def test_threshold_is_not_moved_by_what_chance_may_do() -> None:
    found = judge([(HERE, "cat")], [predict(HERE, "cat", 0.9)])
    faint = judge([(HERE, "cat")], [predict(HERE, "cat", 0.32)])
    false = judge([(HERE, "cat")], [predict(HERE, "cat", 0.9), predict(FAR, "cat", 0.36)])
    # At 0.40 it is a little better, by one subject missed and some boxes less that are none: no real difference.
    assert choose_confidence([found] * 8 + [faint] + [false] * 7) == 0.1
    assert choose_confidence([found] * 8 + [false] * 40) == 0.4


def test_threshold_rises_above_boxes_that_are_none_however_unlike_the_photos_are() -> None:
    found = judge([(HERE, "cat")], [predict(HERE, "cat", 0.9)])
    missed = judge([(HERE, "cat")], [])
    false = judge([(HERE, "cat")], [predict(HERE, "cat", 0.9), predict(FAR, "cat", 0.22)])
    # From photos of a kind to those of another F2 differs by more than these boxes are worth; but on the same photos
    # it is better without them.
    assert choose_confidence([found] * 6 + [missed] * 6 + [false] * 4) == 0.25


def test_threshold_is_the_detectors_own_whatever_class_follows() -> None:
    photos = [judge([(HERE, "cat")], [predict(HERE, "cat", 0.3)]), judge([(HERE, "cat")], [predict(HERE, "cat", 0.8)])]
    mistaken = [judge([(HERE, "cat")], [predict(HERE, "dog", 0.3)]), photos[1]]
    assert choose_confidence(mistaken) == choose_confidence(photos)


def test_threshold_is_the_lowest_of_equals() -> None:
    photo = judge([(HERE, "cat")], [predict(HERE, "cat", 0.72), predict(FAR, "cat", 0.33)])
    assert choose_confidence([photo]) == 0.35  # up to 0.70 the F2 is 1
    assert choose_confidence([judge([(HERE, "cat")], [])]) == THRESHOLDS[0]


def test_interval_holds_the_figure_and_narrows_with_more_photos() -> None:
    missed = judge([(HERE, "cat")], [])
    few, many = (score([PERFECT, missed, BLANK] * count, confidence=0.5) for count in (3, 60))
    for scores in (few, many):
        assert scores.f1 == pytest.approx(0.8)
        assert 0 <= scores.f1_low < scores.f1 < scores.f1_high <= 1
    assert many.f1_high - many.f1_low < (few.f1_high - few.f1_low) / 2
    assert few == score([PERFECT, missed, BLANK] * 3, confidence=0.5)


def test_scores_are_told_in_words_and_numbers() -> None:
    scores = score([PERFECT], confidence=0.45)
    assert "1 photos, 2 labelled boxes" in str(scores)
    assert "F1 1.000 (95 % interval 1.000 to 1.000)" in str(scores)
    assert "at confidence 0.45" in str(scores)
    assert json.loads(json.dumps(scores.as_dict()))["f1"] == 1


def test_intervals_hold_their_figures_and_that_of_the_f1_is_the_same() -> None:
    missed = judge([(HERE, "cat")], [])
    photos = [PERFECT, missed, BLANK, judge([(HERE, "cat")], [predict(HERE, "dog")], ["dog"])] * 5
    scores, intervals = score(photos, confidence=0.5), find_intervals(photos, 0.5)
    assert intervals["f1"] == (scores.f1_low, scores.f1_high)
    for name in ("top1_true", "top1_detected", "found", "precision", "recall"):
        low, high = intervals[name]
        assert 0 <= low < getattr(scores, name) < high <= 1, name


def test_interval_of_photos_without_anything_is_nothing() -> None:
    assert set(find_intervals([BLANK, BLANK], 0.5).values()) == {(0, 0)}
