"""Reports are written for real and opened again by the programs that a user would open them with."""

from __future__ import annotations

import csv
import os
import re
import shutil
import subprocess
import sys
import unicodedata
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import numpy as np
import openpyxl
import pandas as pd
import pytest
from PIL import Image

from pipeline.boxes import Box
from pipeline.errors import OutputError
from pipeline.keys import photo_key, subject_key
from pipeline.report import ReportFiles, make_tables, write_report
from pipeline.results import STATUSES, Detection, PhotoResult, Prediction, RecordedResults, parse_line, to_json
from pipeline.run_info import Language, RunInfo

CLASSES = ("고양이", "강아지", "까치")
FINISHED = datetime(2025, 4, 30, 17, 42, 10)
NFD_NAME = unicodedata.normalize("NFD", "우리집 고양이.jpg")
LINKED_NAMES = [
    "공원 산책 #3.jpg",
    NFD_NAME,
    "100% 확실 %20.jpg",
    "a [1] {2} & b?.jpg",
    "하위 폴더/밤.jpg",
    "=HYPERLINK(1).jpg",
]
SHEETS = {
    "Detections": "detections",
    "Photos": "photos",
    "Classes": "classes",
    "To check": "to_check",
    "Problems": "problems",
    "Data dictionary": "data_dictionary",
}
"""What sheets and CSVs are called."""

ATTACKS = [
    "=1+1",
    "+1+1",
    "-1+1",
    "@SUM(1)",
    "\t=1+1",
    "\r=1+1",
    "  =1+1",
    "=cmd|' /C calc'!A0",
    '=HYPERLINK("http://example.org";"open")',
    '=HYPERLINK("http:..example.org","open").jpg',
    "＝1+1",
]
PLAIN = [
    "{=1+1}",
    "http://example.org",
    "internal:Photos!A1",
    "0012",
    "1e5",
    "<b>&amp;</b>",
    "TRUE",
    "'=1",
    "사진=1.jpg",
]


def _prediction(probabilities: dict[str, float] | None = None, *, sure: bool = True) -> Prediction:
    box = Box(10.4, 20.6, 110.4, 90.2)
    return Prediction(
        Detection(box, 0.8), probabilities or {"고양이": 0.9, "강아지": 0.0812, "까치": 0.0188}, sure=sure
    )


def _dozen() -> list[PhotoResult]:
    found = [
        PhotoResult(name, "ok", (4032, 3024), "2025-04-11 10:20:30", 0.1234, (_prediction(),)) for name in LINKED_NAMES
    ]
    two = (_prediction(), _prediction({"고양이": 0.3, "강아지": 0.6, "까치": 0.1}, sure=False))
    return [
        *found,
        PhotoResult("두 마리.jpg", "ok", (3024, 4032), None, 0.2, two),
        PhotoResult("날짜.jpg", "ok", (640, 480), "어제", 0.1, (_prediction(),)),
        PhotoResult("빈 방.jpg", "empty", (640, 480), "2025-04-12 00:00:00", 0.05),
        PhotoResult("깨짐.jpg", "unreadable", error="the file is empty"),
        PhotoResult("메모.txt", "unsupported", error="not a photo"),
        PhotoResult("옛날.jpg", "empty", (64, 48), "1899-01-01 00:00:00", 0.05),
    ]


def _run(photos: Path, class_names: tuple[str, ...] = CLASSES, hidden_files: int = 0) -> RunInfo:
    return RunInfo(photos, Path("/weights/동물"), class_names, 0.25, FINISHED, hidden_files, "0.1.0")


def _draw_crop(_result: PhotoResult, place: int) -> bytes:
    buffer = BytesIO()
    pixels = np.full((96, 60, 3), 40 * place, np.uint8)
    Image.fromarray(pixels).save(buffer, "JPEG", dpi=(72, 72))
    return buffer.getvalue()


def _no_crop(_result: PhotoResult, _place: int) -> None:
    return None


def _write(
    folder: Path,
    results: list[PhotoResult],
    run: RunInfo | None = None,
    thumbnail: Callable[[PhotoResult, int], bytes | None] = _no_crop,
) -> ReportFiles:
    return write_report(results, run or _run(folder.parent / "사진"), folder, thumbnail=thumbnail)


def _rows(sheet: Any) -> list[dict[str, Any]]:
    header, *rows = sheet.iter_rows(values_only=True)
    return [dict(zip(header, row, strict=True)) for row in rows]


def _csv_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def _texts(sheet: Any) -> list[str]:
    return [cell for row in sheet.iter_rows(values_only=True) for cell in row if isinstance(cell, str)]


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> ReportFiles:
    root = tmp_path_factory.mktemp("집에서 찍은 사진")
    for result in _dozen():
        photo = root / "사진" / result.photo
        photo.parent.mkdir(parents=True, exist_ok=True)
        photo.touch()
    return _write(root / "reports" / "사진", _dozen(), _run(root / "사진", (*CLASSES, "너구리"), 3), _draw_crop)


@pytest.fixture(scope="module")
def book(report: ReportFiles) -> Any:
    return openpyxl.load_workbook(report.workbook)


def test_it_holds_all_sheets_and_says_where_the_files_are(report: ReportFiles, book: Any) -> None:
    assert book.sheetnames == ["Summary", *SHEETS]
    assert [path.name for path in report.tables] == [f"{name}.csv" for name in SHEETS.values()]
    assert (report.workbook.name, report.detections.name) == ("report.xlsx", "detections.csv")
    assert report.photos.name == "photos.csv"
    assert set(report.workbook.parent.iterdir()) == {report.workbook, *report.tables}


def test_a_box_and_a_file_have_a_row_each(report: ReportFiles, book: Any) -> None:
    results = _dozen()
    assert [row["photo"] for row in _rows(book["Photos"])] == [result.photo for result in results]
    expected = [result.photo for result in results for _ in result.predictions]
    assert [row["photo"] for row in _rows(book["Detections"])] == expected
    assert (len(_csv_rows(report.photos)), len(_csv_rows(report.detections))) == (len(results), len(expected))


def test_a_box_is_told_in_full(book: Any) -> None:
    assert _rows(book["Detections"])[0] == {
        "crop": None,
        "photo": LINKED_NAMES[0],
        "class": "고양이",
        "class confidence": 0.9,
        "unsure": None,
        "runner-up": "강아지",
        "runner-up confidence": 0.0812,
        "correct class": None,
        "note": None,
        "detector confidence": 0.8,
        "left (px)": 10,
        "top (px)": 21,
        "right (px)": 110,
        "bottom (px)": 90,
        "captured": datetime(2025, 4, 11, 10, 20, 30),
        "camera": None,
        "key": subject_key(LINKED_NAMES[0], Box(10.4, 20.6, 110.4, 90.2)),
    }


def test_unsure_boxes_say_so_and_are_counted(report: ReportFiles, book: Any, tmp_path: Path) -> None:
    rows = [row["unsure"] for row in _rows(book["Detections"]) if row["photo"] == "두 마리.jpg"]
    assert rows == [None, "yes"]
    assert [row["photo"] for row in _csv_rows(report.detections) if row["unsure"]] == ["두 마리.jpg"]
    summary = list(book["Summary"].iter_rows(values_only=True, max_col=5))
    assert ("to check", "1 of 9 boxes: see To check, the most doubtful first") in [row[:2] for row in summary]
    assert [(row[0], row[4]) for row in summary if row[0] in CLASSES] == [("고양이", 0), ("강아지", 1), ("까치", 0)]
    files = _write(tmp_path, _dozen()[:2])
    assert "nothing: no box is unsure" in _texts(openpyxl.load_workbook(files.workbook)["Summary"])


def test_a_photo_counts_its_boxes_by_class_and_an_unread_one_counts_nothing(book: Any) -> None:
    rows = {row["photo"]: row for row in _rows(book["Photos"])}
    two = rows["두 마리.jpg"]
    assert [two[f"boxes: {name}"] for name in (*CLASSES, "너구리")] == [1, 1, 0, 0]
    assert (two["boxes found"], two["largest class confidence"], two["seconds"]) == (2, 0.9, 0.2)
    assert (two["width (px)"], two["height (px)"]) == (3024, 4032)
    assert (rows["빈 방.jpg"]["boxes found"], rows["빈 방.jpg"]["largest class confidence"]) == (0, None)
    broken = rows["깨짐.jpg"]
    assert (broken["status"], broken["problem"]) == ("unreadable", "the file is empty")
    assert (broken["boxes found"], broken["boxes: 고양이"], broken["width (px)"]) == (None, None, None)


def test_a_date_is_a_date_where_excel_has_one(book: Any) -> None:
    captured = {row["photo"]: row["captured"] for row in _rows(book["Photos"])}
    assert captured["빈 방.jpg"] == datetime(2025, 4, 12)
    assert captured["옛날.jpg"] == "1899-01-01 00:00:00"
    assert captured["날짜.jpg"] == "어제"
    assert captured["두 마리.jpg"] is None


def test_the_summary_counts_every_class_and_warns_in_words(book: Any) -> None:
    rows = list(book["Summary"].iter_rows(values_only=True, max_col=4))
    assert ("고양이", 8, pytest.approx(8 / 9, abs=1e-4), 0.9) in rows
    assert ("너구리", 0, 0, None) in rows
    assert [row[:2] for row in rows if row[0] in STATUSES] == [
        ("ok", 8),
        ("empty", 2),
        ("unreadable", 1),
        ("truncated", 0),
        ("too large", 0),
        ("unsupported", 1),
    ]
    assert {
        "9 boxes found in 8 of 12 files.",
        "1 photo could not be read: see Problems.",
        "1 file is not a photo: see Problems.",
        "3 hidden files were skipped.",
    } <= set(_texts(book["Summary"]))
    facts = {row[0]: row[1] for row in rows}
    assert facts["finished"] == FINISHED
    assert facts["detector confidence"] == 0.25
    assert facts["weights"] == str(Path("/weights/동물"))


def test_photos_too_large_for_memory_are_rows_with_their_size_and_a_warning(tmp_path: Path) -> None:
    error = "does not fit into memory alone"
    files = _write(tmp_path, [PhotoResult(name, "too large", (20_000, 12_000), error=error) for name in ("a", "b")])
    book = openpyxl.load_workbook(files.workbook)
    for row in _rows(book["Photos"]):
        assert (row["status"], row["problem"], row["width (px)"]) == ("too large", error, 20_000)
        assert row["boxes found"] is None
    assert "2 photos are too large to be sorted: see Problems." in _texts(book["Summary"])
    wanted = "too large", 2, "too many pixels, or more than memory holds"
    assert wanted in list(book["Summary"].iter_rows(values_only=True, max_col=3))
    assert files.photos.read_text(encoding="utf-8-sig").count("too large") == 2


def test_truncated_photos_are_counted_and_warned_of(tmp_path: Path) -> None:
    files = _write(tmp_path, [PhotoResult("a.jpg", "truncated", (40, 30), error="its end is missing")])
    book = openpyxl.load_workbook(files.workbook)
    (row,) = _rows(book["Photos"])
    assert (row["status"], row["problem"], row["boxes found"]) == ("truncated", "its end is missing", None)
    assert "1 photo lacks its end: see Problems." in _texts(book["Summary"])
    assert ("truncated", 1, "its end is missing") in list(book["Summary"].iter_rows(values_only=True, max_col=3))


def test_camera_is_told_and_where_a_photo_was_taken_only_if_asked_for(tmp_path: Path) -> None:
    taken = PhotoResult("a.jpg", "ok", (9, 9), None, 0.0, (_prediction(),), camera="삼성 SM-G1", gps=(37.5665351, -0.5))
    results = [taken, PhotoResult("b.jpg", "empty", (9, 9))]
    plain = _write(tmp_path / "plain", results)
    asked = _write(tmp_path / "asked", results, replace(_run(tmp_path), gps=True))
    for files in (plain, asked):
        book = openpyxl.load_workbook(files.workbook)
        for sheet in ("Photos", "Detections"):
            told = _rows(book[sheet])
            assert told[0]["camera"] == "삼성 SM-G1"
            assert ("latitude" in told[0]) is (files is asked)
    rows = _rows(openpyxl.load_workbook(asked.workbook)["Photos"])
    assert [(row["latitude"], row["longitude"]) for row in rows] == [(37.566535, -0.5), (None, None)]
    assert (_csv_rows(asked.detections)[0]["latitude"], _csv_rows(asked.photos)[1]["latitude"]) == ("37.566535", "")
    with zipfile.ZipFile(plain.workbook) as parts:
        assert not [name for name in parts.namelist() if b"37.566" in parts.read(name)]
    assert "37.566" not in plain.photos.read_text(encoding="utf-8-sig")


def test_rule_that_decided_is_told_only_of_several_sets_of_weights(tmp_path: Path) -> None:
    results = [PhotoResult("a.jpg", "ok", (9, 9), None, 0.0, (replace(_prediction(), rule="majority"),))]
    one = _write(tmp_path / "one", results)
    several = _write(tmp_path / "two", results, replace(_run(tmp_path), further_weights=(Path("weights/나"),)))
    assert "decided by" not in _csv_rows(one.detections)[0]
    assert _csv_rows(several.detections)[0]["decided by"] == "majority"
    book = openpyxl.load_workbook(several.workbook)
    assert _rows(book["Detections"])[0]["decided by"] == "majority"
    assert [row[1] for row in book["Summary"].iter_rows(values_only=True, max_col=2) if row[0] == "weights"] == [
        str(Path("/weights/동물")),
        str(Path("weights/나")),
    ]


def test_photo_from_the_web_is_linked_to_where_it_is(tmp_path: Path) -> None:
    urls = ["https://example.org/여름/a.jpg?size=1&b=%20#top", "http://example.org/a b.jpg"]
    files = _write(tmp_path, [PhotoResult(url, "empty", (9, 9)) for url in urls])
    cells = [row[0] for row in openpyxl.load_workbook(files.workbook)["Photos"].iter_rows(min_row=2)]
    assert [cell.value for cell in cells] == urls
    targets = [
        f"{cell.hyperlink.target}{'#' if cell.hyperlink.location else ''}{cell.hyperlink.location or ''}"
        for cell in cells
    ]
    assert [unquote(target) for target in targets] == [unquote(url) for url in urls]
    assert targets[1] == "http://example.org/a%20b.jpg"


def test_the_counts_are_drawn(book: Any) -> None:
    chart, _spread = book["Summary"]._charts
    (series,) = chart.series
    names, counts = (str(part.f) for part in (series.cat.strRef or series.cat.numRef, series.val.numRef))
    (first,) = (cell.row for cell in book["Summary"]["A"] if cell.value == "고양이")
    assert names == f"Summary!$A${first}:$A${first + 3}"
    assert counts == f"Summary!$B${first}:$B${first + 3}"


def test_crops_lie_inside_the_cells_of_their_rows_and_keep_their_shape(book: Any) -> None:
    sheet = book["Detections"]
    anchors = [image.anchor for image in sheet._images]
    assert sorted(anchor._from.row + 1 for anchor in anchors) == list(range(2, sheet.max_row + 1))
    for anchor in anchors:
        assert anchor.editAs in (None, "twoCell")  # moves and sizes with its cell, or no sort takes it along
        assert (anchor._from.col, anchor.to.col, anchor.to.row) == (0, 0, anchor._from.row)
        width, height = anchor.to.colOff - anchor._from.colOff, anchor.to.rowOff - anchor._from.rowOff
        assert height == 72 * 9525  # EMU a pixel
        assert width / height == pytest.approx(60 / 96, abs=0.02)


def test_tables_are_set_up_for_reading_and_printing(book: Any) -> None:
    for name in ("Detections", "Photos"):
        sheet = book[name]
        assert sheet.freeze_panes.endswith("2")
        assert sheet.auto_filter.ref == sheet.dimensions
        assert sheet.print_title_rows == "$1:$1"
        assert (sheet.page_setup.orientation, sheet.page_setup.fitToHeight) == ("landscape", 0)
    (scale,) = book["Detections"].conditional_formatting
    assert str(scale.sqref) == f"D2:D{book['Detections'].max_row}"
    assert {book["Detections"].cell(2, place).number_format for place in (4, 7, 10)} == {"0%"}


def test_every_link_leads_to_its_photo(report: ReportFiles, book: Any) -> None:
    for name in ("Detections", "Photos"):
        cells = next(column[1:] for column in book[name].columns if column[0].value == "photo")
        for cell in cells:
            target = unquote(cell.hyperlink.target.replace("\\", "/"))
            found = Path(os.path.normpath(report.workbook.parent / target))
            assert found.exists(), cell.value
            assert found == report.workbook.parents[2] / "사진" / cell.value


@pytest.mark.parametrize("folder", ["사진", "사진/report", "다른 곳"])
def test_links_lead_there_from_wherever_the_report_lies(tmp_path: Path, folder: str) -> None:
    files = _write(tmp_path / folder, [PhotoResult("a", "unsupported")], _run(tmp_path / "사진"))
    target = openpyxl.load_workbook(files.workbook)["Photos"]["A2"].hyperlink.target
    found = os.path.normpath(files.workbook.parent / unquote(target.replace("\\", "/")))
    assert Path(found) == tmp_path / "사진" / "a"


def test_the_doubtful_are_listed_the_most_doubtful_first(tmp_path: Path) -> None:
    files = _write(tmp_path, _doubtful())
    book = openpyxl.load_workbook(files.workbook)
    rows = _rows(book["To check"])
    assert [(row["photo"], row["lead over runner-up"]) for row in rows] == [("c", 0.02), ("a", 0.1), ("b", 0.3)]
    by_key = {row["key"]: row for row in _rows(book["Detections"])}
    assert [by_key[row["key"]]["class"] for row in rows] == [row["class"] for row in rows]
    assert [row["photo"] for row in _csv_rows(files.tables[3])] == ["c", "a", "b"]


def _doubtful() -> list[PhotoResult]:
    found = {"a": (0.5, 0.4), "b": (0.6, 0.3), "c": (0.5, 0.48)}
    predictions = {
        name: (_prediction(), _prediction({"고양이": first, "까치": second}, sure=False))
        for name, (first, second) in found.items()
    }
    return [PhotoResult(name, "ok", (9, 9), None, 0.0, both) for name, both in predictions.items()]


def test_crops_of_the_doubtful_are_theirs(tmp_path: Path) -> None:
    asked: list[tuple[str, int]] = []

    def ask(result: PhotoResult, place: int) -> bytes:
        asked.append((result.photo, place))
        return _draw_crop(result, place)

    book = openpyxl.load_workbook(_write(tmp_path, _doubtful(), thumbnail=ask).workbook)
    assert len(book["To check"]._images) == 3
    assert asked[-3:] == [("c", 1), ("a", 1), ("b", 1)]


def test_a_class_is_told_with_its_best_and_worst_box(tmp_path: Path) -> None:
    files = _write(tmp_path, _doubtful(), thumbnail=_draw_crop)
    book = openpyxl.load_workbook(files.workbook)
    assert _rows(book["Classes"])[0] == {
        "crop": None,
        "class": "고양이",
        "boxes": 6,
        "share": 1,
        "mean class confidence": pytest.approx((0.9 * 3 + 1.6) / 6, abs=1e-4),
        "unsure boxes": 3,
        "best crop": "a",
        "best confidence": 0.9,
        "worst crop": "a",
        "worst confidence": 0.5,
    }
    assert _rows(book["Classes"])[1]["best crop"] is None
    assert len(book["Classes"]._images) == 1
    assert book["Classes"]["G2"].hyperlink.target.endswith("\\a")


def test_a_file_that_could_not_be_read_has_a_reason_and_a_remedy(book: Any) -> None:
    rows = _rows(book["Problems"])
    assert [(row["photo"], row["status"], row["problem"]) for row in rows] == [
        ("깨짐.jpg", "unreadable", "the file is empty"),
        ("메모.txt", "unsupported", "not a photo"),
    ]
    assert "copy it from the camera once more" in rows[0]["what to do"]


def test_a_web_address_that_could_not_be_read_has_a_remedy_of_its_own(tmp_path: Path) -> None:
    files = _write(tmp_path, [PhotoResult("https://example.org/a.jpg", "unreadable", error="cannot be fetched (x)")])
    (row,) = _csv_rows(files.tables[4])
    assert row["what to do"].startswith("Check the address")


def test_every_column_is_in_the_data_dictionary(book: Any) -> None:
    told = [(row["sheet"], row["column"]) for row in _rows(book["Data dictionary"])]
    assert told == [(name, cell.value) for name in SHEETS for cell in book[name][1]]
    assert all(row["meaning"] for row in _rows(book["Data dictionary"]))
    units = {row["column"]: row["unit"] for row in _rows(book["Data dictionary"])}
    assert (units["left (px)"], units["class"]) == ("pixels of the upright photo", None)


def test_a_reader_can_answer(book: Any) -> None:
    for name in ("Detections", "To check"):
        (rule,) = book[name].data_validations.dataValidation
        assert rule.formula1 == '"고양이,강아지,까치,너구리,not a subject,new class"'
        assert book[name].cell(1, next(iter(rule.sqref.ranges)).min_col).value == "correct class"
    (rule,) = book["Photos"].data_validations.dataValidation
    assert rule.formula1 == '"yes"'
    assert book["Photos"].cell(1, next(iter(rule.sqref.ranges)).min_col).value == "reviewed: all boxes right"


def test_rows_have_hidden_keys_as_the_last_column(report: ReportFiles, book: Any) -> None:
    for name in ("Detections", "To check", "Photos"):
        last = book[name].cell(1, book[name].max_column)
        assert last.value == "key"
        assert book[name].column_dimensions[last.column_letter].hidden
    assert [row["key"] for row in _rows(book["Photos"])] == [photo_key(result.photo) for result in _dozen()]
    assert [row["key"] for row in _csv_rows(report.photos)] == [photo_key(result.photo) for result in _dozen()]


@pytest.mark.parametrize("edge", [10.44999, 10.45, 2.25, 1e-9, 123456.789])
def test_a_box_has_the_same_key_before_and_after_it_is_recorded(tmp_path: Path, edge: float) -> None:
    box = Box(edge / 3, edge / 7, edge, edge)
    result = PhotoResult("a", "ok", (9, 9), None, 0.0, (Prediction(Detection(box, 0.8), {"까치": 1.0}),))
    recorded = parse_line(to_json(result), tmp_path, 1)
    keys = [_csv_rows(_write(tmp_path, [one]).detections)[0]["key"] for one in (result, recorded)]
    assert keys[0] == keys[1]


def test_the_workbook_says_where_its_results_are(report: ReportFiles, book: Any, tmp_path: Path) -> None:
    notes = {one.name: one.value for one in book.custom_doc_props.props}
    assert notes == {
        "cropsort results": str(report.workbook.parent.resolve()),
        "cropsort photos": str(report.workbook.parents[2] / "사진"),
        "cropsort version": "0.1.0",
        "cropsort language": "en",
    }
    record = tmp_path / "results" / "results.jsonl"
    record.parent.mkdir()
    record.write_text(to_json(_dozen()[0]) + "\n", encoding="utf-8")
    run, book_file = _run(tmp_path / "사진"), tmp_path / "elsewhere" / "out.xlsx"
    files = write_report(RecordedResults(record, 1), run, tmp_path / "tables", thumbnail=_no_crop, workbook=book_file)
    assert (files.workbook, files.detections) == (book_file, tmp_path / "tables" / "detections.csv")
    book = openpyxl.load_workbook(book_file)
    assert {one.name: one.value for one in book.custom_doc_props.props}["cropsort results"] == str(record.parent)
    assert unquote(book["Photos"]["A2"].hyperlink.target.replace("\\", "/")) == f"../사진/{LINKED_NAMES[0]}"


def test_a_photo_that_was_drawn_is_linked_to_its_picture(tmp_path: Path) -> None:
    drawn = {"두 마리.jpg": tmp_path / "boxes" / "두 마리 #2.jpg"}
    files = write_report(_dozen(), _run(tmp_path), tmp_path, thumbnail=_no_crop, drawn=drawn.get)
    sheet = openpyxl.load_workbook(files.workbook)["Photos"]
    rows = {row["photo"]: row["annotated picture"] for row in _rows(sheet)}
    assert {photo: name for photo, name in rows.items() if name} == {"두 마리.jpg": "boxes/두 마리 #2.jpg"}
    (cell,) = (cell for cell in sheet["B"] if cell.hyperlink)
    assert unquote(cell.hyperlink.target.replace("\\", "/")) == "boxes/두 마리 #2.jpg"


def test_tables_can_be_had_without_files(tmp_path: Path) -> None:
    tables = make_tables(_dozen(), _run(tmp_path), tmp_path)
    assert {table.name: table.file_name for table in tables} == SHEETS
    counts = [len(list(table.rows)) for table in tables]
    assert counts == [len(list(table.rows)) for table in tables]  # they can be gone through again
    assert counts[:5] == [9, 12, 3, 1, 2]
    assert not any(table.picture for table in tables)


@pytest.fixture(scope="module")
def korean(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("ko")
    run = replace(_run(folder, (*CLASSES, "너구리"), 3), language="ko", further_weights=(Path("나"),), gps=True)
    drawn = {"두 마리.jpg": folder / "boxes" / "두 마리.jpg"}
    files = write_report(_dozen(), run, folder, thumbnail=_draw_crop, drawn=drawn.get)
    return openpyxl.load_workbook(files.workbook)


def test_everything_is_in_korean(korean: Any) -> None:
    assert korean.sheetnames == [
        "요약",
        "검출 목록",
        "사진 목록",
        "분류별 집계",
        "확인 필요",
        "문제 파일",
        "데이터 사전",
    ]
    headers = [cell.value for sheet in korean.worksheets[1:] for cell in sheet[1]]
    assert not [header for header in headers if not re.search("[가-힣]", header)]
    texts = [text for sheet in korean for text in _texts(sheet) if not text.startswith(("=", "<", "http"))]
    english = {text for text in texts if len(re.findall(r"\b[a-z]{3,}\b", text)) >= 3}
    assert {text for text in english if "cropsort" not in text and "/" not in text} == set()
    rows = _rows(korean["검출 목록"])
    assert (rows[0]["결정 방식"], rows[7]["확인 필요"]) == ("단일 모델", "예")
    assert _rows(korean["문제 파일"])[0]["문제"] == "빈 파일입니다"


def test_headings_of_a_sheet_stay_apart_in_korean(korean: Any) -> None:
    for sheet in korean.worksheets[1:]:
        headers = [cell.value for cell in sheet[1]]
        assert len(set(headers)) == len(headers), sheet.title


def test_answers_are_in_korean_too(korean: Any) -> None:
    (rule,) = korean["검출 목록"].data_validations.dataValidation
    assert rule.formula1 == '"고양이,강아지,까치,너구리,대상 아님,새 분류"'
    (rule,) = korean["사진 목록"].data_validations.dataValidation
    assert rule.formula1 == '"예"'


def test_numbers_and_dates_stay_so_in_korean(korean: Any) -> None:
    row = _rows(korean["검출 목록"])[0]
    assert (row["분류 확신도"], row["촬영 일시"]) == (0.9, datetime(2025, 4, 11, 10, 20, 30))


def test_csv_is_what_excel_and_pandas_read(report: ReportFiles) -> None:
    for path in (report.detections, report.photos):
        data = path.read_bytes()
        assert data.startswith(b"\xef\xbb\xbf")
        assert data.count(b"\r\n") == data.count(b"\n")
    boxes = pd.read_csv(report.detections, parse_dates=["captured"], date_format="%Y-%m-%d %H:%M:%S")
    assert list(boxes["class"].unique()) == ["고양이", "강아지"]
    assert boxes["left (px)"].dtype.kind == "i"
    assert boxes["class confidence"].dtype.kind == "f"
    photos = pd.read_csv(report.photos)
    assert photos["boxes: 고양이"].sum() == 8
    assert NFD_NAME in set(photos["photo"])


def test_csv_and_sheets_have_the_same_columns(report: ReportFiles, book: Any) -> None:
    for path, sheet in zip(report.tables, list(book)[1:], strict=False):
        headers = [cell.value for cell in sheet[1]]
        with path.open(encoding="utf-8-sig", newline="") as file:
            header, *rows = csv.reader(file)
        assert header == headers[headers[0] == "crop" :], path.name
        assert len(rows) == sheet.max_row - 1


@pytest.mark.parametrize("text", ATTACKS)
def test_no_text_becomes_a_formula(tmp_path: Path, text: str) -> None:
    files = _write_hostile(tmp_path, text)
    _assert_text_only(files, text)
    assert _csv_rows(files.photos)[0]["photo"] == f"'{text}"
    assert _csv_rows(files.detections)[0]["photo"] == f"'{text}"
    assert _csv_rows(files.detections)[0]["class"] == f"'{text}"
    assert _csv_rows(files.photos)[1]["problem"] == f"'{text}"


@pytest.mark.parametrize("text", PLAIN)
def test_other_text_stays_as_it_is(tmp_path: Path, text: str) -> None:
    files = _write_hostile(tmp_path, text)
    _assert_text_only(files, text)
    assert _csv_rows(files.detections)[0]["class"] == text


def _write_hostile(folder: Path, text: str) -> ReportFiles:
    results = [
        PhotoResult(text, "ok", (9, 9), None, 0.0, (_prediction({text: 1.0}, sure=False),), camera=text),
        PhotoResult("b.jpg", "unreadable", error=text),
    ]
    return _write(folder, results, _run(folder, (text,)))


def _assert_text_only(files: ReportFiles, text: str) -> None:
    book = openpyxl.load_workbook(files.workbook)
    assert not [cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.data_type == "f"]
    places = {
        "Detections": ("photo", "class", "camera"),
        "To check": ("photo", "class", "camera"),
        "Photos": ("photo", "camera"),
        "Classes": ("class", "best crop", "worst crop"),
        "Problems": ("problem",),
    }
    told = {_rows(book[sheet])[0][column] for sheet, columns in places.items() for column in columns}
    assert {str(value).replace("_x000D_", "\r") for value in told} == {text}
    for path in files.tables:
        with path.open(encoding="utf-8-sig", newline="") as file:
            fields = [field for row in csv.reader(file) for field in row]
        assert not [field for field in fields if re.match(r"\s*[=+\-@＝＋－＠]", field)], path.name
    with zipfile.ZipFile(files.workbook) as parts:
        sheets = [parts.read(name) for name in parts.namelist() if name.startswith("xl/worksheets/sheet")]
    assert len(sheets) >= 7
    assert not [sheet for sheet in sheets if b"<f>" in sheet or b"<f " in sheet]


@pytest.mark.parametrize("text", ["\x00a", "a\x0b", "\x1b[31m", "\ufffe", "\udcff.jpg"])
def test_characters_that_xml_forbids_are_replaced(tmp_path: Path, text: str) -> None:
    files = _write(tmp_path, [PhotoResult(text, "unreadable", error=text)])
    shown = openpyxl.load_workbook(files.workbook)["Photos"]["A2"].value
    assert shown == _csv_rows(files.photos)[0]["photo"]
    assert shown.count("\N{REPLACEMENT CHARACTER}") == 1


@pytest.mark.parametrize("letter", ["가", "😀"])
def test_what_is_too_long_for_a_cell_is_cut(tmp_path: Path, letter: str) -> None:
    files = _write(tmp_path, [PhotoResult("a.jpg", "unreadable", error=letter * 40_000)])
    shown = _rows(openpyxl.load_workbook(files.workbook)["Photos"])[0]["problem"]
    assert 32_765 <= len(shown.encode("utf-16-le")) // 2 <= 32_767
    assert set(shown) == {letter, "…"}


def test_what_is_too_long_for_a_link_is_text(tmp_path: Path) -> None:
    name = "/".join(["아주 긴 이름의 폴더"] * 200)
    cell = openpyxl.load_workbook(_write(tmp_path, [PhotoResult(name, "unsupported")]).workbook)["Photos"]["A2"]
    assert (cell.hyperlink, cell.value) == (None, name)


def test_a_class_that_the_run_does_not_name_is_counted(tmp_path: Path) -> None:
    results = [PhotoResult("a.jpg", "ok", (9, 9), None, 0.0, (_prediction(),))]
    files = _write(tmp_path, results, _run(tmp_path, ("까치",)))
    counts = [header for header in _csv_rows(files.photos)[0] if header.startswith("boxes: ")]
    assert counts == ["boxes: 까치", "boxes: 고양이"]


@pytest.mark.parametrize("results", [[], [PhotoResult("a.jpg", "empty", (9, 9))]])
@pytest.mark.parametrize("class_names", [(), CLASSES])
def test_a_run_that_found_nothing_gives_a_workbook_too(
    tmp_path: Path, results: list[PhotoResult], class_names: tuple[str, ...]
) -> None:
    (tmp_path / "a.jpg").touch()
    files = _write(tmp_path, results, _run(tmp_path, class_names))
    book = openpyxl.load_workbook(files.workbook)
    assert (book["Detections"].max_row, book["Photos"].max_row) == (1, 1 + len(results))
    assert "No warnings" in _texts(book["Summary"])
    assert len(book["Summary"]._charts) == bool(class_names)


def test_a_crop_that_is_gone_leaves_its_cell_empty(tmp_path: Path) -> None:
    def second_only(result: PhotoResult, place: int) -> bytes | None:
        return _draw_crop(result, place) if place == 1 else None

    book = openpyxl.load_workbook(_write(tmp_path, _dozen(), thumbnail=second_only).workbook)
    (image,) = book["Detections"]._images
    assert book["Detections"].cell(image.anchor._from.row + 1, 2).value == "두 마리.jpg"


def test_a_report_takes_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    _write(tmp_path, _dozen())
    files = _write(tmp_path, _dozen()[:2])
    assert len(_csv_rows(files.photos)) == openpyxl.load_workbook(files.workbook)["Photos"].max_row - 1 == 2


@pytest.mark.parametrize("limit", [100, 900, 3_000, 10_000])
def test_a_full_disk_is_one_line_and_leaves_the_earlier_report(tmp_path: Path, limit: int) -> None:
    pytest.importorskip("resource", reason="Windows has no limit on file sizes to stand in for a full disk")
    _write(tmp_path, _dozen())
    before = _contents(tmp_path)
    done = _run_python(_WRITE_LITTLE, str(tmp_path), str(limit))
    assert (done.returncode, done.stderr) == (0, "")
    assert str(tmp_path) in done.stdout
    assert "File too large" in done.stdout
    assert len(done.stdout.splitlines()) == 1
    assert _contents(tmp_path) == before


def _run_python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, encoding="utf-8", check=False, timeout=60)


_WRITE_LITTLE = """
import resource, sys
from datetime import datetime
from pathlib import Path
from pipeline.errors import OutputError
from pipeline.keys import photo_key, subject_key
from pipeline.report import write_report
from pipeline.run_info import RunInfo
from pipeline.results import PhotoResult
folder, limit = Path(sys.argv[1]), int(sys.argv[2])
run = RunInfo(folder, folder, ("cat",), 0.25, datetime(2025, 1, 1), 0, "0.1.0")
results = [PhotoResult(f"{n}.jpg", "empty") for n in range(20)]
import xlsxwriter, xlsxwriter.image  # before the limit, since Python may write their byte code
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
try:
    write_report(results, run, folder, thumbnail=lambda result, place: None)
except OutputError as error:
    print(error)
"""


def _contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


@pytest.mark.parametrize("name", ["report.xlsx", "detections.csv", "photos.csv", "data_dictionary.csv"])
def test_a_file_that_cannot_be_replaced_leaves_the_others_as_they_were(tmp_path: Path, name: str) -> None:
    _write(tmp_path, _dozen())
    (tmp_path / name).unlink()
    (tmp_path / name).mkdir()
    before = _contents(tmp_path)
    with pytest.raises(OutputError, match=name):
        _write(tmp_path, _dozen()[:2])
    assert _contents(tmp_path) == before


def test_a_folder_that_may_not_be_written_is_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    if os.access(folder, os.W_OK):
        pytest.skip("this user may write anywhere")
    with pytest.raises(OutputError, match=r"\.csv - may not be written - .+folder"):
        _write(folder, _dozen())


def test_a_folder_that_is_a_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"report\.xlsx - cannot be written"):
        _write(tmp_path / "file", _dozen())


def test_nothing_heavy_is_imported_with_the_module() -> None:
    code = "import sys, pipeline.report; print(*{'xlsxwriter', 'pandas', 'numpy', 'torch'} & set(sys.modules))"
    done = _run_python(code)
    assert (done.stdout.strip(), done.stderr) == ("", "")


@pytest.mark.slow
def test_excel_has_room_for_so_many_links(tmp_path: Path) -> None:
    results = [PhotoResult(f"{number}.jpg", "empty") for number in range(65_532)]
    with zipfile.ZipFile(_write(tmp_path, results).workbook) as parts:
        assert parts.read("xl/worksheets/sheet3.xml").count(b"<hyperlink ") == 65_530
    assert len(_csv_rows(tmp_path / "photos.csv")) == len(results)


@pytest.mark.slow
def test_crops_are_shown_for_the_first_boxes_of_many(tmp_path: Path) -> None:
    results = [PhotoResult("a.jpg", "ok", (9, 9), None, 0.0, (_prediction(),) * 10_001)]
    picture = _draw_crop(results[0], 1)
    files = _write(tmp_path, results, thumbnail=lambda _result, _place: picture)
    with zipfile.ZipFile(files.workbook) as parts:
        assert parts.read("xl/drawings/drawing2.xml").count(b"<xdr:pic>") == 10_000
        assert b"Crops are shown for the first 10,000 boxes only." in parts.read("xl/worksheets/sheet1.xml")


@pytest.mark.slow
@pytest.mark.parametrize("language", ["en", "ko"])
def test_libreoffice_renders_it(tmp_path: Path, language: Language) -> None:
    office = shutil.which("soffice") or shutil.which("libreoffice")
    if office is None:
        pytest.skip("LibreOffice is not installed")
    workbook = _write(tmp_path, _dozen(), replace(_run(tmp_path), language=language), _draw_crop).workbook
    profile = f"-env:UserInstallation={(tmp_path / 'profile').as_uri()}"
    command = [office, profile, "--headless", "--convert-to", "pdf", "--outdir", str(tmp_path), str(workbook)]
    subprocess.run(command, capture_output=True, check=True, timeout=180)
    pages = (tmp_path / "report.pdf").read_bytes()
    assert pages.startswith(b"%PDF")
    assert pages.count(b"/Subtype/Image") >= 2  # the two looks of a crop
    assert len(re.findall(rb"/Type/Page\b", pages)) >= 1 + len(SHEETS)
