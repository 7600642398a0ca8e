"""The command ``cropsort report``, and the end of ``predict``: workbook, tables and page of the results of a run."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from pipeline.drawing import list_drawn
from pipeline.errors import CropsortError, OutputError
from pipeline.files import claimed_folder
from pipeline.recorded import describe, read_report
from pipeline.report import WORKBOOK, ReportFiles, write_report
from pipeline.report.frames import Format, write_frames
from pipeline.report.page import DATA, PAGE, write_report_page
from pipeline.report.reported import digest_report, find_report, note_report
from pipeline.report_folder import THUMBNAILS, keep_edited
from pipeline.results import PhotoResult, RecordedResults
from pipeline.run_info import Language, RunInfo
from pipeline.thumbnails import Thumbnails

_ELSEWHERE = "let it finish, or write somewhere else: -o out.xlsx"


@dataclass(frozen=True, slots=True)
class Report:
    """What was made of results, now or before.

    Args:
        files: the workbook and the tables.
        page: to look at in a browser; None where the workbook was written elsewhere than to the report's folder.
    """

    files: ReportFiles
    page: Path | None


def report_results(
    source: Path,
    *,
    workbook: Path | None = None,
    language: Language | None = None,
    formats: Collection[Format] = (),
    console: Console,
) -> Report:
    """Make the report of a run anew, of one that was stopped as well; the same one twice is made once.

    Args:
        source: the report's folder, or its ``results.jsonl``.
        workbook: where the workbook goes, its tables then to a folder beside it; None for all to the report's folder.
        language: of the report; None for the one that the run was reported in.
        formats: what the tables are written as beside CSV.
        console: told what is done, and what is not known of the run.

    Raises:
        DataError: there are no results.
        CropsortError: ``workbook`` is no name of a workbook, or a run is at work in the folder.
        OutputError: the report cannot be written.
    """
    if workbook is not None and (workbook.suffix.lower() != ".xlsx" or workbook.is_dir()):
        raise CropsortError(f"'{workbook}'", where="-o", expected="the name of a workbook, such as out.xlsx")
    results = read_report(source)
    if workbook is not None and not _is_own(results, workbook):
        return _report(results, workbook, language, formats, console)
    with claimed_folder(results.path.parent, "run", _ELSEWHERE):
        return _report(read_report(source), None, language, formats, console)


def _report(
    results: RecordedResults,
    workbook: Path | None,
    language: Language | None,
    formats: Collection[Format],
    console: Console,
) -> Report:
    run, notes = describe(results)
    for note in notes:
        console.print(f"note: {note}")
    if not (results.path.parent / THUMBNAILS).is_dir():
        console.print(f"note: no {THUMBNAILS} beside the results: crops are not shown")
    run = replace(run, language=language or run.language)
    return make_report(results, run, workbook=workbook, formats=formats, console=console)


def make_report(
    results: RecordedResults,
    run: RunInfo,
    *,
    workbook: Path | None = None,
    formats: Collection[Format] = (),
    console: Console,
) -> Report:
    """Write the report, unless there is one of these very results; one that may hold somebody's notes is kept.

    Args:
        results: with what was made of them beside them, thumbnails and photos with boxes.
        run: what was run.
        workbook: as for ``report_results``.
        formats: as for ``report_results``.
        console: told what is done.

    Raises:
        OutputError: a file cannot be written.
    """
    folder = results.path.parent
    target = workbook or folder / WORKBOOK
    drawn = list_drawn(results, folder)
    digest = _digest(results, run, drawn)
    earlier = _find(folder, target, digest, formats)
    if earlier is not None:
        console.print("nothing is new: the report stays as it is")
        return earlier
    keep_edited(target, console)
    console.print("writing the workbook ...")
    made = _write(results, run, target, drawn, formats)
    paths = (made.files.workbook, *made.files.tables, *([made.page] if made.page else []))
    if workbook is None:
        note_report(folder, digest, paths)
    else:
        with suppress(OutputError):  # results that nobody may write beside can be reported elsewhere all the same
            note_report(folder, digest, paths)
    return made


def is_reported(results: RecordedResults, run: RunInfo, formats: Collection[Format]) -> bool:
    """Whether the report's folder has a report of these very results, in these formats.

    Raises:
        OutputError: the results cannot be read.
    """
    folder = results.path.parent
    return _find(folder, folder / WORKBOOK, _digest(results, run, list_drawn(results, folder)), formats) is not None


def _write(
    results: RecordedResults, run: RunInfo, target: Path, drawn: Mapping[str, Path], formats: Collection[Format]
) -> Report:
    folder = results.path.parent
    thumbnails = Thumbnails(folder / THUMBNAILS)

    def read(result: PhotoResult, index: int) -> bytes | None:
        return thumbnails.read(result.photo, index)

    elsewhere = not _is_own(results, target)
    tables = target.with_name(f"{target.stem}-tables") if elsewhere else folder
    files = write_report(results, run, tables, thumbnail=read, drawn=drawn.get, workbook=target)
    files = replace(files, tables=(*files.tables, *write_frames(results, run, tables, formats)))
    if elsewhere:
        return Report(files, None)
    return Report(files, write_report_page(results, run, folder, thumbnails=read, drawn=drawn.get))


def _is_own(results: RecordedResults, workbook: Path) -> bool:
    return workbook.resolve() == (results.path.parent / WORKBOOK).resolve()


def _digest(results: RecordedResults, run: RunInfo, drawn: Mapping[str, Path]) -> str:
    """A report says whether its run came to its end, and links to the photos that are drawn by then."""
    state = "stopped" if run.finished is None else "finished"
    return digest_report(results, (run.language, state, len(drawn)))


def _find(folder: Path, target: Path, digest: str, formats: Collection[Format]) -> Report | None:
    found = find_report(folder, target, digest)
    if not found or {f".{form}" for form in formats} - {path.suffix for path in found}:
        return None
    page = next((path for path in found if path.name == PAGE), None)
    if page is not None and not page.with_name(DATA).is_dir():
        return None
    return Report(ReportFiles(found[0], tuple(path for path in found[1:] if path != page)), page)
