"""Tables for programs: data frames, Parquet and JSON, opened again by pandas and polars."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pandas as pd
import polars as pl
import pytest

from pipeline import read_report
from pipeline.boxes import Box
from pipeline.errors import CropsortError
from pipeline.keys import photo_key, subject_key
from pipeline.report.frames import make_frame, parse_formats, write_frames
from pipeline.results import Detection, PhotoResult, Prediction, to_json
from pipeline.run_info import RunInfo, write_info

BOX = Box(10.4, 20.6, 110.4, 90.2)
SURE = Prediction(Detection(BOX, 0.8), {"고양이": 0.9, "강아지": 0.1})
UNSURE = Prediction(Detection(BOX.scaled(0.5), 0.3), {"강아지": 0.6, "고양이": 0.4}, sure=False)
RESULTS = [
    PhotoResult("책/a [1].jpg", "ok", (640, 480), "2025-04-11 10:20:30", 0.25, (SURE, UNSURE), camera="=삼성"),
    PhotoResult("b.jpg", "empty", (64, 48), "1899-01-01 00:00:00"),
    PhotoResult("c.jpg", "unreadable", captured="어제", error="the file is empty"),
]
TABLES = {"detections", "photos", "classes", "to_check", "problems", "data_dictionary"}


@pytest.fixture
def run(tmp_path: Path) -> RunInfo:
    """A run in Korean, of two classes."""
    finished = datetime(2025, 4, 30, 17, 42, 10)
    names = ("고양이", "강아지")
    return RunInfo(tmp_path / "사진", Path("weights/동물"), names, 0.25, finished, 0, "0.1.0", language="ko")


def test_frame_has_a_row_a_subject_english_names_and_real_numbers(run: RunInfo) -> None:
    frame = make_frame(RESULTS, run, "detections")
    assert len(frame) == 2
    first = frame.iloc[0]
    assert (first["photo"], first["class"], first["class_confidence"]) == ("책/a [1].jpg", "고양이", 0.9)
    assert (first["left_px"], first["bottom_px"], first["camera"]) == (10, 90, "=삼성")
    assert first["captured"] == pd.Timestamp("2025-04-11 10:20:30")
    assert frame["unsure"].tolist() == [pd.NA, "yes"]
    assert list(frame["key"]) == [
        subject_key("책/a [1].jpg", Box(*(round(edge, 1) for edge in one.detection.box.edges)))
        for one in (SURE, UNSURE)
    ]
    kinds = {name: str(frame[name].dtype) for name in ("class", "class_confidence", "left_px", "captured")}
    assert kinds == {"class": "string", "class_confidence": "float64", "left_px": "Int64", "captured": "datetime64[s]"}


def test_frame_has_a_row_a_file_and_says_what_is_not_known(run: RunInfo) -> None:
    frame = make_frame(RESULTS, run, "photos").set_index("photo")
    assert frame.loc[["책/a [1].jpg", "b.jpg"], "boxes_고양이"].tolist() == [1, 0]
    assert frame.loc["c.jpg", ["boxes_고양이", "width_px", "captured"]].isna().all()
    assert frame.loc["b.jpg", "captured"] == datetime(1899, 1, 1)
    assert frame.loc["c.jpg", "problem"] == "the file is empty"
    assert frame.loc["b.jpg", "key"] == photo_key("b.jpg")


def test_what_a_reader_fills_in_is_left_out(run: RunInfo) -> None:
    for name in ("detections", "photos"):
        frame = make_frame(RESULTS, run, name)
        assert not {"correct_class", "note", "reviewed_all_boxes_right"} & set(frame.columns)


def test_frame_of_nothing_has_its_columns(run: RunInfo) -> None:
    wanted = make_frame(RESULTS, run, "detections").dtypes
    assert make_frame([], run, "detections").dtypes.equals(wanted)


def test_unknown_table_is_said(run: RunInfo) -> None:
    with pytest.raises(ValueError, match="no table 'crops', expected 'detections' or 'photos'"):
        make_frame(RESULTS, run, "crops")  # type: ignore[arg-type]


def test_every_table_is_written_in_each_format_and_read_again(run: RunInfo, tmp_path: Path) -> None:
    made = write_frames(RESULTS, run, tmp_path / "out", ("json", "csv", "parquet"))
    assert {path.name for path in made} == {f"{name}.{form}" for name in TABLES for form in ("parquet", "json")}
    assert set((tmp_path / "out").iterdir()) == set(made)
    for name in ("detections", "photos"):
        read = pl.read_parquet(tmp_path / "out" / f"{name}.parquet")
        frame = make_frame(RESULTS, run, name)
        assert read.columns == list(frame.columns)
        records = json.loads((tmp_path / "out" / f"{name}.json").read_text(encoding="utf-8"))
        assert [
            [value.isoformat() if isinstance(value, datetime) else value for value in row] for row in read.iter_rows()
        ] == [list(record.values()) for record in records]
        assert [list(record) for record in records] == [read.columns] * len(frame)
    assert dict(read.schema)["captured"] == pl.Datetime("us")
    assert [row["captured"] for row in records] == ["2025-04-11T10:20:30", "1899-01-01T00:00:00", None]
    assert [row["width_px"] for row in records] == [640, 64, None]


def test_names_that_are_alike_are_told_apart(run: RunInfo) -> None:
    one = Prediction(Detection(BOX, 0.8), {"a b": 0.9, "a_b": 0.1})
    frame = make_frame(
        [PhotoResult("a.jpg", "ok", (9, 9), predictions=(one,))], replace(run, class_names=("a b", "a_b")), "photos"
    )
    assert {"boxes_a_b", "boxes_a_b_2"} <= set(frame.columns)


def test_frame_of_a_report_on_disk_and_of_one_that_was_stopped(run: RunInfo, tmp_path: Path) -> None:
    lines = [to_json(result) for result in RESULTS]
    path = tmp_path / "results.jsonl"
    path.write_text("\n".join((lines[1], *lines, lines[2][:40])), encoding="utf-8")
    write_info(tmp_path, run)
    assert len(read_report(tmp_path).to_dataframe()) == 2
    frame = read_report(str(path)).to_dataframe("photos")
    assert frame["photo"].tolist() == ["b.jpg", "c.jpg", "책/a [1].jpg"]
    assert "boxes_강아지" in frame.columns


@pytest.mark.parametrize(
    ("text", "formats"),
    [("csv", ("csv",)), ("JSON , parquet,json", ("parquet", "json")), ("csv,parquet,json", ("csv", "parquet", "json"))],
)
def test_formats_are_read_from_their_names(text: str, formats: tuple[str, ...]) -> None:
    assert parse_formats(text) == formats


@pytest.mark.parametrize("text", ["", "xls", "csv,", "csv;json"])
def test_unknown_format_is_one_line(text: str) -> None:
    with pytest.raises(CropsortError, match=rf"--format - '{text}' - expected csv, parquet, json, or several with"):
        parse_formats(text)
