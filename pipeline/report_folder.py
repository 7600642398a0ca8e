"""The folder of a report: whose it is, and what becomes of an earlier one."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple
from unicodedata import normalize

from rich.console import Console

from pipeline.errors import CropsortError, OutputError
from pipeline.files import write_durably

RECORD_VERSION = 2
"""Of the results; raised where those of before cannot be gone on with."""

THUMBNAILS = "thumbnails"

PICTURES = (THUMBNAILS, "boxes", "crops", "crops-unsure")
"""Folders of pictures in that of a report."""

_RUN = "run.json"
_CHOOSE = "choose another one: OUT=folder, or --out folder"


class RunNote(NamedTuple):
    """What a run was of, as it is kept beside its results.

    Args:
        photos: where they are: a folder, a list, a URL.
        weights: hash of the files of each pair, in their order.
        settings: what else the results depend on, by the option that says it.
        version: of the record.
    """

    photos: str
    weights: tuple[str, ...]
    settings: dict[str, bool | float]
    version: int = RECORD_VERSION


def check_note(folder: Path, note: RunNote, *, restart: bool = False) -> RunNote | None:
    """Refuse a folder with the report of other photos, weights or settings, or one of an older version.

    Args:
        folder: of the report.
        note: of the run to be.
        restart: whether all but other photos is to be begun anew.

    Returns:
        What is kept there of the run before; None where there is nothing.

    Raises:
        CropsortError: it is another's; says what differs.
    """
    before = read_note(folder)
    # What is typed in one Unicode form and completed by a shell in the other is one folder on a Mac.
    if before is not None and normalize("NFC", before.photos) != normalize("NFC", note.photos):
        raise CropsortError(f"holds the report of {before.photos}", where=folder, remedy=_CHOOSE)
    if restart or not _holds_results(folder):
        return before
    difference = "an older version of cropsort" if before is None else _tell_apart(before, note)
    if difference:
        raise CropsortError(f"was made with {difference}", where=folder, remedy=f"{_CHOOSE}; or begin anew: --restart")
    return before


def write_note(folder: Path, note: RunNote) -> None:
    """Keep what a run is of.

    Raises:
        OutputError: it cannot be written there.
    """
    write_durably(folder / _RUN, (json.dumps(note._asdict(), ensure_ascii=False) + "\n").encode())


def read_note(folder: Path) -> RunNote | None:
    """What is kept there; None where there is nothing or it is damaged, which keeps nobody from his report."""
    try:
        record = json.loads((folder / _RUN).read_text(encoding="utf-8"))
        older: dict[str, Any] = {"weights": (), "settings": {}, "version": 1} | record
        older |= {"photos": str(record["photos"]), "weights": tuple(older["weights"])}
        return RunNote(**{name: older[name] for name in RunNote._fields if name in older})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _holds_results(folder: Path) -> bool:
    try:
        return (folder / "results.jsonl").stat().st_size > 0
    except OSError:
        return False


def _tell_apart(before: RunNote, note: RunNote) -> str:
    """What the run before had that this one has not, in words; empty where nothing."""
    if before.version != note.version:
        return f"{'an older' if before.version < note.version else 'a newer'} version of cropsort"
    if before.weights != note.weights:
        return "other weights"
    names = sorted({**before.settings, **note.settings})
    return " and ".join(
        _in_words(name, before.settings.get(name))
        for name in names
        if before.settings.get(name) != note.settings.get(name)
    )


def _in_words(name: str, value: bool | float | None) -> str:
    if isinstance(value, bool):
        return f"{name}" if value else f"no {name}"
    return f"{name} {value}"


def keep_edited(workbook: Path, console: Console) -> None:
    """A workbook from before may hold somebody's notes: it stays, under the time it was last saved at.

    Args:
        workbook: where another is to be written.
        console: told what it is called from now on.

    Raises:
        OutputError: a program has it open.
    """
    if not workbook.exists():
        return
    saved = datetime.fromtimestamp(workbook.stat().st_mtime).astimezone()
    additions = ("", *(f"-{number}" for number in range(2, 1000)))
    names = (f"{workbook.stem}-{saved:%Y%m%d-%H%M%S}{addition}{workbook.suffix}" for addition in additions)
    kept = next(path for path in map(workbook.with_name, names) if not path.exists())
    try:
        workbook.rename(kept)
    except OSError as error:
        raise OutputError("may not be moved", where=workbook, remedy="close the program that has it open") from error
    console.print(f"{workbook.name} from before is {kept.name} now, with all that was written into it")
