"""What the report's page says above its gallery: what was run, what came out, what somebody should look at."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from pipeline.report.links import link_photo
from pipeline.report.page_words import choose_words
from pipeline.report.summary import summarise, warn_of_hidden, warn_of_run
from pipeline.report.survey import SPREAD_PARTS, Survey, Tally
from pipeline.report.wording import Words
from pipeline.results import FAILED, PhotoResult, Status
from pipeline.run_info import RunInfo
from pipeline.workbook.tables import Summary, Value

MOST_LISTED = 200
"""Files in a list; the workbook has all."""

NOT_SORTED: tuple[Status, ...] = (*FAILED, "unsupported")

_QUOTED = re.compile('"([^"]*)"')

Listed = Mapping[Status, Sequence[PhotoResult]]
"""The first files of each status."""


def describe(run: RunInfo, folder: Path, survey: Survey, listed: Listed) -> dict[str, Any]:
    """What ``report.html`` shows of a run.

    Args:
        run: what was run.
        folder: that the page lies in.
        survey: of all results.
        listed: files that nothing was found in, or that could not be sorted, up to ``MOST_LISTED`` of a status.
    """
    words, said = choose_words(run.language), Words(run.language)
    summary = summarise(survey, run, said)
    return {
        "words": words,
        "language": run.language,
        "title": summary.title,
        "headline": summary.headline,
        "warnings": list(_list_warnings(survey, run, said)),
        "tiles": _make_tiles(survey, words, said),
        "facts": list(_list_facts(summary, said)),
        "scores": _list_scores(summary, said),
        "classes": _list_classes(survey),
        "bins": _draw_spread(survey, words, said),
        "statuses": _list_statuses(summary, said),
        "lists": list(_make_lists(run, folder, survey, listed)),
        "boxes": survey.boxes,
    }


def _list_warnings(survey: Survey, run: RunInfo, said: Words) -> Iterator[str]:
    yield from warn_of_run(survey, run, said)
    words = choose_words(run.language)
    for status in NOT_SORTED:
        if count := survey.statuses[status]:
            yield words[f"{status} one" if count == 1 else status].format(count=_count(count))
    yield from warn_of_hidden(run, said)


def _make_tiles(survey: Survey, words: Mapping[str, str], said: Words) -> list[dict[str, str]]:
    files = said.some(survey.files, "{count} file", "{count} files")
    unsure, failed = len(survey.doubts), sum(survey.statuses[status] for status in FAILED)
    told = (
        ("found", survey.boxes, words["found_words"], ""),
        ("with_subject", survey.statuses["ok"], words["of_files"].format(files=files), ""),
        ("to_check", unsure, words["to_check_words" if unsure else "nothing_to_check"], "warning"),
        ("not_read", failed, words["not_read_words" if failed else "all_read"], "error"),
    )
    return [
        {"title": words[name], "count": _count(count), "words": text, "look": look if count else ""}
        for name, count, text, look in told
    ]


def _list_facts(summary: Summary, said: Words) -> Iterator[tuple[str, str]]:
    """Those of the workbook, but for what a tile says."""
    for name, value, number_format in summary.facts:
        if name != said("to check"):
            yield name, _show(value, number_format)


def _show(value: Value, number_format: str) -> str:
    """A value as the workbook shows it: a date, a share with what its format adds in quotes, or text."""
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if isinstance(value, float):
        return f"{value:.0%}" + "".join(_QUOTED.findall(number_format))
    return str(value)


def _list_statuses(summary: Summary, said: Words) -> list[dict[str, str]]:
    rows = _read_table(summary, said("Files by status"))
    return [
        {"name": str(name), "meaning": str(meaning), "files": _count(int(str(files)))}
        for name, files, meaning in rows
        if files
    ]


def _list_scores(summary: Summary, said: Words) -> list[dict[str, str]]:
    rows = _read_table(summary, said("Scores of the weights on val"))
    return [{"name": str(name), "meaning": str(meaning), "value": f"{value:.3f}"} for name, value, meaning in rows]


def _read_table(summary: Summary, name: str) -> list[tuple[Value, ...]]:
    """What the cells of one of the summary's tables hold; none where it has no such table."""
    tables = [table for table in summary.tables if table.name == name]
    return [tuple(column.value(row) for column in table.columns) for table in tables for row in table.rows]


def _list_classes(survey: Survey) -> list[dict[str, Any]]:
    most = max((one.boxes for one in survey.classes.values()), default=0)
    return [
        {
            "name": name,
            "boxes": _count(one.boxes),
            "share": one.boxes / survey.boxes if survey.boxes else None,
            "bar": 100 * one.boxes / most if most else 0,
            "mean": one.mean_confidence,
            "unsure": _count(one.unsure) if one.unsure else "–",
        }
        for name, one in survey.classes.items()
    ]


def _draw_spread(survey: Survey, words: Mapping[str, str], said: Words) -> list[dict[str, Any]]:
    most = max(part.boxes for part in survey.spread) or 1
    step = 100 // SPREAD_PARTS

    def draw(place: int, part: Tally) -> dict[str, Any]:
        boxes = said.some(part.boxes, "{count} box", "{count} boxes")
        low, high = step * place, step * (place + 1)
        return {
            "low": low,
            "count": _count(part.boxes) if part.boxes else "",
            "sure": 100 * (part.boxes - part.unsure) / most,
            "unsure": 100 * part.unsure / most,
            "said": words["spread_bar"].format(low=low, high=high, boxes=boxes, unsure=_count(part.unsure)),
        }

    return [draw(place, part) for place, part in enumerate(survey.spread)]


def _make_lists(run: RunInfo, folder: Path, survey: Survey, listed: Listed) -> Iterator[dict[str, Any]]:
    words, said = choose_words(run.language), Words(run.language)
    empty: tuple[Status, ...] = ("empty",)
    for title, statuses in (("problems", NOT_SORTED), ("empty", empty)):
        count = sum(survey.statuses[status] for status in statuses)
        found = [one for status in statuses for one in listed.get(status, ())][:MOST_LISTED]
        more = said.some(count - len(found), "{count} file", "{count} files")
        if count:
            yield {
                "title": words[title],
                "count": _count(count),
                "files": [_list_file(one, run, folder, said) for one in found],
                "more": words["listed_more"].format(files=more) if count > len(found) else "",
            }


def _list_file(result: PhotoResult, run: RunInfo, folder: Path, said: Words) -> dict[str, str | None]:
    why = f"{said(result.status)}: {said.explain(result.error)}" if result.error else ""
    return {
        "name": result.photo,
        "link": link_photo(photos=run.photos, photo=result.photo, folder=folder),
        "why": why,
    }


def _count(number: int) -> str:
    return f"{number:,}"
