"""Sort every photo that an argument stands for, and report it."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.console import Console

from pipeline import __version__
from pipeline.config import read_config
from pipeline.console import Following, libraries_hushed
from pipeline.errors import CropsortError, PhotoError
from pipeline.journal import RESULTS, Journal, open_journal
from pipeline.listing import is_photo
from pipeline.report import ReportFiles, write_report
from pipeline.report_folder import THUMBNAILS, RunNote, keep_edited
from pipeline.results import Results, Status, read_results
from pipeline.road import Road
from pipeline.run_info import RunInfo
from pipeline.sources import Source, Sources, default_folder, find_sources
from pipeline.submission import SUBMISSION, Header, Submission, check_ids, write_submission
from pipeline.thumbnails import Thumbnails
from pipeline.weights import STAGES, default_weights, read_matching_cards

if TYPE_CHECKING:
    from pipeline.sorter import Sorter

Extra = Literal["boxes", "crops", "megadetector", "coco"]
"""What is made beside the tables on request."""


@dataclass(frozen=True, slots=True)
class PredictRun:
    """What a run made.

    Args:
        files: the workbook and the CSVs.
        counts: files by status.
        subjects: boxes found.
        fresh: files that this run worked on; those of the others were done before.
        submission: the CSV for a contest, where one was asked for.
        extras: what was made beside the tables, a line each.
    """

    files: ReportFiles
    counts: Counter[Status]
    subjects: int
    fresh: int
    submission: Submission | None = None
    extras: tuple[str, ...] = ()


def predict_photos(
    photos: str | Path,
    data_file: Path,
    *,
    weights: Sequence[Path],
    folder: Path | None,
    console: Console,
    submission: Header | None = None,
    gps: bool = False,
    int8: bool = False,
    restart: bool = False,
    extras: Collection[Extra] = (),
) -> PredictRun:
    """Sort every photo with a data set's pair, as many at a time as memory and speed suggest.

    Args:
        photos: as for ``find_sources``; nothing there is written to.
        data_file: the data.yaml, which says device and memory; not read where ``weights`` are given.
        weights: folders of the pairs that decide together; none for that of the data set.
        folder: where the report goes; None for ``default_folder``.
        console: told of the progress.
        submission: names of the two columns of the CSV for a contest; None for no such CSV.
        gps: whether the results say where photos were taken.
        int8: networks in 8 bits, on a CPU.
        restart: begin anew what an earlier run left.
        extras: what to make beside the tables.

    Raises:
        DataError: the photos are missing, unreadable or none, or a contest could not tell two of them apart.
        CropsortError: data.yaml or weights cannot be worked with, or the report's folder is another's.
        OutputError: the results cannot be written.
    """
    sources = find_sources(photos)  # what is wrong there is said before the seconds that torch takes to load
    target = folder or default_folder(sources)
    sources = sources.leave_out(target)
    if submission:
        check_ids([one.name for one in sources.files if one.is_url or is_photo(Path(one.name))], photos)
    pairs = tuple(weights) or (default_weights(data_file),)
    read_matching_cards(pairs)
    settings = None if weights else read_config(data_file)
    note = make_note(sources, pairs, gps=gps, int8=int8)
    _check_apart(target, sources)
    with open_journal(target, note, restart=restart) as journal:
        from pipeline.device import pick_device
        from pipeline.engine import pick_engine
        from pipeline.gpu import hold_gpu
        from pipeline.planning import tune_prediction
        from pipeline.sorter import Sorter

        device = pick_device(settings.device if settings else "auto")
        engine = pick_engine(device, int8=int8)
        memory = settings.memory if settings else None
        fit = tune_prediction(
            pairs, engine=engine, photos=len(sources.files), memory=memory, device=device, console=console
        ).fit
        hold_gpu(device, fit.limit_bytes if memory else None)
        sorter = Sorter(pairs, device=device, engine=engine)
        made = _Run(sources, sorter, pairs, target, console, journal, fit.batch, gps).make(extras)
        if submission is None:
            return made
        return replace(made, submission=write_submission(target / SUBMISSION, submission, read_results(journal.path)))


def predict_folder(
    photos: str | Path,
    sorter: Sorter,
    *,
    weights: Path,
    folder: Path,
    console: Console,
    batch: int = 1,
    gps: bool = False,
    restart: bool = False,
    extras: Collection[Extra] = (),
) -> PredictRun:
    """Sort every photo with a pair that is loaded, and write results, workbook and CSVs.

    Args:
        photos: as for ``find_sources``; nothing there is written to.
        sorter: the trained pair.
        weights: where it came from, for the record.
        folder: where the report goes.
        console: told of the progress.
        batch: photos searched at a time, at least 1; fewer where memory runs out.
        gps: as for ``predict_photos``.
        restart: as for ``predict_photos``.
        extras: as for ``predict_photos``.

    Raises:
        DataError: the photos are missing, unreadable or none.
        CropsortError: ``folder`` holds the report of other photos, weights or settings.
        OutputError: the results cannot be written.
    """
    sources = find_sources(photos).leave_out(folder)
    _check_apart(folder, sources)
    with open_journal(folder, make_note(sources, (weights,), gps=gps), restart=restart) as journal:
        return _Run(sources, sorter, (weights,), folder, console, journal, batch, gps).make(extras)


def make_note(sources: Sources, pairs: Iterable[Path], *, gps: bool = False, int8: bool = False) -> RunNote:
    """What the results depend on: photos, weights with their cards (threshold, margin, temperature), settings."""
    return RunNote(sources.label, tuple(map(_hash_pair, pairs)), {"--gps": gps, "--int8": int8})


def _hash_pair(folder: Path) -> str:
    total = hashlib.sha256()
    for path in (folder / f"{stage}{suffix}" for stage in STAGES for suffix in (".pt", ".json")):
        if path.is_file():
            with path.open("rb") as file:
                total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()


def _check_apart(folder: Path, sources: Sources) -> None:
    if folder.resolve() == Path(sources.label):
        remedy = "choose another one: OUT=folder, or --out folder"
        raise CropsortError("is the folder of photos itself", where=folder, remedy=remedy)


@dataclass(frozen=True, slots=True)
class _Run:
    sources: Sources
    sorter: Sorter
    pairs: Sequence[Path]
    folder: Path
    console: Console
    journal: Journal
    batch: int
    gps: bool

    def make(self, extras: Collection[Extra]) -> PredictRun:
        """Sort what is left to sort, then make all that is made of the results."""
        thumbnails = Thumbnails(self.folder / THUMBNAILS)
        fresh = self._sort(thumbnails)
        names = {one.name for one in self.sources.files}
        results, subjects = self.journal.finish(names), self.journal.count_subjects(names)
        thumbnails.keep_only(subjects)
        run = self._describe()
        files = self._report(results, run, thumbnails)
        made = tuple(self._make_extra(extra, results, run) for extra in extras)
        return PredictRun(files, self.journal.count(names), sum(subjects.values()), fresh, extras=made)

    def _sort(self, thumbnails: Thumbnails) -> int:
        """Sort what is new, has changed or failed before; how many files that were."""
        names = [one.name for one in self.sources.files]
        todo = self._list_todo(thumbnails)
        waiting = {one.name for one in todo}
        before = self.journal.count(name for name in names if name not in waiting)
        if before and todo:
            self.console.print(f"{before.total()} of {len(names)} files are done: going on with {len(todo)}")
        road = Road(self.sorter, thumbnails, self.batch, self.gps, self._say_fewer)
        with (
            libraries_hushed(),
            Following(self.console, "sorting photos", len(names), before) as progress,
            closing(road.sort(todo)) as results,
        ):
            for result in results:
                self.journal.append(result)
                progress.advance(result.status)
        return len(todo)

    def _list_todo(self, thumbnails: Thumbnails) -> list[Source]:
        """What is not done; where a workbook is to be made, that which lost its pictures too."""
        files = self.sources.files
        todo = {one.name for one in files if not self.journal.is_done(one.name, *one.stat())}
        if todo or not self._is_reported():
            todo |= thumbnails.list_lost(self.journal.count_subjects(one.name for one in files))
        return [one for one in files if one.name in todo]

    def _is_reported(self) -> bool:
        return self.journal.is_reported() and all(path.is_file() for path in self._tables())

    def _tables(self) -> list[Path]:
        return [self.folder / name for name in ("report.xlsx", "detections.csv", "photos.csv")]

    def _say_fewer(self, before: int, fits: int) -> None:
        self.console.print(f"memory ran out at {before} photos at a time: going on with {fits}")

    def _report(self, results: Results, run: RunInfo, thumbnails: Thumbnails) -> ReportFiles:
        """Write the report, unless there is one of these very results."""
        if self._is_reported():
            self.console.print("nothing is new: the report stays as it is")
            return ReportFiles(*self._tables())
        keep_edited(self.folder)
        self.console.print("writing the workbook ...")
        files = write_report(
            results, run, self.folder, thumbnail=lambda result, index: thumbnails.read(result.photo, index)
        )
        self.journal.note_report(self._tables())
        return files

    def _make_extra(self, extra: Extra, results: Results, run: RunInfo) -> str:
        if extra == "megadetector":
            from pipeline.megadetector import write_megadetector

            return f"MegaDetector's format in {write_megadetector(results, self.folder, run)}"
        if extra == "coco":
            from pipeline.coco import write_coco

            return f"COCO's format in {write_coco(results, self.folder, run)}"
        from pipeline.crop_folders import CROPS, write_crops
        from pipeline.drawing import BOXES, write_drawn

        write, name = (write_drawn, BOXES) if extra == "boxes" else (write_crops, CROPS)
        self.console.print(f"making {name} ...")
        made = write(results, self._opener(), self.folder, class_names=run.class_names)
        gone = f"; {made.missing} have gone or changed since" if made.missing else ""
        return f"{name} of {made.made + made.kept} photos in {self.folder / name}{gone}"

    def _opener(self) -> Callable[[str], Path | bytes | None]:
        from pipeline.fetching import fetch

        places = {one.name: one.place for one in self.sources.files}

        def open_source(name: str) -> Path | bytes | None:
            place = places.get(name)
            if not isinstance(place, str):
                return place if place is not None and place.exists() else None
            try:
                return fetch(place)
            except PhotoError:
                return None

        return open_source

    def _describe(self) -> RunInfo:
        return RunInfo(
            photos=self.sources.root.resolve(),
            weights=self.pairs[0],
            further_weights=tuple(self.pairs[1:]),
            class_names=self.sorter.class_names,
            confidence=self.sorter.confidence,
            finished=datetime.now().astimezone().replace(tzinfo=None),
            hidden_files=self.sources.hidden,
            cropsort_version=__version__,
            gps=self.gps,
        )


__all__ = ["RESULTS", "Extra", "PredictRun", "default_folder", "predict_folder", "predict_photos"]
