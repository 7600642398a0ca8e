"""Figures of a pair, on detections made up so that they can be worked out by hand."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import pytest
from conftest import Run, copy_eager
from rich.console import Console

from pipeline.boxes import Box
from pipeline.errors import DataError
from pipeline.evaluate import THRESHOLDS, JudgedPhoto, Scores, choose_confidence, evaluate_pair, score
from pipeline.labels import Subject
from pipeline.results import Detection, Prediction
from pipeline.training import Training

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
        on_truth=tuple([name for _, name in truth] if on_truth is None else on_truth),
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
    faint = JudgedPhoto((Subject(HERE, "cat"),), (Detection(HERE, 0.01),), (), ("cat",))
    scores = score([faint], confidence=0.5)
    assert scores.map50 == pytest.approx(1, abs=0.006)
    assert scores.found == 0


def test_threshold_is_not_moved_by_what_chance_may_do() -> None:
    found = judge([(HERE, "cat")], [predict(HERE, "cat", 0.9)])
    faint = judge([(HERE, "cat")], [predict(HERE, "cat", 0.32)])
    false = judge([(HERE, "cat")], [predict(HERE, "cat", 0.9), predict(FAR, "cat", 0.36)])
    assert (
        choose_confidence([found] * 8 + [faint] + [false] * 2) == 0.1
    )  # at 0.40, F1 0.95 for 0.96: no real difference
    assert choose_confidence([found] * 8 + [false] * 40) == 0.4


def test_threshold_is_the_lowest_of_equals() -> None:
    photo = judge([(HERE, "cat")], [predict(HERE, "cat", 0.72), predict(FAR, "cat", 0.33)])
    assert choose_confidence([photo]) == 0.35  # up to 0.70 the F1 is 1
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


def test_json_is_all_that_standard_output_gets(trained: Training, home: Path, cropsort: Run) -> None:
    answer = cropsort("evaluate", "--json", cwd=home)
    assert answer.returncode == 0
    assert json.loads(answer.stdout) == trained.scores.as_dict()
    assert answer.stderr == "note: scored on val, which epoch and threshold were chosen on\n"


def evaluate(data: Path, weights: Path, on: str = "") -> tuple[Scores, str]:
    told = io.StringIO()
    return evaluate_pair(data, on=on, weights=weights, console=Console(file=told, width=1000)), told.getvalue()


def test_folder_of_labelled_photos_is_scored(eager: Path, tiny: Path) -> None:
    scores, told = evaluate(tiny / "data.yaml", eager, str(tiny / "images" / "train"))
    assert scores.photos == 8
    assert "val" not in told
    assert scores.confidence == 0.001


def test_test_photos_come_first_where_there_are_some(eager: Path, tiny: Path) -> None:
    with pytest.raises(DataError, match="names no test photos - add a line 'test: folder'"):
        evaluate(tiny / "data.yaml", eager, "test")
    with (tiny / "data.yaml").open("a") as file:
        file.write("test: images/train\n")
    assert evaluate(tiny / "data.yaml", eager)[0].photos == 8
    assert evaluate(tiny / "data.yaml", eager, "test")[0].photos == 8
    on_val, told = evaluate(tiny / "data.yaml", eager, "val")
    assert on_val.photos == 4
    assert "chosen on" in told


def test_something_found_is_something_scored(trained: Training, tiny: Path, tmp_path: Path) -> None:
    """The figures of a real pair are those of what it really finds."""
    pair = copy_eager(trained.weights, tmp_path / "pair")
    folder = tiny / "images" / "val"
    for photo in sorted(folder.iterdir())[1:]:
        photo.unlink()
    shutil.rmtree(tiny / "labels" / "train")
    scores, _ = evaluate(tiny / "data.yaml", pair, str(folder))
    assert scores.photos == 1
    assert scores.f1_low == scores.f1 == scores.f1_high  # drawn again and again from one photo


def test_photos_that_cannot_be_read_are_left_out_and_said(eager: Path, tiny: Path) -> None:
    photos = sorted((tiny / "images" / "train").iterdir())
    photos[2].write_bytes(photos[2].read_bytes()[:2000])
    photos[5].write_bytes(b"no photo")
    with (tiny / "data.yaml").open("a") as file:
        file.write("test: images/train\n")
    for on in ("test", str(tiny / "images" / "train")):
        scores, told = evaluate(tiny / "data.yaml", eager, on)
        assert scores.photos == 6
        assert told.count(f"left out: {photos[2]} - cannot be decoded") == 1
        assert told.count(f"{photos[5]} - not a photo") == 1
    on_val, told = evaluate(tiny / "data.yaml", eager, "val")
    assert on_val.photos == 4
    assert "photo-" not in told


def test_no_photo_that_can_be_read_is_an_error(eager: Path, tiny: Path) -> None:
    folder = tiny / "images" / "val"
    for photo in folder.iterdir():
        photo.write_bytes(photo.read_bytes()[:2000])
    with pytest.raises(DataError, match=f"{folder} - none of the 4 photos can be read"):
        evaluate(tiny / "data.yaml", eager, str(folder))
