"""What the cells of a workbook may be given from a list: short lists stand with the cells, others on a hidden sheet."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import Any

from pipeline.workbook.cells import Xlsx, add_sheet
from pipeline.workbook.tables import Column, SheetWords, clean_text, count_units

_MAX_UNITS = 255
_NOT_WITH_THE_CELLS = re.compile(r'[,"\x00-\x1f]|\A\s|\s\Z|\A\Z')
"""What would be parted at its commas, or lose the blanks at its ends, or is nothing at all."""


class DropDowns:
    """The lists of a workbook.

    Args:
        columns: all that may have choices.
        sheet_name: of the hidden sheet.
        words: what who types something else is told.
    """

    def __init__(self, columns: Iterable[Column[Any]], sheet_name: str, words: SheetWords) -> None:
        lists = dict.fromkeys(_clean(column.choices) for column in columns if column.choices)
        self._hidden = [choices for choices in lists if not _fits_with_the_cells(choices)]
        self._sheet_name = sheet_name
        self._words = words

    def attach(self, sheet: Xlsx, column: Column[Any], place: int, count: int) -> None:
        """Give the first ``count`` cells below a column's header its list, and refuse what is not on it."""
        choices = _clean(column.choices)
        rule = {
            "validate": "list",
            "source": self._range(choices) if choices in self._hidden else list(choices),
            "error_title": self._words.refused,
            "error_message": self._words.choose,
        }
        sheet.data_validation(1, place, count, place, rule)

    def write(self, workbook: Xlsx) -> None:
        """Write the hidden sheet, where a list needs it."""
        if not self._hidden:
            return
        sheet = add_sheet(workbook, self._sheet_name)
        sheet.hide()
        as_typed = workbook.add_format({"num_format": "@"})
        for row, items in enumerate(zip_longest(*self._hidden)):
            for place, item in enumerate(items):
                if item is not None:
                    sheet.write_string(row, place, item, as_typed)

    def _range(self, choices: Sequence[str]) -> str:
        from xlsxwriter.utility import xl_range_abs

        place = self._hidden.index(tuple(choices))
        return f"='{self._sheet_name}'!{xl_range_abs(0, place, len(choices) - 1, place)}"


def _clean(choices: Iterable[str]) -> tuple[str, ...]:
    """The choices as cells can hold them, each once."""
    return tuple(dict.fromkeys(map(clean_text, choices)))


def _fits_with_the_cells(choices: Sequence[str]) -> bool:
    plain = not any(_NOT_WITH_THE_CELLS.search(choice) for choice in choices)
    return plain and count_units(",".join(choices)) <= _MAX_UNITS
