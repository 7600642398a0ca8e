"""COCO's format: what joins by number does join, and boxes are pixels."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline.boxes import Box
from pipeline.coco import write_coco
from pipeline.results import Detection, PhotoResult, Prediction
from pipeline.run_info import RunInfo

RUN = RunInfo(Path("사진"), Path("weights/동물"), ("고양이", "dog"), 0.25, datetime(2025, 4, 30, 17, 42), 0, "1.0")


def predict(name: str, share: float) -> Prediction:
    return Prediction(
        Detection(Box(10.04, 20, 110, 70.5), 0.8), {name: share, "고양이" if name != "고양이" else "dog": 0.1}
    )


RESULTS = [
    PhotoResult("a.jpg", "ok", (400, 200), "2025-04-11 10:20:30", 0.1, (predict("dog", 0.5), predict("lynx", 0.9))),
    PhotoResult("broken.jpg", "truncated", (400, 200), error="its end is missing"),
    PhotoResult("b.jpg", "empty", (400, 300)),
    PhotoResult("c.txt", "unsupported"),
    PhotoResult("여름/d.jpg", "ok", (100, 100), predictions=(predict("고양이", 0.7),)),
]


def write(folder: Path, results: list[PhotoResult]) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(write_coco(iter(results), folder, RUN).read_text(encoding="utf-8"))
    return record


def test_numbers_join_and_boxes_are_pixels(tmp_path: Path) -> None:
    record = write(tmp_path, RESULTS)
    images = {image["id"]: image for image in record["images"]}
    names = {category["id"]: category["name"] for category in record["categories"]}
    assert [(image["file_name"], image["width"], image["height"]) for image in images.values()] == [
        ("a.jpg", 400, 200),
        ("b.jpg", 400, 300),
        ("여름/d.jpg", 100, 100),
    ]
    assert images[1]["date_captured"] == "2025-04-11 10:20:30"
    assert names == {1: "고양이", 2: "dog", 3: "lynx"}
    assert [one["id"] for one in record["annotations"]] == [1, 2, 3]
    told = [(images[one["image_id"]]["file_name"], names[one["category_id"]]) for one in record["annotations"]]
    assert told == [("a.jpg", "dog"), ("a.jpg", "lynx"), ("여름/d.jpg", "고양이")]
    first = record["annotations"][0]
    assert first["bbox"] == [10.0, 20, 100.0, 50.5]
    assert first["area"] == pytest.approx(99.96 * 50.5, abs=0.1)
    assert (first["score"], first["iscrowd"]) == (0.4, 0)


def test_nothing_found_is_a_valid_file_and_the_folder_holds_nothing_else(tmp_path: Path) -> None:
    record = write(tmp_path / "report", [])
    assert (record["images"], record["annotations"], len(record["categories"])) == ([], [], 2)
    assert [path.name for path in (tmp_path / "report").iterdir()] == ["coco.json"]


def test_it_is_written_again_to_the_byte(tmp_path: Path) -> None:
    before = write_coco(RESULTS, tmp_path, RUN).read_bytes()
    assert write_coco(RESULTS, tmp_path, RUN).read_bytes() == before
