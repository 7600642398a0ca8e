"""Folds: subjects shared out so that each is held out once; each class in every fold, what belongs together in one."""

from __future__ import annotations

import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from pipeline.console import counting
from pipeline.errors import DataError
from pipeline.fingerprints import Fingerprint, group_photos, take_fingerprints

Folds = tuple[NDArray[np.intp], ...]
"""The places of the subjects that each fold holds out, in rising order; each subject is in one of them."""


def make_folds(
    photos: Sequence[Path], class_names: Sequence[str], *, count: int, seed: int, groups: Mapping[Path, int]
) -> Folds:
    """Share subjects out, stratified by class; those of one photo, or of photos of one group, stay together.

    The same photos, in the same order, and the same seed give the same folds, wherever the photos lie.

    Args:
        photos: of each subject, the photo that shows it.
        class_names: of each subject, its class; any word, such as an empty one, for a photo without a subject.
        count: folds, at least 2.
        seed: of the shuffle.
        groups: photos with the same number stay together, see ``group_near``; one without a number is by itself.

    Raises:
        DataError: there are fewer groups, or subjects of every class, than folds.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    numbers = _number_groups(photos, groups)
    found, most = len(set(numbers)), max(Counter(class_names).values(), default=0)
    if min(found, most) >= count:
        splitter = StratifiedGroupKFold(n_splits=count, shuffle=True, random_state=seed)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
            return tuple(held for _, held in splitter.split(numbers, list(class_names), numbers))
    raise DataError(
        f"{len(photos)} subjects in {found} groups of photos, at most {most} subjects of one class",
        expected=f"at least {count} of both, one for each fold",
        remedy="fewer folds, or more photos",
    )


def note_rare(
    photos: Sequence[Path], class_names: Sequence[str], *, count: int, groups: Mapping[Path, int]
) -> tuple[str, ...]:
    """Lines on the classes that have fewer groups of photos than there are folds; for the arguments see ``make_folds``.

    A class of a single group is held out in one fold, and that fold's network never sees it.
    """
    showing: dict[str, set[int]] = defaultdict(set)
    for name, number in zip(class_names, _number_groups(photos, groups), strict=True):
        showing[name].add(number)
    rare = {name: len(shown) for name, shown in sorted(showing.items()) if len(shown) < count}
    few = ", ".join(f"{name} ({shown})" for name, shown in rare.items() if shown > 1)
    single = ", ".join(name for name, shown in rare.items() if shown == 1)
    lines = [f"classes with fewer groups of photos than the {count} folds, which not every fold holds out: {few}"]
    lines += [f"classes of a single photo or group, of which one of the {count} networks learns nothing: {single}"]
    return tuple(line for line, said in zip(lines, (few, single), strict=True) if said)


def group_near(photos: Iterable[Path], console: Console) -> dict[Path, int]:
    """A number for every photo that can be read, the same for near duplicates and bursts; each is decoded once, small.

    Args:
        photos: files; one that is named several times is looked at once.
        console: for the bar.
    """
    distinct = list(dict.fromkeys(photos))
    with counting(console, "looking for photos that belong together", len(distinct)) as advance:
        taken = take_fingerprints(distinct, on_photo=advance)
    return group_photos(one for one in taken if isinstance(one, Fingerprint))


def _number_groups(photos: Sequence[Path], groups: Mapping[Path, int]) -> list[int]:
    """The group of each subject, numbered as they come: paths that sort otherwise elsewhere must change nothing."""
    own: dict[object, int] = {}
    return [own.setdefault(groups.get(photo, photo), len(own)) for photo in photos]
