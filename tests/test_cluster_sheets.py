"""The workbook of groups says what was found, and is opened by the programs that its readers have."""

from __future__ import annotations

import csv
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import openpyxl
import pytest
from corrections import BOXES, make_home
from grouped import NAMES, adopt, find_column, gather_drawn, group_by_hand, name_groups, write_groups
from office import convert, sort_and_save
from photos import hash_files

from pipeline import __version__
from pipeline.boxes import Box
from pipeline.cluster.groups import Grouped, find_group, name_group
from pipeline.cluster.subjects import Gathered
from pipeline.cluster.wording import COUNT_NOTE, DATA_NOTE, PHOTOS_NOTE
from pipeline.keys import subject_key

LABELS = (0, 0, 0, 1, 1, -1)
_NAME = """\
  page = book.Sheets.getByName("Groups")
  For row = 1 To 3
    If page.getCellByPosition({group}, row).String = "group 1" Then page.getCellByPosition({name}, row).String = "사과"
  Next row
  page = book.Sheets.getByName("Subjects")
  For row = 1 To 6
    If page.getCellByPosition({key}, row).String = "{moved}" Then page.getCellByPosition({own}, row).String = "noise"
  Next row
"""


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    return tmp_path / "사진"


def rows_of(book: Any, sheet: str) -> list[dict[str, Any]]:
    header, *rows = book[sheet].iter_rows(values_only=True)
    return [dict(zip(header, row, strict=True)) for row in rows]


def test_groups_and_subjects_are_listed_the_most_central_first(photos: Path, tmp_path: Path) -> None:
    grouped = group_by_hand(gather_drawn(photos), LABELS)
    book = openpyxl.load_workbook(write_groups(tmp_path / "out", grouped, photos, tmp_path / "data.yaml"))
    assert book.sheetnames == ["Summary", "Groups", "Subjects", "Problems"]
    groups, subjects = rows_of(book, "Groups"), rows_of(book, "Subjects")
    assert [(row["group"], row["subjects"], row["class name"]) for row in groups] == [
        ("group 1", 3, None),
        ("group 2", 2, None),
        ("noise", 1, None),
    ]
    assert groups[0]["most central photo"] == subjects[0]["photo"]
    assert groups[0]["nearest class"] in ("ace", "여왕") and 0 < groups[0]["probability"] <= 1
    assert [row["group"] for row in subjects] == ["group 1"] * 3 + ["group 2"] * 2 + ["noise"]
    far = [row["distance to centre"] for row in subjects[:3]]
    assert far == sorted(far)
    assert {row["key"] for row in subjects} == {one.key for one in grouped.gathered.subjects}
    assert all(row["file size (bytes)"] == (photos / row["photo"]).stat().st_size for row in subjects)
    assert len(book["Groups"]._images) == 3 and len(book["Subjects"]._images) == 6
    page = book["Subjects"]
    hidden = {
        page.cell(1, at).value for at in range(1, 20) if page.column_dimensions[page.cell(1, at).column_letter].hidden
    }
    assert {"key", "file size (bytes)"} <= hidden
    (choices,) = page.data_validations.dataValidation
    assert choices.formula1 == '"group 1,group 2,noise"'
    assert {one.name: one.value for one in book.custom_doc_props.props} == {
        COUNT_NOTE: "2",
        PHOTOS_NOTE: str(photos),
        DATA_NOTE: str(tmp_path / "data.yaml"),
        "cropsort version": __version__,
    }


def test_true_classes_are_compared_where_they_are_known(photos: Path, tmp_path: Path) -> None:
    truth = ("사과", "사과", "배", "배", "배", None)
    made = group_by_hand(gather_drawn(photos), LABELS, truth)
    agreement = SimpleNamespace(adjusted_rand=0.25, adjusted_mutual_information=0.5)
    grouped = Grouped(made.gathered, made.grouping, made.groups, made.truth, agreement)  # type: ignore[arg-type]
    book = openpyxl.load_workbook(write_groups(tmp_path, grouped, photos))
    groups = rows_of(book, "Groups")
    assert [(row["commonest true class"], row["its share"]) for row in groups] == [
        ("사과", 0.6667),
        ("배", 1),
        (None, None),
    ]
    assert sorted(str(row["true class"]) for row in rows_of(book, "Subjects")) == [
        "None",
        "배",
        "배",
        "배",
        "사과",
        "사과",
    ]
    said = [tuple(cell for cell in row if cell is not None) for row in book["Summary"].iter_rows(values_only=True)]
    assert ("adjusted Rand index", 0.25) in said and ("adjusted mutual information", 0.5) in said
    assert ("배", 3, "group 2", 2 / 3) in said
    assert ("The true class of 1 subject is not known: they do not count in the agreement.",) in said


def test_tables_are_beside_the_workbook_for_programs(photos: Path, tmp_path: Path) -> None:
    drawn = gather_drawn(photos)
    problems = (("=cmd.jpg", "cannot be opened"), ("메모.txt", "not a photo"))
    gathered = Gathered(drawn.subjects, drawn.features, problems, 2, failed=1)
    book = openpyxl.load_workbook(write_groups(tmp_path, group_by_hand(gathered, LABELS), photos))
    assert [row["problem"] for row in rows_of(book, "Problems")] == ["cannot be opened", "not a photo"]
    for name, count in (("groups", 3), ("subjects", 6), ("problems", 2)):
        assert (tmp_path / f"{name}.csv").read_bytes().startswith(b"\xef\xbb\xbf")
        with (tmp_path / f"{name}.csv").open(encoding="utf-8-sig", newline="") as file:
            assert len(list(csv.DictReader(file))) == count
    said = [row[0] for row in book["Summary"].iter_rows(values_only=True)]
    assert "1 photo could not be read: see Problems." in said
    assert "1 file gave nothing to group, no photos or nothing found in them: see Problems." in said
    assert "2 hidden files were skipped." in said


def test_without_a_classifier_there_is_no_nearest_class(photos: Path, tmp_path: Path) -> None:
    grouped = group_by_hand(gather_drawn(photos, classes=()), LABELS)
    book = openpyxl.load_workbook(write_groups(tmp_path, grouped, photos))
    assert "nearest class" not in rows_of(book, "Groups")[0]
    assert all(row.get("nearest class") is None for row in rows_of(book, "Subjects"))


def test_a_long_list_of_groups_is_on_a_sheet_of_its_own(photos: Path, tmp_path: Path) -> None:
    home = make_home(tmp_path / "home")
    grouped = group_by_hand(gather_drawn(photos, {"a.jpg": [Box(at, 5, at + 60, 90) for at in range(42)]}), range(42))
    workbook = write_groups(tmp_path, grouped, photos, home / "data.yaml")
    (choices,) = openpyxl.load_workbook(workbook)["Subjects"].data_validations.dataValidation
    assert choices.formula1.startswith("'drop-down lists'!")
    name_groups(workbook, {"group 42": "ace"})
    assert [one.name for one in adopt(workbook).adoption.groups] == ["group 42"]


@pytest.mark.parametrize(
    ("text", "count", "label"),
    [
        ("group 1", 9, 0),
        ("GROUP 09", 9, 8),
        ("7", 9, 6),
        ("noise", 9, -1),
        ("group 10", 9, None),
        ("group 0", 9, None),
        ("-1", 9, None),
        ("사과", 9, None),
    ],
)
def test_groups_are_known_by_their_names(text: str, count: int, label: int | None) -> None:
    assert find_group(text, count) == label


def test_names_of_groups_are_of_one_length() -> None:
    assert [name_group(label, 12) for label in (0, 11, -1)] == ["group 01", "group 12", "noise"]
    assert all(find_group(name_group(label, 120), 120) == label for label in range(-1, 120))


@pytest.mark.slow
def test_names_survive_libreoffice_after_a_sort(tmp_path: Path) -> None:
    home, photos = make_home(tmp_path / "home"), tmp_path / "phone"
    boxes = {name: (BOXES[at % 3],) for at, name in enumerate(NAMES)}
    grouped = group_by_hand(gather_drawn(photos, boxes), LABELS)
    workbook = write_groups(tmp_path / "report", grouped, photos, home / "data.yaml")
    book = openpyxl.load_workbook(workbook)
    places = {
        "group": find_column(book["Groups"], "group") - 1,
        "name": find_column(book["Groups"], "class name") - 1,
        "key": find_column(book["Subjects"], "key") - 1,
        "own": find_column(book["Subjects"], "group") - 1,
    }
    steps = _NAME.format(**places, moved=subject_key("c.jpg", BOXES[2]))
    sorts = [("Groups", "group", False), ("Subjects", "photo", False), ("Subjects", "distance to centre", False)]
    saved = tmp_path / "saved.xlsx"
    sort_and_save(workbook, saved, sorts, steps)
    made = adopt(saved)
    assert made.applied and not made.refused
    assert [path.name for path in sorted((home / "corrections").glob("*.jpg"))] == ["a.jpg", "b (1).jpg"]
    assert "names: [ace, king, 여왕, 사과]" in (home / "data.yaml").read_text(encoding="utf-8")
    after = hash_files(home)
    assert not adopt(saved).adoption.plan.changes and hash_files(home) == after


@pytest.mark.slow
def test_libreoffice_shows_it(photos: Path, tmp_path: Path) -> None:
    grouped = group_by_hand(gather_drawn(photos), LABELS)
    workbook = write_groups(tmp_path / "out", grouped, photos)
    assert convert(workbook, "pdf", tmp_path).stat().st_size > 10_000
