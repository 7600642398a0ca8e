"""The files in a folder, and which of them are photos by their names."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import DataError

PHOTO_SUFFIXES = frozenset(
    {
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".png",
        ".webp",
        ".heic",
        ".heif",
        ".hif",
        ".avif",
        ".mpo",
        ".tif",
        ".tiff",
        ".bmp",
        ".gif",
    }
)


def is_photo(path: Path) -> bool:
    """Whether the file's name is a photo's."""
    return path.suffix.lower() in PHOTO_SUFFIXES


def is_hidden(path: Path) -> bool:
    """Whether the file is hidden, as ``.DS_Store`` and macOS' ``._*`` on memory cards, or one of Windows' own."""
    return path.name.startswith(".") or path.name.lower() in {"thumbs.db", "desktop.ini"}


@dataclass(frozen=True, slots=True)
class Listing:
    """What lies in a folder.

    Args:
        files: all files that are not hidden, sorted by path.
        hidden: how many are.
    """

    files: tuple[Path, ...]
    hidden: int


def list_files(folder: Path) -> Listing:
    """The files in a folder and below; folders whose name begins with a dot are passed over.

    Raises:
        DataError: the folder is missing, not a folder, or may not be read.
    """
    try:
        if not folder.exists():
            raise DataError("no such folder", where=folder, remedy="check the spelling")
        if not folder.is_dir():
            raise DataError("not a folder", where=folder, expected="a folder of photos")
    except OSError as error:
        _refuse(error)
    found: list[Path] = []
    for root, folders, files in os.walk(folder, onerror=_refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(root, name) for name in files]
    seen = tuple(sorted(path for path in found if not is_hidden(path)))
    return Listing(seen, len(found) - len(seen))


def _refuse(error: OSError) -> None:
    remedy = "give yourself the right to read it, or leave it out"
    raise DataError(f"may not be read ({error.strerror})", where=error.filename, remedy=remedy) from error
