"""The first sheet of a run's workbook: what was run, what came out, and what somebody should look at."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from statistics import fmean
from typing import NamedTuple

from pipeline.results import PhotoResult, Results, Status
from pipeline.run_info import RunInfo
from pipeline.tables import COUNT, DATE, MAX_PICTURES, MAX_ROWS, PERCENT, TEXT, WHOLE, Column, Summary, Table

_MEANING: dict[Status, str] = {
    "ok": "something found",
    "empty": "nothing found",
    "unreadable": "cannot be opened",
    "truncated": "its end is missing",
    "too large": "too many pixels, or more than memory holds",
    "unsupported": "not a photo",
}


class _ClassCount(NamedTuple):
    name: str
    boxes: int
    share: float | None
    confidence: float | None
    unsure: int


def summarise(results: Results, run: RunInfo, classes: Sequence[str]) -> Summary:
    """The first sheet of a run's workbook.

    Args:
        results: every file of the run.
        run: what was run.
        classes: those of the run, and any other that the results name, in the order of their rows.
    """
    statuses = Counter(result.status for result in results)
    boxes = sum(len(result.predictions) for result in results)
    unsure = sum(not prediction.sure for result in results for prediction in result.predictions)
    return Summary(
        title=f"Report on {run.photos.name or run.photos}",
        headline=f"{_some(boxes, 'box', 'boxes')} found in {statuses['ok']} of {_some(len(results), 'file', 'files')}.",
        facts=(
            ("finished", run.finished or "interrupted: not all photos are in", DATE if run.finished else TEXT),
            ("photos", str(run.photos), TEXT),
            *(("weights", str(weights), TEXT) for weights in (run.weights, *run.further_weights)),
            ("detector confidence", run.confidence, '0%" or more"'),
            ("to check", _check_words(unsure, boxes), TEXT),
            ("cropsort version", run.cropsort_version, TEXT),
        ),
        warnings=_warnings(statuses, run.hidden_files, boxes, len(results)),
        tables=(_status_table(statuses), _class_table(results, classes)),
    )


def _warnings(statuses: Counter[Status], hidden: int, boxes: int, files: int) -> list[str]:
    unreadable, truncated = statuses["unreadable"], statuses["truncated"]
    large, foreign = statuses["too large"], statuses["unsupported"]
    rows = max(boxes, files)
    said = (
        (unreadable, f"{_some(unreadable, 'photo', 'photos')} could not be read: see Photos, status unreadable."),
        (truncated, f"{_some(truncated, 'photo lacks its', 'photos lack their')} end: see Photos, status truncated."),
        (large, f"{_some(large, 'photo is', 'photos are')} too large to be sorted: see Photos, status too large."),
        (foreign, f"{_some(foreign, 'file is not a photo', 'files are not photos')}: see Photos, status unsupported."),
        (hidden, f"{_some(hidden, 'hidden file was', 'hidden files were')} skipped."),
        (boxes > MAX_PICTURES, f"Crops are shown for the first {MAX_PICTURES:,} boxes only."),
        (rows > MAX_ROWS, f"Excel has room for {MAX_ROWS:,} rows a sheet; the CSV files hold all {rows:,}."),
    )
    return [sentence for applies, sentence in said if applies]


def _check_words(unsure: int, boxes: int) -> str:
    """How many boxes somebody should look at, in words: a number that wide would show as ###."""
    if not unsure:
        return "nothing: no box is unsure"
    return f"{unsure:,} of {_some(boxes, 'box', 'boxes')}: see Detections, unsure"


def _some(count: int, one: str, many: str) -> str:
    return f"{count:,} {one if count == 1 else many}"


def _status_table(statuses: Counter[Status]) -> Table[Status]:
    columns: list[Column[Status]] = [
        Column("status", lambda status: status),
        Column("files", lambda status: statuses[status], number_format=WHOLE),
        Column("meaning", lambda status: _MEANING[status]),
    ]
    return Table("Files by status", columns, list(_MEANING))


def _class_table(results: Iterable[PhotoResult], classes: Sequence[str]) -> Table[_ClassCount]:
    columns: list[Column[_ClassCount]] = [
        Column("class", lambda row: row.name),
        Column("boxes", lambda row: row.boxes, number_format=WHOLE),
        Column("share", lambda row: row.share, number_format=PERCENT),
        Column("mean class confidence", lambda row: row.confidence, number_format=PERCENT),
        Column("unsure", lambda row: row.unsure, number_format=COUNT),
    ]
    return Table("Boxes by class", columns, _count_classes(results, classes))


def _count_classes(results: Iterable[PhotoResult], classes: Sequence[str]) -> list[_ClassCount]:
    confidences, unsure = defaultdict[str, list[float]](list), Counter[str]()
    for result in results:
        for prediction in result.predictions:
            confidences[prediction.class_name].append(prediction.confidence)
            unsure[prediction.class_name] += not prediction.sure
    total = sum(map(len, confidences.values()))
    return [_class_count(name, confidences[name], total, unsure[name]) for name in classes]


def _class_count(name: str, confidences: Sequence[float], total: int, unsure: int) -> _ClassCount:
    boxes = len(confidences)
    share = round(boxes / total, 4) if total else None
    return _ClassCount(name, boxes, share, round(fmean(confidences), 4) if boxes else None, unsure)
