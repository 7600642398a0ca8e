"""Sort every photo in a folder, and report it."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from pipeline import __version__
from pipeline.batches import Batches, lacks_memory
from pipeline.config import read_config
from pipeline.console import counting
from pipeline.crops import cut_subject
from pipeline.errors import DataError, PhotoError
from pipeline.files import replacing
from pipeline.images import Photo, encode_jpeg, read_photo, read_size, shrink
from pipeline.listing import Listing, is_photo, list_files
from pipeline.report import ReportFiles, write_report
from pipeline.report_folder import claim_folder, empty_folder, keep_edited
from pipeline.results import PhotoResult, Prediction, Status, read_results, to_json
from pipeline.submission import SUBMISSION, Header, Submission, check_ids, write_submission
from pipeline.summary import RunInfo

if TYPE_CHECKING:
    from pipeline.sorter import Sorter

RESULTS = "results.jsonl"

_THUMBNAIL = 96
_ORDINARY_PIXELS = 4032 * 3024
"""Of the photos that ``tune.probe`` measures batches with."""


@dataclass(frozen=True, slots=True)
class PredictRun:
    """What a run made.

    Args:
        files: the workbook and the CSVs.
        counts: files by status.
        subjects: boxes found.
        submission: the CSV for a contest, where one was asked for.
    """

    files: ReportFiles
    counts: Counter[Status]
    subjects: int
    submission: Submission | None = None


def default_folder(photos: Path) -> Path:
    """Where the report of a folder of photos goes: ``reports/<its name>``."""
    return Path("reports") / (photos.resolve().name or "photos")


def predict_photos(
    photos: Path,
    data_file: Path,
    *,
    weights: Path | None,
    folder: Path | None,
    console: Console,
    submission: Header | None = None,
) -> PredictRun:
    """Sort every photo in a folder with a data set's pair, as many at a time as memory and speed suggest.

    Args:
        photos: the folder of photos; nothing in it is written to.
        data_file: the data.yaml, which says device and memory; not read where ``weights`` are given.
        weights: folder of the pair; None for that of the data set.
        folder: where the report goes; None for ``default_folder``.
        console: told of the progress.
        submission: names of the two columns of the CSV for a contest; None for no such CSV.

    Raises:
        DataError: the folder is missing, unreadable or without photos, or a contest could not tell two of them apart.
        CropsortError: data.yaml or weights cannot be worked with, or the report's folder is another's.
        OutputError: the results cannot be written.
    """
    listing = list_photos(photos)  # what is wrong there is said before the seconds that torch takes to load
    target = folder or default_folder(photos)
    if submission:
        check_ids(filter(is_photo, _leave_out(target, listing).files), photos)
    from pipeline.weights import default_weights, read_cards

    pair = weights or default_weights(data_file)
    read_cards(pair)
    settings = None if weights else read_config(data_file)
    from pipeline.device import pick_device
    from pipeline.gpu import hold_gpu
    from pipeline.planning import tune_prediction
    from pipeline.sorter import Sorter

    memory = settings.memory if settings else None
    device = pick_device(settings.device if settings else "auto")
    fit = tune_prediction(pair, photos=len(listing.files), memory=memory, device=device, console=console).fit
    hold_gpu(device, fit.limit_bytes if memory else None)
    sorter = Sorter(pair, device=device)
    made = predict_folder(photos, sorter, weights=pair, folder=target, console=console, batch=fit.batch)
    if submission is None:
        return made
    return replace(made, submission=write_submission(target / SUBMISSION, submission, read_results(target / RESULTS)))


def predict_folder(
    photos: Path, sorter: Sorter, *, weights: Path, folder: Path, console: Console, batch: int = 1
) -> PredictRun:
    """Sort every photo in a folder and below, and write results, workbook and CSVs.

    Args:
        photos: the folder of photos; nothing in it is written to.
        sorter: the trained pair.
        weights: where it came from, for the record.
        folder: where the report goes.
        console: told of the progress.
        batch: photos sorted at a time, at least 1; fewer where memory runs out.

    Raises:
        DataError: the folder is missing, unreadable or without photos.
        CropsortError: ``folder`` holds the report of other photos.
        OutputError: the results cannot be written.
    """
    listing = list_photos(photos)
    claim_folder(folder, photos)
    listing = _leave_out(folder, listing)
    desk = _Desk(photos, sorter, empty_folder(folder / "thumbnails"))
    with (
        replacing(folder / RESULTS) as temporary,
        temporary.open("w", encoding="utf-8", newline="\n") as out,
        counting(console, "sorting photos", len(listing.files)) as advance,
    ):
        for result in _sort_files(desk, listing.files, batch, console):
            out.write(to_json(result) + "\n")
            advance()
    run = RunInfo(
        photos=photos.resolve(),
        weights=weights,
        class_names=sorter.class_names,
        confidence=sorter.confidence,
        finished=datetime.now().astimezone().replace(tzinfo=None),
        hidden_files=listing.hidden,
        cropsort_version=__version__,
    )
    results = list(read_results(folder / RESULTS))
    numbers = {result.photo: number for number, result in enumerate(results)}
    keep_edited(folder)
    console.print("writing the workbook ...")
    files = write_report(
        results,
        run,
        folder,
        thumbnail=lambda result, index: _read_if_there(_thumbnail(desk.thumbnails, numbers[result.photo], index)),
    )
    subjects = sum(len(result.predictions) for result in results)
    return PredictRun(files, Counter(result.status for result in results), subjects)


def list_photos(photos: Path) -> Listing:
    """The files in a folder of photos.

    Raises:
        DataError: the folder is missing, unreadable or without photos.
    """
    listing = list_files(photos)
    if not any(is_photo(path) for path in listing.files):
        found = f"no photos in it, {len(listing.files)} other files" if listing.files else "the folder is empty"
        raise DataError(found, where=photos, expected="JPEG, PNG, HEIC or the like")
    return listing


def _leave_out(folder: Path, listing: Listing) -> Listing:
    """The files but those of a report that lies among the photos."""
    own = folder.resolve()
    return replace(listing, files=tuple(path for path in listing.files if own not in path.resolve().parents))


_File = tuple[int, Path]
"""A file and its number among all."""


@dataclass(frozen=True, slots=True)
class _Opened:
    number: int
    name: str
    photo: Photo
    seconds: float


@dataclass(frozen=True, slots=True)
class _Desk:
    """Where photos are sorted.

    Args:
        photos: the folder of photos.
        sorter: the trained pair.
        thumbnails: the folder of what the workbook shows of each subject.
    """

    photos: Path
    sorter: Sorter
    thumbnails: Path

    def sort(self, files: Sequence[_File]) -> list[PhotoResult]:
        """Sort several files together: their pixels are in memory until all are done."""
        rows = [self._open(number, path) for number, path in files]
        opened = [row for row in rows if isinstance(row, _Opened)]
        begin = time.perf_counter()
        found = iter(self.sorter.sort_many([one.photo.pixels for one in opened]))
        share = (time.perf_counter() - begin) / max(1, len(opened))
        return [self._finish(row, next(found), share) if isinstance(row, _Opened) else row for row in rows]

    def refuse(self, file: _File) -> PhotoResult:
        """What becomes of a photo that does not fit into memory alone."""
        _, path = file
        try:
            size = read_size(path)
        except PhotoError:
            size = None
        return PhotoResult(_name_of(path, self.photos), "too large", size=size, error="does not fit into memory alone")

    def _open(self, number: int, path: Path) -> _Opened | PhotoResult:
        begin, name = time.perf_counter(), _name_of(path, self.photos)
        if not is_photo(path):
            return PhotoResult(name, "unsupported", error="not a photo by its name")
        try:
            photo = read_photo(path)
        except PhotoError as error:
            if lacks_memory(error):
                raise
            return PhotoResult(name, "unreadable", seconds=time.perf_counter() - begin, error=error.found)
        return _Opened(number, name, photo, time.perf_counter() - begin)

    def _finish(self, opened: _Opened, predictions: tuple[Prediction, ...], share: float) -> PhotoResult:
        begin, photo = time.perf_counter(), opened.photo
        for index, prediction in enumerate(predictions):
            crop = shrink(cut_subject(photo.pixels, prediction.detection.box), _THUMBNAIL)
            with replacing(_thumbnail(self.thumbnails, opened.number, index)) as temporary:
                temporary.write_bytes(encode_jpeg(crop, quality=85))
        seconds = opened.seconds + share + time.perf_counter() - begin
        status: Status = "ok" if predictions else "empty"
        return PhotoResult(opened.name, status, photo.size, photo.captured, seconds, predictions)


def _sort_files(desk: _Desk, files: Sequence[Path], batch: int, console: Console) -> Iterator[PhotoResult]:
    def say(before: int, fits: int) -> None:
        console.print(f"memory ran out at {before} photos at a time: going on with {fits}")

    return Batches(desk.sort, desk.refuse, say, _weigh if batch > 1 else lambda _: 1.0).run(enumerate(files), batch)


def _weigh(file: _File) -> float:
    """How many photos of the size that batches are measured with (12 megapixels) this one is."""
    try:
        width, height = read_size(file[1])
    except PhotoError:
        return 1.0  # whoever reads it says why
    return max(1.0, width * height / _ORDINARY_PIXELS)


def _thumbnail(folder: Path, number: int, index: int) -> Path:
    return folder / f"{number:06d}-{index}.jpg"


def _name_of(path: Path, photos: Path) -> str:
    """The path from the folder of photos on; bytes that are no UTF-8, as old memory cards have, are spelled out."""
    return os.fsencode(path.relative_to(photos).as_posix()).decode(errors="backslashreplace")


def _read_if_there(path: Path) -> bytes | None:
    return path.read_bytes() if path.exists() else None
