"""A workbook of a summary and tables, safe to open and pleasant to read and to answer in Excel and LibreOffice.

The only module that opens and closes XlsxWriter's workbooks; the sheets are written by ``summary_sheet``,
``table_sheet`` and ``drop_downs``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from traceback import walk_tb
from types import MappingProxyType
from typing import Any

from pipeline.workbook.cells import Xlsx
from pipeline.workbook.drop_downs import DropDowns
from pipeline.workbook.notes import split_note
from pipeline.workbook.sheet_names import SheetNames
from pipeline.workbook.summary_sheet import SummarySheet
from pipeline.workbook.table_sheet import TableSheets
from pipeline.workbook.tables import SheetWords, Summary, Table, clean_text

_NO_NOTES: Mapping[str, str] = MappingProxyType({})
_ENGLISH = SheetWords()

_FEW_ROWS = 10_000
"""Up to so many a workbook is put together in memory: with a file for each picture it takes twice as long."""

_TEXT_IS_TEXT = {"strings_to_formulas": False, "strings_to_numbers": False, "strings_to_urls": False}


def write_workbook(
    path: Path,
    summary: Summary,
    tables: Sequence[Table[Any]],
    *,
    notes: Mapping[str, str] = _NO_NOTES,
    words: SheetWords = _ENGLISH,
) -> None:
    """Write a workbook: the summary, then each table on a sheet of its own.

    Text is never taken for a formula, a number or a link. A link target is a relative path with forward slashes,
    percent-escaped; one that Excel has no room for is left out, and the cell is plain text. A table with more rows
    than a sheet has room for goes on on further sheets. Columns that are hidden, and the pictures, are sorted with
    the others.

    Args:
        path: of the workbook.
        summary: the first sheet.
        tables: the others, in their order; their rows are gone through once.
        notes: for programs, kept as properties of the document; see ``notes.read_note``.
        words: what the sheets say of themselves.

    Raises:
        OSError: it cannot be written.
    """
    import xlsxwriter
    from xlsxwriter.exceptions import FileCreateError

    buffer = _StaysOpen()  # given a path, XlsxWriter's ZipFile complains on stderr once more when the disk is full
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        workbook = xlsxwriter.Workbook(buffer, {"constant_memory": True, "tmpdir": scratch, **_TEXT_IS_TEXT})
        workbook.use_zip64()  # which changes nothing below 2 GB
        try:
            _write_notes(workbook, notes)
            _write_sheets(workbook, summary, tables, words)
            workbook.in_memory = _count_rows(workbook) <= _FEW_ROWS  # looked at by ``close``; the rows are in files
            workbook.close()
        except FileCreateError as error:  # wraps the OSError, but is none
            _close_unfinished(error.args[0])
            raise error.args[0] from error
        finally:
            _close_scratch(workbook)
    path.write_bytes(buffer.getbuffer())


class _StaysOpen(BytesIO):
    """When the disk is full, XlsxWriter leaves its ZipFile to the collector, which may take what it writes to first."""

    def close(self) -> None:
        """Do nothing."""


def _write_notes(workbook: Xlsx, notes: Mapping[str, str]) -> None:
    for name, text in notes.items():
        for part, piece in split_note(name, clean_text(text)):
            workbook.set_custom_property(part, piece, "text")


def _write_sheets(workbook: Xlsx, summary: Summary, tables: Sequence[Table[Any]], words: SheetWords) -> None:
    names = SheetNames()
    first, *others = [names.claim(name) for name in (words.summary, *(table.name for table in tables))]
    columns = (column for table in tables for column in table.columns)
    drop_downs = DropDowns(columns, names.claim("drop-down lists"), words)
    SummarySheet(workbook, first, words).write(summary)
    for name, table in zip(others, tables, strict=True):
        TableSheets(workbook, names, name, table, drop_downs=drop_downs, words=words).write()
    drop_downs.write(workbook)


def _count_rows(workbook: Xlsx) -> int:
    return sum(sheet.dim_rowmax or 0 for sheet in workbook.worksheets())


def _close_unfinished(error: OSError) -> None:
    """Close the files that an error found half written: at their end the collector would complain on stderr once more.

    XlsxWriter keeps them nowhere but in what the error went through.
    """
    for frame, _line in walk_tb(error.__traceback__):
        _close(getattr(frame.f_locals.get("self"), "fh", None))


def _close_scratch(workbook: Xlsx) -> None:
    """Close the rows' files, for the same reason."""
    for sheet in workbook.worksheets():
        _close(sheet.row_data_fh)


def _close(file: Any) -> None:
    if file is not None:
        with suppress(OSError):
            file.close()
