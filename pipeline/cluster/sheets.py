"""``groups.xlsx``: the groups, in which their reader names classes, and the subjects, which he may move; and CSVs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline import __version__
from pipeline.cluster.groups import Group, Grouped, nearest_class
from pipeline.cluster.subjects import Subject
from pipeline.cluster.summary import summarise
from pipeline.cluster.wording import (
    BYTES,
    CLASS,
    COUNT_NOTE,
    DATA_NOTE,
    EDGES,
    GROUP,
    GROUPS,
    KEY,
    PHOTO,
    PHOTOS_NOTE,
    PROBLEMS,
    SUBJECTS,
    VERSION_NOTE,
    WORKBOOK,
    Run,
)
from pipeline.files import replacing
from pipeline.report import write_csv
from pipeline.report.links import link_file, link_photo
from pipeline.workbook import write_workbook
from pipeline.workbook.tables import PERCENT, WHOLE, Column, Row, Table

_DISTANCE = "0.000"


@dataclass(frozen=True, slots=True)
class _Row:
    """A subject in its group."""

    subject: Subject
    group: str
    distance: float
    true_class: str | None


def write_sheets(folder: Path, grouped: Grouped, run: Run) -> list[Path]:
    """Write the workbook and a CSV a table, each whole or not at all.

    Args:
        folder: where to; made where it is missing.
        grouped: the subjects and their groups.
        run: what was run.

    Returns:
        The workbook, then the CSVs.

    Raises:
        OutputError: a file cannot be written (full disk, no permission, open in Excel); earlier ones stay as they were.
    """
    tables = list_tables(grouped, run, folder)
    paths = [folder / WORKBOOK, *(folder / f"{table.file_name}.csv" for table in tables)]
    with ExitStack() as stack:
        # The last is moved into place first: the workbook is the file most likely to be held open.
        book, *others = [stack.enter_context(replacing(path)) for path in paths]
        for table, path in zip(tables, others, strict=True):
            write_csv(path, table.columns, table.rows)
        write_workbook(book, summarise(grouped, run), tables, notes=_list_notes(grouped, run))
    return paths


def list_tables(grouped: Grouped, run: Run, folder: Path) -> list[Table[Any]]:
    """The tables but for the summary; their links lead from ``folder``."""
    return [
        _groups_table(grouped, folder),
        _subjects_table(grouped, run, folder),
        _problems_table(grouped, run, folder),
    ]


def _list_notes(grouped: Grouped, run: Run) -> dict[str, str]:
    notes = {
        COUNT_NOTE: str(len(grouped.grouping.centres)),
        PHOTOS_NOTE: str(run.photos),
        VERSION_NOTE: __version__,
    }
    return notes if run.data_file is None else {**notes, DATA_NOTE: str(run.data_file)}


def _groups_table(grouped: Grouped, folder: Path) -> Table[Group]:
    subjects, total = grouped.gathered.subjects, len(grouped.gathered.subjects)

    def central(group: Group) -> Subject:
        return subjects[group.members[0]]

    columns: list[Column[Group]] = [
        Column(GROUP, lambda group: group.name, 14),
        Column(CLASS, _nothing, 24, editable=True),
        Column("subjects", lambda group: len(group.members), 11, WHOLE),
        Column("share", lambda group: round(len(group.members) / total, 4), 9, PERCENT),
        *_if(any(group.nearest for group in grouped.groups), _nearest_columns(lambda group: group.nearest)),
        *_if(grouped.truth is not None, _truth_columns()),
        Column("mean distance to centre", lambda group: round(group.mean_distance, 4), 15, _DISTANCE),
        Column("most central photo", lambda group: central(group).photo, 34, link=lambda g: _link(central(g), folder)),
    ]
    return Table(GROUPS, columns, grouped.groups, picture=lambda g: central(g).thumbnail, file_name="groups")


def _nearest_columns(nearest: Callable[[Row], tuple[str, float] | None]) -> list[Column[Row]]:
    """The class that something is most like, and how probable it is."""

    def tell(row: Row, place: int) -> Any:
        found = nearest(row)
        return None if found is None else found[place]

    return [
        Column("nearest class", lambda row: tell(row, 0), 24),
        Column("probability", lambda row: None if nearest(row) is None else round(tell(row, 1), 4), 12, PERCENT),
    ]


def _truth_columns() -> list[Column[Group]]:
    def share(group: Group) -> float | None:
        return None if group.commonest is None else round(group.commonest[1] / len(group.members), 4)

    return [
        Column("commonest true class", lambda group: group.commonest[0] if group.commonest else None, 24),
        Column("its share", share, 11, PERCENT),
    ]


def _subjects_table(grouped: Grouped, run: Run, folder: Path) -> Table[_Row]:
    rows = _list_rows(grouped)

    def edge(name: str) -> Column[_Row]:
        side = name.removesuffix(" (px)")
        return Column(name, lambda row: round(getattr(row.subject.box, side), 1), 11, WHOLE)

    columns: list[Column[_Row]] = [
        Column(
            PHOTO, lambda row: row.subject.photo, 34, link=lambda row: link_photo(run.photos, row.subject.photo, folder)
        ),
        Column(GROUP, lambda row: row.group, 14, choices=tuple(grouped.names.values()), editable=True),
        Column("distance to centre", lambda row: round(row.distance, 4), 13, _DISTANCE),
        *_if(run.weights is not None, _nearest_columns(lambda row: nearest_class(row.subject.probabilities))),
        *_if(grouped.truth is not None, [Column("true class", lambda row: row.true_class, 24)]),
        *(edge(name) for name in EDGES),
        Column(BYTES, lambda row: _file_bytes(row.subject.path), 14, WHOLE, hidden=True),
        Column(KEY, lambda row: row.subject.key, 18, hidden=True),
    ]
    return Table(SUBJECTS, columns, rows, picture=lambda row: row.subject.thumbnail, file_name="subjects")


def _list_rows(grouped: Grouped) -> list[_Row]:
    """Group by group, the most central subject first; noise last."""
    return [
        _Row(
            grouped.gathered.subjects[place],
            group.name,
            float(grouped.grouping.distances[place]),
            grouped.truth[place] if grouped.truth else None,
        )
        for group in grouped.groups
        for place in group.members
    ]


def _problems_table(grouped: Grouped, run: Run, folder: Path) -> Table[tuple[str, str]]:
    columns: list[Column[tuple[str, str]]] = [
        Column(PHOTO, lambda row: row[0], 44, link=lambda row: link_photo(run.photos, row[0], folder)),
        Column("problem", lambda row: row[1], 90),
    ]
    return Table(PROBLEMS, columns, grouped.gathered.problems, file_name="problems")


def _file_bytes(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:  # it has gone since
        return None


def _link(subject: Subject, folder: Path) -> str | None:
    return link_file(subject.path, folder)


def _if(wanted: bool, columns: Sequence[Column[Row]]) -> Sequence[Column[Row]]:
    return columns if wanted else ()


def _nothing(_row: object) -> None:
    """What is in a cell that its reader is to write into."""
