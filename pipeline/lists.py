"""Lists of photos: text files with one photo a line, which data.yaml names and plain Ultralytics reads."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from pipeline.files import write_text


def list_file(file: Path, part: str) -> Path:
    """The list of a part's photos beside a data.yaml, named so that no photo's label can have its name."""
    return file.with_name(f"{file.stem}.{part}.txt")


def write_list(path: Path, photos: Iterable[Path]) -> None:
    """Write a list; photos below its folder are named from there, so that both can be moved together.

    Raises:
        OutputError: it cannot be written there.
    """
    base = absolute(path.parent)
    write_text(path, "".join(f"{_name(absolute(photo), base)}\n" for photo in photos))


def _name(photo: Path, base: Path) -> str:
    """Ultralytics takes "./" for the folder of the list, and everything else for an absolute path."""
    return f"./{photo.relative_to(base).as_posix()}" if photo.is_relative_to(base) else photo.as_posix()


def absolute(path: Path) -> Path:
    """The path from the root, its links not followed: a link may lead away from the photo's label."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - resolve() follows links
