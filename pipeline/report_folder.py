"""The folder of a report: whose it is, and what becomes of an earlier one."""

from __future__ import annotations

import json
import shutil
from datetime import datetime
from pathlib import Path

from pipeline.errors import CropsortError, OutputError
from pipeline.files import output_error, write_text

_RUN = "run.json"


def claim_folder(folder: Path, photos: Path) -> None:
    """Refuse the photos' own folder, and one that holds the report of other photos; else note whose it is.

    Raises:
        CropsortError: it is another's.
        OutputError: it cannot be written there.
    """
    remedy = "choose another one: OUT=folder, or --out folder"
    if folder.resolve() == photos.resolve():
        raise CropsortError("is the folder of photos itself", where=folder, remedy=remedy)
    note = folder / _RUN
    source = str(photos.resolve())
    try:
        owner = json.loads(note.read_text(encoding="utf-8"))["photos"] if note.exists() else source
    except (OSError, ValueError, KeyError, TypeError):
        owner = source  # a damaged note keeps nobody from his report
    if owner != source:
        raise CropsortError(f"holds the report of {owner}", where=folder, remedy=remedy)
    write_text(note, json.dumps({"photos": source}, ensure_ascii=False) + "\n")


def empty_folder(folder: Path) -> Path:
    """Make a folder anew.

    Raises:
        OutputError: it cannot be written there.
    """
    try:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(error, folder) from error
    return folder


def keep_edited(folder: Path) -> None:
    """A workbook from before may hold somebody's notes: it stays, under the time it was last saved at.

    Raises:
        OutputError: a program has it open.
    """
    workbook = folder / "report.xlsx"
    if not workbook.exists():
        return
    saved = datetime.fromtimestamp(workbook.stat().st_mtime).astimezone()
    names = (f"report-{saved:%Y%m%d-%H%M%S}{addition}.xlsx" for addition in ("", *(f"-{n}" for n in range(2, 1000))))
    try:
        workbook.rename(next(path for path in map(workbook.with_name, names) if not path.exists()))
    except OSError as error:
        raise OutputError("may not be moved", where=workbook, remedy="close the program that has it open") from error
