"""What a reader made of ``groups.xlsx``: which groups are classes, and which subjects he moved to another group.

Sheets and columns are known by what they are called, and rows by their keys: sorting, filtering, hiding and moving
change nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from pipeline.boxes import Box
from pipeline.cluster.groups import NOISE_NAME, find_group, name_group
from pipeline.cluster.wording import (
    BYTES,
    CLASS,
    COUNT_NOTE,
    EDGES,
    GROUP,
    GROUPS,
    KEY,
    PHOTO,
    SUBJECTS,
    WORKBOOK,
)
from pipeline.corrections.opening import cell_text, opened, read_properties
from pipeline.corrections.sheets import base_title, find_header, plain
from pipeline.errors import DataError
from pipeline.keys import subject_key

_Kind = Literal["groups", "subjects"]
_HEADINGS: Mapping[_Kind, Sequence[str]] = {"groups": (GROUP, CLASS), "subjects": (PHOTO, GROUP, *EDGES, BYTES, KEY)}
_TITLES: Mapping[str, _Kind] = {plain(GROUPS): "groups", plain(SUBJECTS): "subjects"}

_AGAIN = "cropsort cluster makes it again; a copy of the file as it was keeps the names"
_MOST_ERRORS = 20


@dataclass(frozen=True, slots=True)
class NamedGroup:
    """A group, and the class that its reader says it is.

    Args:
        label: of the group.
        class_name: as it was written.
        place: sheet and row, for people: rows move.
    """

    label: int
    class_name: str
    place: str


@dataclass(frozen=True, slots=True)
class GroupedSubject:
    """A subject and the group that its reader leaves it in or moved it to.

    Args:
        key: see ``keys.subject_key``.
        photo: what the run called its photo.
        box: in pixels of the upright photo; None where it does not go with the key any more.
        file_bytes: size of the photo's file; None where it is not known.
        label: of its group; None where its cell was emptied.
        place: sheet and row.
    """

    key: str
    photo: str
    box: Box | None
    file_bytes: int | None
    label: int | None
    place: str


@dataclass(frozen=True, slots=True)
class ReadGroups:
    """All that is read of a workbook.

    Args:
        groups: those that were named.
        subjects: each once.
        properties: what the workbook says of its run.
    """

    groups: tuple[NamedGroup, ...]
    subjects: tuple[GroupedSubject, ...]
    properties: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Cells:
    """A row by its headings, as a reader's program saved it."""

    values: Mapping[str, Any]
    place: str

    def text(self, heading: str) -> str:
        return cell_text(self.values.get(heading))


def read_groups(workbook: Path) -> ReadGroups:
    """Read a workbook of groups; nothing is written.

    Raises:
        DataError: it is missing, no .xlsx or not one of groups, or a sheet or a column was deleted.
        ExceptionGroup: of ``DataError``, for each cell that says nothing that can be understood.
    """
    rows: dict[_Kind, list[_Cells]] = {"groups": [], "subjects": []}
    seen: set[_Kind] = set()
    with opened(workbook, WORKBOOK) as book:
        properties = read_properties(book)
        count = _read_count(properties, workbook)
        for sheet in book.worksheets:
            sheet.reset_dimensions()  # what a file says of its size some programs have wrong
            kind = _read_sheet(sheet, rows, workbook)
            seen |= {kind} if kind else set()
    for title, kind in ((GROUPS, "groups"), (SUBJECTS, "subjects")):
        if kind not in seen:
            raise DataError(f"the sheet '{title}' was deleted", where=workbook, remedy=_AGAIN)
    errors: list[DataError] = []
    groups = tuple(_understand_groups(rows["groups"], count, workbook, errors))
    subjects = tuple(_understand_subjects(rows["subjects"], count, workbook, errors))
    if errors:
        more = len(errors) - _MOST_ERRORS
        kept = [*errors[:_MOST_ERRORS], *([DataError(f"and {more} more cells like these")] if more > 0 else [])]
        raise ExceptionGroup(f"{workbook} cannot be understood", kept)
    return ReadGroups(groups, subjects, properties)


def _read_count(properties: Mapping[str, str], workbook: Path) -> int:
    said = properties.get(COUNT_NOTE, "")
    if not said.isdecimal():
        remedy = f"name the {WORKBOOK} that cropsort cluster wrote, saved in Excel or LibreOffice: others drop notes"
        raise DataError("not a workbook of groups", where=workbook, remedy=remedy)
    return int(said)


def _read_sheet(sheet: Any, rows: Mapping[_Kind, list[_Cells]], workbook: Path) -> _Kind | None:
    """Take up the rows of a sheet that is one of ours, and say which."""
    kind = _TITLES.get(plain(base_title(sheet.title)))
    known = tuple(dict.fromkeys((*_HEADINGS["groups"], *_HEADINGS["subjects"])))
    number, columns = find_header(sheet, known)
    if kind is None:  # renamed, or another's
        kind = next((one for one, needed in _HEADINGS.items() if set(needed) <= columns.keys()), None)
    if kind is None:
        return None
    for heading in _HEADINGS[kind]:
        if heading not in columns:
            where = f"{workbook}, sheet '{sheet.title}'"
            raise DataError(f"the column '{heading}' was deleted", where=where, remedy=_AGAIN)
    for at, row in islice(enumerate(sheet.iter_rows(values_only=True), start=1), number, None):
        values = {name: row[place] for name, place in columns.items() if place < len(row)}
        rows[kind].append(_Cells(values, f"{sheet.title}, row {at}"))
    return kind


def _understand_groups(
    rows: Iterable[_Cells], count: int, workbook: Path, errors: list[DataError]
) -> Iterator[NamedGroup]:
    """The groups that are named, each with one name."""
    named: dict[int, NamedGroup] = {}
    for row in rows:
        text, name = row.text(GROUP), row.text(CLASS)
        label = find_group(text, count)
        if label is None and (text or name):
            errors.append(_no_group(text, count, f"{workbook}, {row.place}", f"; classes go into '{CLASS}'"))
        elif label is not None and name:
            before = named.setdefault(label, NamedGroup(label, name, row.place))
            if before.class_name != name:
                found = f"{text} is '{name}' here and '{before.class_name}' in {before.place}"
                errors.append(DataError(found, where=f"{workbook}, {row.place}", remedy="keep one of the two names"))
    yield from named.values()


def _understand_subjects(
    rows: Iterable[_Cells], count: int, workbook: Path, errors: list[DataError]
) -> Iterator[GroupedSubject]:
    """Each subject once; what has no key is nobody's: a line of sums, say."""
    by_key: dict[str, list[GroupedSubject]] = defaultdict(list)
    for row in rows:
        text, key = row.text(GROUP), row.text(KEY)
        label = find_group(text, count) if text else None
        if text and label is None and (key or row.text(PHOTO)):
            errors.append(_no_group(text, count, f"{workbook}, {row.place}"))
        elif not key and row.text(PHOTO):
            found = "the key of this row was deleted, which is in a hidden column"
            errors.append(DataError(found, where=f"{workbook}, {row.place}", remedy=_AGAIN))
        elif key:
            by_key[key].append(_read_subject(row, key, label))
    for first, *others in by_key.values():
        for other in others:
            if other.label != first.label:
                found = f"{first.photo} is in another group here than in {first.place}"
                errors.append(DataError(found, where=f"{workbook}, {other.place}", remedy="delete one of the two rows"))
        yield first


def _read_subject(row: _Cells, key: str, label: int | None) -> GroupedSubject:
    size, box = row.values.get(BYTES), _read_box(row)
    written = "" if row.values.get(PHOTO) is None else str(row.values[PHOTO])  # two blanks in a row are two
    names = [written] if box is None else [name for name in _spellings(written) if subject_key(name, box) == key]
    file_bytes = int(size) if isinstance(size, int | float) else None
    return GroupedSubject(key, names[0] if names else written, box if names else None, file_bytes, label, row.place)


def _spellings(text: str) -> tuple[str, ...]:
    """A text as it stands in the file, and as Excel shows it: it writes ``_x000D_`` for what XML has no letter for."""
    from openpyxl.utils.escape import unescape

    return text, unescape(text)


def _read_box(row: _Cells) -> Box | None:
    edges = [row.values.get(name) for name in EDGES]
    try:
        return Box(*(float(edge) for edge in edges if isinstance(edge, int | float)))
    except (TypeError, ValueError):  # an edge is missing or none, or they are in the wrong order
        return None


def _no_group(text: str, count: int, where: str, more: str = "") -> DataError:
    last = f" to {name_group(count - 1, count)}" if count > 1 else ""
    expected = f"{name_group(0, count)}{last}, or {NOISE_NAME}{more}"
    return DataError(f"'{text}' is no group" if text else "no group", where=where, expected=expected)
