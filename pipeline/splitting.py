"""Sharing photos out: seeded, each class on both sides, near duplicates and bursts together."""

from __future__ import annotations

import random
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

from pipeline.errors import DataError
from pipeline.labels import Annotation

Annotations = tuple[Annotation, ...]

_Unit = tuple[Annotation, ...]
"""Photos that stay together."""


def split_annotations(
    annotations: Iterable[Annotation], *, fraction: float, seed: int, groups: dict[Path, int] | None = None
) -> tuple[Annotations, Annotations]:
    """Split photos in two; the same seed and photos give the same split.

    The classes have their turn, the rarest first, the background last: photos of each go to the second half until it
    has its part of them, at least one, but never the last photo of any class in the first half.

    Args:
        annotations: in any order.
        fraction: part of the second half, 0 to 1.
        seed: of the shuffle.
        groups: photos with the same number stay on one side; a photo without a number is by itself.

    Raises:
        DataError: there are fewer than two photos, or all are of one group.
    """
    ordered = _sort(annotations)
    if len(ordered) < 2:
        raise DataError(f"{len(ordered)} photo to split", expected="at least two", remedy="add photos")
    units = _join(random.Random(seed).sample(ordered, len(ordered)), groups or {})
    if len(units) < 2:
        found = f"all {len(ordered)} photos are near duplicates or of one burst"
        raise DataError(found, expected="photos that differ, to split", remedy="add photos")
    second = {annotation.photo for index in _choose_second(units, fraction) for annotation in units[index]}
    return (
        tuple(annotation for annotation in ordered if annotation.photo not in second),
        tuple(annotation for annotation in ordered if annotation.photo in second),
    )


def share_out(
    annotations: Iterable[Annotation], *, val: float, test: float, seed: int, groups: dict[Path, int]
) -> dict[str, Annotations]:
    """Split photos into train, val, and test where ``test`` is not 0.

    Val is chosen first: a class of two photos is in train and val, since without val nothing is known of it.

    Args:
        annotations: in any order.
        val: part for choosing epochs, 0 to 1.
        test: part for scoring, 0 to 1.
        seed: of the shuffle.
        groups: as in ``split_annotations``.

    Raises:
        DataError: there are too few photos.
    """
    train, chosen = split_annotations(annotations, fraction=val, seed=seed, groups=groups)
    if not test:
        return {"train": train, "val": chosen}
    train, scored = split_annotations(train, fraction=test / (1 - val), seed=seed, groups=groups)
    return {"train": train, "val": chosen, "test": scored}


def fold_annotations(
    annotations: Iterable[Annotation], *, folds: int, seed: int, groups: dict[Path, int]
) -> list[tuple[Annotations, Annotations]]:
    """Split photos ``folds`` times, so that each is in val once; a photo counts for the rarest class that it shows.

    Args:
        annotations: in any order.
        folds: how many, at least 2.
        seed: of the shuffle.
        groups: as in ``split_annotations``.

    Returns:
        Train and val of each fold.

    Raises:
        DataError: there are fewer groups, or photos of every class, than folds.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    ordered = _sort(annotations)
    rarest = _rarest_classes(ordered)
    numbers = _number(ordered, groups)
    chosen: list[set[int]] = [set()]
    most = min(len(set(numbers)), max(Counter(rarest).values(), default=0))
    if most >= folds:
        splitter = StratifiedGroupKFold(n_splits=folds, shuffle=True, random_state=seed)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="The least populated class", category=UserWarning)
            chosen = [set(val.tolist()) for _, val in splitter.split(ordered, rarest, numbers)]
    if not all(chosen):
        found = f"{len(ordered)} photos in {len(set(numbers))} groups, at most {most} of one class"
        expected = f"at least {folds}, one for each fold"
        raise DataError(found, expected=expected, remedy="fewer --folds, or more photos")
    return [
        (
            tuple(annotation for index, annotation in enumerate(ordered) if index not in val),
            tuple(annotation for index, annotation in enumerate(ordered) if index in val),
        )
        for val in chosen
    ]


def count_groups(annotations: Iterable[Annotation], groups: dict[Path, int]) -> dict[str, int]:
    """How many groups show each class; the empty one is the background."""
    ordered = _sort(annotations)
    numbered = zip(ordered, _number(ordered, groups), strict=True)
    return dict(
        Counter(name for name, _ in {(name, number) for one, number in numbered for name in shown_classes(one)})
    )


def _sort(annotations: Iterable[Annotation]) -> list[Annotation]:
    return sorted(annotations, key=lambda annotation: annotation.photo.as_posix())


def _join(shuffled: list[Annotation], groups: dict[Path, int]) -> list[_Unit]:
    """The groups, in the order of their first photos."""
    units: dict[int, list[Annotation]] = defaultdict(list)
    for annotation, number in zip(shuffled, _number(shuffled, groups), strict=True):
        units[number].append(annotation)
    return [tuple(unit) for unit in units.values()]


def _number(annotations: list[Annotation], groups: dict[Path, int]) -> list[int]:
    """The group of each photo; one of its own, below zero, for those that have none."""
    return [groups.get(annotation.photo, -1 - index) for index, annotation in enumerate(annotations)]


def _choose_second(units: list[_Unit], fraction: float) -> set[int]:
    """Indices of the groups of the second half."""
    photos = [Counter(name for annotation in unit for name in shown_classes(annotation)) for unit in units]
    showing: dict[str, list[int]] = defaultdict(list)
    for index, shown in enumerate(photos):
        for name in shown:
            showing[name].append(index)
    left = Counter({name: len(found) for name, found in showing.items()})
    second: set[int] = set()
    for name in sorted(showing, key=lambda name: (name == "", len(showing[name]), name)):
        _take_part(name, showing[name], photos, left, second, fraction)
    return second


def _take_part(
    name: str, units: list[int], photos: list[Counter[str]], left: Counter[str], second: set[int], fraction: float
) -> None:
    """Add groups of a class as long as they fit; where none does the smallest, since one is better than none."""
    wanted = max(1, round(fraction * sum(photos[index][name] for index in units)))
    taken = sum(photos[index][name] for index in units if index in second)
    fitting = [index for index in units if index not in second and photos[index][name] <= wanted]
    larger = sorted(set(units) - second - set(fitting), key=lambda index: (photos[index][name], index))
    for index in (*fitting, *larger):
        fits = taken + photos[index][name] <= wanted or not taken
        if fits and all(left[shown] > 1 for shown in photos[index]):
            second.add(index)
            taken += photos[index][name]
            left.subtract(photos[index].keys())


def _rarest_classes(annotations: list[Annotation]) -> list[str]:
    """The rarest class that each photo shows."""
    counts = Counter(name for annotation in annotations for name in shown_classes(annotation))
    return [min(shown_classes(annotation), key=lambda name: (counts[name], name)) for annotation in annotations]


def shown_classes(annotation: Annotation) -> set[str]:
    """The classes that a photo shows; the empty one for a background."""
    return {subject.class_name for subject in annotation.subjects} or {""}
