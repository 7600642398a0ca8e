"""The results on disk while they are made: whatever stops a run, the same command goes on where it was.

Each result is a line that is added at once, so that a stop costs the photos under way and nothing more: a line that was
cut off is dropped, and its photo done again. Of a photo that was done again the last line counts. At the end there is
one for each, in the order of their names.
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, NamedTuple

from pipeline.errors import DataError
from pipeline.files import claimed_folder, output_error, replacing
from pipeline.report.reported import forget_reports
from pipeline.report_folder import RunNote, check_note, write_note
from pipeline.results import FAILED, PhotoResult, RecordedResults, Status, parse_line, to_json

RESULTS = "results.jsonl"

_SYNC_SECONDS = 2.0
_NAME_RESULTS = "name a report's folder, or the results.jsonl in it"


class _Row(NamedTuple):
    begin: int
    length: int
    status: Status
    subjects: int
    file_bytes: int | None
    modified_ns: int | None


class _Lines(NamedTuple):
    rows: dict[str, _Row]
    end: int


class Journal:
    """The results of a run; see ``open_journal``."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / RESULTS
        self._rows, self._end = _load(self.path)
        self._synced = time.monotonic()
        self._file = self.path.open("r+b" if self.path.exists() else "w+b", buffering=0)
        self._file.truncate(self._end)
        self._file.seek(self._end)

    def is_done(self, photo: str, file_bytes: int | None, modified_ns: int | None) -> bool:
        """Whether there is a result of a photo, it was no failure, and the file is still the same."""
        row = self._rows.get(photo)
        if row is None or row.status in FAILED:
            return False
        return (row.file_bytes, row.modified_ns) == (file_bytes, modified_ns)

    def count(self, photos: Iterable[str]) -> Counter[Status]:
        """Photos by their status, of those that there is a result of."""
        return Counter(self._rows[photo].status for photo in photos if photo in self._rows)

    def count_subjects(self, photos: Iterable[str]) -> dict[str, int]:
        """How many subjects were found in each photo that there is a result of."""
        return {photo: self._rows[photo].subjects for photo in photos if photo in self._rows}

    def list_results(self) -> RecordedResults:
        """All results as they are now, in the order that ``finish`` has."""
        wanted = _in_order(self._rows)
        return RecordedResults(self.path, len(wanted), tuple((row.begin, row.length) for row in wanted))

    def append(self, result: PhotoResult) -> None:
        """Add a result, which replaces an earlier one of the photo, unless that says the same.

        Raises:
            OutputError: it cannot be written; what was there stays good.
        """
        if self._is_known(result):  # a photo that failed before, and again: nothing is new
            return
        line = f"{to_json(result)}\n".encode()
        try:
            left = memoryview(line)
            while left:  # of a line that a full disk has no room for some is written, and the rest says that it is full
                left = left[self._file.write(left) :]
            self._sync()
        except OSError as error:
            with suppress(OSError):
                self._file.truncate(self._end)
            raise output_error(error, self.path) from error
        self._rows[result.photo] = _row_of(result, self._end, len(line))
        self._end += len(line)

    def finish(self, photos: Collection[str]) -> RecordedResults:
        """Leave one line for each photo, sorted by its name; those of photos that are not among ``photos`` go.

        Returns:
            What is left.

        Raises:
            OutputError: it cannot be written; what was there stays good.
        """
        wanted = _in_order({name: self._rows[name] for name in self._rows.keys() & set(photos)})
        if not _is_laid_out(wanted, self._end):
            with replacing(self.path) as temporary, temporary.open("wb") as fresh:
                for row in wanted:
                    self._file.seek(row.begin)
                    fresh.write(self._file.read(row.length))
                fresh.flush()
                os.fsync(fresh.fileno())
                self._file.close()  # Windows replaces no file that is open
        return RecordedResults(self.path, len(wanted))

    def close(self) -> None:
        """Leave what there is on the disk."""
        with suppress(OSError, ValueError):  # full, as somebody has said by now; or closed
            os.fsync(self._file.fileno())
        self._file.close()

    def _is_known(self, result: PhotoResult) -> bool:
        row = self._rows.get(result.photo)
        if row is None:
            return False
        self._file.seek(row.begin)
        earlier = parse_line(self._file.read(row.length), self.path, 0)
        self._file.seek(self._end)
        return to_json(replace(earlier, seconds=result.seconds)) == to_json(result)

    def _sync(self) -> None:
        """Have the lines on the disk now and then: each by itself would cost more than its photo."""
        now = time.monotonic()
        if now - self._synced > _SYNC_SECONDS:
            os.fsync(self._file.fileno())
            self._synced = now


@contextmanager
def open_journal(folder: Path, note: RunNote, *, restart: bool = False) -> Iterator[Journal]:
    """The results in a report's folder, for this process alone, with those that an earlier run left.

    Args:
        folder: made where it is missing.
        note: what is run, to be kept beside the results.
        restart: begin anew, also where the earlier run was of other weights or settings.

    Raises:
        CropsortError: they are of other photos, weights, settings or an older version, or a run is at work there.
        OutputError: it cannot be written there.
    """
    check_note(folder, note, restart=restart)
    with claimed_folder(folder, "run", "let it finish, or choose another folder: OUT=folder, or --out folder"):
        check_note(folder, note, restart=restart)
        try:
            if restart:
                (folder / RESULTS).unlink(missing_ok=True)
                forget_reports(folder)
            write_note(folder, note)
            journal = Journal(folder)
        except OSError as error:
            raise output_error(error, folder / RESULTS) from error
        try:
            yield journal
        finally:
            journal.close()


def read_recorded(path: Path) -> RecordedResults:
    """The results that a run wrote, also one that was stopped: a row for each photo, in the order that ``finish`` has.

    Nothing is written. The results have ``spans`` where the run was stopped before its end.

    Raises:
        DataError: the file cannot be read, or holds no result at all.
    """
    try:
        with path.open("rb") as file:
            rows, end = _find_lines(file, path)
            file.seek(end)
            tail = file.read()
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror or error})", where=path, remedy=_NAME_RESULTS) from error
    with suppress(DataError):  # whole but for the line end, as an editor may leave it
        last = parse_line(tail, path, 0)
        rows[last.photo] = _row_of(last, end, len(tail))
        end += len(tail)
        tail = b""
    if not rows:
        found = "is no file of results" if end + len(tail) else "no photo was done before the run was stopped"
        raise DataError(found, where=path, remedy=_NAME_RESULTS if end + len(tail) else "run predict again")
    wanted = _in_order(rows)
    if _is_laid_out(wanted, end) and not tail:
        return RecordedResults(path, len(wanted))
    return RecordedResults(path, len(wanted), tuple((row.begin, row.length) for row in wanted))


def _load(path: Path) -> _Lines:
    if not path.exists():
        return _Lines({}, 0)
    try:
        with path.open("rb") as file:
            return _find_lines(file, path)
    except OSError as error:
        raise output_error(error, path) from error


def _find_lines(file: BinaryIO, path: Path) -> _Lines:
    """The last line of each photo, and where the last whole line ends."""
    rows, end = dict[str, _Row](), 0
    for number, line in enumerate(file, start=1):
        if not line.endswith(b"\n"):
            break
        with suppress(DataError):  # zeros, as a power cut leaves: the photo is done again
            result = parse_line(line, path, number)
            rows[result.photo] = _row_of(result, end, len(line))
        end += len(line)
    return _Lines(rows, end)


def _in_order(rows: dict[str, _Row]) -> list[_Row]:
    """As a list of files is sorted: folder by folder."""
    return [rows[name] for name in sorted(rows, key=lambda name: name.split("/"))]


def _is_laid_out(wanted: list[_Row], end: int) -> bool:
    ends = [0, *(row.begin + row.length for row in wanted)]
    return [row.begin for row in wanted] == ends[:-1] and ends[-1] == end


def _row_of(result: PhotoResult, begin: int, length: int) -> _Row:
    return _Row(begin, length, result.status, len(result.predictions), result.file_bytes, result.modified_ns)
