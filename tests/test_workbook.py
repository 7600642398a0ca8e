"""Workbooks are written for real and opened again by the programs that a reader would open them with."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from io import BytesIO
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pytest
from office import convert, sort_and_save
from PIL import Image

from pipeline.environment import ROOT
from pipeline.workbook import write_workbook
from pipeline.workbook.notes import read_note
from pipeline.workbook.tables import DATE, MAX_ROWS, PERCENT, TEXT, WHOLE, Column, SheetWords, Summary, Table, Value

CLASSES = ("고양이", "강아지", "not a subject", "new class")
LONG = tuple(f"아주 긴 이름의 종류 {number}" for number in range(40))
COMMAS = ("cat, large", "cat, small")
RICH = "<r><t>no</t></r>"
NOTES = {"cropsort results": f"/사진/{'긴 ' * 200}", "cropsort language": "ko"}


def _value(value: Value = None) -> Column[int]:
    return Column("value", lambda _row: value)


def _counts(name: str, rows: int, **more: Any) -> Table[int]:
    columns: list[Column[int]] = [
        Column("what", lambda row: f"{row * 10}%"),
        Column("boxes", lambda row: row, number_format=WHOLE),
    ]
    return Table(name, columns, range(rows), **more)


def _summary(*tables: Table[Any], title: str = "Report", warnings: Sequence[str] = ()) -> Summary:
    return Summary(title, "All in one sentence.", [("finished", datetime(2025, 4, 30), DATE)], warnings, tables)


def _draw(number: int, side: int = 96) -> bytes:
    buffer = BytesIO()
    pixels = np.full((side, 60, 3), (number * 37 % 256, number * 91 % 256, number * 13 % 256), np.uint8)
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def _colour(picture: Any) -> tuple[int, ...]:
    return tuple(int(value) for value in np.asarray(Image.open(BytesIO(picture)).convert("RGB"))[5, 5])


def _detections(count: int = 30, **more: Any) -> Table[int]:
    columns: list[Column[int]] = [
        Column("photo", lambda row: f"사진 {row * 7 % 30:02}.jpg", 30, link=lambda row: f"../photos/사진%20{row}.jpg"),
        Column("class", lambda row: CLASSES[row % 2], 16),
        Column("confidence", lambda row: round(0.3 + row * 11 % 30 / 45, 3), 15, PERCENT, shaded=True),
        Column("captured", lambda row: datetime(2025, 1, 1 + row % 28), 18, DATE),
        Column("correct class", lambda _row: None, 18, choices=CLASSES, editable=True),
        Column("other", lambda _row: None, 18, choices=LONG, editable=True),
        Column("reviewed", lambda _row: None, 12, choices=("yes",), editable=True),
        Column("note", lambda _row: None, 30, editable=True),
        Column("key", lambda row: f"key {row}", 20, hidden=True),
    ]
    return Table("Detections", columns, range(count), picture=_draw, **more)


def _write(path: Path, *tables: Table[Any], summary: Summary | None = None, **more: Any) -> Any:
    write_workbook(path, summary or _summary(_counts("Classes", 3, chart="bars")), tables, **more)
    return openpyxl.load_workbook(path)


def _write_one(folder: Path, *columns: Column[int], rows: int = 1) -> Any:
    return _write(folder / "book.xlsx", Table("Rows", columns, range(rows)))["Rows"]


def _properties(book: Any) -> dict[str, str]:
    return {one.name: one.value for one in book.custom_doc_props.props}


def _rules(sheet: Any) -> dict[str, Any]:
    return {str(rule.sqref): rule for rule in sheet.data_validations.dataValidation}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("book") / "내 보고서.xlsx"
    summary = _summary(
        _counts("Confidence", 10, chart="columns"),
        _counts("Classes", 3, chart="bars"),
        warnings=["1 photo is missing."],
    )
    write_workbook(path, summary, [_detections(), _counts("Photos", 4)], notes=NOTES)
    return path


@pytest.fixture(scope="module")
def book(path: Path) -> Any:
    return openpyxl.load_workbook(path)


def test_sheets_stand_in_their_order_and_the_lists_are_hidden(book: Any) -> None:
    assert book.sheetnames == ["Summary", "Detections", "Photos", "drop-down lists"]
    assert [sheet.sheet_state for sheet in book] == ["visible"] * 3 + ["hidden"]
    assert book.active.title == "Summary"
    assert [sheet.page_setup.orientation for sheet in book][:2] == ["portrait", "landscape"]


def test_without_long_lists_there_is_no_hidden_sheet(tmp_path: Path) -> None:
    assert _write(tmp_path / "a.xlsx", _choice_table("Rows", CLASSES)).sheetnames == ["Summary", "Rows"]


def test_what_may_be_chosen_is_on_a_list_and_all_else_is_refused(book: Any) -> None:
    rules = _rules(book["Detections"])
    assert rules["F2:F31"].formula1 == f'"{",".join(CLASSES)}"'
    assert rules["H2:H31"].formula1 == '"yes"'
    assert set(rules) == {"F2:F31", "G2:G31", "H2:H31"}
    for rule in rules.values():
        assert (rule.type, rule.showErrorMessage, rule.errorStyle) == ("list", True, None)
        assert rule.showDropDown in (None, False)  # which would hide it
        assert rule.error.startswith("Choose from the list")


@pytest.mark.parametrize("choices", [LONG, (" cat", "dog"), ("a\nb", "c"), ('the "cat"', "dog"), ("a" * 256,)])
def test_lists_that_do_not_fit_with_the_cells_are_on_a_sheet(tmp_path: Path, choices: tuple[str, ...]) -> None:
    book = _write(tmp_path / "a.xlsx", _choice_table("A", COMMAS), _choice_table("B", choices))
    for name, wanted in (("A", COMMAS), ("B", choices)):
        (rule,) = _rules(book[name]).values()
        sheet, cells = rule.formula1.split("!")
        first, _, last = cells.replace("$", "").partition(":")
        listed = book[sheet.strip("'")][f"{first}:{last or first}"]
        assert [cell.value for (cell,) in listed] == list(wanted)


def _choice_table(name: str, choices: tuple[str, ...]) -> Table[int]:
    return Table(name, [Column("class", lambda _row: None, choices=choices, editable=True)], range(3))


def test_lists_that_are_alike_are_written_once_and_a_choice_stands_there_once(tmp_path: Path) -> None:
    tables = [_choice_table("A", COMMAS), _choice_table("B", (*COMMAS, COMMAS[0]))]
    book = _write(tmp_path / "a.xlsx", *tables)
    assert list(book["drop-down lists"].iter_rows(values_only=True)) == [(choice,) for choice in COMMAS]


def test_what_is_typed_stays_as_it_is_typed(book: Any) -> None:
    cell = book["Detections"]["F2"]
    assert (cell.value, cell.number_format) == (None, "@")
    assert cell.fill.fgColor.rgb != book["Detections"]["C2"].fill.fgColor.rgb
    assert book["Detections"]["F1"].fill.fgColor.rgb != book["Detections"]["C1"].fill.fgColor.rgb


def test_an_answer_that_is_known_is_shown_and_may_be_changed(tmp_path: Path) -> None:
    sheet = _write_one(tmp_path, Column("class", lambda _row: "고양이", choices=CLASSES, editable=True))
    assert (sheet["A2"].value, sheet["A2"].number_format) == ("고양이", "@")


def test_hidden_columns_are_within_the_filter(book: Any) -> None:
    sheet = book["Detections"]
    assert sheet.column_dimensions["J"].hidden
    assert not any(sheet.column_dimensions[letter].hidden for letter in "ABCDEFGHI")
    assert sheet.auto_filter.ref == "A1:J31"


def test_notes_are_properties_of_the_document_however_long(book: Any) -> None:
    properties = _properties(book)
    assert {name: read_note(properties, name) for name in NOTES} == NOTES
    assert all(len(text.encode("utf-16-le")) // 2 <= 255 for text in properties.values())
    assert read_note(properties, "cropsort version") is None


def test_notes_hold_what_a_document_has_no_way_to_say(tmp_path: Path) -> None:
    book = _write(tmp_path / "a.xlsx", notes={"a": "<b>&\x00\udcff", "none": ""})
    assert read_note(_properties(book), "a") == "<b>&\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}"


def test_a_table_that_is_too_long_goes_on_on_further_sheets(tmp_path: Path) -> None:
    book = _write(tmp_path / "a.xlsx", _detections(10, max_rows=4), _counts("Photos", 4, max_rows=4))
    sheets = ["Detections", "Detections 2", "Detections 3"]
    assert book.sheetnames == ["Summary", *sheets, "Photos", "drop-down lists"]
    assert [cell.value for name in sheets for cell in book[name]["J"][1:]] == [f"key {row}" for row in range(10)]
    for name, last in zip(sheets, (5, 5, 3), strict=True):
        sheet = book[name]
        assert [cell.value for cell in sheet[1]] == [cell.value for cell in book["Detections"][1]]
        assert (sheet.auto_filter.ref, sheet.freeze_panes) == (f"A1:J{last}", "C2")
        assert set(_rules(sheet)) == {f"{letter}2:{letter}{last}" for letter in "FGH"}
        assert [str(scale.sqref) for scale in sheet.conditional_formatting] == [f"D2:D{last}"]
        assert sorted(image.anchor._from.row + 1 for image in sheet._images) == list(range(2, last + 1))
        assert sheet.print_title_rows == "$1:$1"


@pytest.mark.parametrize("rows", [0, MAX_ROWS + 1])
def test_a_sheet_has_some_rows_and_no_more_than_excel_has(rows: int) -> None:
    with pytest.raises(ValueError, match="max_rows must lie between"):
        _counts("Rows", 1, max_rows=rows)


def test_pictures_are_shown_for_the_first_rows_only(tmp_path: Path) -> None:
    book = _write(tmp_path / "a.xlsx", _detections(10, max_rows=4, max_pictures=6))
    assert [len(book[name]._images) for name in book.sheetnames[1:4]] == [4, 2, 0]
    assert book["Detections 3"].row_dimensions[2].height == book["Detections"].row_dimensions[2].height


def test_pictures_are_asked_for_no_more_once_there_are_enough(tmp_path: Path) -> None:
    asked: list[int] = []

    def draw(row: int) -> bytes | None:
        asked.append(row)
        return _draw(row) if row else None

    _write(tmp_path / "a.xlsx", Table("Rows", [_value()], range(9), picture=draw, max_pictures=3))
    assert asked == [0, 1, 2, 3]


@pytest.mark.parametrize("cut", [0, 3, 30, 60])
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_picture_that_is_none_leaves_its_cell_empty(tmp_path: Path, cut: int, kind: str) -> None:
    buffer = BytesIO()
    Image.new("RGB", (60, 96)).save(buffer, kind)
    whole = buffer.getvalue()
    broken = whole[:cut] if cut < 60 else b"no picture, but long enough to be taken for one, whatever it is"
    pictures = [whole, broken, _draw(3)]
    book = _write(tmp_path / "a.xlsx", Table("Rows", [_value(1)], range(3), picture=pictures.__getitem__))
    assert [image.anchor._from.row for image in book["Rows"]._images] == [1, 3]


NAMES = [
    ("a[b]:c*d?e/f\\g", "a_b__c_d_e_f_g"),
    ("'quoted'", "quoted"),
    ("", "Sheet"),
    ("'", "Sheet"),
    (" two\nlines\x00 ", "two lines\N{REPLACEMENT CHARACTER}"),
    ("History", "History 2"),
    ("summary", "summary 2"),
    ("가" * 40, "가" * 31),
    ("😀" * 40, "😀" * 15),
    ("a" * 30 + "'bc", "a" * 30),
]


@pytest.mark.parametrize(("name", "wanted"), NAMES)
def test_any_name_becomes_that_of_a_sheet(tmp_path: Path, name: str, wanted: str) -> None:
    book = _write(tmp_path / "a.xlsx", Table(name, [_value(1)], range(2), max_rows=1), Table("Last", [_value(1)], []))
    assert book.sheetnames[1] == wanted
    assert len(book.sheetnames) == 4


def test_names_that_are_alike_are_told_apart(tmp_path: Path) -> None:
    names = ["Photos", "PHOTOS", "가" * 31, "가" * 33, "Photos 2"]
    book = _write(tmp_path / "a.xlsx", *(Table(name, [_value(1)], [1]) for name in names))
    assert book.sheetnames[1:] == ["Photos", "PHOTOS 2", "가" * 31, "가" * 29 + " 2", "Photos 2 2"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf"), None, np.float64("nan")])
def test_what_is_no_number_leaves_its_cell_empty(tmp_path: Path, value: float | None) -> None:
    sheet = _write_one(tmp_path, Column("a", lambda _row: value, number_format=PERCENT, shaded=True), _value("kept"))
    assert (sheet["A2"].value, sheet["B2"].value) == (None, "kept")


@pytest.mark.parametrize("text", [RICH, "<r></r>", "<r>&amp;</r>", "_x0041_", "=1+1", " a ", "a\tb\nc"])
def test_text_is_text_wherever_it_stands(tmp_path: Path, text: str) -> None:
    columns: list[Column[int]] = [
        Column(text, lambda _row: text),
        Column("link", lambda _row: text, link=lambda _row: "./a.jpg"),
        Column("note", lambda _row: text, editable=True),
        Column("list", lambda _row: None, choices=(text, "a,b")),
    ]
    table = Table(text, columns, [1])
    summary = Summary(text, text, [(text, text, TEXT)], [text], [replace(table, chart="columns"), table])
    book = _write(tmp_path / "a.xlsx", table, summary=summary, words=SheetWords(warnings=text))
    assert [cell.value.replace("_x005F_", "_") for cell in book.worksheets[1][2][:3]] == [text] * 3
    assert book["drop-down lists"]["A1"].value.replace("_x005F_", "_") == text
    assert not [cell for sheet in book for row in sheet.iter_rows() for cell in row if cell.data_type == "f"]


def test_it_speaks_the_language_of_its_reader(tmp_path: Path) -> None:
    words = SheetWords("요약", "사진", "경고", "경고 없음", "&N쪽 중 &P쪽", "목록에 없음", "목록에서 고르세요.")
    book = _write(tmp_path / "a.xlsx", _detections(2), words=words)
    assert book.sheetnames[0] == "요약"
    assert (book["Detections"]["A1"].value, book["Detections"].oddFooter.right.text) == ("사진", "&N쪽 중 &P쪽")
    assert "경고 없음" in [cell.value for cell in book["요약"]["A"]]
    rule = _rules(book["Detections"])["F2:F3"]
    assert (rule.errorTitle, rule.error) == ("목록에 없음", "목록에서 고르세요.")
    assert str(book["요약"]._charts[0].series[0].val.numRef.f).startswith("요약!")


@pytest.mark.parametrize("words", [{"refused": "a" * 33}, {"choose": "가" * 256}])
def test_messages_that_excel_has_no_room_for_are_refused(words: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="Excel has room for"):
        SheetWords(**words)


def test_tables_are_drawn_as_they_say(book: Any) -> None:
    sheet = book["Summary"]
    columns, bars = sheet._charts
    assert (columns.barDir, bars.barDir) == ("col", "bar")
    rows = {cell.value: cell.row for cell in sheet["A"]}
    for chart, name, count in ((columns, "Confidence", 10), (bars, "Classes", 3)):
        first = rows[name] + 2
        (series,) = chart.series
        assert str((series.cat.strRef or series.cat.numRef).f) == f"Summary!$A${first}:$A${first + count - 1}"
        assert str(series.val.numRef.f) == f"Summary!$B${first}:$B${first + count - 1}"


def test_no_chart_lies_over_another_or_over_a_table(tmp_path: Path) -> None:
    wide = Table(
        "Wide", [Column(f"column {number}", lambda row: row) for number in range(9)], range(2), chart="columns"
    )
    tables = (
        wide,
        _counts("Few", 1, chart="columns"),
        _counts("Many", 20, chart="columns"),
        _counts("Last", 2, chart="bars"),
    )
    book = _write(tmp_path / "a.xlsx", summary=_summary(*tables))
    places = [chart.anchor for chart in book["Summary"]._charts]
    assert len(places) == 4
    assert all(above.to.row < below._from.row for above, below in pairwise(places))
    assert {place._from.col for place in places} == {9}


def test_tables_without_rows_are_written_and_not_drawn(tmp_path: Path) -> None:
    summary = _summary(_counts("A", 0, chart="columns"), _counts("B", 0))
    book = _write(tmp_path / "a.xlsx", _detections(0), summary=summary)
    assert book["Summary"]._charts == []
    assert book["Detections"].auto_filter.ref == "A1:J2"


def test_put_together_in_memory_or_in_files_it_is_the_same_workbook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts = []
    for few in (0, 40):
        monkeypatch.setattr("pipeline.workbook._FEW_ROWS", few)
        _write(path := tmp_path / f"{few}.xlsx", _detections())
        with zipfile.ZipFile(path) as file:
            parts.append({name: file.read(name) for name in file.namelist() if name != "docProps/core.xml"})  # its time
    assert parts[0] == parts[1]
    assert any(name.startswith("xl/media/") for name in parts[0])


FULL = """
import gc, resource, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_workbook import _counts, _detections, _summary
from pipeline import workbook
from pipeline.workbook import write_workbook
workbook._FEW_ROWS = int(sys.argv[3])
path, limits = Path(sys.argv[1]), (10, 300, 600, 900, 1500, 3000, 5000, 7000, 9000)
tables = [_detections(5), _counts("Photos", 200)]
summary = _summary(_counts("Classes", 3, chart="bars"))
write_workbook(path, summary, tables)  # Python may write byte code
for limit in limits:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
    try:
        write_workbook(path, summary, tables)
    except OSError as error:
        print(error.strerror)
    gc.collect()
"""


@pytest.mark.parametrize("few", [0, 10_000], ids=["put together in files", "put together in memory"])
def test_a_full_disk_is_an_error_and_nothing_else(tmp_path: Path, few: int) -> None:
    pytest.importorskip("resource", reason="Windows has no limit on file sizes to stand in for a full disk")
    # With -X dev the collector tells on every file that was left open to it, as Python 3.13 does without.
    command = [sys.executable, "-X", "dev", "-c", FULL, str(tmp_path / "a.xlsx"), str(Path(__file__).parent), str(few)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False, timeout=120, cwd=ROOT)
    assert (done.stdout.splitlines(), done.stderr, done.returncode) == (["File too large"] * 9, "", 0)


def test_an_error_of_the_rows_leaves_no_file_open(tmp_path: Path) -> None:
    def fail(_row: int) -> Value:
        raise OSError("the record cannot be read")

    with pytest.raises(OSError, match="the record cannot be read"):
        _write(tmp_path / "a.xlsx", Table("Rows", [Column("a", fail)], range(3)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_links_past_what_excel_takes_are_text(tmp_path: Path) -> None:
    column: Column[int] = Column("photo", lambda row: f"{row}.jpg", link=lambda row: f"./{row}.jpg")
    write_workbook(tmp_path / "a.xlsx", _summary(_counts("A", 1)), [Table("Rows", [column], range(65_540))])
    with zipfile.ZipFile(tmp_path / "a.xlsx") as parts:
        sheet = parts.read("xl/worksheets/sheet2.xml")
    assert sheet.count(b"<hyperlink ") == 65_530
    assert b"<t>65539.jpg</t>" in sheet


@pytest.mark.slow
def test_pictures_stay_beside_their_rows_when_a_reader_sorts(path: Path, book: Any, tmp_path: Path) -> None:
    _check_rows(book["Detections"])
    order = [cell.value for cell in book["Detections"]["J"][1:]]
    sorts = [("class", True), ("confidence", False), ("key", True)]
    for number, (header, rises) in enumerate(sorts):
        target = tmp_path / f"{number}.xlsx"
        sort_and_save(path, target, [("Detections", header, rises)])
        saved = openpyxl.load_workbook(target)
        _check_rows(saved["Detections"])
        keys = [cell.value for cell in saved["Detections"]["J"][1:]]
        assert keys != order
        assert sorted(keys) == sorted(order)
    values = [cell.value for cell in saved["Detections"]["J"][1:]]
    assert values == sorted(values)


def _check_rows(sheet: Any) -> None:
    """Each row has its own picture, wholly inside its first cell, and its own link."""
    pictures = {image.anchor._from.row + 1: image for image in sheet._images}
    assert sorted(pictures) == list(range(2, 32))
    for row, image in pictures.items():
        number = int(sheet.cell(row, 10).value.removeprefix("key "))
        assert _colour(image._data()) == _colour(_draw(number))
        assert (image.anchor.to.row, image.anchor.to.col) == (row - 1, 0)
        assert sheet.cell(row, 2).hyperlink.target.replace("\\", "/") == f"../photos/사진%20{number}.jpg"
        assert sheet.cell(row, 4).value == round(0.3 + number * 11 % 30 / 45, 3)


@pytest.mark.slow
def test_what_a_reader_answers_survives_libreoffice(path: Path, book: Any, tmp_path: Path) -> None:
    answers = """\
  sheet = book.Sheets.getByName("Detections")
  sheet.getCellByPosition(5, 1).String = "강아지"
  sheet.getCellByPosition(8, 1).String = "=1+1"
"""
    target = tmp_path / "saved.xlsx"
    sort_and_save(path, target, [("Detections", "confidence", False)], answers)
    saved = openpyxl.load_workbook(target)
    sheet = saved["Detections"]
    assert (sheet["F2"].value, sheet["I2"].value, sheet["I2"].data_type) == ("강아지", "=1+1", "s")
    assert sheet["F2"].number_format == "@"
    before, after = _rules(book["Detections"]), _rules(sheet)
    assert {cells: rule.formula1 for cells, rule in before.items()} == {
        cells: rule.formula1 for cells, rule in after.items()
    }
    assert all(rule.showErrorMessage and rule.error.startswith("Choose") for rule in after.values())
    assert sheet.column_dimensions["J"].hidden
    assert sheet.auto_filter.ref == "A1:J31"
    assert [sheet.sheet_state for sheet in saved] == ["visible"] * 3 + ["hidden"]
    assert [cell.value for cell in saved["drop-down lists"]["A"]] == list(LONG)
    assert {name: read_note(_properties(saved), name) for name in NOTES} == NOTES
    assert [len(sheet._charts) for sheet in saved] == [2, 0, 0, 0]


@pytest.mark.slow
def test_libreoffice_draws_all_of_it(path: Path, tmp_path: Path) -> None:
    pages = convert(path, "pdf", tmp_path).read_bytes()
    assert pages.startswith(b"%PDF")
    assert pages.count(b"/Subtype/Image") >= 30
