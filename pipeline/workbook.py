"""A workbook of a summary and plain tables, safe to open and pleasant to read in Excel and LibreOffice.

The only module that meets XlsxWriter.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any, Generic

from pipeline.tables import (
    MAX_PICTURES,
    MAX_ROWS,
    TEXT,
    Column,
    Row,
    Summary,
    Table,
    Value,
    clean_text,
    count_units,
    is_web_address,
)

_MAX_LINKS = 65_530
_MAX_LINK_UNITS = 2_079
_PICTURE_PX = 72
_CELL_PX = 82
_ROW_PT = 18
_A4 = 9
_MOVE_AND_SIZE = 1

_TITLE = {"bold": True, "font_size": 16}
_HEADING = {"bold": True, "font_size": 12}
_HEADER = {"bold": True, "text_wrap": True, "bg_color": "#DDE6F0", "bottom": 1}
_CELL = {"valign": "vcenter"}
_LINK = {**_CELL, "font_color": "#0563C1", "underline": 1, "indent": 1}
_FACT = {"font_color": "#5A6675"}
_WARNING = {"font_color": "#B45309"}
_BAR_COLOUR = "#3A75A8"

_SHADES = {
    "type": "2_color_scale",
    "min_type": "num",
    "min_value": 0.5,
    "min_color": "#F8CFA0",
    "max_type": "num",
    "max_value": 1,
    "max_color": "#FFFFFF",
}
"""The unsure stand out, the sure stay white; one hue, since some readers cannot tell red from green."""

_TEXT_IS_TEXT = {"strings_to_formulas": False, "strings_to_numbers": False, "strings_to_urls": False}

_Xlsx = Any  # a Workbook, Worksheet, Chart or Format: XlsxWriter ships no types


def write_workbook(path: Path, summary: Summary, tables: Sequence[Table[Any]]) -> None:
    """Write a workbook: the summary, then each table on a sheet of its own.

    Text is never taken for a formula, a number or a link. A link target is a relative path with forward slashes,
    percent-escaped; one that Excel has no room for is left out.

    Raises:
        OSError: it cannot be written.
    """
    import xlsxwriter
    from xlsxwriter.exceptions import FileCreateError

    buffer = BytesIO()  # given a path, XlsxWriter's ZipFile complains on stderr once more when the disk is full
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch:
        workbook = xlsxwriter.Workbook(buffer, {"constant_memory": True, "tmpdir": scratch, **_TEXT_IS_TEXT})
        try:
            _SummarySheet(workbook).write(summary)
            for table in tables:
                _TableSheet(workbook, table).write()
            workbook.close()
        except FileCreateError as error:  # wraps the OSError, but is none
            raise error.args[0] from error
        finally:
            _close_scratch(workbook)
    path.write_bytes(buffer.getvalue())


def _close_scratch(workbook: _Xlsx) -> None:
    """Close the rows' files: left to the collector after a full disk, each would complain on stderr once more."""
    for sheet in workbook.worksheets():
        with suppress(OSError):
            sheet.row_data_fh.close()


class _TableSheet(Generic[Row]):
    """A table on its way to a sheet; rows are written in order, since memory holds one at a time."""

    def __init__(self, workbook: _Xlsx, table: Table[Row]) -> None:
        self._sheet = workbook.add_worksheet(table.name)
        self._table = table
        self._first = 0 if table.picture is None else 1
        self._headers = _header_formats(workbook, table.columns, valign="top")
        self._formats = _cell_formats(workbook, table.columns)
        self._link = workbook.add_format({**_LINK, "text_wrap": table.picture is not None})
        self._links = self._pictures = 0

    def write(self) -> None:
        self._write_header()
        count = 0
        for count, row in enumerate(islice(self._table.rows, MAX_ROWS), start=1):
            self._write_row(count, row)
        self._dress(count)

    def _write_header(self) -> None:
        self._sheet.set_row_pixels(0, 60)  # two lines, and below them Excel's filter buttons
        if self._first:
            self._sheet.set_column_pixels(0, 0, _CELL_PX)
            self._sheet.write_string(0, 0, "crop", self._headers[0])
        columns = zip(self._table.columns, self._headers, strict=True)
        for place, (column, style) in enumerate(columns, start=self._first):
            self._sheet.set_column(place, place, column.width)
            self._sheet.write_string(0, place, clean_text(column.header), style)

    def _write_row(self, number: int, row: Row) -> None:
        self._write_picture(number, row)
        for place, (column, style) in enumerate(zip(self._table.columns, self._formats, strict=True)):
            target = column.link(row) if column.link else None
            if target is not None and self._links < _MAX_LINKS and count_units(target) <= _MAX_LINK_UNITS:
                self._links += 1
                text = clean_text(str(column.value(row)))
                address = target if is_web_address(target) else f"external:{target}"
                self._sheet.write_url(number, self._first + place, address, self._link, text)
            else:
                _write_value(self._sheet, number, self._first + place, column.value(row), style)

    def _write_picture(self, number: int, row: Row) -> None:
        if self._table.picture is None:
            return
        self._sheet.set_row_pixels(number, _CELL_PX)  # with or without a picture, as a sort moves pictures, not heights
        picture = self._table.picture(row) if self._pictures < MAX_PICTURES else None
        if picture is not None:
            self._pictures += 1
            _insert_picture(self._sheet, number, picture)

    def _dress(self, count: int) -> None:
        """Whatever helps reading ``count`` rows on screen and on paper."""
        last = self._first + len(self._table.columns) - 1
        self._sheet.freeze_panes(1, self._first + 1)
        self._sheet.autofilter(0, 0, max(count, 1), last)  # with the pictures' column, or they stay behind in a sort
        self._sheet.ignore_errors({"number_stored_as_text": "A1:XFD1048576"})  # a class named 7, a file named 0012
        for place, column in enumerate(self._table.columns, start=self._first):
            if column.shaded:
                self._sheet.conditional_format(1, place, max(count, 1), place, _SHADES)
        self._sheet.repeat_rows(0)
        _set_up_page(self._sheet)


def _write_value(sheet: _Xlsx, row: int, place: int, value: Value, style: _Xlsx) -> None:
    if isinstance(value, str):
        sheet.write_string(row, place, clean_text(value), style)
    elif isinstance(value, datetime):
        sheet.write_datetime(row, place, value, style)
    elif value is not None:
        sheet.write_number(row, place, value, style)


def _insert_picture(sheet: _Xlsx, row: int, picture: bytes) -> None:
    """Put a picture in the middle of the first cell, wholly inside, or Excel would not sort it with its row."""
    from xlsxwriter.image import Image

    image = Image(BytesIO(picture))
    scale = min(1.0, _PICTURE_PX / max(image.width, image.height))
    options = {
        "x_offset": (_CELL_PX - image.width * scale) // 2,
        "y_offset": (_CELL_PX - image.height * scale) // 2,
        "x_scale": scale * image.x_dpi / 96,  # XlsxWriter divides by the dpi that the file claims
        "y_scale": scale * image.y_dpi / 96,
        "object_position": _MOVE_AND_SIZE,
        "decorative": True,
    }
    sheet.insert_image(row, 0, image, options)


def _set_up_page(sheet: _Xlsx) -> None:
    sheet.set_default_row(_ROW_PT)
    sheet.set_landscape()
    sheet.set_paper(_A4)
    sheet.set_margins(left=0.4, right=0.4, top=0.5, bottom=0.6)
    sheet.fit_to_pages(1, 0)
    sheet.set_footer("&L&A&RPage &P of &N")


class _SummarySheet:
    """The first sheet, from the top down."""

    def __init__(self, workbook: _Xlsx) -> None:
        self._workbook = workbook
        self._sheet = workbook.add_worksheet("Summary")
        self._row = 0

    def write(self, summary: Summary) -> None:
        self._sheet.hide_gridlines(2)
        self._sheet.set_column(0, 0, 24)
        self._sheet.set_column(1, 2, 18)
        self._sheet.set_column(3, 3, 24)
        _set_up_page(self._sheet)
        self._sheet.set_row(0, 1.5 * _ROW_PT)
        self._write_line(summary.title, _TITLE)
        self._write_line(summary.headline, _HEADING)
        self._write_facts(summary.facts)
        self._write_warnings(summary.warnings)
        for table in summary.tables:
            first = self._write_table(table)
        self._draw_bars(summary.tables[-1], first)

    def _write_line(self, text: str, style: dict[str, Any]) -> None:
        self._sheet.write_string(self._row, 0, clean_text(text), self._workbook.add_format(style))
        self._row += 1

    def _write_facts(self, facts: Sequence[tuple[str, Value, str]]) -> None:
        self._row += 1
        for name, value, number_format in facts:
            style = self._workbook.add_format({"num_format": number_format, "align": "left", "indent": 1})
            _write_value(self._sheet, self._row, 1, value, style)
            self._write_line(name, _FACT)

    def _write_warnings(self, warnings: Sequence[str]) -> None:
        self._row += 1
        self._write_line("Warnings" if warnings else "No warnings", _HEADING)
        for warning in warnings:
            self._write_line(warning, _WARNING)

    def _write_table(self, table: Table[Row]) -> int:
        """Write a heading, the column headers and the rows; returns the number of the first row."""
        self._row += 1
        self._write_line(table.name, _HEADING)
        headers = _header_formats(self._workbook, table.columns, valign="vcenter")
        for place, (column, style) in enumerate(zip(table.columns, headers, strict=True)):
            self._sheet.write_string(self._row, place, column.header, style)
        first = self._row = self._row + 1
        formats = _cell_formats(self._workbook, table.columns)
        for row in table.rows:
            for place, (column, style) in enumerate(zip(table.columns, formats, strict=True)):
                _write_value(self._sheet, self._row, place, column.value(row), style)
            self._row += 1
        return first

    def _draw_bars(self, table: Table[Row], first: int) -> None:
        """Draw the table just written as bars, to its right."""
        last = self._row - 1
        if last < first:
            return
        chart = self._workbook.add_chart({"type": "bar"})
        chart.add_series(
            {
                "categories": ["Summary", first, 0, last, 0],
                "values": ["Summary", first, 1, last, 1],
                "fill": {"color": _BAR_COLOUR},
                "gap": 60,
                "data_labels": {"value": True},
            }
        )
        chart.set_title({"name": table.name, "name_font": {"size": 12}})
        chart.set_legend({"none": True})
        chart.set_y_axis({"reverse": True, "major_tick_mark": "none"})  # the first class on top, as in the table
        chart.set_x_axis({"min": 0, "visible": False, "major_gridlines": {"visible": False}})
        chart.set_size({"width": 480, "height": min(90 + 30 * (last - first + 1), 1600)})
        self._sheet.insert_chart(first - 2, 5, chart, {"x_offset": 24})


def _header_formats(workbook: _Xlsx, columns: Sequence[Column[Row]], *, valign: str) -> list[_Xlsx]:
    return [workbook.add_format({**_HEADER, "valign": valign, **_alignment(column)}) for column in columns]


def _cell_formats(workbook: _Xlsx, columns: Sequence[Column[Row]]) -> list[_Xlsx]:
    return [workbook.add_format({**_CELL, "num_format": item.number_format, **_alignment(item)}) for item in columns]


def _alignment(column: Column[Row]) -> dict[str, Any]:
    """Text to the left, clear of the number before it; numbers to the right."""
    return {"align": "left", "indent": 1} if column.number_format == TEXT else {"align": "right"}
