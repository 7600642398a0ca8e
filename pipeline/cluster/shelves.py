"""Where photos of a class lie in a data set whose folders or names say the classes, and new ones go."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Mapping
from itertools import count
from pathlib import Path

from pipeline.config import Config
from pipeline.corrections.cases import Case
from pipeline.corrections.places import Places
from pipeline.corrections.verdicts import Verdict
from pipeline.lists import absolute
from pipeline.naming import Taken, plain_name


class Shelves:
    """The places for copies, given away one by one.

    Args:
        data_file: the data.yaml.
        config: what it says, its new classes among ``names``.
        places: what there is in the data set.
        subjects: how many subjects there are in each photo, by its name.
    """

    def __init__(self, data_file: Path, config: Config, places: Places, subjects: Mapping[str, int]) -> None:
        self._by = config.classes_from
        self._places = places
        base = data_file.resolve().parent / (config.path or "")
        self._folders_of_train = [absolute(base / place) for place in config.train]
        self._known = {_plain(name) for name in config.names}
        self._subjects = subjects
        # A list of photos is added to: then copies have a folder of their own, which tells them from other photos.
        self._root = places.copies if places.list_file is not None else places.copies.parent
        self._taken: dict[Path, Taken] = {}
        self._folders: dict[str, Path] = {}
        self._numbers: dict[str, count[int]] = {}

    def find_place(self, case: Case) -> tuple[Path, str] | None:
        """Where a photo's copy goes, and its class; None where a copy would say a class that not all of it is."""
        classes = {str(one.verdict) for one in case.found if isinstance(one.verdict, Verdict)}
        if self._by == "labels" or len(classes) > 1 or len(case.found) < self._subjects[case.result.photo]:
            return None
        name = classes.pop()
        if self._by == "names":
            return self._claim_number(name), name
        folder = self._find_folder(name)
        return folder / self._taken_in(folder).claim(plain_name(Path(case.result.photo).stem), ".jpg"), name

    def _claim_number(self, class_name: str) -> Path:
        """``cat.7.jpg``: the name says the class where a number follows it."""
        taken = self._taken_in(self._root)
        for number in self._numbers.setdefault(class_name, count(1)):
            name = f"{plain_name(class_name)}.{number}.jpg"
            if taken.claim(f"{plain_name(class_name)}.{number}", ".jpg") == name:
                return self._root / name
        raise AssertionError("numbers do not end")

    def _find_folder(self, class_name: str) -> Path:
        """The folder that most training photos of the class are in, else a new one."""
        if class_name not in self._folders:
            photos = [photo for photo, part in self._places.parts.items() if part == "train"]
            counts = Counter(map(self._class_folder, photos if self._places.list_file is None else ()))
            wanted = _plain(class_name)
            usual = [one for one, _ in counts.most_common() if one is not None and _plain(one.name) == wanted]
            self._folders[class_name] = usual[0] if usual else self._root / plain_name(class_name)
        return self._folders[class_name]

    def _class_folder(self, photo: Path) -> Path | None:
        """The folder that says a photo's class; None where that lies above the data set, which is called like one."""
        folder = next((one for one in photo.parents if _plain(one.name) in self._known), None)
        inside = folder is not None and any(folder.is_relative_to(root) for root in self._folders_of_train)
        return folder if inside else None

    def _taken_in(self, folder: Path) -> Taken:
        if folder not in self._taken:
            there = [path.name for path in folder.iterdir()] if folder.is_dir() else []
            self._taken[folder] = Taken(there)
        return self._taken[folder]


def _plain(name: str) -> str:
    """A Mac and Windows write the same Korean name differently."""
    return unicodedata.normalize("NFC", name).strip()
