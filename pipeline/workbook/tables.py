"""What tables and the summary of a run are made of: cells and columns; what they say of photos ``report`` decides."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

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
"""Pictures of a table; more would make it slow to open, scroll and sort, and nobody looks at so many."""

MAX_LINKS = 65_530
"""Links that a sheet of Excel has room for."""

_MAX_TEXT_UNITS = 32_767

_FORBIDDEN = re.compile("[^\t\n\r -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 has no way to say: most control characters, and the halves of characters in undecodable file names."""


Chart = Literal["bars", "columns"]
"""Bars lie, columns stand."""


@dataclass(frozen=True, slots=True)
class Column(Generic[Row]):
    """A column of a table, in xlsx and csv alike.

    Args:
        header: its name, unique in the table.
        value: gives a row's value.
        width: in characters of the default font.
        number_format: as Excel writes it, for a column of numbers or dates.
        link: gives a row's link target (see ``write_workbook``), or None for plain text; past ``MAX_LINKS`` all is
            plain text.
        shaded: colour the cells, the stronger the further below 1 the value is.
        meaning: what it says, in a sentence, for the data dictionary.
        unit: of its values, for the data dictionary.
        choices: what a cell may be given by its reader, from a drop-down that refuses all else; none for anything.
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
        rows: from the top; those past ``max_rows`` go on on another sheet, "Photos 2" after "Photos".
        picture: gives a row's JPEG or PNG, shown left of the other columns, until there are ``max_pictures``.
        file_name: the stem of its CSV; empty for none.
        chart: what it is drawn as on the summary, its second column over its first; None for nothing.
        max_rows: below the header of a sheet, at most ``MAX_ROWS``.
        max_pictures: of the whole table.
    """

    name: str
    columns: Sequence[Column[Row]]
    rows: Iterable[Row]
    picture: Callable[[Row], bytes | None] | None = None
    file_name: str = ""
    chart: Chart | None = None
    max_rows: int = MAX_ROWS
    max_pictures: int = MAX_PICTURES

    def __post_init__(self) -> None:
        if not 1 <= self.max_rows <= MAX_ROWS:
            raise ValueError(f"max_rows must lie between 1 and {MAX_ROWS}, got {self.max_rows}")


@dataclass(frozen=True, slots=True)
class Summary:
    """What the first sheet says.

    Args:
        title: in large letters.
        headline: the result in one sentence.
        facts: name, value and number format of each.
        warnings: a sentence each.
        tables: one below the other, drawn beside themselves where they say so.
    """

    title: str
    headline: str
    facts: Sequence[tuple[str, Value, str]]
    warnings: Sequence[str]
    tables: Sequence[Table[Any]]


@dataclass(frozen=True, slots=True)
class SheetWords:
    """What a workbook says of itself, in its reader's language.

    Args:
        summary: name of the first sheet.
        crop: header of the pictures.
        warnings: heading above the warnings.
        no_warnings: in its place where there are none.
        page: foot of a printed page; ``&P`` is its number, ``&N`` how many there are.
        refused: title of the message to who types what is not among a column's choices, at most 32 UTF-16 units.
        choose: the message, at most 255 UTF-16 units.
    """

    summary: str = "Summary"
    crop: str = "crop"
    warnings: str = "Warnings"
    no_warnings: str = "No warnings"
    page: str = "Page &P of &N"
    refused: str = "Not on the list"
    choose: str = "Choose from the list: the arrow beside the cell opens it. Or leave the cell empty."

    def __post_init__(self) -> None:
        for text, limit in ((self.refused, 32), (self.choose, 255)):
            if count_units(text) > limit:
                raise ValueError(f"Excel has room for {limit} characters there, got {text!r}")


def is_web_address(target: str) -> bool:
    """Whether a link leads into the web, and not to a file."""
    return target.lower().startswith(("http://", "https://"))


def clean_text(text: str) -> str:
    """The text as a cell can hold it: without characters that XML forbids, cut at 32,767 UTF-16 units."""
    text = _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", text)
    if len(text) <= _MAX_TEXT_UNITS // 2 or count_units(text) <= _MAX_TEXT_UNITS:
        return text
    kept = text.encode("utf-16-le")[: 2 * (_MAX_TEXT_UNITS - 1)]
    return kept.decode("utf-16-le", errors="ignore") + "…"


def count_units(text: str) -> int:
    """Length as Excel counts it, in UTF-16 units."""
    return len(text.encode("utf-16-le")) // 2
