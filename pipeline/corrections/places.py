"""What photos a data set has, and where corrections go in it: folders, names and formats of copies and labels."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.config import Config
from pipeline.corrected import folder_of, list_corrected
from pipeline.corrections.plan import Part
from pipeline.dataset import list_parts
from pipeline.labelimg.session import find_destinations
from pipeline.labels import LABEL_SUFFIXES, label_folders
from pipeline.listing import is_photo, list_files
from pipeline.naming import Taken, plain_name

COPIES = "corrected"
"""The folder of reviewed photos in that of the training photos."""

_ORDER: tuple[Part, ...] = ("test", "val", "train", "corrections")
"""A photo that is in several parts belongs to the first of these: what scores is never learnt from."""


@dataclass(frozen=True, slots=True)
class Places:
    """What there is in a data set, and where new things go.

    Args:
        parts: its photos, those of test and val first, then those of train and of the corrections.
        destinations: where the label of each photo of the data set is, or would be.
        copies: folder of reviewed photos.
        corrections: folder of photos with corrected boxes.
        suffix: of new labels, which tells their format.
        list_file: the list of training photos that copies have to be added to; None where their folder is read itself.
    """

    parts: Mapping[Path, Part]
    destinations: Mapping[Path, Path]
    copies: Path
    corrections: Path
    suffix: str
    list_file: Path | None


def find_places(data_file: Path, config: Config) -> Places:
    """Look at a data set's folders.

    Raises:
        DataError: a folder is missing, unreadable or without photos, or a list of photos cannot be read.
    """
    listed: dict[Part, list[Path]] = {"corrections": list_corrected(data_file)}
    for part, photos in list_parts(data_file, config).items():
        listed[_PARTS[part]] = list(map(_absolute, photos))
    copies, list_file = _find_copies(data_file, config)
    if list_file is not None and copies.is_dir():  # a run that was stopped may not have listed them
        listed["train"] += [path for path in list_files(copies).files if is_photo(path)]
    parts: dict[Path, Part] = {}
    for part in _ORDER:
        for photo in listed.get(part, ()):
            parts.setdefault(photo, part)
    labelled = [photo for photo, part in parts.items() if part != "corrections"]
    new = copies / ".jpg"
    destinations = find_destinations([*labelled, new], config.label_format)
    suffix = destinations.pop(new).suffix.lower()
    beside = {photo: _beside(photo, suffix) for photo, part in parts.items() if part == "corrections"}
    return Places(parts, destinations | beside, copies, folder_of(data_file), suffix, list_file)


_PARTS: Mapping[str, Part] = {"train": "train", "val": "val", "test": "test"}


class Names:
    """Names for new copies: no other photo has them, and no other photo's label."""

    def __init__(self, folder: Path, suffix: str, *, beside: bool) -> None:
        """Find the names that are taken.

        Args:
            folder: of the copies.
            suffix: of their labels.
            beside: whether labels lie beside the photos; else where photos in this folder have theirs.
        """
        self._folder, self._suffix = folder, suffix
        self._labels = folder if beside else label_folders(folder)[0]
        photos = [path for path in folder.iterdir() if is_photo(path)] if folder.is_dir() else []
        # A label without a photo is what a run leaves that is stopped between the two: it is written anew.
        self._taken = Taken((*(f"{path.stem}.jpg" for path in photos), "classes.jpg"))

    def claim(self, photo: str) -> tuple[Path, Path]:
        """The copy and the label of a photo, by what the results call it."""
        stem = plain_name(Path(photo).stem)
        name = self._taken.claim(stem, ".jpg")
        copy = self._folder / name
        return copy, self._labels / f"{copy.stem}{self._suffix}"


def _find_copies(data_file: Path, config: Config) -> tuple[Path, Path | None]:
    """The folder of reviewed photos, and the list that they go on where train names no folder."""
    base = data_file.resolve().parent / (config.path or "")
    places = [_mend(base, place) for place in config.train]
    folders = [place for place in places if place.is_dir()]
    if folders:
        return _absolute(folders[0]) / COPIES, None
    return _absolute(places[0].parent) / COPIES, _absolute(places[0])


def _mend(base: Path, place: str) -> Path:
    """As ``list_parts`` takes Roboflow's paths, which are off by a folder."""
    path = base / place
    return base / place[3:] if not path.exists() and place.startswith("../") else path


def _beside(photo: Path, suffix: str) -> Path:
    return next((one for one in map(photo.with_suffix, LABEL_SUFFIXES) if one.is_file()), photo.with_suffix(suffix))


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100 - resolve() follows links, and a label lies beside the link
