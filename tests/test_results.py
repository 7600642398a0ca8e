"""The record of a run: checked when made, one JSON line a photo, read back as it was."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from photos import write_text

from pipeline.boxes import Box
from pipeline.errors import DataError
from pipeline.results import Detection, PhotoResult, Prediction, read_results, to_json

BOOK = Prediction(Detection(Box(1, 2.5, 30, 40), 0.75), {"만화": 0.2, "fairy tale": 0.7, "novel": 0.1})
UNSURE = Prediction(BOOK.detection, BOOK.probabilities, sure=False)
RESULTS = (
    PhotoResult("책/a [1].jpg", "ok", (60, 40), "2024-02-29 10:00:00", 0.25, (BOOK, UNSURE)),
    PhotoResult("b.jpg", "empty", (60, 40)),
    PhotoResult("c.jpg", "unreadable", error='truncated - "50 %"\n'),
    PhotoResult("d.mp4", "unsupported", error="no photo"),
    PhotoResult(
        "f.jpg", "truncated", file_bytes=900, modified_ns=1_700_000_000_123_456_789, error="its end is missing"
    ),
    PhotoResult("g.jpg", "empty", (60, 40), camera="Canon EOS R", gps=(-37.5, 127.25), file_bytes=1, modified_ns=2),
    PhotoResult("e.png", "too large", (20_000, 12_000), error="does not fit into memory alone"),
)


def test_prediction_ranks_its_classes() -> None:
    assert BOOK.ranking == ("fairy tale", "만화", "novel")
    assert (BOOK.class_name, BOOK.confidence, BOOK.runner_up) == ("fairy tale", 0.7, "만화")
    assert Prediction(BOOK.detection, {"only": 1.0}).runner_up is None


def test_results_are_read_back_as_they_were_written(tmp_path: Path) -> None:
    path = write_text(tmp_path / "results.jsonl", "".join(f"{to_json(result)}\n" for result in RESULTS))
    assert tuple(read_results(path)) == RESULTS


def test_record_of_before_there_was_anything_unsure_is_read_as_sure(tmp_path: Path) -> None:
    record = json.loads(to_json(RESULTS[0]))
    assert [item.pop("sure") for item in record["predictions"]] == [True, False]
    path = write_text(tmp_path / "results.jsonl", json.dumps(record))
    (result,) = read_results(path)
    assert [one.sure for one in result.predictions] == [True, True]


def test_line_is_json_that_keeps_korean_readable_and_numbers_short() -> None:
    box = Box(1 / 3, 0, 2, 3)
    line = to_json(PhotoResult("책.jpg", "ok", (6, 4), None, 1 / 3, (Prediction(Detection(box, 2 / 3), {"만화": 1}),)))
    assert "책.jpg" in line
    assert "만화" in line
    assert "\n" not in line
    record = json.loads(line)
    assert record["predictions"][0]["box_px"] == [0.3, 0, 2, 3]
    assert (record["predictions"][0]["confidence"], record["seconds"]) == (0.6667, 0.3333)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Detection(BOOK.detection.box, 1.01), "confidence must lie between 0 and 1, got 1.01"),
        (lambda: Detection(BOOK.detection.box, float("nan")), "confidence must lie between 0 and 1, got nan"),
        (lambda: Prediction(BOOK.detection, {}), "probability of at least one class, got none"),
        (lambda: Prediction(BOOK.detection, {"a": -0.1}), "a must lie between 0 and 1"),
        (
            lambda: PhotoResult("a", "fine"),  # type: ignore[arg-type]
            "must be one of ok, empty, unreadable, truncated, too large, unsupported, got",
        ),
        (lambda: PhotoResult("a", "ok"), "status 'ok' does not go with 0 predictions"),
        (lambda: PhotoResult("a", "empty", predictions=(BOOK,)), "status 'empty' does not go with 1 predictions"),
    ],
)
def test_impossible_values_are_refused_when_made(make: Callable[[], object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make()


@pytest.mark.parametrize(
    "line",
    [
        *("", "{", "[]", "{}", "3", '{"photo": "a"}'),
        to_json(RESULTS[1]).replace("empty", "ok"),
        to_json(RESULTS[0]).replace('"sure": true', '"sure": "no"'),
        to_json(RESULTS[1]).replace('"b.jpg"', "3"),
        to_json(RESULTS[0]).replace('"probabilities": {', '"probabilities": [], "other": {'),
    ],
)
def test_line_that_is_no_result_is_told_with_its_number(tmp_path: Path, line: str) -> None:
    path = write_text(tmp_path / "results.jsonl", f"{to_json(RESULTS[0])}\n{line}\n")
    with pytest.raises(DataError, match=r"results\.jsonl:2 - not a photo's result .* - run predict again"):
        list(read_results(path))


def test_file_that_is_missing_or_no_text_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        list(read_results(tmp_path / "none.jsonl"))
    (tmp_path / "a.jsonl").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(DataError, match="cannot be read"):
        list(read_results(tmp_path / "a.jsonl"))


def test_line_keeps_the_top_three_classes_and_what_decided(tmp_path: Path) -> None:
    several = {"a": 0.1, "b": 0.4, "c": 0.05, "d": 0.3, "e": 0.15}
    result = PhotoResult("a.jpg", "ok", predictions=(Prediction(BOOK.detection, several, rule="mean"),))
    path = write_text(tmp_path / "results.jsonl", f"{to_json(result)}\n")
    (read,) = read_results(path)
    assert read.predictions[0].probabilities == {"b": 0.4, "d": 0.3, "e": 0.15}
    assert read.predictions[0].rule == "mean"


def test_record_of_an_earlier_version_is_read(tmp_path: Path) -> None:
    record = json.loads(to_json(RESULTS[0]))
    for name in ("camera", "gps", "file_bytes", "modified_ns"):
        del record[name]
    for item in record["predictions"]:
        del item["rule"]
    path = write_text(tmp_path / "results.jsonl", json.dumps(record))
    assert list(read_results(path)) == [RESULTS[0]]
