"""MegaDetector's format, checked as its own validator does."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline.boxes import Box
from pipeline.errors import OutputError
from pipeline.megadetector import write_megadetector
from pipeline.results import Detection, PhotoResult, Prediction
from pipeline.run_info import RunInfo

CLASSES = ("고양이", "dog", "bird", "hare")
RUN = RunInfo(Path("사진"), Path("weights/동물"), CLASSES, 0.25, datetime(2025, 4, 30, 17, 42), 0, "1.0")


def predict(box: Box, **probabilities: float) -> Prediction:
    return Prediction(Detection(box, 0.87654321), probabilities or {"고양이": 1.0})


RESULTS = [
    PhotoResult(
        "여름/a.jpg",
        "ok",
        (400, 200),
        predictions=(
            predict(Box(40, 50, 120, 100), dog=0.6, bird=0.25, hare=0.1, lynx=0.05),
            predict(Box(-5, 0, 410, 200)),
        ),
    ),
    PhotoResult("b.jpg", "empty", (400, 200)),
    PhotoResult("c.jpg", "truncated", (400, 200), error="its end is missing"),
    PhotoResult("d.jpg", "unreadable", error="the file is empty"),
    PhotoResult("e.jpg", "too large", (90000, 90000), error="8100 million pixels"),
    PhotoResult("f.txt", "unsupported", error="not a photo"),
]


def write(folder: Path, results: list[PhotoResult], run: RunInfo = RUN) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(write_megadetector(iter(results), folder, run).read_text(encoding="utf-8"))
    return record


def check(record: dict[str, Any]) -> None:
    """What the format asks for, and no tool reads without."""
    assert {"info", "images", "detection_categories"} <= set(record)
    assert float(record["info"]["format_version"]) >= 1.3
    assert isinstance(record["info"]["format_version"], str)
    datetime.strptime(record["info"]["detection_completion_time"], "%Y-%m-%d %H:%M:%S")
    for categories in (record["detection_categories"], record["classification_categories"]):
        assert all(number == str(int(number)) and int(number) >= 0 and name for number, name in categories.items())
    assert len({image["file"] for image in record["images"]}) == len(record["images"])
    for image in record["images"]:
        if image.get("failure") is not None:
            assert image["detections"] is None
            assert isinstance(image["failure"], str)
            continue
        for one in image["detections"]:
            assert one["category"] in record["detection_categories"]
            assert 0 <= one["conf"] <= 1
            left, top, width, height = one["bbox"]
            assert min(left, top, width, height) >= 0
            assert max(left + width, top + height) <= 1 + 1e-4
            shares = [share for _, share in one["classifications"]]
            assert shares == sorted(shares, reverse=True)
            assert {number for number, _ in one["classifications"]} <= set(record["classification_categories"])


def test_it_is_what_the_format_asks_for(tmp_path: Path) -> None:
    check(write(tmp_path, RESULTS))
    check(write(tmp_path, []))


def test_boxes_classes_and_failures_are_told(tmp_path: Path) -> None:
    record = write(tmp_path, RESULTS)
    images = {image["file"]: image for image in record["images"]}
    assert list(images) == ["여름/a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.jpg"]
    first, second = images["여름/a.jpg"]["detections"]
    assert (first["bbox"], first["conf"]) == ([0.1, 0.25, 0.2, 0.25], 0.8765)
    names = record["classification_categories"]
    assert [(names[number], share) for number, share in first["classifications"]] == [
        ("dog", 0.6),
        ("bird", 0.25),
        ("hare", 0.1),
    ]
    assert second["bbox"] == [0, 0, 1, 1]
    assert images["b.jpg"] == {"file": "b.jpg", "detections": []}
    assert images["c.jpg"]["failure"] == "truncated: its end is missing"
    assert names == {"0": "고양이", "1": "dog", "2": "bird", "3": "hare"}
    assert record["info"]["detector"] == "동물/detector.pt"


def test_class_that_the_run_does_not_name_gets_a_number(tmp_path: Path) -> None:
    record = write(tmp_path, [PhotoResult("a.jpg", "ok", (9, 9), predictions=(predict(Box(0, 0, 9, 9), lynx=1.0),))])
    check(record)
    assert record["classification_categories"]["4"] == "lynx"


def test_it_is_written_again_to_the_byte(tmp_path: Path) -> None:
    before = write_megadetector(RESULTS, tmp_path, RUN).read_bytes()
    assert write_megadetector(RESULTS, tmp_path, RUN).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["megadetector.json"]


def test_undecodable_names_are_escaped_and_failing_results_leave_nothing(tmp_path: Path) -> None:
    check(write(tmp_path / "a", [PhotoResult("\udcff.jpg", "empty", (9, 9))]))

    def fail() -> Any:
        yield RESULTS[0]
        raise OutputError("the disk is full")

    with pytest.raises(OutputError):
        write_megadetector(fail(), tmp_path / "b", RUN)
    assert not list((tmp_path / "b").iterdir())
