"""The command ``cropsort report``: what a run left is reported, whole or stopped, and the same report made but once."""

from __future__ import annotations

import io
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
import pytest
from conftest import Run, hash_files
from PIL import Image
from rich.console import Console

from pipeline.boxes import Box
from pipeline.drawing import list_drawn, write_drawn
from pipeline.errors import CropsortError, DataError, OutputError
from pipeline.images import encode_jpeg
from pipeline.journal import open_journal
from pipeline.recorded import describe, read_report
from pipeline.report.reporting import Report, report_results
from pipeline.report_folder import RunNote, write_note
from pipeline.results import Detection, PhotoResult, Prediction, to_json
from pipeline.run_info import RunInfo, read_info, write_info
from pipeline.thumbnails import Thumbnails

FOUND = Prediction(Detection(Box(10, 20, 110, 90), 0.8), {"고양이": 0.9, "강아지": 0.1})
RESULTS = [
    PhotoResult("밤/a [1].jpg", "ok", (160, 120), "2025-04-11 10:20:30", 0.25, (FOUND, FOUND)),
    PhotoResult("b.jpg", "empty", (64, 48)),
    PhotoResult("c.jpg", "unreadable", error="the file is empty"),
]
FINISHED = datetime(2025, 4, 30, 17, 42, 10)
MADE = {"report.xlsx", "report.html", "detections.csv", "photos.csv", "reported.json"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a report that is still to be made; the current folder is the one above all."""
    monkeypatch.chdir(tmp_path)
    photo = tmp_path / "사진" / "밤" / "a [1].jpg"
    photo.parent.mkdir(parents=True)
    Image.new("RGB", (160, 120), "orange").save(photo)
    made = tmp_path / "reports" / "사진"
    write_results(made, RESULTS)
    write_info(made, RunInfo(tmp_path / "사진", Path("weights/동물"), ("고양이", "강아지"), 0.25, FINISHED, 0, "0.1.0"))
    thumbnails = Thumbnails(made / "thumbnails")
    for index in range(2):
        thumbnails.write(RESULTS[0].photo, index, encode_jpeg(np.full((50, 96, 3), 90 * index, np.uint8), quality=85))
    return made


def write_results(folder: Path, results: list[PhotoResult], tail: str = "") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    ordered = sorted(results, key=lambda one: one.photo.split("/"))
    lines = [f"{to_json(result)}\n" for result in ordered]
    (folder / "results.jsonl").write_text("".join(lines) + tail, encoding="utf-8")


def is_written(said: str) -> bool:
    """Whether a workbook was written and nothing else said, but what became of one from before."""
    kept = r"[^\n]+\.xlsx from before is [^\n]+\.xlsx now, with all that was written into it\n"
    return re.fullmatch(rf"({kept})?writing the workbook \.\.\.\n", said) is not None


def report(source: Path, **options: Any) -> tuple[Report, str]:
    """What was made, and what was said."""
    said = io.StringIO()
    console = Console(file=said, width=1000, soft_wrap=True, markup=False, highlight=False)
    return report_results(source, console=console, **options), said.getvalue()


def read_texts(workbook: Path, sheet: int) -> list[str]:
    """Every text on a sheet."""
    book = openpyxl.load_workbook(workbook)
    rows = book.worksheets[sheet].iter_rows(values_only=True)
    return [cell for row in rows for cell in row if isinstance(cell, str)]


def read_links(workbook: Path, sheet: int) -> list[str]:
    """Targets of all links on a sheet; Excel writes them in either way."""
    cells = (cell for row in openpyxl.load_workbook(workbook).worksheets[sheet].iter_rows() for cell in row)
    return [cell.hyperlink.target.replace("\\", "/") for cell in cells if cell.hyperlink]


def test_workbook_tables_and_page_are_made_in_the_folder(folder: Path) -> None:
    made, said = report(folder)
    assert made.files.workbook == folder / "report.xlsx"
    assert made.page == folder / "report.html"
    assert {path.name for path in folder.iterdir()} >= MADE | {path.name for path in made.files.tables}
    assert said == "writing the workbook ...\n"
    book = openpyxl.load_workbook(made.files.workbook)
    assert len(list(book["Detections"].iter_rows(min_row=2))) == 2
    assert len(book["Detections"]._images) >= 2


@pytest.mark.parametrize("name", ["", "results.jsonl"])
def test_same_report_twice_is_made_once(folder: Path, name: str) -> None:
    first, _ = report(folder)
    before = hash_files(folder)
    again, said = report(folder / name)
    assert said == "nothing is new: the report stays as it is\n"
    assert again == first
    assert hash_files(folder) == before


@pytest.mark.parametrize("lost", ["detections.csv", "report-data"])
def test_report_that_lost_a_file_is_made_anew(folder: Path, lost: str) -> None:
    report(folder)
    shutil.move(folder / lost, folder.parent)
    _, said = report(folder)
    assert is_written(said)
    assert (folder / lost).exists()


def test_other_language_is_another_report_and_an_edited_one_is_kept(folder: Path) -> None:
    made, _ = report(folder)
    book = openpyxl.load_workbook(made.files.workbook)
    book["Photos"]["Z99"] = "my notes"
    book.save(made.files.workbook)
    made, said = report(folder, language="ko")
    assert is_written(said)
    (kept,) = folder.glob("report-*.xlsx")
    assert openpyxl.load_workbook(kept)["Photos"]["Z99"].value == "my notes"
    assert "Detections" not in openpyxl.load_workbook(made.files.workbook).sheetnames
    assert "nothing is new" in report(folder, language="ko")[1]


def test_language_is_that_of_the_run_where_none_is_asked_for(folder: Path) -> None:
    run = read_info(folder)
    assert run is not None
    write_info(folder, replace(run, language="ko"))
    made, _ = report(folder)
    assert "Detections" not in openpyxl.load_workbook(made.files.workbook).sheetnames


@pytest.mark.parametrize("stop", ["told", "cut", "repeated"])
def test_results_of_a_run_that_was_stopped_are_reported_and_marked(folder: Path, stop: str) -> None:
    run = read_info(folder)
    assert run is not None
    if stop == "told":
        write_info(folder, replace(run, finished=None))
    line = to_json(replace(RESULTS[1], seconds=7.5))
    write_results(folder, RESULTS, {"told": "", "cut": line[:50], "repeated": f"{line}\n"}[stop])
    before = (folder / "results.jsonl").read_bytes()
    made, said = report(folder)
    assert (folder / "results.jsonl").read_bytes() == before
    assert "note: the run was stopped before its end: 3 files are in the report\n" in said
    assert any("interrupted" in text for text in read_texts(made.files.workbook, 0))
    rows = list(openpyxl.load_workbook(made.files.workbook)["Photos"].iter_rows(min_row=2, values_only=True))
    assert len(rows) == 3
    assert any(7.5 in row for row in rows) is (stop == "repeated")
    write_results(folder, RESULTS)
    write_info(folder, run)
    made, said = report(folder)
    assert is_written(said)
    assert not any("interrupted" in text for text in read_texts(made.files.workbook, 0))


def test_results_alone_are_reported_with_what_they_say(folder: Path, tmp_path: Path) -> None:
    alone = tmp_path / "copied" / "val.jsonl"
    alone.parent.mkdir()
    shutil.copyfile(folder / "results.jsonl", alone)
    made, said = report(alone)
    assert made.files.workbook == alone.with_name("report.xlsx")
    assert "note: without about.json nobody knows the run's weights, scores and settings\n" in said
    assert "note: no thumbnails beside the results: crops are not shown\n" in said
    run = describe(read_report(alone)).run
    assert (run.class_names, run.confidence, run.photos) == (("강아지", "고양이"), 0.8, alone.parent)
    assert run.finished is not None
    assert "nothing is new" in report(alone)[1]


def test_photos_of_an_older_run_are_found_by_its_note(folder: Path, tmp_path: Path) -> None:
    (folder / "about.json").unlink()
    assert describe(read_report(folder)).run.photos == folder
    listed = tmp_path / "사진" / "list.txt"
    listed.touch()
    places = {
        str(tmp_path / "사진"): tmp_path / "사진",
        str(listed): tmp_path / "사진",
        str(tmp_path / "gone"): tmp_path / "gone",
        f"names on standard input in {tmp_path}": tmp_path,
        "https://example.org/a.jpg": folder,
    }
    for label, place in places.items():
        write_note(folder, RunNote(label, (), {}))
        assert describe(read_report(folder)).run.photos == place


@pytest.mark.parametrize("damage", ["{", "[]"])
def test_damaged_description_is_said_and_does_without(folder: Path, damage: str) -> None:
    (folder / "about.json").write_text(damage)
    made, said = report(folder)
    assert f"note: {folder / 'about.json'} cannot be understood (" in said
    assert made.files.workbook.is_file()


@pytest.mark.parametrize("damage", ["[]", '{"report.xlsx": {"of": "x"}}'])
def test_damaged_note_of_reports_costs_nothing_but_time(folder: Path, damage: str) -> None:
    report(folder)
    (folder / "reported.json").write_text(damage)
    assert is_written(report(folder)[1])


def test_photos_that_have_gone_are_said(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "사진").rename(tmp_path / "moved")
    _, said = report(folder)
    assert f"note: {tmp_path / '사진'} has gone or cannot be reached: links to photos lead nowhere\n" in said


def test_workbook_goes_where_one_says_and_its_tables_to_a_folder_beside_it(folder: Path, tmp_path: Path) -> None:
    before = hash_files(folder)
    target = tmp_path / "책상 위" / "for kim.xlsx"
    made, _ = report(folder, workbook=target, language="ko")
    assert (made.files.workbook, made.page) == (target, None)
    assert {path.name for path in target.parent.iterdir()} == {"for kim.xlsx", "for kim-tables"}
    assert {path.parent for path in made.files.tables} == {target.parent / "for kim-tables"}
    after = hash_files(folder)
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) == {f"{folder.name}/reported.json"}
    again, said = report(folder, workbook=target, language="ko")
    assert said == "nothing is new: the report stays as it is\n"
    assert again == made
    assert "../사진/밤/a%20%5B1%5D.jpg" in read_links(target, 2)


def test_what_was_there_under_the_name_of_the_workbook_is_kept(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "budget.xlsx"
    target.write_bytes(b"not ours")
    report(folder, workbook=target)
    (kept,) = tmp_path.glob("budget-*.xlsx")
    assert kept.read_bytes() == b"not ours"


def test_folders_own_workbook_may_be_named(folder: Path) -> None:
    first, _ = report(folder)
    again, said = report(folder, workbook=Path("reports") / "사진" / "report.xlsx")
    assert "nothing is new" in said
    assert again == first


@pytest.mark.parametrize("name", ["out.xls", "out", "out.csv", "folder.xlsx"])
def test_workbook_of_another_name_is_one_line_and_nothing_is_written(folder: Path, here: Run, name: str) -> None:
    Path("folder.xlsx").mkdir()
    before = hash_files(folder)
    answer = here("report", folder, "-o", name)
    expected = f"cropsort: -o - '{name}' - expected the name of a workbook, such as out.xlsx\n"
    assert (answer.returncode, answer.stderr) == (2, expected)
    assert hash_files(folder) == before


def test_command_says_where_everything_is(folder: Path, here: Run) -> None:
    answer = here("report", folder, "--language", "en", "--format", "json")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert f"report in {folder / 'report.xlsx'}, tables in {folder}: detections, photos, " in answer.stdout
    assert "(csv, json)\n" in answer.stdout
    assert answer.stdout.endswith(f"to look at in a browser: {folder / 'report.html'}\n")
    answer = here("report", folder, "--format", "xml")
    assert (answer.returncode, answer.stderr.count("\n")) == (2, 1)


def test_formats_are_made_once_they_are_asked_for(folder: Path) -> None:
    report(folder)
    made, said = report(folder, formats=("csv", "json", "parquet"))
    assert is_written(said)
    assert {path.suffix for path in made.files.tables} == {".csv", ".json", ".parquet"}
    assert json.loads((folder / "photos.json").read_text(encoding="utf-8"))[0]["photo"] == "b.jpg"
    for formats in ((), ("parquet",), ("csv", "json")):
        assert "nothing is new" in report(folder, formats=formats)[1]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("none", "no such folder or file - check the spelling"),
        (".", "no report in it - expected a folder with results.jsonl, as predict writes it"),
        ("사진/밤/a [1].jpg", "is no file of results - name a report's folder, or the results.jsonl in it"),
    ],
)
def test_what_is_no_results_is_one_line(folder: Path, here: Run, name: str, told: str) -> None:
    before = hash_files(folder)
    answer = here("report", name)
    assert (answer.returncode, answer.stdout, answer.stderr) == (1, "", f"cropsort: {name} - {told}\n")
    assert hash_files(folder) == before


def test_workbook_that_another_program_has_open_is_one_line(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows lets nobody rename a file that Excel has open."""
    report(folder)
    before = hash_files(folder)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "The process cannot access the file")

    monkeypatch.setattr(Path, "rename", refuse)
    told = r"report\.xlsx - may not be moved - close the program that has it open"
    with pytest.raises(OutputError, match=told) as refused:
        report(folder, language="ko")
    assert refused.value.exit_code == 1
    assert hash_files(folder) == before | {f"{folder.name}/.lock": hash_files(folder)[f"{folder.name}/.lock"]}


@contextmanager
def at_work(folder: Path) -> Iterator[None]:
    """A run in the folder, as another process has it."""
    with open_journal(folder, RunNote("/photos", ("abc",), {}), restart=False):
        yield


def test_run_at_work_is_left_in_peace_but_can_be_reported_elsewhere(folder: Path, tmp_path: Path) -> None:
    write_note(folder, RunNote("/photos", ("abc",), {}))
    with at_work(folder):
        with pytest.raises(
            CropsortError, match=r"another run is at work here - let it finish, or write somewhere else"
        ):
            report(folder)
        made, _ = report(folder, workbook=tmp_path / "now.xlsx")
    assert made.files.workbook.is_file()


def test_report_links_to_the_photos_with_boxes_that_are_there(folder: Path, tmp_path: Path) -> None:
    report(folder)
    results = read_report(folder)
    assert list_drawn(results, folder) == {}
    write_drawn(results, (tmp_path / "사진").joinpath, folder, class_names=("고양이", "강아지"))
    picture = folder / "boxes" / "밤" / "a [1].jpg"
    assert list_drawn(results, folder) == {"밤/a [1].jpg": picture}
    made, said = report(folder)
    assert is_written(said)
    assert "boxes/밤/a%20%5B1%5D.jpg" in read_links(made.files.workbook, 2)
    changed = [replace(RESULTS[0], predictions=(FOUND,)), *RESULTS[1:]]
    assert list_drawn(changed, folder) == {}, "a picture of earlier results shows what they do not say"


def test_results_can_be_read_by_their_name_in_either_unicode_form(folder: Path) -> None:
    from unicodedata import normalize

    assert len(read_report(Path(normalize("NFD", str(folder))))) == 3


def test_nothing_to_report_is_data(tmp_path: Path) -> None:
    (tmp_path / "results.jsonl").touch()
    with pytest.raises(DataError, match="no photo was done before the run was stopped - run predict again"):
        report(tmp_path)
