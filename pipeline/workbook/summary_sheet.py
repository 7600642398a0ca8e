"""The first sheet of a workbook: what it is about in large letters, facts, warnings, small tables and their charts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from pipeline.workbook.cells import ROW_PT, Xlsx, add_sheet, cell_formats, header_formats, set_up_page, write_value
from pipeline.workbook.tables import Row, SheetWords, Summary, Table, Value, clean_text

_TITLE = {"bold": True, "font_size": 16}
_HEADING = {"bold": True, "font_size": 12}
_FACT = {"font_color": "#5A6675"}
_WARNING = {"font_color": "#B45309"}

_CHART_COLOUR = "#3A75A8"
_CHART_WIDTH_PX = 480
_COLUMNS_HEIGHT_PX = 270
_ROW_PX = ROW_PT * 96 // 72
_LEFTMOST_CHART = 5
"""Column where charts stand, unless a table reaches as far."""


class _Written(NamedTuple):
    """A table on the sheet, and the numbers of its first row and of the row below its last."""

    table: Table[Any]
    first: int
    end: int


class SummarySheet:
    """The first sheet, from the top down.

    Args:
        workbook: that it is in.
        name: claimed for it.
        words: what it says of itself.
    """

    def __init__(self, workbook: Xlsx, name: str, words: SheetWords) -> None:
        self._workbook = workbook
        self._name = name
        self._words = words
        self._sheet = add_sheet(workbook, name)
        self._row = 0

    def write(self, summary: Summary) -> None:
        """Write all of it."""
        self._sheet.hide_gridlines(2)
        self._sheet.set_column(0, 0, 24)
        self._sheet.set_column(1, 2, 18)
        self._sheet.set_column(3, 3, 24)
        self._sheet.set_column(4, 4, 14)
        set_up_page(self._sheet, self._words)
        self._sheet.set_portrait()  # so that it is one page as a rule, with no chart cut in two
        self._sheet.set_row(0, 1.5 * ROW_PT)
        self._write_line(summary.title, _TITLE)
        self._write_line(summary.headline, _HEADING)
        self._write_facts(summary.facts)
        self._write_warnings(summary.warnings)
        self._draw([self._write_table(table) for table in summary.tables])

    def _write_line(self, text: str, style: dict[str, Any]) -> None:
        self._sheet.write_string(self._row, 0, clean_text(text), self._workbook.add_format(style))
        self._row += 1

    def _write_facts(self, facts: Sequence[tuple[str, Value, str]]) -> None:
        self._row += 1
        for name, value, number_format in facts:
            style = self._workbook.add_format({"num_format": number_format, "align": "left", "indent": 1})
            write_value(self._sheet, self._row, 1, value, style)
            self._write_line(name, _FACT)

    def _write_warnings(self, warnings: Sequence[str]) -> None:
        self._row += 1
        self._write_line(self._words.warnings if warnings else self._words.no_warnings, _HEADING)
        for warning in warnings:
            self._write_line(warning, _WARNING)

    def _write_table(self, table: Table[Row]) -> _Written:
        """Write a heading, the column headers and the rows."""
        self._row += 1
        self._write_line(table.name, _HEADING)
        headers = header_formats(self._workbook, table.columns, valign="vcenter")
        for place, (column, style) in enumerate(zip(table.columns, headers, strict=True)):
            self._sheet.write_string(self._row, place, clean_text(column.header), style)
        first = self._row = self._row + 1
        formats = cell_formats(self._workbook, table.columns)
        for row in table.rows:
            for place, (column, style) in enumerate(zip(table.columns, formats, strict=True)):
                write_value(self._sheet, self._row, place, column.value(row), style)
            self._row += 1
        return _Written(table, first, self._row)

    def _draw(self, tables: Sequence[_Written]) -> None:
        """Draw the tables that are drawn, to their right, none over another."""
        place = max([_LEFTMOST_CHART, *(len(written.table.columns) for written in tables)])
        free = 0
        for written in tables:
            rows, kind = written.end - written.first, written.table.chart
            if not rows or kind is None:
                continue
            top = max(free, written.first - 2)
            height = min(90 + 30 * rows, 1600) if kind == "bars" else _COLUMNS_HEIGHT_PX
            chart = self._make_bars(written) if kind == "bars" else self._make_columns(written)
            chart.set_size({"width": _CHART_WIDTH_PX, "height": height})
            self._sheet.insert_chart(top, place, chart, {"x_offset": 24})
            free = top + math.ceil(height / _ROW_PX) + 1

    def _make_bars(self, written: _Written) -> Xlsx:
        chart = self._make_chart("bar", written)
        chart.set_y_axis({"reverse": True, "major_tick_mark": "none"})  # the first class on top, as in the table
        chart.set_x_axis({"min": 0, "visible": False, "major_gridlines": {"visible": False}})
        return chart

    def _make_columns(self, written: _Written) -> Xlsx:
        chart = self._make_chart("column", written)
        chart.set_x_axis({"major_tick_mark": "none", "num_font": {"size": 8}})
        chart.set_y_axis({"min": 0, "visible": False, "major_gridlines": {"visible": False}})
        return chart

    def _make_chart(self, kind: str, written: _Written) -> Xlsx:
        chart = self._workbook.add_chart({"type": kind})
        chart.add_series(
            {
                "categories": [self._name, written.first, 0, written.end - 1, 0],
                "values": [self._name, written.first, 1, written.end - 1, 1],
                "fill": {"color": _CHART_COLOUR},
                "gap": 60,
                "data_labels": {"value": True},
            }
        )
        chart.set_title({"name": clean_text(written.table.name), "name_font": {"size": 12}})
        chart.set_legend({"none": True})
        return chart
