"""A table on a sheet of a workbook, or on several where one has no room for it."""

from __future__ import annotations

import struct
from collections.abc import Callable
from io import BytesIO
from typing import Generic

from pipeline.workbook.cells import CELL, Xlsx, add_sheet, cell_formats, header_formats, set_up_page, write_value
from pipeline.workbook.drop_downs import DropDowns
from pipeline.workbook.sheet_names import SheetNames
from pipeline.workbook.tables import (
    MAX_LINKS,
    Column,
    Row,
    SheetWords,
    Table,
    clean_text,
    count_units,
    is_web_address,
)

_MAX_LINK_UNITS = 2_079
_PICTURE_PX = 72
_CELL_PX = 82
_HEADER_PX = 60
"""Two lines, and below them Excel's filter buttons."""

_MOVE_AND_SIZE = 1
_LINK = {**CELL, "font_color": "#0563C1", "underline": 1, "indent": 1}
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


class TableSheets(Generic[Row]):
    """A table on its way to its sheets; rows are written in order, since memory holds one at a time.

    Args:
        workbook: that the sheets are in.
        names: of its sheets.
        name: of the first one, claimed.
        table: what is written.
        drop_downs: of the workbook.
        words: what the sheets say of themselves.
    """

    def __init__(
        self,
        workbook: Xlsx,
        names: SheetNames,
        name: str,
        table: Table[Row],
        *,
        drop_downs: DropDowns,
        words: SheetWords,
    ) -> None:
        self._workbook, self._names, self._words = workbook, names, words
        self._table, self._drop_downs = table, drop_downs
        self._first = 0 if table.picture is None else 1
        self._headers = header_formats(workbook, table.columns, valign="top")
        formats = cell_formats(workbook, table.columns)
        self._cells = [
            (place, column, style)
            for place, (column, style) in enumerate(zip(table.columns, formats, strict=True), start=self._first)
        ]
        self._link = workbook.add_format({**_LINK, "text_wrap": table.picture is not None})
        self._parts = self._pictures = 0
        self._begin(name)

    def write(self) -> None:
        """Write all rows; a sheet that is full is followed by another one."""
        for row in self._table.rows:
            if self._count == self._table.max_rows:
                self._dress()
                self._begin(self._names.claim(self._table.name, self._parts + 1))
            self._count += 1
            self._write_row(row)
        self._dress()

    def _begin(self, name: str) -> None:
        self._sheet = add_sheet(self._workbook, name)
        self._parts += 1
        self._count = self._links = 0
        self._write_header()

    def _write_header(self) -> None:
        self._sheet.set_row_pixels(0, _HEADER_PX)
        if self._first:
            self._sheet.set_column_pixels(0, 0, _CELL_PX)
            self._sheet.write_string(0, 0, clean_text(self._words.crop), self._headers[0])
        columns = zip(self._table.columns, self._headers, strict=True)
        for place, (column, style) in enumerate(columns, start=self._first):
            self._sheet.set_column(place, place, column.width, None, {"hidden": column.hidden})
            self._sheet.write_string(0, place, clean_text(column.header), style)

    def _write_row(self, row: Row) -> None:
        self._write_picture(row)
        for place, column, style in self._cells:
            if column.link is None or not self._write_link(column, column.link, place, row):
                self._write_cell(column, place, row, style)

    def _write_cell(self, column: Column[Row], place: int, row: Row, style: Xlsx) -> None:
        value = column.value(row)
        if column.editable and value is None:
            self._sheet.write_blank(self._count, place, None, style)
        else:
            write_value(self._sheet, self._count, place, value, style)

    def _write_link(self, column: Column[Row], link: Callable[[Row], str | None], place: int, row: Row) -> bool:
        """Whether there is one, and room for it."""
        target = link(row) if self._links < MAX_LINKS else None
        if target is None or count_units(target) > _MAX_LINK_UNITS:
            return False
        self._links += 1
        address = target if is_web_address(target) else f"external:{target}"
        self._sheet.write_url(self._count, place, address, self._link, clean_text(str(column.value(row))))
        return True

    def _write_picture(self, row: Row) -> None:
        if self._table.picture is None:
            return
        self._sheet.set_row_pixels(self._count, _CELL_PX)  # with or without one: a sort moves pictures, not heights
        picture = self._table.picture(row) if self._pictures < self._table.max_pictures else None
        if picture is not None and _insert_picture(self._sheet, self._count, picture):
            self._pictures += 1

    def _dress(self) -> None:
        """Whatever helps reading the rows on screen and on paper, and answering."""
        last, count = self._first + len(self._table.columns) - 1, max(self._count, 1)
        self._sheet.freeze_panes(1, self._first + 1)
        self._sheet.autofilter(0, 0, count, last)  # with pictures and hidden columns, or they stay behind in a sort
        self._sheet.ignore_errors({"number_stored_as_text": "A1:XFD1048576"})  # a class named 7, a file named 0012
        for place, column in enumerate(self._table.columns, start=self._first):
            if column.shaded:
                self._sheet.conditional_format(1, place, count, place, _SHADES)
            if column.choices:
                self._drop_downs.attach(self._sheet, column, place, count)
        self._sheet.repeat_rows(0)
        set_up_page(self._sheet, self._words)


def _insert_picture(sheet: Xlsx, row: int, picture: bytes) -> bool:
    """Put a picture in the middle of the first cell, wholly inside, or Excel would not sort it with its row.

    Returns:
        Whether it was one; a thumbnail that was cut off on its way to the disk is not.
    """
    from xlsxwriter.exceptions import XlsxWriterException
    from xlsxwriter.image import Image

    try:
        image = Image(BytesIO(picture))
    except (XlsxWriterException, struct.error):
        return False
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
    return True
