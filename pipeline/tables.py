"""What tables and the summary of a run are made of: cells and columns; what they say of photos ``report`` decides."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

Row = TypeVar("Row")

Value = str | int | float | datetime | None
"""What a cell may hold; None leaves it empty."""

TEXT = "General"
"""Number format of a column that holds none."""

PERCENT, WHOLE, COUNT, DATE = "0%", "0", '0;-0;"–"', "yyyy-mm-dd hh:mm"
"""Number formats; a count of 0 is a dash."""

DEGREES = "0.000000"
"""Number format of an angle, to a decimetre on the ground."""

MAX_ROWS = 1_048_575
"""Rows below the header that a sheet of Excel has room for."""

MAX_PICTURES = 10_000
"""Pictures on a sheet; more would make it slow to open, scroll and sort, and nobody looks at so many."""

_MAX_TEXT_UNITS = 32_767

_FORBIDDEN = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 has no way to say: most control characters, and the halves of characters in undecodable file names."""


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """A column of a table, in xlsx and csv alike.

    Args:
        header: its name, unique in the table.
        value: gives a row's value.
        width: in characters of the default font.
        number_format: as Excel writes it, for a column of numbers or dates.
        link: gives a row's link target (see ``write_workbook``), or None for plain text.
        shaded: colour the cells, the stronger the further below 1 the value is.
        meaning: what it says, in a sentence, for the data dictionary.
        unit: of its values, for the data dictionary.
        choices: what a cell may be given by its reader, from a drop-down; None of them for anything.
        editable: whether its reader is to write into it.
        hidden: whether it is for programs alone.
    """

    header: str
    value: Callable[[Row], Value]
    width: float = 10
    number_format: str = TEXT
    link: Callable[[Row], str | None] | None = None
    shaded: bool = False
    meaning: str = ""
    unit: str = ""
    choices: Sequence[str] = ()
    editable: bool = False
    hidden: bool = False


@dataclass(frozen=True, slots=True)
class Table(Generic[Row]):
    """A table that gets a sheet, or a place on the summary, of its own.

    Args:
        name: of the sheet, or heading of the place.
        columns: from the left.
        rows: from the top; on a sheet, those past ``MAX_ROWS`` are left out.
        picture: gives a row's JPEG or PNG, shown left of the other columns, until ``MAX_PICTURES`` are on the sheet.
    """

    name: str
    columns: Sequence[Column[Row]]
    rows: Iterable[Row]
    picture: Callable[[Row], bytes | None] | None = None


@dataclass(frozen=True, slots=True)
class Summary:
    """What the first sheet says.

    Args:
        title: in large letters.
        headline: the result in one sentence.
        facts: name, value and number format of each.
        warnings: a sentence each.
        tables: one below the other; the last is drawn as bars as well, its second column over its first.
    """

    title: str
    headline: str
    facts: Sequence[tuple[str, Value, str]]
    warnings: Sequence[str]
    tables: Sequence[Table[Any]]


def is_web_address(target: str) -> bool:
    """Whether a link leads into the web, and not to a file."""
    return target.lower().startswith(("http://", "https://"))


def clean_text(text: str) -> str:
    """The text as a cell can hold it: without characters that XML forbids, cut at 32,767 UTF-16 units."""
    text = _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)
    if count_units(text) <= _MAX_TEXT_UNITS:
        return text
    kept = text.encode("utf-16-le")[: 2 * (_MAX_TEXT_UNITS - 1)]
    return kept.decode("utf-16-le", errors="ignore") + "…"


def count_units(text: str) -> int:
    """Length as Excel counts it, in UTF-16 units."""
    return len(text.encode("utf-16-le")) // 2
