"""The record of a run as a workbook for the colleague who lives in Excel, and as CSV for programs."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from pipeline.files import output_error, replacing
from pipeline.results import PhotoResult, Prediction, Results
from pipeline.run_info import RunInfo
from pipeline.summary import summarise
from pipeline.tables import (
    COUNT,
    DATE,
    DEGREES,
    PERCENT,
    WHOLE,
    Column,
    Row,
    Table,
    Value,
    clean_text,
    is_web_address,
)
from pipeline.workbook import write_workbook

_FORMULA = re.compile(r"\s*[=+\-@\t\r\n＝＋－＠]")
"""Text that a spreadsheet reading a CSV may run; the wide forms too, which Korean and Japanese Excel take alike."""

_SPECIAL = re.compile(r"""[%#? "<>\[\]^`{}|\\:]""")
"""What a link target must not hold as it is; Korean stays, in the Unicode form that the file's name has."""


_SPACE = re.compile(r"""[ "<>^`{}|\\]""")
"""What a web address must not hold; all else in it has its meaning."""


@dataclass(frozen=True, slots=True)
class ReportFiles:
    """What ``write_report`` wrote."""

    workbook: Path
    detections: Path
    photos: Path


class _BoxRow(NamedTuple):
    result: PhotoResult
    place: int

    @property
    def prediction(self) -> Prediction:
        return self.result.predictions[self.place]


def write_report(
    results: Results,
    run: RunInfo,
    folder: Path,
    *,
    thumbnail: Callable[[PhotoResult, int], bytes | None],
) -> ReportFiles:
    """Write ``report.xlsx``, ``detections.csv`` and ``photos.csv`` to a folder, each whole or not at all.

    Args:
        results: every file of the run, in the order of its rows; gone through several times.
        run: what the summary says of it.
        folder: made where it is missing.
        thumbnail: gives the crop of a photo's prediction by its index, upright, as JPEG or PNG, its longer side at most
            96 px, or None where the photo has gone; asked in the order of ``results``, until it gave 10,000.

    Raises:
        OutputError: a file cannot be written (full disk, no permission, open in Excel); earlier ones stay as they were.
    """
    files = ReportFiles(folder / "report.xlsx", folder / "detections.csv", folder / "photos.csv")
    for path in (files.workbook, files.detections, files.photos):
        _check_replaceable(path)
    classes = _all_classes(results, run)
    link = partial(_link_target, run.photos, folder)
    photos = [*_photo_columns(classes, link), *_camera_columns(run, lambda result: result), *_LAST_COLUMNS]
    boxes = [*_box_columns(run, link), *_camera_columns(run, lambda row: row.result)]
    sheets = (
        Table("Detections", boxes, _box_rows(results), picture=lambda row: thumbnail(row.result, row.place)),
        Table("Photos", photos, results),
    )
    # Nested, so that the file most likely to be held open, the workbook, is moved into place first.
    with replacing(files.photos) as photos_part:
        write_csv(photos_part, photos, results)
        with replacing(files.detections) as detections_part:
            write_csv(detections_part, boxes, _box_rows(results))
            with replacing(files.workbook) as workbook_part:
                write_workbook(workbook_part, summarise(results, run, classes), sheets)
    return files


def _check_replaceable(path: Path) -> None:
    """Find out before the work, not after it, that Excel has the file open (Windows lets nobody else have it then)."""
    try:
        with path.open("r+b"):
            pass
    except FileNotFoundError:
        pass
    except OSError as error:
        raise output_error(error, path) from error


def _all_classes(results: Iterable[PhotoResult], run: RunInfo) -> tuple[str, ...]:
    """The run's classes, and any other that the results name, as results of other weights may."""
    named = {prediction.class_name for result in results for prediction in result.predictions}
    return tuple(dict.fromkeys((*run.class_names, *sorted(named))))


def _box_rows(results: Iterable[PhotoResult]) -> Iterator[_BoxRow]:
    for result in results:
        for place in range(len(result.predictions)):
            yield _BoxRow(result, place)


def _box_columns(run: RunInfo, link: Callable[[str], str | None]) -> list[Column[_BoxRow]]:
    def edge(name: str) -> Column[_BoxRow]:
        return Column(f"{name} (px)", lambda row: round(getattr(row.prediction.detection.box, name)), 11, WHOLE)

    rules: list[Column[_BoxRow]] = [Column("decided by", lambda row: row.prediction.rule, 12)]
    return [
        Column("photo", lambda row: row.result.photo, 34, link=lambda row: link(row.result.photo)),
        Column("class", lambda row: row.prediction.class_name, 16),
        Column("class confidence", lambda row: _fraction(row.prediction.confidence), 15, PERCENT, shaded=True),
        Column("unsure", lambda row: None if row.prediction.sure else "yes", 10),
        *(rules if run.further_weights else ()),
        Column("runner-up", lambda row: row.prediction.runner_up, 16),
        Column("runner-up confidence", lambda row: _runner_up_confidence(row.prediction), 15, PERCENT),
        Column("detector confidence", lambda row: _fraction(row.prediction.detection.confidence), 15, PERCENT),
        *(edge(name) for name in ("left", "top", "right", "bottom")),
    ]


def _photo_columns(classes: Sequence[str], link: Callable[[str], str | None]) -> list[Column[PhotoResult]]:
    return [
        Column("photo", lambda result: result.photo, 44, link=lambda result: link(result.photo)),
        Column("status", lambda result: result.status, 13),
        Column("boxes found", lambda result: len(result.predictions) if _was_read(result) else None, 10, WHOLE),
        *(Column(f"boxes: {name}", partial(_count_class, name), 11, COUNT) for name in classes),
        Column("largest class confidence", _largest_confidence, 16, PERCENT),
        Column("width (px)", lambda result: result.size[0] if result.size else None, 10, WHOLE),
        Column("height (px)", lambda result: result.size[1] if result.size else None, 10, WHOLE),
    ]


_LAST_COLUMNS: tuple[Column[PhotoResult], ...] = (
    Column("seconds", lambda result: round(result.seconds, 3), 12, "0.000"),
    Column("problem", lambda result: result.error or None, 44),
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


def _fraction(value: float) -> float:
    return round(value, 4)


def _runner_up_confidence(prediction: Prediction) -> float | None:
    name = prediction.runner_up
    return None if name is None else _fraction(prediction.probabilities[name])


def _capture_date(captured: str | None) -> Value:
    """A date as cells hold it; text where it is none, or from before 1900, which Excel has no dates for."""
    if captured is None:
        return None
    try:
        date = datetime.fromisoformat(captured).replace(tzinfo=None)
    except ValueError:
        return captured
    return date if date.year >= 1900 else captured


def _was_read(result: PhotoResult) -> bool:
    """Whether the photo was looked at: of another, nobody knows what it shows, and 0 would say too much."""
    return result.status in ("ok", "empty")


def _count_class(name: str, result: PhotoResult) -> int | None:
    return sum(prediction.class_name == name for prediction in result.predictions) if _was_read(result) else None


def _largest_confidence(result: PhotoResult) -> float | None:
    return max((_fraction(prediction.confidence) for prediction in result.predictions), default=None)


def _link_target(photos: Path, folder: Path, photo: str) -> str | None:
    """The way from the report to a photo, percent-escaped; None where there is none."""
    if clean_text(photo) != photo:
        return None
    if is_web_address(photo):
        return _SPACE.sub(lambda match: f"%{ord(match[0]):02X}", photo)
    try:
        relative = os.path.relpath(photos / photo, folder)
    except ValueError:  # on another drive of Windows
        return None
    escaped = _SPECIAL.sub(lambda match: f"%{ord(match[0]):02X}", Path(relative).as_posix())
    return escaped if escaped.startswith("../") else f"./{escaped}"


def write_csv(path: Path, columns: Sequence[Column[Any]], rows: Iterable[Any]) -> None:
    """Write a table as Excel reads it: a byte order mark, or it garbles Korean, and Windows line ends."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow([csv_value(column.header) for column in columns])
        writer.writerows([csv_value(column.value(row)) for column in columns] for row in rows)


def csv_value(value: Value) -> Value:
    """A value as a CSV may hold it: text that a spreadsheet may run gets an apostrophe in front."""
    if not isinstance(value, str):
        return value
    text = clean_text(value)
    return f"'{text}" if _FORMULA.match(text) else text
