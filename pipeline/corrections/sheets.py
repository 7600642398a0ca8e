"""The answers that a reader wrote into a report's workbook, saved by Excel, LibreOffice or another program.

Sheets and columns are known by what they are called, in any language of the reports, and rows by their keys: sorting,
filtering, hiding and moving change nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from pipeline.corrections.opening import cell_text, opened, read_properties
from pipeline.errors import DataError
from pipeline.labels import plain_name
from pipeline.report.wording import all_forms

RESULTS, PHOTOS = "cropsort results", "cropsort photos"
"""Properties of the workbook: the folders of the results and of the photos."""

_DETECTIONS, _TO_CHECK, _PHOTOS = "Detections", "To check", "Photos"
_KEY, _CLASS, _REVIEWED, _NOTE, _PHOTO = "key", "correct class", "reviewed: all boxes right", "note", "photo"

_HEADINGS = (_KEY, _CLASS, _REVIEWED, _NOTE, _PHOTO)

_LAST_HEADER = 20
"""Rows from the top among which the header is looked for: readers write titles above it."""

_NUMBERED = re.compile(r"(.+?)[ _]*\(?\d+\)?")
"""What a table is called that goes on on further sheets, or a copy of a sheet."""

_AGAIN = "cropsort report makes it again; a copy of the file as it was keeps the answers"

_Kind = Literal["boxes", "photos"]
_ASKED: dict[_Kind, str] = {"boxes": _CLASS, "photos": _REVIEWED}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a reader wrote into a row.

    Args:
        key: of the box or photo; empty where the row has none.
        text: the class, or that the photo is reviewed; not empty.
        note: beside it.
        photo: what the row calls the photo.
        place: sheet and row, for people: rows move.
    """

    key: str
    text: str
    note: str
    photo: str
    place: str


@dataclass(frozen=True, slots=True)
class Answers:
    """All that a reader wrote into a workbook.

    Args:
        boxes: what boxes are; a box may be on several sheets.
        photos: which photos are reviewed.
        shown: keys of all boxes that have a row: a reader may have deleted some.
        properties: what the workbook says of its report.
    """

    boxes: tuple[Answer, ...]
    photos: tuple[Answer, ...]
    shown: frozenset[str]
    properties: Mapping[str, str]


@dataclass(slots=True)
class _Found:
    answers: dict[_Kind, list[Answer]] = field(default_factory=lambda: {"boxes": [], "photos": []})
    shown: set[str] = field(default_factory=set)
    detections: bool = False


def read_answers(workbook: Path) -> Answers:
    """Read what was corrected; nothing is written.

    Raises:
        DataError: it is missing, may not be read, is no .xlsx, not a report's, or a sheet or a column was deleted.
    """
    with opened(workbook, "report.xlsx") as book:
        return _read(book, workbook)


def plain(text: str) -> str:
    """Text as it is compared: in one Unicode form and one case, without double blanks."""
    return plain_name(text).casefold()


def forms(name: str) -> frozenset[str]:
    """What a sheet, a heading or a choice is called in any language, as ``plain`` has it."""
    return frozenset(map(plain, all_forms(name)))


def base_title(title: str) -> str:
    """The title of a sheet without the number that a table has which goes on on further sheets."""
    numbered = _NUMBERED.fullmatch(title.strip())
    return numbered[1] if numbered else title


def find_header(sheet: Any, names: Sequence[str]) -> tuple[int, dict[str, int]]:
    """Find the headings of columns, in whichever of the first rows they are.

    Args:
        sheet: of a workbook that was opened to be read only.
        names: the headings in English; those of other languages are known as well.

    Returns:
        The number of the header's row, from 1, and the place of each column that is there; 0 and none without any.
    """
    called = {name: forms(name) for name in names}
    best, number = dict[str, int](), 0
    for at, row in enumerate(sheet.iter_rows(max_row=_LAST_HEADER, values_only=True), start=1):
        columns = _find_columns(row, called)
        if len(columns) > len(best):
            best, number = columns, at
    return number, best


def _find_columns(row: Sequence[Any], called: Mapping[str, frozenset[str]]) -> dict[str, int]:
    places: dict[str, int] = {}
    for place, cell in enumerate(row):
        text = plain(cell_text(cell))
        for name, known in called.items():
            if text in known:
                places.setdefault(name, place)
    return places


def _read(book: Any, workbook: Path) -> Answers:
    found = _Found()
    for sheet in book.worksheets:
        _read_sheet(sheet, found, workbook)
    properties = read_properties(book)
    if not found.detections:
        ours = RESULTS in properties or bool(found.shown or found.answers["photos"])
        what = f"the sheet '{_DETECTIONS}' was deleted" if ours else f"no report: it has no sheet '{_DETECTIONS}'"
        raise DataError(what, where=workbook, remedy=_AGAIN if ours else "name the report.xlsx that you corrected")
    return Answers(tuple(found.answers["boxes"]), tuple(found.answers["photos"]), frozenset(found.shown), properties)


def _read_sheet(sheet: Any, found: _Found, workbook: Path) -> None:
    """Take up what a sheet says, if it is one of ours.

    Raises:
        DataError: it is, and a column was deleted.
    """
    sheet.reset_dimensions()  # what a file says of its size some programs have wrong
    kind = _kind_of_title(sheet.title)
    number, columns = find_header(sheet, _HEADINGS)
    if kind is None:  # renamed, or another's
        kind = next((one for one, asked in _ASKED.items() if {_KEY, asked} <= columns.keys()), None)
    if kind is None:
        return
    for heading in (_KEY, _ASKED[kind]):
        if heading not in columns:
            where = f"{workbook}, sheet '{sheet.title}'"
            raise DataError(f"the column '{heading}' was deleted", where=where, remedy=_AGAIN)
    if kind == "boxes" and plain(base_title(sheet.title)) not in forms(_TO_CHECK):
        found.detections = True
    rows = islice(enumerate(sheet.iter_rows(values_only=True), start=1), number, None)
    for answer in _read_rows(rows, columns, _ASKED[kind], sheet.title):
        if kind == "boxes":
            found.shown.add(answer.key)
        if answer.text:
            found.answers[kind].append(answer)


def _kind_of_title(title: str) -> _Kind | None:
    base = plain(base_title(title))
    if base in forms(_DETECTIONS) | forms(_TO_CHECK):
        return "boxes"
    return "photos" if base in forms(_PHOTOS) else None


def _read_rows(
    rows: Iterator[tuple[int, Sequence[Any]]], columns: Mapping[str, int], asked: str, title: str
) -> Iterator[Answer]:
    def read(row: Sequence[Any], name: str) -> str:
        place = columns.get(name)
        return "" if place is None or place >= len(row) else cell_text(row[place])

    for number, row in rows:
        key, text = read(row, _KEY), read(row, asked)
        if key or text:
            yield Answer(key, text, read(row, _NOTE), read(row, _PHOTO), f"{title}, row {number}")
