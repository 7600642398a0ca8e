"""What cannot be read as a report's workbook says so in one line; what can is read whoever saved it."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import openpyxl
import pytest
from corrections import BOXES, Reported, answer, draw, found, make_home, make_report, result_of

from pipeline.corrections.sheets import RESULTS, read_answers
from pipeline.corrections.verdicts import Verdict, understand
from pipeline.errors import DataError


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Reported:
    folder = tmp_path_factory.mktemp("sheets")
    draw(folder / "phone" / "a.jpg", 1)
    results = [result_of(folder / "phone", "a.jpg", [found("ace", BOXES[0]), found("king", BOXES[1], 0.5)])]
    made = make_report(make_home(folder / "home"), folder / "phone", results)
    answer(made.workbook, {made.key("a.jpg", 0): "king"})
    return made


@pytest.fixture
def book(report: Reported) -> openpyxl.Workbook:
    return openpyxl.load_workbook(report.workbook)


def _refuse(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        read_answers(path)
    line = str(caught.value)
    assert "\n" not in line and line.startswith(str(path))
    return line


def _delete_column(page: openpyxl.worksheet.worksheet.Worksheet, heading: str) -> None:
    page.delete_cols(next(cell.column for cell in page[1] if cell.value == heading))


def test_what_is_written_is_read(report: Reported) -> None:
    answers = read_answers(report.workbook)
    (one,) = answers.boxes
    assert (one.key, one.text, one.photo, one.place) == (report.key("a.jpg", 0), "king", "a.jpg", "Detections, row 2")
    assert answers.shown == {report.key("a.jpg", 0), report.key("a.jpg", 1)}
    assert answers.photos == () and answers.properties[RESULTS] == str(report.folder)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"photo,class\r\na.jpg,ace\r\n", "not an .xlsx workbook"),
        (b"", "not an .xlsx workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "has a password, or is an .xls of Excel 2003"),
        (b"PK\x03\x04" + bytes(100), "another format than .xlsx, or damaged"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes, found: str) -> None:
    path = tmp_path / "report.xlsx"
    path.write_bytes(content)
    assert found in _refuse(path)


def test_an_archive_that_is_no_workbook_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "table.ods", "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
    assert "another format than .xlsx" in _refuse(tmp_path / "table.ods")


def test_a_damaged_workbook_is_refused(report: Reported, tmp_path: Path) -> None:
    with zipfile.ZipFile(report.workbook) as source, zipfile.ZipFile(tmp_path / "cut.xlsx", "w") as target:
        for name in source.namelist():
            content = source.read(name)
            target.writestr(name, content[:300] if name == "xl/worksheets/sheet2.xml" else content)
    assert "another format than .xlsx, or damaged" in _refuse(tmp_path / "cut.xlsx")
    data = report.workbook.read_bytes()
    for length in (50, len(data) // 2, len(data) - 30):
        (tmp_path / "short.xlsx").write_bytes(data[:length])
        assert "another format than .xlsx, or damaged" in _refuse(tmp_path / "short.xlsx")


def test_missing_files_and_folders_are_named(report: Reported, tmp_path: Path) -> None:
    assert "no such file" in _refuse(tmp_path / "gone.xlsx")
    assert f"this is a folder - expected a workbook - name {report.workbook}" in _refuse(report.folder)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_locked_workbook_is_named(report: Reported, tmp_path: Path) -> None:
    path = tmp_path / "locked.xlsx"
    path.write_bytes(report.workbook.read_bytes())
    path.chmod(0)
    assert "save and close it in the program that has it open" in _refuse(path)


def test_a_copy_that_excel_keeps_open_beside_it_is_no_reason(report: Reported) -> None:
    report.workbook.with_name("~$report.xlsx").write_bytes(b"somebody")
    assert read_answers(report.workbook).boxes


def test_another_workbook_is_no_report(tmp_path: Path) -> None:
    other = openpyxl.Workbook()
    other.active.append(["photo", "class"])
    other.save(tmp_path / "other.xlsx")
    assert "no report: it has no sheet 'Detections' - name the report.xlsx" in _refuse(tmp_path / "other.xlsx")


def test_deleted_sheets_and_columns_are_named(book: openpyxl.Workbook, tmp_path: Path) -> None:
    path = tmp_path / "report.xlsx"
    for sheet, heading in (
        ("Photos", "reviewed: all boxes right"),
        ("To check", "correct class"),
        ("Detections", "key"),
    ):
        kept = book.copy_worksheet(book[sheet])
        _delete_column(book[sheet], heading)
        book.save(path)
        assert f"sheet '{sheet}' - the column '{heading}' was deleted" in _refuse(path)
        del book[sheet]
        kept.title = sheet
    del book["Detections"]
    book.save(path)
    assert "the sheet 'Detections' was deleted" in _refuse(path)


def test_other_sheets_may_go_and_sheets_may_be_renamed(book: openpyxl.Workbook, tmp_path: Path) -> None:
    for name in ("Summary", "Photos", "To check", "Classes"):
        del book[name]
    book["Detections"].title = "my list"
    book.save(tmp_path / "report.xlsx")
    assert [one.place for one in read_answers(tmp_path / "report.xlsx").boxes] == ["my list, row 2"]


def test_further_sheets_of_a_long_table_are_read(book: openpyxl.Workbook, tmp_path: Path) -> None:
    second = book.copy_worksheet(book["Detections"])
    second.title = "Detections 2"
    book["Detections"].delete_rows(2)
    second.delete_rows(3)
    book.save(tmp_path / "report.xlsx")
    answers = read_answers(tmp_path / "report.xlsx")
    assert [one.place for one in answers.boxes] == ["Detections 2, row 2"]
    assert len(answers.shown) == 2


@pytest.mark.parametrize(
    ("written", "names", "meant"),
    [
        (7, ("7", "8"), "7"),
        (7.0, ("7", "8"), "7"),
        (True, ("true", "false"), "true"),
        ("  fairy   tale ", ("fairy tale",), "fairy tale"),
        ("\u110b\u1167\u110b\u116a\u11bc", ("여왕",), "여왕"),
        ("NOT A SUBJECT", ("ace",), None),
        ("대상 아님", ("ace",), None),
        ("not a subject", ("not a subject",), "not a subject"),
    ],
)
def test_cells_are_understood_as_programs_save_them(
    book: openpyxl.Workbook, tmp_path: Path, written: object, names: tuple[str, ...], meant: str | None
) -> None:
    page = book["Detections"]
    place = next(cell.column for cell in page[1] if cell.value == "correct class")
    page.cell(2, place).value = written
    book.save(tmp_path / "report.xlsx")
    answers = read_answers(tmp_path / "report.xlsx")
    (verdict,) = understand(answers.boxes, answers.photos, names).boxes.values()
    assert verdict == Verdict(meant)


def test_a_class_in_two_cases_is_not_guessed(report: Reported) -> None:
    answers = read_answers(report.workbook)
    (verdict,) = understand(answers.boxes, (), ("KING", "King")).boxes.values()
    assert isinstance(verdict, str) and verdict.startswith("unknown class 'king'")
