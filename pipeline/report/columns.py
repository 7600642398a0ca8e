"""The columns of a report's tables: what the rows say, under English headings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import NamedTuple

from pipeline.keys import photo_key, subject_key
from pipeline.report.links import link_file, link_photo, name_file
from pipeline.report.meanings import COUNTED, MEANINGS
from pipeline.report.survey import Subject
from pipeline.report.wording import NEW_CLASS, NOT_A_SUBJECT, YES, Words
from pipeline.results import PhotoResult
from pipeline.run_info import RunInfo
from pipeline.workbook.tables import COUNT, DATE, DEGREES, PERCENT, WHOLE, Column, Row, Value


class PhotoRow(NamedTuple):
    """A file, and how many boxes of each class are in it."""

    result: PhotoResult
    counts: Counter[str]

    @classmethod
    def of(cls, result: PhotoResult) -> PhotoRow:
        """The row of a result."""
        return cls(result, Counter(one.class_name for one in result.predictions))


def translate(columns: Iterable[Column[Row]], words: Words) -> list[Column[Row]]:
    """The columns with headings, meanings and units in the words of a language."""
    return [column if column.meaning else _translate(column, words) for column in columns]


def _translate(column: Column[Row], words: Words) -> Column[Row]:
    meaning = MEANINGS[column.header]
    return replace(column, header=words(column.header), meaning=words(meaning.sentence), unit=words(meaning.unit))


def subject_columns(
    run: RunInfo, classes: Sequence[str], folder: Path, words: Words, *, lead: bool = False
) -> list[Column[Subject]]:
    """What there is to say of a box.

    Args:
        run: what was run.
        classes: that a reader can choose from.
        folder: that links lead from.
        words: of the values.
        lead: whether it is shown how far the class leads over the runner-up.
    """

    def edge(name: str) -> Column[Subject]:
        return Column(f"{name} (px)", lambda row: round(getattr(row.prediction.detection.box, name)), 11, WHOLE)

    answers = list(dict.fromkeys((*classes, words(NOT_A_SUBJECT), words(NEW_CLASS))))
    rules: list[Column[Subject]] = [Column("decided by", lambda row: words(row.prediction.rule), 12)]
    leads: list[Column[Subject]] = [Column("lead over runner-up", lambda row: fraction(row.lead), 14, PERCENT)]
    return [
        photo_column(34, run, folder, _result_of),
        Column("class", lambda row: row.class_name, 16),
        Column("class confidence", lambda row: fraction(row.confidence), 15, PERCENT, shaded=True),
        Column("unsure", lambda row: None if row.prediction.sure else words(YES), 10),
        *(rules if run.further_weights else ()),
        Column("runner-up", lambda row: row.runner_up, 16),
        Column("runner-up confidence", _runner_up_confidence, 15, PERCENT),
        *(leads if lead else ()),
        Column("correct class", _nothing, 18, choices=answers, editable=True),
        Column("note", _nothing, 26, editable=True),
        Column("detector confidence", lambda row: fraction(row.prediction.detection.confidence), 15, PERCENT),
        *(edge(name) for name in ("left", "top", "right", "bottom")),
        *_camera_columns(run, _result_of),
        Column("key", lambda row: subject_key(row.result.photo, row.prediction.detection.box), 18, hidden=True),
    ]


def photo_columns(
    run: RunInfo, classes: Sequence[str], folder: Path, words: Words, drawn: Callable[[str], Path | None] | None
) -> list[Column[PhotoRow]]:
    """What there is to say of a file.

    Args:
        run: what was run.
        classes: that boxes are counted of.
        folder: that links lead from.
        words: of the values.
        drawn: gives the picture with boxes of a photo, or None where there is none; None where no photo has one.
    """

    def side(name: str, place: int) -> Column[PhotoRow]:
        return Column(f"{name} (px)", lambda row: row.result.size[place] if row.result.size else None, 10, WHOLE)

    return [
        photo_column(44, run, folder, _result_in),
        *((_drawn_column(folder, drawn),) if drawn else ()),
        status_column(words, _result_in),
        Column("boxes found", lambda row: len(row.result.predictions) if _was_read(row) else None, 10, WHOLE),
        *(_count_column(name, words) for name in classes),
        Column("reviewed: all boxes right", _nothing, 16, choices=(words(YES),), editable=True),
        Column("largest class confidence", _largest_confidence, 16, PERCENT),
        side("width", 0),
        side("height", 1),
        *_camera_columns(run, _result_in),
        Column("seconds", lambda row: round(row.result.seconds, 3), 12, "0.000"),
        problem_column(words, _result_in),
        Column("key", lambda row: photo_key(row.result.photo), 18, hidden=True),
    ]


def photo_column(width: float, run: RunInfo, folder: Path, result_of: Callable[[Row], PhotoResult]) -> Column[Row]:
    """The file, with a link to it from ``folder``."""
    return Column(
        "photo",
        lambda row: result_of(row).photo,
        width,
        link=lambda row: link_photo(run.photos, result_of(row).photo, folder),
    )


def status_column(words: Words, result_of: Callable[[Row], PhotoResult]) -> Column[Row]:
    """What became of a file."""
    return Column("status", lambda row: words(result_of(row).status), 13)


def problem_column(words: Words, result_of: Callable[[Row], PhotoResult]) -> Column[Row]:
    """Why a file was not sorted."""
    return Column("problem", lambda row: words.explain(result_of(row).error) or None, 44)


def fraction(value: float) -> float:
    """A confidence as tables have it."""
    return round(value, 4)


def _drawn_column(folder: Path, drawn: Callable[[str], Path | None]) -> Column[PhotoRow]:
    def tell(row: PhotoRow, say: Callable[[Path, Path], str | None]) -> str | None:
        path = drawn(row.result.photo) if row.result.predictions else None
        return None if path is None else say(path, folder)

    return Column("annotated picture", partial(tell, say=name_file), 34, link=partial(tell, say=link_file))


def _count_column(name: str, words: Words) -> Column[PhotoRow]:
    return Column(
        words("boxes: {name}", name=name),
        lambda row: row.counts[name] if _was_read(row) else None,
        11,
        COUNT,
        meaning=words(COUNTED.sentence, name=name),
        unit=words(COUNTED.unit),
    )


def _camera_columns(run: RunInfo, result_of: Callable[[Row], PhotoResult]) -> list[Column[Row]]:
    """What the photo says of itself; of where it was taken only if that was asked for, since workbooks are shared."""

    def angle(place: int) -> Callable[[Row], Value]:
        return lambda row: None if (gps := result_of(row).gps) is None else round(gps[place], 6)

    places = [Column(name, angle(place), 12, DEGREES) for place, name in enumerate(("latitude", "longitude"))]
    return [
        Column("captured", lambda row: _capture_date(result_of(row).captured), 18, DATE),
        Column("camera", lambda row: result_of(row).camera, 22),
        *(places if run.gps else ()),
    ]


def _result_of(row: Subject) -> PhotoResult:
    return row.result


def _result_in(row: PhotoRow) -> PhotoResult:
    return row.result


def _nothing(_row: object) -> None:
    """What is in a cell that its reader is to write into."""


def _runner_up_confidence(row: Subject) -> float | None:
    return None if row.runner_up_confidence is None else fraction(row.runner_up_confidence)


def _was_read(row: PhotoRow) -> bool:
    """Whether the photo was looked at: of another, nobody knows what it shows, and 0 would say too much."""
    return row.result.status in ("ok", "empty")


def _largest_confidence(row: PhotoRow) -> float | None:
    return max((fraction(one.confidence) for one in row.result.predictions), default=None)


def _capture_date(captured: str | None) -> Value:
    """A date as cells hold it; text where it is none, or from before 1900, which Excel has no dates for."""
    if captured is None:
        return None
    try:
        date = datetime.fromisoformat(captured).replace(tzinfo=None)
    except ValueError:
        return captured
    return date if date.year >= 1900 else captured
