"""The commands from a report's workbook back to training data, as somebody types them."""

from __future__ import annotations

import io
from datetime import datetime
from pathlib import Path

import openpyxl
import pytest
from conftest import Run, hash_files
from rich.console import Console

from pipeline.boxes import Box
from pipeline.report.reporting import report_results
from pipeline.results import Detection, PhotoResult, Prediction, to_json
from pipeline.run_info import RunInfo, write_info
from pipeline.sample import KINDS, draw_photos


@pytest.fixture
def workbook(tiny: Path) -> Path:
    """A report on a photo that is not in the data set of the current folder."""
    draw_photos(tiny / "new", tiny / "new labels", count=1, seed=9, size=(160, 128), first=40)
    (photo,) = (path for path in (tiny / "new").iterdir() if path.suffix == ".jpg")
    found = Prediction(Detection(Box(10, 10, 90, 100), 0.8), {KINDS[0]: 0.9, KINDS[1]: 0.1})
    folder = tiny / "reports" / "new"
    folder.mkdir(parents=True)
    line = to_json(PhotoResult(photo.name, "ok", (160, 128), predictions=(found,)))
    (folder / "results.jsonl").write_text(f"{line}\n", encoding="utf-8")
    now = datetime(2025, 4, 30, 17, 42)
    write_info(folder, RunInfo(tiny / "new", Path("weights/tiny"), tuple(KINDS), 0.25, now, 0, "0.1.0"))
    return report_results(folder, console=Console(file=io.StringIO())).files.workbook


def answer(workbook: Path, class_name: str) -> None:
    """Write into the drop-down of the first box, as its reader does."""
    book = openpyxl.load_workbook(workbook)
    sheet = book["Detections"]
    column = next(cell.column for cell in sheet[1] if cell.value == "correct class")
    sheet.cell(2, column, class_name)
    book.save(workbook)


def test_corrections_are_shown_and_nothing_is_changed_where_nobody_can_be_asked(
    workbook: Path, tiny: Path, here: Run
) -> None:
    answer(workbook, KINDS[1])
    before = hash_files(tiny)
    told = here("correct", workbook)
    assert (told.returncode, told.stderr) == (0, "")
    assert f"photo-0041.jpg - 1 {KINDS[1]}\n" in told.stdout
    assert told.stdout.endswith("\nto apply this, run the same command with --yes\nnothing was changed\n")
    assert hash_files(tiny) == before


def test_corrections_are_applied_once(workbook: Path, tiny: Path, here: Run) -> None:
    answer(workbook, KINDS[1])
    told = here("correct", workbook, "--yes")
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.endswith('applied; go on with: make train DATA="data.yaml"\n')
    assert len(list((tiny / "corrections").glob("*.jpg"))) == 1
    before = hash_files(tiny)
    told = here("correct", workbook, "--yes")
    assert (told.returncode, told.stderr) == (0, "")
    assert "applied;" not in told.stdout
    assert hash_files(tiny) == before


@pytest.mark.parametrize(("typed", "applied"), [("y\n", True), ("n\n", False), ("\n", False)])
def test_who_can_be_asked_is_asked(
    workbook: Path, tiny: Path, here: Run, monkeypatch: pytest.MonkeyPatch, typed: str, applied: bool
) -> None:
    answer(workbook, KINDS[1])

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Terminal(typed))
    told = here("correct", workbook)
    assert told.returncode == 0, told.stderr
    assert "Apply this? [y/N]" in told.stdout
    assert (tiny / "corrections").is_dir() is applied
    assert told.stdout.endswith("nothing was changed\n") is not applied


def test_workbook_that_nobody_corrected_is_said(workbook: Path, here: Run) -> None:
    told = here("correct", workbook)
    assert (told.returncode, told.stderr) == (0, "")
    assert "nothing is corrected in the workbook\n" in told.stdout


def test_missing_data_yaml_or_workbook_is_one_line(workbook: Path, here: Run) -> None:
    told = here("correct", workbook, "--data", "none.yaml")
    assert (told.returncode, told.stderr.count("\n")) == (2, 1)
    told = here("correct", "none.xlsx")
    assert (told.returncode, told.stderr.count("\n")) == (1, 1)
    assert told.stderr.startswith("cropsort: none.xlsx - ")
