"""A run of predict: the photos that are left are sorted, then all is made that is made of the results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from pipeline import __version__
from pipeline.batches import free_unused
from pipeline.console import Following, libraries_hushed
from pipeline.errors import DataError
from pipeline.extras import Extra, make_extra
from pipeline.journal import Journal
from pipeline.report.frames import Format
from pipeline.report.reporting import Report, is_reported, make_report
from pipeline.report_folder import THUMBNAILS
from pipeline.results import RecordedResults, Status
from pipeline.road import Road
from pipeline.run_info import Language, RunInfo, read_info, write_info
from pipeline.sources import Source, Sources
from pipeline.submission import Submission
from pipeline.thumbnails import Thumbnails
from pipeline.weights import Cards

if TYPE_CHECKING:
    from pipeline.sorter import Sorter

_UNTOLD = ("photos", "subjects", "confidence", "log_loss", "ece", "log_loss_uncalibrated", "ece_uncalibrated")
"""What stands among the scores on a card and is none, or none for the readers of a report."""


@dataclass(frozen=True, slots=True)
class PredictRun:
    """What a run made.

    Args:
        report: workbook, tables and page.
        counts: files by status.
        subjects: boxes found.
        fresh: files that this run worked on; those of the others were done before.
        submission: the CSV for a contest, where one was asked for.
        extras: what was made beside the tables, a line each.
    """

    report: Report
    counts: Counter[Status]
    subjects: int
    fresh: int
    submission: Submission | None = None
    extras: tuple[str, ...] = ()


def describe_run(
    sources: Sources,
    cards: Cards,
    pairs: Sequence[Path],
    *,
    gps: bool = False,
    language: Language = "en",
    settings: Mapping[str, str],
) -> RunInfo:
    """What is run, as it stands in its report; it has not finished yet.

    Args:
        sources: the photos.
        cards: of the pair that sorts them, of several of the first.
        pairs: where they are.
        gps: whether the results say where photos were taken.
        language: of the report.
        settings: what was chosen for this machine, by its name; what the cards say is added.
    """
    return RunInfo(
        photos=sources.root.resolve(),
        weights=pairs[0],
        further_weights=tuple(pairs[1:]),
        class_names=cards.classifier.class_names,
        confidence=(cards.detector and cards.detector.confidence) or 0.0,
        finished=None,
        hidden_files=sources.hidden,
        cropsort_version=__version__,
        gps=gps,
        trained_on=cards.classifier.data_file,
        scores=_pick_scores(cards),
        settings={**settings, **_read_settings(cards, alone=len(pairs) == 1)},
        language=language,
    )


def _pick_scores(cards: Cards) -> dict[str, float]:
    """Those on the cards; a classifier of whole photos has but one that says anything."""
    scores = cards.classifier.metrics
    if cards.detector is None:
        return {name: score for name, score in scores.items() if name == "top1_true"}
    return {name: score for name, score in scores.items() if name not in _UNTOLD}


def _read_settings(cards: Cards, *, alone: bool) -> dict[str, str]:
    """What the cards say of how photos are sorted; several classifiers decide together from which one is sure."""
    named = {card.stage: f"{card.model_name}, {card.imgsz} px" for card in (cards.detector, cards.classifier) if card}
    numbers = {
        "iou": cards.detector and cards.detector.iou,
        "margin": cards.classifier.margin,
        "sure_from": cards.classifier.sure_from if alone else None,
    }
    return named | {name: f"{number:.4g}" for name, number in numbers.items() if number is not None}


@dataclass(frozen=True, slots=True)
class SortingRun:
    """What a run needs.

    Args:
        sources: the photos.
        load: gives the pair, or several, that sorts them; called where there is anything to sort.
        run: what is run, not finished yet.
        console: told of the progress.
        journal: the results.
        batch: photos searched at a time, at least 1.
        formats: what the tables are written as beside CSV.
    """

    sources: Sources
    load: Callable[[], Sorter]
    run: RunInfo
    console: Console
    journal: Journal
    batch: int
    formats: Collection[Format] = ()

    def make(self, extras: Collection[Extra]) -> PredictRun:
        """Sort what is left to sort, then make all that is made of the results."""
        thumbnails = Thumbnails(self._folder / THUMBNAILS)
        before = self._read_before()
        todo = self._list_todo(thumbnails, extras)
        if todo:
            write_info(self._folder, self.run)
            self._sort(todo, thumbnails)
            free_unused()  # the report finds room where the networks were
        names = {one.name for one in self.sources.files}
        results, subjects = self.journal.finish(names), self.journal.count_subjects(names)
        thumbnails.keep_only(subjects)
        run = replace(self.run, finished=before.finished if before and not todo else _now())
        told, report = self._make_all(results, run, before, extras)
        return PredictRun(report, self.journal.count(names), sum(subjects.values()), len(todo), extras=told)

    def _make_all(
        self, results: RecordedResults, run: RunInfo, before: RunInfo | None, extras: Collection[Extra]
    ) -> tuple[tuple[str, ...], Report]:
        """The drawn photos come before the report, which links to them."""
        told: dict[Extra, str] = {}
        if "boxes" in extras:
            told["boxes"] = self._make_extra("boxes", results, run)
        # A run that found what the one before had found, after trying again what failed, changes nothing.
        write_info(self._folder, before if before and is_reported(results, run, self.formats) else run)
        report = make_report(results, run, formats=self.formats, console=self.console)
        told |= {extra: self._make_extra(extra, results, run) for extra in extras if extra not in told}
        return tuple(told[extra] for extra in extras), report

    def _make_extra(self, extra: Extra, results: RecordedResults, run: RunInfo) -> str:
        return make_extra(extra, results, run, self._folder, sources=self.sources, console=self.console)

    @property
    def _folder(self) -> Path:
        return self.journal.path.parent

    def _read_before(self) -> RunInfo | None:
        """What the run before was, where it came to its end."""
        with suppress(DataError):
            before = read_info(self._folder)
            return before if before and before.finished else None
        return None

    def _sort(self, todo: Sequence[Source], thumbnails: Thumbnails) -> None:
        names, waiting = [one.name for one in self.sources.files], {one.name for one in todo}
        before = self.journal.count(name for name in names if name not in waiting)
        if before:
            self.console.print(f"{before.total()} of {len(names)} files are done: going on with {len(todo)}")
        road = Road(self.load(), thumbnails, self.batch, self.run.gps, self._say_fewer)
        with (
            libraries_hushed(),
            Following(self.console, "sorting photos", len(names), before) as progress,
            closing(road.sort(todo)) as results,
        ):
            for result in results:
                self.journal.append(result)
                progress.advance(result.status)

    def _list_todo(self, thumbnails: Thumbnails, extras: Collection[Extra]) -> list[Source]:
        """What is new, has changed or failed before; where a report is to be made, what lost its pictures too."""
        files = self.sources.files
        todo = {one.name for one in files if not self.journal.is_done(one.name, *one.stat())}
        if todo or "boxes" in extras or not self._is_reported():
            todo |= thumbnails.list_lost(self.journal.count_subjects(one.name for one in files))
        return [one for one in files if one.name in todo]

    def _is_reported(self) -> bool:
        """Whether there is a report of what the run before found."""
        return is_reported(self.journal.list_results(), replace(self.run, finished=_now()), self.formats)

    def _say_fewer(self, before: int, fits: int) -> None:
        self.console.print(f"memory ran out at {before} photos at a time: going on with {fits}")


def _now() -> datetime:
    return datetime.now().astimezone().replace(tzinfo=None)
