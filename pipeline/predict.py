"""Sort every photo that an argument stands for, and report it."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from pipeline.config import read_config
from pipeline.errors import CropsortError
from pipeline.extras import Extra
from pipeline.journal import RESULTS, open_journal
from pipeline.listing import is_photo
from pipeline.predict_run import PredictRun, SortingRun, describe_run
from pipeline.report.frames import Format
from pipeline.report_folder import RunNote
from pipeline.results import read_results
from pipeline.run_info import Language
from pipeline.sources import Sources, default_folder, find_sources
from pipeline.submission import SUBMISSION, Header, check_ids, write_submission
from pipeline.weights import STAGES, default_weights, read_cards, read_matching_cards, weights_file

if TYPE_CHECKING:
    from pipeline.sorter import Sorter


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
    formats: Collection[Format] = (),
) -> PredictRun:
    """Sort every photo with a data set's pair, as many at a time as memory and speed suggest.

    Args:
        photos: as for ``find_sources``; nothing there is written to.
        data_file: the data.yaml, which says device, memory and language; not read where ``weights`` are given.
        weights: folders of the pairs that decide together; none for that of the data set.
        folder: where the report goes; None for ``default_folder``.
        console: told of the progress.
        submission: names of the two columns of the CSV for a contest; None for no such CSV.
        gps: whether the results say where photos were taken.
        int8: networks in 8 bits, on a CPU.
        restart: begin anew what an earlier run left.
        extras: what to make beside the tables.
        formats: what the tables are written as beside CSV.

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
    cards, *_ = read_matching_cards(pairs)
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
        run = describe_run(
            sources,
            cards,
            pairs,
            gps=gps,
            language=settings.report.language if settings else "en",
            settings=_name_settings(device, engine, fit.batch, int8=int8),
        )
        load = partial(Sorter, pairs, device=device, engine=engine)
        made = SortingRun(sources, load, run, console, journal, fit.batch, formats).make(extras)
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
    formats: Collection[Format] = (),
    language: Language = "en",
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
        formats: as for ``predict_photos``.
        language: of the report.

    Raises:
        DataError: the photos are missing, unreadable or none.
        CropsortError: ``folder`` holds the report of other photos, weights or settings.
        OutputError: the results cannot be written.
    """
    sources = find_sources(photos).leave_out(folder)
    _check_apart(folder, sources)
    with open_journal(folder, make_note(sources, (weights,), gps=gps), restart=restart) as journal:
        chosen = {"batch": str(batch)}
        run = describe_run(sources, sorter.cards, (weights,), gps=gps, language=language, settings=chosen)
        return SortingRun(sources, lambda: sorter, run, console, journal, batch, formats).make(extras)


def make_note(sources: Sources, pairs: Iterable[Path], *, gps: bool = False, int8: bool = False) -> RunNote:
    """What the results depend on: photos, weights with their cards (threshold, margin, temperature), settings."""
    weights = tuple(_hash_pair(pair, int8=int8) for pair in pairs)
    return RunNote(sources.label, weights, {"--gps": gps, "--int8": int8})


def _name_settings(device: str, engine: str, batch: int, *, int8: bool) -> dict[str, str]:
    return {"device": device, "engine": engine, "int8": "yes" if int8 else "no", "batch": str(batch)}


def _hash_pair(folder: Path, *, int8: bool) -> str:
    total = hashlib.sha256()
    if int8:  # whose ranges may have been measured on other photos since
        from pipeline.engine.cached import hash_int8
        from pipeline.exporting import recipe_of

        cards = read_cards(folder)
        for card in filter(None, (cards.detector, cards.classifier)):
            weights = weights_file(folder, card.stage)
            total.update(hash_int8(weights, recipe_of(weights, card)))
    for path in (folder / f"{stage}{suffix}" for stage in STAGES for suffix in (".pt", ".json")):
        if path.is_file():
            with path.open("rb") as file:
                total.update(hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()


def _check_apart(folder: Path, sources: Sources) -> None:
    if folder.resolve() == Path(sources.label):
        remedy = "choose another one: OUT=folder, or --out folder"
        raise CropsortError("is the folder of photos itself", where=folder, remedy=remedy)


__all__ = ["RESULTS", "Extra", "PredictRun", "default_folder", "predict_folder", "predict_photos"]
