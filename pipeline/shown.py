"""What the networks of a pair are shown while the ranges of their numbers are measured, for 8 bits."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np
from rich.console import Console

from pipeline.boxes import Box
from pipeline.console import counting
from pipeline.crops import cut_views
from pipeline.errors import DataError, PhotoError
from pipeline.images import Pixels, read_photo, shrink
from pipeline.results import Prediction
from pipeline.sorter import Sorter

_PHOTOS = 200
_CROPS = 300

_SHAKEN = 3
"""Crops more of each subject, cut as if the detector had drawn its box a little elsewhere."""

_SHAKE = 0.04
"""Standard deviation of that for each edge, as a part of the box."""


@dataclass(slots=True)
class Crops:
    """Crops as the classifier is given them, as many of each class where there are as many.

    Args:
        quota: most of a class.
    """

    quota: int
    _plain: dict[str, list[Pixels]] = field(default_factory=lambda: defaultdict(list))
    _shaken: dict[str, list[Pixels]] = field(default_factory=lambda: defaultdict(list))

    def add(self, class_name: str, plain: Sequence[Pixels], shaken: Iterator[Pixels]) -> None:
        """Keep those of a subject that there is room for; the shaken ones are cut only then."""
        self._plain[class_name] += plain[: self.quota - len(self._plain[class_name])]
        room = self.quota - len(self._shaken[class_name])
        self._shaken[class_name] += islice(shaken, room)

    def chosen(self) -> list[Pixels]:
        """Those cut as the detector drew the boxes, and shaken ones in what room is left."""
        return [
            crop
            for class_name, plain in self._plain.items()
            for crop in [*plain, *self._shaken[class_name]][: self.quota]
        ]


@dataclass(frozen=True, slots=True)
class Shown:
    """What was chosen.

    Args:
        photos: as the detector is given them, before padding.
        crops: as the classifier is given them.
    """

    photos: list[Pixels]
    crops: list[Pixels]


def choose_shown(sorter: Sorter, files: Sequence[Path], console: Console) -> Shown:
    """Photos spread over all files, the same each time, and crops of what the pair finds in them.

    Args:
        sorter: the pair in 32 bits.
        files: photos; those that cannot be read are left out.
        console: told of the progress.

    Raises:
        DataError: nothing is found in any.
    """
    crops = Crops(math.ceil(_CROPS / len(sorter.class_names)))
    photos, rng = [], np.random.default_rng(0)
    chosen = rng.permutation(len(files))[:_PHOTOS]
    with counting(console, "looking at photos", len(chosen)) as advance:
        for place in sorted(chosen):
            advance()
            try:
                pixels = read_photo(files[place]).pixels
            except PhotoError:
                continue
            photos.append(shrink(pixels, sorter.finder.side))
            for prediction in sorter.sort(pixels):
                _add(crops, sorter, pixels, prediction, rng)
    kept = crops.chosen()
    if not kept:
        raise DataError("nothing is found in any photo", where="--int8", remedy="name others with --photos")
    return Shown(photos, kept)


def _add(crops: Crops, sorter: Sorter, pixels: Pixels, prediction: Prediction, rng: np.random.Generator) -> None:
    card, box = sorter.cards.classifier, prediction.detection.box
    assert card.margin is not None  # read_cards has checked it
    side, margin, whole = card.imgsz, card.margin, card.whole_photo
    shaken = (
        view
        for _ in range(0 if whole else _SHAKEN)
        for view in cut_views(pixels, _shake(box, rng), side=side, margin=margin, whole=whole)
    )
    crops.add(prediction.class_name, cut_views(pixels, box, side=side, margin=margin, whole=whole), shaken)


def _shake(box: Box, rng: np.random.Generator) -> Box:
    """A box whose edges lie a little elsewhere, in order all the same."""
    across, down = np.clip(rng.normal(0, _SHAKE, (2, 2)), -0.25, 0.25)
    left, right = box.left + across[0] * box.width, box.right + across[1] * box.width
    top, bottom = box.top + down[0] * box.height, box.bottom + down[1] * box.height
    return Box(float(left), float(top), float(right), float(bottom))
