"""What the sheets of a workbook share: how cells look, how a value comes into one, and how a page is printed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pipeline.workbook.tables import TEXT, Column, Row, SheetWords, Value, clean_text

Xlsx = Any
"""A Workbook, Worksheet, Chart or Format: XlsxWriter ships no types."""

ROW_PT = 18
"""Height of a row without a picture."""

CELL = {"valign": "vcenter"}

_A4 = 9
_AS_TYPED = "@"
"""Number format of text to be typed: a class named 7 stays one, 1-2 is no date, and = begins no formula."""

_HEADER = {"bold": True, "text_wrap": True, "bg_color": "#DDE6F0", "bottom": 1}
_HEADER_TO_EDIT = {**_HEADER, "bg_color": "#FBE3A6"}
_TO_EDIT = {"bg_color": "#FFF8E1"} | {
    key: value
    for side in ("left", "right", "bottom")  # since a fill hides the lines between the cells
    for key, value in ((side, 1), (f"{side}_color", "#EADFBF"))
}


def add_sheet(workbook: Xlsx, name: str) -> Xlsx:
    """A new sheet, on which text is text, whatever it is."""
    sheet = workbook.add_worksheet(name)
    # Else <r>...</r>, which XlsxWriter takes for XML of its own making, would come into the file as it is.
    sheet._xml_rich_inline_string = lambda text, attributes: sheet._xml_inline_string(text, True, attributes)
    return sheet


def header_formats(workbook: Xlsx, columns: Sequence[Column[Row]], *, valign: str) -> list[Xlsx]:
    """How the headers of columns look."""
    return [
        workbook.add_format({**(_HEADER_TO_EDIT if item.editable else _HEADER), "valign": valign, **_alignment(item)})
        for item in columns
    ]


def cell_formats(workbook: Xlsx, columns: Sequence[Column[Row]]) -> list[Xlsx]:
    """How the cells of columns look."""
    return [workbook.add_format({**CELL, **_looks(item), **_alignment(item)}) for item in columns]


def write_value(sheet: Xlsx, row: int, place: int, value: Value, style: Xlsx) -> None:
    """Write a value as what it is, text never as a formula, a number or a link; infinity and NaN leave it empty."""
    if isinstance(value, str):
        sheet.write_string(row, place, clean_text(value), style)
    elif isinstance(value, datetime):
        sheet.write_datetime(row, place, value, style)
    elif value is not None and math.isfinite(value):
        sheet.write_number(row, place, value, style)


def set_up_page(sheet: Xlsx, words: SheetWords) -> None:
    """Rows of one height; printed on A4, as wide as the paper."""
    sheet.set_default_row(ROW_PT)
    sheet.set_landscape()
    sheet.set_paper(_A4)
    sheet.set_margins(left=0.4, right=0.4, top=0.5, bottom=0.6)
    sheet.fit_to_pages(1, 0)
    sheet.set_footer(f"&L&A&R{words.page}")


def _looks(column: Column[Row]) -> dict[str, Any]:
    if not column.editable:
        return {"num_format": column.number_format}
    return {**_TO_EDIT, "num_format": _AS_TYPED if column.number_format == TEXT else column.number_format}


def _alignment(column: Column[Row]) -> dict[str, Any]:
    """Text to the left, clear of the number before it; numbers to the right."""
    return {"align": "left", "indent": 1} if column.number_format == TEXT else {"align": "right"}
