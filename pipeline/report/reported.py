"""Which report was made of which results, so that the same one is not made twice."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline import __version__
from pipeline.files import output_error, write_durably
from pipeline.results import RecordedResults

FILE = "reported.json"


class _Note(NamedTuple):
    of: str
    files: tuple[str, ...]


def digest_report(results: RecordedResults, how: Iterable[object]) -> str:
    """What tells a report from any other.

    Args:
        results: what it is made of.
        how: what else it depends on.

    Raises:
        OutputError: the results cannot be read.
    """
    try:
        with results.path.open("rb") as file:
            total = hashlib.file_digest(file, "sha256")
    except OSError as error:
        raise output_error(error, results.path) from error
    total.update("\n".join(map(str, (__version__, *how))).encode(errors="surrogatepass"))
    return total.hexdigest()


def find_report(folder: Path, workbook: Path, digest: str) -> tuple[Path, ...]:
    """The files of a report where it was made before and they are all there, the workbook first; else none.

    Args:
        folder: that the results are in.
        workbook: the report's.
        digest: what ``digest_report`` says.
    """
    note = _read_notes(folder).get(_name(folder, workbook))
    if note is None or note.of != digest:
        return ()
    files = tuple(folder / name for name in note.files)
    return files if all(path.is_file() for path in files) else ()


def note_report(folder: Path, digest: str, files: Sequence[Path]) -> None:
    """Remember that a report was made.

    Args:
        folder: that the results are in.
        digest: what ``digest_report`` says.
        files: the report's, the workbook first; they are on the disk before it is said that they are.

    Raises:
        OutputError: it cannot be written.
    """
    for path in files:
        _have_on_disk(path)
    made = {_name(folder, files[0]): _Note(digest, tuple(_name(folder, path) for path in files))}
    record = {name: note._asdict() for name, note in (_read_notes(folder) | made).items()}
    write_durably(folder / FILE, (json.dumps(record, ensure_ascii=False, indent=2) + "\n").encode())


def forget_reports(folder: Path) -> None:
    """Have every report made anew."""
    (folder / FILE).unlink(missing_ok=True)


def _read_notes(folder: Path) -> dict[str, _Note]:
    """Empty where there are none or they are damaged, which costs nothing but time."""
    try:
        record = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return {name: _Note(str(note["of"]), tuple(map(str, note["files"]))) for name, note in record.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return {}


def _name(folder: Path, path: Path) -> str:
    """Relative to the folder where it lies below it, so that the folder may be moved."""
    own, whole = folder.resolve(), path.resolve()
    return whole.relative_to(own).as_posix() if whole.is_relative_to(own) else str(whole)


def _have_on_disk(path: Path) -> None:
    try:
        with path.open("r+b") as file:
            os.fsync(file.fileno())
    except OSError as error:
        raise output_error(error, path) from error
