"""The tables of a report, in their order: a sheet of the workbook and a CSV each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, NamedTuple

from pipeline.report.columns import (
    PhotoRow,
    fraction,
    photo_column,
    photo_columns,
    problem_column,
    status_column,
    subject_columns,
    translate,
)
from pipeline.report.links import link_photo
from pipeline.report.survey import Subject, Survey, Tally, find_subjects
from pipeline.report.wording import Words
from pipeline.results import PhotoResult, Results
from pipeline.run_info import RunInfo
from pipeline.workbook.tables import COUNT, PERCENT, WHOLE, Column, Row, SheetWords, Table, is_web_address

_REMEDIES = {
    "unreadable": "Open it in a photo viewer and save it as a JPEG. If it does not open there, copy it from the camera"
    " once more. Then run predict again.",
    "truncated": "The copy broke off: copy it from the camera or phone once more, then run predict again.",
    "too large": "Save it with fewer pixels, or use a computer with more memory, then run predict again.",
    "unsupported": "Nothing, if it is no photo. A photo in a rare format: save it as a JPEG, then run predict again.",
}
"""What helps with a file that could not be sorted, by its status."""

_WEB_REMEDY = "Check the address and the connection, then run predict again."


class ClassRow(NamedTuple):
    """A class, what was counted of it, and its share of all boxes, 0 to 1."""

    name: str
    tally: Tally
    share: float | None


class _Entry(NamedTuple):
    sheet: str
    column: Column[Any]


@dataclass(frozen=True, slots=True)
class Report:
    """What the tables are made of.

    Args:
        results: every file of the run; gone through several times.
        run: what was run.
        folder: that links lead from: the workbook's.
        survey: of the results.
        words: of the run's language.
        thumbnail: gives the crop of a photo's prediction by its index, or None; None where no crops are to be shown.
        drawn: gives the picture with boxes of a photo, or None; None where no photo has one.
    """

    results: Results
    run: RunInfo
    folder: Path
    survey: Survey
    words: Words
    thumbnail: Callable[[PhotoResult, int], bytes | None] | None
    drawn: Callable[[str], Path | None] | None


@dataclass(frozen=True, slots=True)
class _Rows(Generic[Row]):
    """Rows that are made anew each time they are gone through."""

    make: Callable[[], Iterator[Row]]

    def __iter__(self) -> Iterator[Row]:
        return self.make()


def list_tables(report: Report) -> list[Table[Any]]:
    """All tables but the summary."""
    tables: list[Table[Any]] = [
        _detections(report),
        _photos(report),
        _classes(report),
        _to_check(report),
        _problems(report),
    ]
    return [*tables, _data_dictionary(tables, report.words)]


def sheet_words(words: Words) -> SheetWords:
    """What the workbook says of itself."""
    own = SheetWords()
    return SheetWords(
        summary=words(own.summary),
        crop=words(own.crop),
        warnings=words(own.warnings),
        no_warnings=words(own.no_warnings),
        page=words(own.page),
        refused=words(own.refused),
        choose=words(own.choose),
    )


def count_classes(survey: Survey) -> list[ClassRow]:
    """A row a class, in the order of the survey."""
    return [
        ClassRow(name, tally, fraction(tally.boxes / survey.boxes) if survey.boxes else None)
        for name, tally in survey.classes.items()
    ]


def class_columns() -> list[Column[ClassRow]]:
    """What there is to count of a class."""
    return [
        Column("class", lambda row: row.name, 24),
        Column("boxes", lambda row: row.tally.boxes, 10, WHOLE),
        Column("share", lambda row: row.share, 10, PERCENT),
        Column("mean class confidence", lambda row: _round(row.tally.mean_confidence), 15, PERCENT),
        Column("unsure boxes", lambda row: row.tally.unsure, 13, COUNT),
    ]


def _detections(report: Report) -> Table[Subject]:
    columns = subject_columns(report.run, tuple(report.survey.classes), report.folder, report.words)
    rows = _Rows(lambda: _list_subjects(report.results))
    return _subject_table("Detections", "detections", columns, rows, report)


def _to_check(report: Report) -> Table[Subject]:
    columns = subject_columns(report.run, tuple(report.survey.classes), report.folder, report.words, lead=True)
    rows = _Rows(lambda: find_subjects(report.results, report.survey.doubts))
    return _subject_table("To check", "to_check", columns, rows, report)


def _subject_table(
    name: str, file_name: str, columns: Iterable[Column[Subject]], rows: Iterable[Subject], report: Report
) -> Table[Subject]:
    words, thumbnail = report.words, report.thumbnail
    picture = None if thumbnail is None else lambda row: thumbnail(row.result, row.place)
    return Table(words(name), translate(columns, words), rows, picture=picture, file_name=file_name)


def _list_subjects(results: Iterable[PhotoResult]) -> Iterator[Subject]:
    for result in results:
        for place in range(len(result.predictions)):
            yield Subject.of(result, place)


def _photos(report: Report) -> Table[PhotoRow]:
    drawn = report.drawn if report.survey.drawn else None
    columns = photo_columns(report.run, tuple(report.survey.classes), report.folder, report.words, drawn)
    rows = _Rows(lambda: map(PhotoRow.of, report.results))
    return Table(report.words("Photos"), translate(columns, report.words), rows, file_name="photos")


def _classes(report: Report) -> Table[ClassRow]:
    """Counts, with the surest and the least sure box of each class."""
    thumbnail, words = report.thumbnail, report.words

    def show(row: ClassRow) -> bytes | None:
        return (
            None
            if thumbnail is None or row.tally.best is None
            else thumbnail(row.tally.best.result, row.tally.best.place)
        )

    columns = [
        *class_columns(),
        *_example_columns("best", lambda row: row.tally.best, report),
        *_example_columns("worst", lambda row: row.tally.worst, report),
    ]
    picture = None if thumbnail is None else show
    rows = count_classes(report.survey)
    return Table(words("Classes"), translate(columns, words), rows, picture=picture, file_name="classes")


def _example_columns(
    kind: str, example_of: Callable[[ClassRow], Subject | None], report: Report
) -> list[Column[ClassRow]]:
    def photo(row: ClassRow) -> str | None:
        example = example_of(row)
        return None if example is None else example.result.photo

    def link(row: ClassRow) -> str | None:
        name = photo(row)
        return None if name is None else link_photo(report.run.photos, name, report.folder)

    def confidence(row: ClassRow) -> float | None:
        example = example_of(row)
        return None if example is None else fraction(example.confidence)

    return [
        Column(f"{kind} crop", photo, 34, link=link),
        Column(f"{kind} confidence", confidence, 13, PERCENT, shaded=True),
    ]


def _problems(report: Report) -> Table[PhotoResult]:
    words = report.words
    columns: Sequence[Column[PhotoResult]] = [
        photo_column(44, report.run, report.folder, _itself),
        status_column(words, _itself),
        problem_column(words, _itself),
        Column("what to do", lambda result: words(_advise(result)), 120),
    ]
    rows = _Rows(lambda: _list_problems(report.results)) if report.survey.problems else ()
    return Table(words("Problems"), translate(columns, words), rows, file_name="problems")


def _list_problems(results: Iterable[PhotoResult]) -> Iterator[PhotoResult]:
    return (result for result in results if result.status in _REMEDIES)


def _itself(result: PhotoResult) -> PhotoResult:
    return result


def _advise(result: PhotoResult) -> str:
    return _WEB_REMEDY if is_web_address(result.photo) else _REMEDIES[result.status]


def _data_dictionary(tables: Iterable[Table[Any]], words: Words) -> Table[_Entry]:
    columns: list[Column[_Entry]] = [
        Column("sheet", lambda row: row.sheet, 18),
        Column("column", lambda row: row.column.header, 30),
        Column("meaning", lambda row: row.column.meaning, 112),
        Column("unit", lambda row: row.column.unit or None, 34),
    ]
    made = translate(columns, words)
    name = words("Data dictionary")
    entries = [_Entry(table.name, column) for table in tables for column in _shown_columns(table, words)]
    entries += [_Entry(name, column) for column in made]
    return Table(name, made, entries, file_name="data_dictionary")


def _shown_columns(table: Table[Any], words: Words) -> list[Column[Any]]:
    """The columns of a sheet, that of the pictures included."""
    crops: list[Column[Any]] = [Column("crop", lambda _row: None)]
    return [*(translate(crops, words) if table.picture else ()), *table.columns]


def _round(value: float | None) -> float | None:
    return None if value is None else fraction(value)
