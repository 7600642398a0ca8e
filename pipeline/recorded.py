"""What an earlier run left in the folder of its report: the results, and what was run."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import DataError
from pipeline.journal import RESULTS, read_recorded
from pipeline.report_folder import read_note
from pipeline.results import RecordedResults
from pipeline.run_info import FILE, RunInfo, read_info
from pipeline.sources import find_path, is_url

_UNKNOWN = "unknown"
_STDIN_LABEL = "names on standard input in "


class Described(NamedTuple):
    """What was run.

    Args:
        run: as far as it is known.
        notes: what its reader should know, a sentence each.
    """

    run: RunInfo
    notes: tuple[str, ...] = ()


def read_report(folder: str | Path) -> RecordedResults:
    """The results of a run, to go through or as a data frame; those of a run that was stopped as far as it came.

    Args:
        folder: the report's, or its ``results.jsonl``.

    Raises:
        DataError: there are no results.

    Example:
        >>> from pipeline import read_report
        >>> frame = read_report("reports/val").to_dataframe("photos")  # doctest: +SKIP
    """
    given = Path(folder)
    path = find_path(given)
    if path is None:
        raise DataError("no such folder or file", where=given, remedy="check the spelling")
    if path.is_dir() and not (path / RESULTS).is_file():
        raise DataError("no report in it", where=given, expected=f"a folder with {RESULTS}, as predict writes it")
    return read_recorded(path / RESULTS if path.is_dir() else path)


def describe(results: RecordedResults) -> Described:
    """What was run, by ``about.json``; where there is none, as copied results and older versions have it, a part of it.

    ``finished`` is None where the results are those of a run that was stopped.
    """
    folder, notes = results.path.parent, []
    try:
        run = read_info(folder)
    except DataError as error:
        run = None
        notes.append(f"{error.where} {error.found}")
    if run is None:
        notes.append(f"without {FILE} nobody knows the run's weights, scores and settings")
        run = _guess(results)
    if results.spans is not None:
        run = replace(run, finished=None)
    if run.finished is None:
        notes.append(f"the run was stopped before its end: {len(results)} files are in the report")
    if not run.photos.is_dir():
        notes.append(f"{run.photos} has gone or cannot be reached: links to photos lead nowhere")
    return Described(run, tuple(notes))


def _guess(results: RecordedResults) -> RunInfo:
    """What the results themselves say, and the note of what they are of."""
    names, lowest, gps = set[str](), 1.0, False
    for result in results:
        gps = gps or result.gps is not None
        for one in result.predictions:
            names.update(one.probabilities)
            lowest = min(lowest, one.detection.confidence)
    return RunInfo(
        photos=_find_photos(results.path.resolve().parent),
        weights=Path(_UNKNOWN),
        class_names=tuple(sorted(names)),
        confidence=lowest if names else 0.0,
        finished=datetime.fromtimestamp(results.path.stat().st_mtime),
        hidden_files=0,
        cropsort_version=_UNKNOWN,
        gps=gps,
    )


def _find_photos(folder: Path) -> Path:
    """Where the photos were; the report's own folder where nobody knows."""
    note = read_note(folder)
    if note is None or is_url(note.photos):
        return folder
    place = Path(note.photos.removeprefix(_STDIN_LABEL))
    if not place.is_absolute():
        return folder
    return place.parent if place.is_file() else place
