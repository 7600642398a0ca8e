"""The results on disk while they are made: whatever stops a run, the same command goes on where it was.

Each result is a line that is added at once, so that a stop costs the photos under way and nothing more: a line that was
cut off is dropped, and its photo done again. Of a photo that was done again the last line counts. At the end there is
one for each, in the order of their names.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import DataError
from pipeline.files import claimed_folder, output_error, replacing
from pipeline.report_folder import RunNote, check_note, write_note
from pipeline.results import FAILED, PhotoResult, RecordedResults, Status, parse_line, to_json

RESULTS = "results.jsonl"

_SYNC_SECONDS = 2.0


class _Row(NamedTuple):
    begin: int
    length: int
    status: Status
    subjects: int
    file_bytes: int | None
    modified_ns: int | None


class Journal:
    """The results of a run; see ``open_journal``."""

    def __init__(self, folder: Path, note: RunNote) -> None:
        self.path = folder / RESULTS
        self._folder = folder
        self._note = note
        self._rows: dict[str, _Row] = {}
        self._end = 0
        self._synced = time.monotonic()
        self._load()
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
        names = sorted(self._rows.keys() & set(photos), key=_sort_key)
        wanted = [self._rows[name] for name in names]
        if not self._is_laid_out(wanted):
            with replacing(self.path) as temporary, temporary.open("wb") as fresh:
                for row in wanted:
                    self._file.seek(row.begin)
                    fresh.write(self._file.read(row.length))
                fresh.flush()
                os.fsync(fresh.fileno())
                self._file.close()  # Windows replaces no file that is open
        return RecordedResults(self.path, len(names))

    def is_reported(self) -> bool:
        """Whether the report was made of what the results say now."""
        return self._note.reported == self._digest()

    def note_report(self, files: Iterable[Path]) -> None:
        """Remember that the report was made of what the results say now.

        Args:
            files: the report's; they are on the disk before it is said that they are.

        Raises:
            OutputError: it cannot be written.
        """
        for path in files:
            _have_on_disk(path)
        self._note = self._note._replace(reported=self._digest())
        write_note(self._folder, self._note)

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

    def _load(self) -> None:
        if not self.path.exists():
            return
        try:
            with self.path.open("rb") as lines:
                for number, line in enumerate(lines, start=1):
                    if not line.endswith(b"\n"):
                        break
                    self._keep(line, number)
                    self._end += len(line)
        except OSError as error:
            raise output_error(error, self.path) from error

    def _keep(self, line: bytes, number: int) -> None:
        with suppress(DataError):  # zeros, as a power cut leaves: the photo is done again
            result = parse_line(line, self.path, number)
            self._rows[result.photo] = _row_of(result, self._end, len(line))

    def _sync(self) -> None:
        """Have the lines on the disk now and then: each by itself would cost more than its photo."""
        now = time.monotonic()
        if now - self._synced > _SYNC_SECONDS:
            os.fsync(self._file.fileno())
            self._synced = now

    def _is_laid_out(self, wanted: list[_Row]) -> bool:
        ends = [0, *(row.begin + row.length for row in wanted)]
        return [row.begin for row in wanted] == ends[:-1] and ends[-1] == self._end

    def _digest(self) -> str:
        try:
            with self.path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise output_error(error, self.path) from error


def _have_on_disk(path: Path) -> None:
    try:
        with path.open("r+b") as file:
            os.fsync(file.fileno())
    except OSError as error:
        raise output_error(error, path) from error


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
        earlier = check_note(folder, note, restart=restart)
        try:
            if restart:
                (folder / RESULTS).unlink(missing_ok=True)
            kept = note._replace(reported="" if restart or earlier is None else earlier.reported)
            write_note(folder, kept)
            journal = Journal(folder, kept)
        except OSError as error:
            raise output_error(error, folder / RESULTS) from error
        try:
            yield journal
        finally:
            journal.close()


def _row_of(result: PhotoResult, begin: int, length: int) -> _Row:
    return _Row(begin, length, result.status, len(result.predictions), result.file_bytes, result.modified_ns)


def _sort_key(photo: str) -> list[str]:
    """As a list of files is sorted: folder by folder."""
    return photo.split("/")
