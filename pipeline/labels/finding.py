"""Where the label of a photo lies."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pipeline.errors import DataError

FORMATS = {"yolo": ".txt", "voc": ".xml", "createml": ".json"}
"""LabelImg's formats and the ends of their files' names."""

LABEL_SUFFIXES = tuple(FORMATS.values())
"""The formats, in the order in which they are looked for where a photo has several."""

CLASS_LIST = "classes.txt"

_FORMS: tuple[Literal["NFC", "NFD"], ...] = ("NFC", "NFD")  # a Mac and Windows write the same Korean name differently
_LABEL_FOLDERS = ("labels", "annotations", "Annotations")


def find_label(photo: Path) -> Path | None:
    """The label of a photo: in ``labels`` in the place of ``images``, beside it, or in a folder of labels nearby.

    Raises:
        DataError: a folder may not be read.
    """
    return next(iter(find_labels(photo)), None)


def find_labels(photo: Path, folders: Iterable[Path] | None = None) -> list[Path]:
    """All labels of a photo, the one that is used first.

    Args:
        photo: its file.
        folders: where to look; by default wherever its label may lie.

    Raises:
        DataError: a folder may not be read.
    """
    stems = dict.fromkeys((photo.stem, *(unicodedata.normalize(form, photo.stem) for form in _FORMS)))
    suffixes = [spelling for suffix in LABEL_SUFFIXES for spelling in (suffix, suffix.upper())]
    names = [f"{stem}{suffix}" for suffix in suffixes for stem in stems]
    found: list[Path] = []
    for folder in dict.fromkeys(label_folders(photo.parent) if folders is None else folders):
        for name in names:
            label = folder / name
            if name.lower() != CLASS_LIST and _is_file(label) and not any(_is_same(label, one) for one in found):
                found.append(label)
    return found


def label_folders(folder: Path) -> list[Path]:
    """Where labels of the photos in a folder may lie, the likeliest first."""
    beside = [folder / name for name in _LABEL_FOLDERS] + [folder.parent / name for name in _LABEL_FOLDERS]
    return [*_parallel_folder(folder), folder, *beside]


def _is_file(label: Path) -> bool:
    try:
        return label.is_file()
    except PermissionError as error:
        remedy = "give yourself the right to read it, or leave it out"
        raise DataError(f"may not be read ({error.strerror})", where=label.parent, remedy=remedy) from error
    except OSError:  # the photo's name is so long that a label cannot have it
        return False


def _is_same(one: Path, other: Path) -> bool:
    """Whether two names are of one file, as on disks that do not tell ``a.txt`` from ``a.TXT``."""
    return one.samefile(other)


def _parallel_folder(folder: Path) -> list[Path]:
    """``labels`` in the place of the last ``images`` among the folders, as Ultralytics looks for them."""
    parts = folder.parts
    if "images" not in parts:
        return []
    last = len(parts) - 1 - parts[::-1].index("images")
    return [Path(*parts[:last], "labels", *parts[last + 1 :])]
