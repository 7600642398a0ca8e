"""One pass over the results of a run tells all that is said of it as a whole."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from pipeline.boxes import Box
from pipeline.report import survey
from pipeline.report.survey import Doubt, Survey, find_subjects, survey_results
from pipeline.results import Detection, PhotoResult, Prediction
from pipeline.run_info import RunInfo


def _prediction(sure: bool = True, **probabilities: float) -> Prediction:
    return Prediction(Detection(Box(0, 0, 9, 9), 0.8), probabilities, sure=sure)


def _photo(name: str, *predictions: Prediction) -> PhotoResult:
    return PhotoResult(name, "ok" if predictions else "empty", (9, 9), predictions=predictions)


RESULTS = [
    _photo("a.jpg", _prediction(cat=0.9, dog=0.1), _prediction(False, dog=0.5, cat=0.4)),
    _photo("b.jpg"),
    PhotoResult("c.jpg", "unreadable", error="the file is empty"),
    _photo("d.jpg", _prediction(False, cat=0.45, dog=0.44), _prediction(False, cat=0.55, dog=0.45)),
    _photo("e.jpg", _prediction(owl=1.0)),
]


def _survey(folder: Path, results: list[PhotoResult] = RESULTS) -> Survey:
    run = RunInfo(folder, Path("w"), ("cat", "dog", "fox"), 0.25, datetime(2025, 4, 30), 0, "0.1.0")
    return survey_results(results, run)


def test_boxes_are_counted_by_class_and_by_confidence(tmp_path: Path) -> None:
    seen = _survey(tmp_path)
    assert (seen.files, seen.boxes, seen.problems) == (5, 5, 1)
    counts = {name: (tally.boxes, tally.unsure) for name, tally in seen.classes.items()}
    assert counts == {"cat": (3, 2), "dog": (1, 1), "fox": (0, 0), "owl": (1, 0)}
    assert list(counts) == ["cat", "dog", "fox", "owl"]
    assert seen.classes["cat"].mean_confidence == pytest.approx((0.9 + 0.45 + 0.55) / 3)
    assert seen.classes["fox"].mean_confidence is None
    assert [part.boxes for part in seen.spread] == [0, 0, 0, 0, 1, 2, 0, 0, 0, 2]
    assert [part.unsure for part in seen.spread] == [0, 0, 0, 0, 1, 2, 0, 0, 0, 0]


def test_best_and_worst_box_of_a_class_are_known_by_photo_and_place(tmp_path: Path) -> None:
    cat = _survey(tmp_path).classes["cat"]
    assert cat.best is not None
    assert cat.worst is not None
    assert (cat.best.result.photo, cat.best.place) == ("a.jpg", 0)
    assert (cat.worst.result.photo, cat.worst.place) == ("d.jpg", 0)


def test_the_unsure_are_sorted_by_their_lead_then_by_confidence(tmp_path: Path) -> None:
    seen = _survey(tmp_path)
    assert [(one.number, one.place) for one in seen.doubts] == [(3, 0), (0, 1), (3, 1)]
    assert [one.lead for one in seen.doubts] == pytest.approx([0.01, 0.1, 0.1])
    same = [_photo("x", _prediction(False, cat=0.5, dog=0.25)), _photo("y", _prediction(False, cat=0.25))]
    assert [one.confidence for one in _survey(tmp_path, same).doubts] == [0.25, 0.5]


def test_doubtful_boxes_are_found_again_however_few_fit_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    doubts = [Doubt(0, 0, 3, 1), Doubt(0, 0, 0, 1), Doubt(0, 0, 3, 0), Doubt(0, 0, 4, 0)]
    for some in (1, 3, 100):
        monkeypatch.setattr(survey, "_AT_A_TIME", some)
        found = list(find_subjects(RESULTS, doubts))
        assert [(one.result.photo, one.place) for one in found] == [
            ("d.jpg", 1),
            ("a.jpg", 1),
            ("d.jpg", 0),
            ("e.jpg", 0),
        ]
        assert found[0].prediction == RESULTS[3].predictions[1]
        assert [one.class_name for one in found] == ["cat", "dog", "cat", "owl"]


def test_a_box_of_one_class_has_no_runner_up() -> None:
    (subject,) = find_subjects(RESULTS, [Doubt(0, 0, 4, 0)])
    assert (subject.runner_up, subject.runner_up_confidence, subject.lead) == (None, None, 1.0)


@pytest.mark.parametrize(
    "name", ["gone.jpg", "a" * 300 + ".jpg", "nul\x00.jpg", "half\ud800.jpg", "no/such/folder.jpg"]
)
def test_files_that_are_not_there_are_counted(tmp_path: Path, name: str) -> None:
    (tmp_path / "here.jpg").touch()
    seen = _survey(tmp_path, [_photo("here.jpg"), _photo(name), _photo("https://example.org/a.jpg")])
    assert seen.gone == 1


def test_crops_and_pictures_are_asked_for(tmp_path: Path) -> None:
    run = RunInfo(tmp_path, Path("w"), (), 0.25, None, 0, "0.1.0")
    drawn = {"d.jpg": tmp_path / "boxes" / "d.jpg"}
    seen = survey_results(RESULTS, run, thumbnail=lambda _, place: b"x" if place else None, drawn=drawn.get)
    assert (seen.crops_lost, seen.drawn) == (3, True)
    assert not survey_results(RESULTS, run, drawn=lambda _photo: None).drawn
