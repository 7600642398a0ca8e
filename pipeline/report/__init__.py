"""The record of a run as a workbook for the colleague who lives in Excel, and as CSV for programs."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.files import output_error, replacing
from pipeline.report.sheets import Report, list_tables, sheet_words
from pipeline.report.summary import summarise
from pipeline.report.survey import survey_results
from pipeline.report.wording import Words
from pipeline.results import PhotoResult, RecordedResults, Results
from pipeline.run_info import RunInfo
from pipeline.workbook import write_workbook
from pipeline.workbook.tables import Column, Table, Value, clean_text

WORKBOOK = "report.xlsx"

_FORMULA = re.compile(r"\s*[=+\-@\t\r\n＝＋－＠]")
"""Text that a spreadsheet reading a CSV may run; the wide forms too, which Korean and Japanese Excel take alike."""


@dataclass(frozen=True, slots=True)
class ReportFiles:
    """What ``write_report`` wrote.

    Args:
        workbook: the workbook.
        tables: the CSVs, in the order of the sheets; others may follow.
    """

    workbook: Path
    tables: tuple[Path, ...]

    @property
    def detections(self) -> Path:
        """The CSV with a row a box."""
        return self.tables[0]

    @property
    def photos(self) -> Path:
        """The CSV with a row a file."""
        return self.tables[1]


def make_tables(
    results: Results,
    run: RunInfo,
    folder: Path,
    *,
    thumbnail: Callable[[PhotoResult, int], bytes | None] | None = None,
    drawn: Callable[[str], Path | None] | None = None,
) -> list[Table[Any]]:
    """The tables of a report in the order of its sheets, without the summary.

    Their rows may be gone through several times; each time goes through the results, which are never in memory at once.

    Args:
        results: as for ``write_report``.
        run: what was run; the tables are in its language.
        folder: that links lead from.
        thumbnail: as for ``write_report``; None for tables without pictures.
        drawn: as for ``write_report``; None where there are none.
    """
    return list_tables(_look_through(results, run, folder, thumbnail, drawn))


def write_report(
    results: Results,
    run: RunInfo,
    folder: Path,
    *,
    thumbnail: Callable[[PhotoResult, int], bytes | None],
    drawn: Callable[[str], Path | None] = lambda _photo: None,
    workbook: Path | None = None,
) -> ReportFiles:
    """Write ``report.xlsx`` and a CSV a table to a folder, each whole or not at all.

    Args:
        results: every file of the run, in the order of its rows; gone through several times.
        run: what the summary says of it.
        folder: made where it is missing.
        thumbnail: gives the crop of a photo's prediction by its index, upright, as JPEG or PNG, its longer side at most
            96 px, or None where there is none.
        drawn: gives the picture of a photo with its boxes drawn in, or None where none was made.
        workbook: where the workbook goes; None for ``report.xlsx`` in ``folder``.

    Raises:
        OutputError: a file cannot be written (full disk, no permission, open in Excel); earlier ones stay as they were.
    """
    book = workbook or folder / WORKBOOK
    _check_replaceable(book)
    report = _look_through(results, run, book.parent, thumbnail, drawn)
    tables = list_tables(report)
    paths = [folder / f"{table.file_name}.csv" for table in tables]
    for path in paths:
        _check_replaceable(path)
    with ExitStack() as stack:
        # The last is moved into place first: the workbook is the file most likely to be held open.
        for table, path in zip(tables, paths, strict=True):
            write_csv(stack.enter_context(replacing(path)), table.columns, table.rows)
        write_workbook(
            stack.enter_context(replacing(book)),
            summarise(report.survey, run, report.words),
            tables,
            notes=_list_notes(results, run, folder),
            words=sheet_words(report.words),
        )
    return ReportFiles(book, tuple(paths))


def _look_through(
    results: Results,
    run: RunInfo,
    folder: Path,
    thumbnail: Callable[[PhotoResult, int], bytes | None] | None,
    drawn: Callable[[str], Path | None] | None,
) -> Report:
    survey = survey_results(results, run, thumbnail=thumbnail, drawn=drawn)
    return Report(results, run, folder, survey, Words(run.language), thumbnail, drawn)


def _list_notes(results: Results, run: RunInfo, folder: Path) -> dict[str, str]:
    """What ``cropsort correct`` has to know of the workbook."""
    source = results.path.parent if isinstance(results, RecordedResults) else folder
    return {
        "cropsort results": str(source.resolve()),
        "cropsort photos": str(run.photos),
        "cropsort version": run.cropsort_version,
        "cropsort language": run.language,
    }


def _check_replaceable(path: Path) -> None:
    """Find out before the work, not after it, that Excel has the file open (Windows lets nobody else have it then)."""
    try:
        with path.open("r+b"):
            pass
    except FileNotFoundError:
        pass
    except OSError as error:
        raise output_error(error, path) from error


def write_csv(path: Path, columns: Sequence[Column[Any]], rows: Iterable[Any]) -> None:
    """Write a table as Excel reads it: a byte order mark, or it garbles Korean, and Windows line ends."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow([csv_value(column.header) for column in columns])
        writer.writerows([csv_value(column.value(row)) for column in columns] for row in rows)


def csv_value(value: Value) -> Value:
    """A value as a CSV may hold it: text that a spreadsheet may run gets an apostrophe in front."""
    if not isinstance(value, str):
        return value
    text = clean_text(value)
    return f"'{text}" if _FORMULA.match(text) else text
