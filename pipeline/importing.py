"""``cropsort import``: upright JPEG copies of phone photos, to be labelled and learnt from."""

from __future__ import annotations

import hashlib
import os
import threading
from collections import Counter, deque
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from pipeline.console import counting
from pipeline.errors import CropsortError, DataError, OutputError, PhotoError
from pipeline.files import replacing
from pipeline.images import encode_jpeg, quiet, read_photo, read_size
from pipeline.listing import Listing, is_photo, list_files
from pipeline.originals import Original, Status, Table, name_in_table

TABLE = "originals.csv"

_HAVE_COPY: tuple[Status, ...] = ("copied", "kept")
_MOST_ERRORS = 20
_MOST_WORKERS = 4
_LARGE_PIXELS = 50_000_000
_LARGE = threading.Lock()


@dataclass(frozen=True, slots=True)
class ImportRun:
    """What a run made.

    Args:
        table: the originals of the copies.
        counts: files by status.
        hidden: hidden files that were skipped.
        refused: an error for each copy in whose place another file is, the first 20.
    """

    table: Path
    counts: Counter[Status]
    hidden: int
    refused: tuple[OutputError, ...]


@dataclass(frozen=True, slots=True)
class _Source:
    """An input file: where it is, and its path in the folder that is imported as it is, and as the table has it."""

    path: Path
    relative: Path
    name: str


@dataclass(frozen=True, slots=True)
class _Reading:
    """What a thread found out of a file: its row without a name for the copy, the copy, and its row of before."""

    row: Original
    jpeg: bytes = b""
    before: Original | None = None


def default_folder(folder: Path) -> Path:
    """Where the copies of a folder go: ``images/<its name>``."""
    return Path("images") / (folder.resolve().name or "photos")


def import_folder(folder: Path, out: Path, *, console: Console) -> ImportRun:
    """Copy every photo in a folder and below as an upright JPEG, and write which copy was made from which photo.

    A copy that is there from an earlier run stays, unless its original has another content now; a file that import did
    not write, or that was changed since, stays in any case.

    Args:
        folder: the photos as they come from the phone; nothing in it is written to, unless ``out`` lies there.
        out: folder of the copies and of the table.
        console: told of the progress.

    Raises:
        DataError: the folder is missing, unreadable or without photos, or the table in ``out`` is damaged.
        CropsortError: ``out`` is the folder itself, or above it.
        OutputError: it cannot be written there.
    """
    listing = _list_sources(folder, out)
    table = Table.read(out / TABLE, folder)
    table.save()  # what keeps it from being written is said before the work
    sources = [
        _Source(path, path.relative_to(folder), name_in_table(path.relative_to(folder))) for path in listing.files
    ]
    try:
        with (
            counting(console, "importing photos", len(sources)) as advance,
            quiet(),
            closing(_read_ahead(sources, table, out)) as readings,
        ):
            for source, reading in zip(sources, readings, strict=True):
                table.add(_place_copy(source, reading, table, out), reading.before)
                advance()
        table.finish()
    except BaseException:
        table.save()
        raise
    refused = [out / row.photo for row in table.done if row.status == "refused"]
    return ImportRun(table.file, Counter(row.status for row in table.done), listing.hidden, _say_refused(refused))


def _list_sources(folder: Path, out: Path) -> Listing:
    """The files to import: all but those that an earlier run wrote."""
    listing = list_files(folder)
    own = out.resolve()
    if own == folder.resolve() or own in folder.resolve().parents:
        remedy = "choose another one: OUT=folder, or --out folder"
        raise CropsortError("holds the photos themselves", where=out, expected="a folder for the copies", remedy=remedy)
    files = tuple(path for path in listing.files if own not in path.resolve().parents)
    if not any(map(is_photo, files)):
        found = f"no photos in it, {len(files)} other files" if files else "the folder is empty"
        raise DataError(found, where=folder, expected="JPEG, PNG, HEIC or the like")
    return replace(listing, files=files)


def _read_ahead(sources: list[_Source], table: Table, out: Path) -> Generator[_Reading]:
    """Read, decode and encode on every core; few photos are ahead of the one waited for, so that memory stays flat."""
    workers = min(os.cpu_count() or 1, _MOST_WORKERS)
    ahead: deque[Future[_Reading]] = deque()
    pool = ThreadPoolExecutor(workers)
    try:
        for source in sources:
            ahead.append(pool.submit(_read, source, table, out))
            if len(ahead) > 2 * workers:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _read(source: _Source, table: Table, out: Path) -> _Reading:
    row = Original(source.name, table.folder, "unreadable", 0)
    try:
        row = replace(row, size_bytes=source.path.stat().st_size)
        if not is_photo(source.path):
            row = replace(row, status="unsupported", reason="not a photo by its name")
            return _Reading(row, before=table.find(row.name, ""))
        data = source.path.read_bytes()
    except OSError as error:
        return _unreadable(row, table, f"cannot be read ({error.strerror or error})")
    row = replace(row, digest=hashlib.sha256(data).hexdigest())
    before = table.find(row.name, row.digest)
    if before and before.status in _HAVE_COPY and before.digest == row.digest and (out / before.photo).is_file():
        return _Reading(replace(before, folder=table.folder, status="kept", reason=""), before=before)
    try:
        width, height = read_size(source.path) if data else (0, 0)
        with _LARGE if width * height > _LARGE_PIXELS else nullcontext():  # 200 million fill 3 GB on the way
            photo = read_photo(data, name=str(source.path))
            jpeg = encode_jpeg(photo.pixels, captured=photo.captured)
    except PhotoError as error:
        return _unreadable(row, table, error.found)
    row = replace(row, status="copied", size=photo.size, captured=photo.captured)
    return _Reading(replace(row, copy_digest=hashlib.sha256(jpeg).hexdigest()), jpeg, before)


def _unreadable(row: Original, table: Table, reason: str) -> _Reading:
    """A row without a new copy; one of a time when the photo could be read stays its copy."""
    before = table.find(row.name, row.digest)
    if before is not None:
        row = replace(row, photo=before.photo, copy_digest=before.copy_digest)
    return _Reading(replace(row, reason=reason), before=before)


def _place_copy(source: _Source, reading: _Reading, table: Table, out: Path) -> Original:
    """Write the copy where it belongs, and complete its row."""
    if reading.row.status != "copied":
        return reading.row
    before = reading.before
    photo = before.photo if before and before.photo else table.name_copy(source.relative)
    row, target = replace(reading.row, photo=photo), out / photo
    there = _digest(target)
    if there == row.copy_digest:
        return replace(row, status="kept")
    if there and not (before and before.copy_digest == there):
        earlier = before.copy_digest if before else ""
        return replace(row, status="refused", copy_digest=earlier, reason="another file is in the place of its copy")
    with replacing(target) as temporary:
        temporary.write_bytes(reading.jpeg)
    return row


def _say_refused(places: list[Path]) -> tuple[OutputError, ...]:
    found, remedy = "was not written by import, or changed since", "move it away and run the same command again"
    errors = [OutputError(found, where=place, remedy=remedy) for place in places[:_MOST_ERRORS]]
    more = len(places) - _MOST_ERRORS
    return (*errors, OutputError(f"and {more} more files like these")) if more > 0 else tuple(errors)


def _digest(path: Path) -> str:
    """Hash of a file; empty where there is none."""
    if not os.path.lexists(path):
        return ""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "no file"
