"""``originals.csv``: which photo each copy was made from, for people and for the next run."""

from __future__ import annotations

import csv
import os
import re
import time
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Literal, get_args

from pipeline.errors import DataError
from pipeline.files import replacing
from pipeline.report import csv_value, write_csv
from pipeline.workbook.tables import Column

Status = Literal["copied", "kept", "refused", "unreadable", "unsupported"]
"""``copied``: written in this run; ``kept``: written by an earlier one; ``refused``: another file is in its
place; ``unreadable``: a photo that cannot be opened; ``unsupported``: no photo at all (a video, a text file)."""

_STATUSES: dict[str, Status] = {status: status for status in get_args(Status)}
_RESTORE = "put it back as import wrote it, or choose another folder: OUT=folder, or --out folder"
_SAVE_EVERY_S = 5.0
_SUFFIX = ".jpg"
_ELSEWHERE = re.compile(r'[<>:"\\|?*\x00-\x1f\x7f\ud800-\udfff]')
"""What Windows has no file names with, and the halves of characters in undecodable names."""

_LONGEST_NAME = 180
"""Bytes of a copy's name before its suffix; file systems have 255, and labels and temporary files add to it."""


@dataclass(frozen=True, slots=True)
class Original:
    """An input file and what became of it: a row of the table.

    Args:
        name: its path in ``folder``, with forward slashes, as the table writes it.
        folder: the folder that was imported, absolute.
        status: see ``Status``.
        size_bytes: of the file.
        digest: its SHA-256 as hexadecimal digits; empty where it was not read.
        photo: path of the copy in the folder of the table, with forward slashes; empty where there is none.
        size: width and height of the upright photo in pixels.
        captured: EXIF capture time as ``YYYY-MM-DD HH:MM:SS``; None where the photo has none.
        copy_digest: SHA-256 of the copy as it was written.
        reason: why there is no copy of it, in a few words.
    """

    name: str
    folder: str
    status: Status
    size_bytes: int
    digest: str = ""
    photo: str = ""
    size: tuple[int, int] | None = None
    captured: str | None = None
    copy_digest: str = ""
    reason: str = ""


_COLUMNS: list[Column[Original]] = [
    Column("photo", lambda row: row.photo),
    Column("original", lambda row: row.name),
    Column("folder", lambda row: row.folder),
    Column("status", lambda row: row.status),
    Column("reason", lambda row: row.reason),
    Column("width (px)", lambda row: row.size[0] if row.size else None),
    Column("height (px)", lambda row: row.size[1] if row.size else None),
    Column("captured", lambda row: row.captured),
    Column("bytes", lambda row: row.size_bytes),
    Column("sha256", lambda row: row.digest),
    Column("copy sha256", lambda row: row.copy_digest),
]


@dataclass
class Table:
    """The rows of the table while the run goes on.

    Args:
        file: where they are written.
        folder: the folder that is imported, as the table has it.
        waiting: rows of earlier runs whose originals were not met yet, by name.
        taken: what copies are called, as file systems compare names.
        done: rows of this run.
        saved: when the table was written last, by the monotonic clock.
    """

    file: Path
    folder: str
    waiting: dict[str, list[Original]]
    taken: set[str]
    done: list[Original] = field(default_factory=list)
    saved: float = 0.0

    @classmethod
    def read(cls, file: Path, folder: Path) -> Table:
        """The table of a run on ``folder``, with the rows of the runs before it.

        Raises:
            DataError: ``file`` is there, and not as import writes it.
        """
        waiting = defaultdict[str, list[Original]](list)
        for row in read_originals(file):
            waiting[row.name].append(row)
        taken = {_key(row.photo.removesuffix(_SUFFIX)) for rows in waiting.values() for row in rows if row.photo}
        return cls(file, _spell(str(folder.resolve())), dict(waiting), taken)

    def find(self, name: str, digest: str) -> Original | None:
        """The row that a file has from before: of the same content, wherever it lay then, or of this folder."""
        rows = [row for row in self.waiting.get(name, ()) if row.digest == digest or row.folder == self.folder]
        return max(rows, key=lambda row: (row.digest == digest, row.folder == self.folder), default=None)

    def add(self, row: Original, before: Original | None) -> None:
        """Take a row up, in the place of the one of before; every few seconds the table is written."""
        if before is not None:
            self.waiting[row.name] = [other for other in self.waiting[row.name] if other is not before]
        self.done.append(row)
        if time.monotonic() - self.saved > _SAVE_EVERY_S:
            self.save()

    def save(self) -> None:
        """Write the rows of this run and those that it has not come to, so that a stopped run forgets nothing."""
        write_originals(self.file, [*self.done, *(row for rows in self.waiting.values() for row in rows)])
        self.saved = time.monotonic()

    def finish(self) -> None:
        """Mark what is no longer in the folder; its copy may have been labelled, and stays."""
        for name, rows in self.waiting.items():
            mine = [row for row in rows if row.folder == self.folder]
            gone = [replace(row, status="kept", reason="the original is no longer there") for row in mine if row.photo]
            self.waiting[name] = [*gone, *(row for row in rows if row not in mine)]
        self.save()

    def name_copy(self, relative: Path) -> str:
        """A free path for a new copy: labels know their photo by its name without the suffix."""
        *folders, stem = map(_plain, (*relative.parent.parts, relative.stem))
        number, place = 1, PurePosixPath(*folders, stem)
        while _key(str(place)) in self.taken or place.name.lower() == "classes":  # classes.txt is LabelImg's list
            number += 1
            place = PurePosixPath(*folders, f"{stem}-{number}")
        self.taken.add(_key(str(place)))
        return f"{place}{_SUFFIX}"


def name_in_table(relative: Path) -> str:
    """A path as the table has it: as written, but in letters that UTF-8 has, and nothing that a spreadsheet may run."""
    return str(csv_value(_spell(relative.as_posix())))


def write_originals(path: Path, rows: Iterable[Original]) -> None:
    """Write the table, whole or not at all.

    Raises:
        OutputError: it cannot be written there.
    """
    with replacing(path) as temporary:
        write_csv(temporary, _COLUMNS, rows)


def read_originals(path: Path) -> list[Original]:
    """Read the table; a missing one has no rows.

    Raises:
        DataError: it cannot be read, or is not as ``write_originals`` writes it.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if reader.fieldnames != [column.header for column in _COLUMNS]:
                raise DataError("not a table that import wrote", where=path, line=1, remedy=_RESTORE)
            return [_parse(record, path, reader.line_num) for record in reader]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"cannot be read ({error})", where=path, remedy=_RESTORE) from error


def _parse(record: dict[str, str], path: Path, line: int) -> Original:
    try:
        if record["status"] not in _STATUSES or _leads_out(record["photo"]):
            raise ValueError(f"status '{record['status']}', photo '{record['photo']}'")
        sides = record["width (px)"], record["height (px)"]
        return Original(
            name=record["original"],
            folder=record["folder"],
            status=_STATUSES[record["status"]],
            size_bytes=int(record["bytes"]),
            digest=record["sha256"],
            photo=record["photo"],
            size=(int(sides[0]), int(sides[1])) if all(sides) else None,
            captured=record["captured"] or None,
            copy_digest=record["copy sha256"],
            reason=record["reason"],
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"not a row that import wrote ({error})", where=path, line=line, remedy=_RESTORE) from error


def _leads_out(photo: str) -> bool:
    """Whether the path may lead out of the table's folder, which no copy's does."""
    return PurePosixPath(photo).is_absolute() or ".." in PurePosixPath(photo).parts or bool(_ELSEWHERE.search(photo))


def _spell(text: str) -> str:
    """Bytes that are no UTF-8, as in names on old memory cards, are spelled out."""
    return os.fsencode(text).decode(errors="backslashreplace")


def _plain(part: str) -> str:
    """A name of a copy or its folder that every system and spreadsheet takes as it is."""
    text = _ELSEWHERE.sub("_", unicodedata.normalize("NFC", part)).rstrip(". ")
    text = text.encode()[:_LONGEST_NAME].decode(errors="ignore")
    return text if text and csv_value(text) == text else f"_{text}"


def _key(place: str) -> str:
    """What two names share that a file system may take for one: case and Unicode form do not tell files apart."""
    return unicodedata.normalize("NFC", place).casefold()
