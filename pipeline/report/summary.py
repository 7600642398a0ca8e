"""The first sheet of a run's workbook: what was run, what came out, and what somebody should look at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from pipeline.report.columns import translate
from pipeline.report.sheets import ClassRow, class_columns, count_classes
from pipeline.report.survey import SPREAD_PARTS, Survey, Tally
from pipeline.report.wording import Words
from pipeline.results import Status
from pipeline.run_info import RunInfo
from pipeline.workbook.tables import (
    COUNT,
    DATE,
    MAX_LINKS,
    MAX_PICTURES,
    MAX_ROWS,
    TEXT,
    WHOLE,
    Column,
    Summary,
    Table,
    Value,
)

_MEANING: dict[Status, str] = {
    "ok": "something found",
    "empty": "nothing found",
    "unreadable": "cannot be opened",
    "truncated": "its end is missing",
    "too large": "too many pixels, or more than memory holds",
    "unsupported": "not a photo",
}

_SCORES = {
    "f1": ("F1", "precision and recall in one"),
    "f1_low": ("F1, at least", "lower end of its 95 % interval"),
    "f1_high": ("F1, at most", "upper end of its 95 % interval"),
    "precision": ("precision", "boxes that hold a subject of their class"),
    "recall": ("recall", "subjects found and given the right class"),
    "found": ("found", "subjects found, whatever their class"),
    "top1_true": ("top-1", "right class, of subjects as people framed them"),
    "top1_detected": ("top-1 when found", "right class, of subjects as the detector framed them"),
    "map50": ("mAP50", "the detector alone"),
    "map50_95": ("mAP50-95", "the detector alone, closely framed"),
}
"""What the scores on a card are called and mean, in the order in which they are shown; others have their own names."""

_SETTINGS = {
    "device": "device",
    "engine": "engine",
    "int8": "8-bit networks",
    "batch": "photos at a time",
    "detector": "detector",
    "classifier": "classifier",
    "iou": "overlap of boxes (IoU)",
    "margin": "margin around boxes",
    "sure_from": "sure from",
}
"""What settings are called; others have their own names."""

_SCORE = "0.000"


class _Part(NamedTuple):
    name: str
    tally: Tally


def summarise(survey: Survey, run: RunInfo, words: Words) -> Summary:
    """The first sheet of a run's workbook.

    Args:
        survey: of the run's results.
        run: what was run.
        words: of its language.
    """
    files = words.some(survey.files, "{count} file", "{count} files")
    boxes = words.some(survey.boxes, "{count} box", "{count} boxes")
    return Summary(
        title=words("Report on {name}", name=run.photos.name or run.photos),
        headline=words("{boxes} found in {ok} of {files}.", boxes=boxes, ok=f"{survey.statuses['ok']:,}", files=files),
        facts=list(_list_facts(survey, run, words)),
        warnings=list(_list_warnings(survey, run, words)),
        tables=[
            _status_table(survey, words),
            _class_table(survey, words),
            _spread_table(survey, words),
            *((_score_table(run, words),) if run.scores else ()),
        ],
    )


def _list_facts(survey: Survey, run: RunInfo, words: Words) -> Iterator[tuple[str, Value, str]]:
    finished = run.finished or words("interrupted: not all photos are in")
    yield words("finished"), finished, DATE if run.finished else TEXT
    yield words("to check"), _say_unsure(survey, words), TEXT
    yield words("photos"), str(run.photos), TEXT
    for weights in (run.weights, *run.further_weights):
        yield words("weights"), str(weights), TEXT
    if run.trained_on:
        yield words("trained on"), run.trained_on, TEXT
    yield words("detector confidence"), run.confidence, f'0%"{words(" or more")}"'
    if run.settings:
        said = (f"{words(_SETTINGS.get(name, name))} {words(value)}" for name, value in run.settings.items())
        yield words("settings"), " · ".join(said), TEXT
    yield words("cropsort version"), run.cropsort_version, TEXT


def _say_unsure(survey: Survey, words: Words) -> str:
    """How many boxes somebody should look at, in words: a number that wide would show as ###."""
    if not survey.doubts:
        return words("nothing: no box is unsure")
    boxes = words.some(survey.boxes, "{count} box", "{count} boxes")
    some = "{count} of {boxes}: see To check, the most doubtful first"
    return words.some(len(survey.doubts), some, some, boxes=boxes)


def _list_warnings(survey: Survey, run: RunInfo, words: Words) -> Iterator[str]:
    yield from warn_of_run(survey, run, words)
    yield from _warn_of_crops(survey, words)
    yield from _warn_of_files(survey, words)
    yield from warn_of_hidden(run, words)
    yield from _warn_of_limits(survey, words)


def warn_of_run(survey: Survey, run: RunInfo, words: Words) -> Iterator[str]:
    """That a run was stopped, and that its photos are not where they were; a sentence each."""
    if run.finished is None:
        yield words("This report is partial: the run was stopped before its end. Run predict again: it goes on there.")
    if survey.gone and not run.photos.exists():
        yield words("The folder of photos is not there any more: links to photos lead nowhere.")
    elif survey.gone:
        yield words.some(
            survey.gone,
            "{count} file is not where it was: the link to it leads nowhere.",
            "{count} files are not where they were: links to them lead nowhere.",
        )


def warn_of_hidden(run: RunInfo, words: Words) -> Iterator[str]:
    """That files were skipped, in a sentence."""
    if run.hidden_files:
        yield words.some(run.hidden_files, "{count} hidden file was skipped.", "{count} hidden files were skipped.")


def _warn_of_crops(survey: Survey, words: Words) -> Iterator[str]:
    if survey.crops_lost:
        yield words.some(
            survey.crops_lost,
            "The crop of {count} box cannot be shown: its picture has gone.",
            "The crops of {count} boxes cannot be shown: their pictures have gone.",
        )


def _warn_of_files(survey: Survey, words: Words) -> Iterator[str]:
    said: dict[Status, tuple[str, str]] = {
        "unreadable": (
            "{count} photo could not be read: see Problems.",
            "{count} photos could not be read: see Problems.",
        ),
        "truncated": ("{count} photo lacks its end: see Problems.", "{count} photos lack their end: see Problems."),
        "too large": (
            "{count} photo is too large to be sorted: see Problems.",
            "{count} photos are too large to be sorted: see Problems.",
        ),
        "unsupported": ("{count} file is not a photo: see Problems.", "{count} files are not photos: see Problems."),
    }
    for status, (one, many) in said.items():
        if survey.statuses[status]:
            yield words.some(survey.statuses[status], one, many)


def _warn_of_limits(survey: Survey, words: Words) -> Iterator[str]:
    if survey.boxes > MAX_PICTURES:
        yield words("Crops are shown for the first {count} boxes only.", count=f"{MAX_PICTURES:,}")
    for name, rows in (("Detections", survey.boxes), ("Photos", survey.files), ("To check", len(survey.doubts))):
        if rows > MAX_ROWS:
            text = "{sheet} goes on on {sheet} 2 and so on: a sheet of Excel has room for {count} rows."
            yield words(text, sheet=words(name), count=f"{MAX_ROWS:,}")
    if max(survey.boxes, survey.files, survey.statuses["ok"] + survey.files if survey.drawn else 0) > MAX_LINKS:
        text = "Excel has room for {count} links a sheet: below them paths are plain text."
        yield words(text, count=f"{MAX_LINKS:,}")


def _status_table(survey: Survey, words: Words) -> Table[Status]:
    columns: list[Column[Status]] = [
        Column(words("status"), words),
        Column(words("files"), lambda status: survey.statuses[status], number_format=WHOLE),
        Column(words("meaning"), lambda status: words(_MEANING[status])),
    ]
    return Table(words("Files by status"), columns, list(_MEANING))


def _spread_table(survey: Survey, words: Words) -> Table[_Part]:
    columns: list[Column[_Part]] = [
        Column(words("class confidence"), lambda part: part.name),
        Column(words("boxes"), lambda part: part.tally.boxes, number_format=COUNT),
        Column(words("unsure boxes"), lambda part: part.tally.unsure, number_format=COUNT),
    ]
    step = 100 // SPREAD_PARTS
    parts = [_Part(f"{step * place}–{step * (place + 1)} %", tally) for place, tally in enumerate(survey.spread)]
    return Table(words("Confidence spread"), columns, parts, chart="columns" if survey.boxes else None)


def _score_table(run: RunInfo, words: Words) -> Table[str]:
    order = [*(name for name in _SCORES if name in run.scores), *(name for name in run.scores if name not in _SCORES)]
    columns: list[Column[str]] = [
        Column(words("score"), lambda name: words(_SCORES.get(name, (name, ""))[0])),
        Column(words("value"), lambda name: run.scores[name], number_format=_SCORE),
        Column(words("meaning"), lambda name: words(_SCORES.get(name, (name, ""))[1])),
    ]
    return Table(words("Scores of the weights on val"), columns, order)


def _class_table(survey: Survey, words: Words) -> Table[ClassRow]:
    return Table(words("Boxes by class"), translate(class_columns(), words), count_classes(survey), chart="bars")
