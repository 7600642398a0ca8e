"""The command line, and the work folder that keeps what is done."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.files import write_text

Figures = dict[str, Any]

Row = tuple[str, str, str, str]
"""Of the README's table: on what, what, measured, goal."""


@dataclass(frozen=True, slots=True)
class Options:
    """The command line.

    Args:
        data: folder of real photos; None for drawn ones alone.
        weights: folders of trained pairs.
        work: where all is kept.
        device: ``cpu`` or the number of a GPU.
        photos: of ``speed``, ``limit`` and ``gpu``.
        judged: drawn photos of ``same``.
        links: photos of ``memory``.
        rows: photos of ``kill``.
        kills: how often that run is killed.
        rounds: of what is timed.
    """

    data: Path | None
    weights: tuple[Path, ...]
    work: Path
    device: str
    photos: int
    judged: int
    links: int
    rows: int
    kills: int
    rounds: int

    def real(self, name: str) -> Path | None:
        """A folder of real photos, where it is there."""
        folder = None if self.data is None else self.data / name
        return folder if folder is not None and folder.is_dir() else None


def keep(done: Path, make: Callable[[], Figures]) -> Figures:
    """Figures, from disk where they are there."""
    if not done.exists():
        write_text(done, json.dumps(make(), indent=2, ensure_ascii=False) + "\n")
        print(f"  {done.parent.name}/{done.stem}", file=sys.stderr, flush=True)
    figures: Figures = json.loads(done.read_text(encoding="utf-8"))
    return figures


def claim(options: Options) -> None:
    """Refuse a work folder whose figures are of other photos or other weights.

    Raises:
        SystemExit: they are.
    """
    note = options.work / "options.json"
    said = {"data": str(options.data or ""), "weights": [str(folder) for folder in options.weights]}
    if not note.exists():
        write_text(note, json.dumps(said, indent=2) + "\n")
    if json.loads(note.read_text(encoding="utf-8")) != said:
        sys.exit(f"{note} - made with other --data or --weights - choose another --work, or delete that one")


def empty(folder: Path) -> Path:
    """A folder made anew."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def not_measured(case: str, wants: str) -> str:
    """What stands in the table where a case cannot be run here."""
    return f"*not measured here:* `python benchmarks/predict.py --only {case} {wants}`"
