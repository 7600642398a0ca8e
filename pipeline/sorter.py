"""The trained pair at work on photos: detect, crop, classify."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray

from pipeline.batches import Batches
from pipeline.classifying import Classifier
from pipeline.crops import count_views, cut_views
from pipeline.device import pick_device
from pipeline.errors import OutOfMemoryError
from pipeline.finder import DetectorFinder, Finder, WholePhoto
from pipeline.images import Pixels, read_photo
from pipeline.results import Detection, Prediction
from pipeline.weights import read_cards, weights_file

Source = str | Path | bytes | NDArray[np.uint8]
"""A photo: its path, its bytes, or its upright RGB pixels of shape (height, width, 3)."""

CROPS = 64
"""Crops classified at a time: a batch of photos may hold thousands."""

_Found = tuple[Pixels, Detection]


class Sorter:
    """Finds the subjects in a photo and sorts them into classes; several threads have to take turns.

    Args:
        folder: a folder of weights, ``weights/<data set>``.
        device: ``auto``, ``cpu``, ``mps``, or the number of a CUDA GPU.

    Raises:
        WeightsError: there is no trained pair, or it cannot be used.
        ConfigError: this machine has no such device.

    Example:
        >>> sorter = load("weights/sample")  # doctest: +SKIP
        >>> [prediction.class_name for prediction in sorter("desk.jpg")]  # doctest: +SKIP
        ['novel', 'comic']
    """

    def __init__(self, folder: Path, *, device: str = "auto") -> None:
        self.cards = read_cards(folder)
        self.class_names = self.cards.classifier.class_names
        picked = pick_device(device)
        self.finder: Finder = WholePhoto()
        if self.cards.detector is not None:
            self.finder = DetectorFinder(weights_file(folder, "detector"), self.cards.detector, device=picked)
        card = self.cards.classifier
        self._classifier = Classifier(
            weights_file(folder, "classifier"),
            self.class_names,
            device=picked,
            imgsz=card.imgsz,
            temperature=card.temperature,
            test_flips=card.test_flips,
        )
        self._crops = CROPS

    @property
    def confidence(self) -> float:
        """The detector's threshold, chosen on val, 0 to 1; 0 for a classifier of whole photos."""
        return self.finder.confidence

    @overload
    def __call__(self, source: Source) -> tuple[Prediction, ...]: ...
    @overload
    def __call__(self, source: list[Source]) -> list[tuple[Prediction, ...]]: ...
    def __call__(self, source: Source | list[Source]) -> tuple[Prediction, ...] | list[tuple[Prediction, ...]]:
        """Predictions for a photo, the detector's surest first, or for each of a list of photos.

        Raises:
            PhotoError: a photo cannot be read.
            ValueError: an array of another shape or type.
        """
        if isinstance(source, list):
            return [self(one) for one in source]
        return self.sort(_pixels_of(source))

    def sort(self, pixels: Pixels) -> tuple[Prediction, ...]:
        """Predictions for upright RGB pixels, shape (height, width, 3)."""
        return self.sort_many([pixels])[0]

    def sort_many(self, photos: Sequence[Pixels]) -> list[tuple[Prediction, ...]]:
        """Predictions for several photos, in their order: what ``sort`` says of each, faster.

        Args:
            photos: upright RGB pixels, shape (height, width, 3) each; those of one shape go through the detector
                together, the crops of all go through the classifier together, a limited number at a time.

        Raises:
            MemoryError: the device has not enough memory for so many photos; also torch's and OpenCV's own errors that
                say so, see ``apart.is_out_of_memory``.
        """
        found = self.finder.find_many(photos, conf=self.confidence)
        predictions = self._classify((pixels, one) for pixels, some in zip(photos, found, strict=True) for one in some)
        return [tuple(islice(predictions, len(some))) for some in found]

    def detect(self, pixels: Pixels, *, conf: float) -> list[Detection]:
        """Subjects with at least the confidence ``conf``, boxes in pixels of ``pixels``, the surest first."""
        return self.finder.find(pixels, conf=conf)

    def classify(self, pixels: Pixels, detections: list[Detection]) -> list[Prediction]:
        """What the classifier makes of each detection's crop, in the same order."""
        return list(self._classify((pixels, one) for one in detections))

    def _classify(self, found: Iterable[_Found]) -> Iterator[Prediction]:
        return Batches(self._classify_some, _refuse, self._take_fewer).run(found, self._crops)

    def _classify_some(self, found: Sequence[_Found]) -> list[Prediction]:
        card = self.cards.classifier
        assert card.margin is not None  # read_cards has checked it
        whole = card.whole_photo
        crops = [
            view
            for pixels, one in found
            for view in cut_views(pixels, one.box, side=card.imgsz, margin=card.margin, whole=whole)
        ]
        rows = self._classifier.classify(crops, views=count_views(whole=whole))
        return [
            Prediction(one, row, sure=max(row.values()) >= card.sure_from)
            for (_, one), row in zip(found, rows, strict=True)
        ]

    def _take_fewer(self, _: int, fits: int) -> None:
        self._crops = fits


def _refuse(_: _Found) -> Prediction:
    raise OutOfMemoryError("no memory for a single crop", remedy="close other programs")


def load(folder: str | Path, *, device: str = "auto") -> Sorter:
    """Load a trained pair for use in a program of one's own; see ``Sorter``."""
    return Sorter(Path(folder), device=device)


def _pixels_of(source: Source) -> Pixels:
    if isinstance(source, np.ndarray):
        if source.ndim != 3 or source.shape[2] != 3 or source.dtype != np.uint8 or not source.size:
            found = f"{source.dtype} of shape {source.shape}"
            raise ValueError(f"an array must be uint8 RGB of shape (height, width, 3), got {found}")
        return source
    return read_photo(source if isinstance(source, bytes) else Path(source)).pixels
