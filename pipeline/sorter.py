"""The trained pair at work on photos: detect, crop, classify."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import NoReturn, overload

import numpy as np
from numpy.typing import NDArray

from pipeline.batches import Batches
from pipeline.deciding import Opinion, decide
from pipeline.device import pick_device
from pipeline.engine import Engine
from pipeline.errors import OutOfMemoryError
from pipeline.finder import DetectorFinder, Finder, WholePhoto
from pipeline.images import Pixels, ScaledPhoto, read_photo
from pipeline.results import Detection, Prediction
from pipeline.voting import Voter, load_voter
from pipeline.weights import read_matching_cards, weights_file

Source = str | Path | bytes | NDArray[np.uint8]
"""A photo: its path, its bytes, or its upright RGB pixels of shape (height, width, 3)."""

CROPS = 64
"""Crops classified at a time: a batch of photos may hold thousands."""

_Look = tuple[Detection, Sequence[Pixels]]
"""A subject, and its views: those of the first classifier, then those of the next."""


class Sorter:
    """Finds the subjects in a photo and sorts them into classes; but for ``cut``, several threads have to take turns.

    Args:
        folders: a folder of weights, ``weights/<data set>``; or several for the same classes, whose classifiers decide
            together on what the first one's detector finds: see ``deciding``.
        device: ``auto``, ``cpu``, ``mps``, or the number of a CUDA GPU.
        engine: what the networks run in.

    Raises:
        WeightsError: there is no trained pair, it cannot be used, or several do not go together.
        ConfigError: this machine has no such device.

    Example:
        >>> sorter = load("weights/sample")  # doctest: +SKIP
        >>> [prediction.class_name for prediction in sorter("desk.jpg")]  # doctest: +SKIP
        ['novel', 'comic']
    """

    def __init__(self, folders: Path | Sequence[Path], *, device: str = "auto", engine: Engine = "torch") -> None:
        several = [folders] if isinstance(folders, Path) else list(folders)
        cards = read_matching_cards(several)
        self.cards = cards[0]
        self.class_names = self.cards.classifier.class_names
        picked = pick_device(device)
        self.finder: Finder = WholePhoto()
        if self.cards.detector is not None:
            detector = weights_file(several[0], "detector")
            self.finder = DetectorFinder(detector, self.cards.detector, device=picked, engine=engine)
        self._voters = [
            load_voter(folder, own, device=picked, engine=engine) for folder, own in zip(several, cards, strict=True)
        ]
        self._crops = CROPS

    @property
    def confidence(self) -> float:
        """The detector's threshold, chosen on val, 0 to 1; 0 for a classifier of whole photos."""
        return self.finder.confidence

    @property
    def side(self) -> int:
        """Longer side in pixels that photos should be decoded to for ``find`` and ``cut``."""
        return max(self.finder.side, *(voter.useful_side for voter in self._voters))

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
        predictions = self._decide(
            (one, self._cut_full(pixels, one)) for pixels, some in zip(photos, found, strict=True) for one in some
        )
        return [tuple(islice(predictions, len(some))) for some in found]

    def find(self, photos: Sequence[ScaledPhoto]) -> list[list[Detection]]:
        """Subjects in photos decoded at ``side``, boxes in pixels of the full photos, the surest first.

        Raises:
            MemoryError: as ``sort_many`` does.
        """
        return self.finder.find_scaled(photos, conf=self.confidence)

    def cut(self, photo: ScaledPhoto, found: Sequence[Detection]) -> list[list[Pixels]]:
        """What there is to see of each subject, for ``decide``; several threads may call it at once.

        A photo is decoded again, larger, where a subject has fewer pixels than its crop and the file has more.

        Args:
            photo: at any scale.
            found: what ``find`` found in it.
        """
        scales = [max(voter.needed_scale(photo.size, one.box) for voter in self._voters) for one in found]
        larger = photo.at_scale(max(scales, default=0.0))
        sources = [photo if scale * photo.factor <= 1 else larger for scale in scales]
        return [
            [view for voter in self._voters for view in voter.cut_scaled(source, one.box)]
            for one, source in zip(found, sources, strict=True)
        ]

    def decide(self, found: Sequence[Detection], views: Sequence[Sequence[Pixels]]) -> list[Prediction]:
        """The class of each subject, of one photo or several, in the same order.

        Args:
            found: the subjects.
            views: what ``cut`` gave for each.

        Raises:
            MemoryError: as ``sort_many`` does.
        """
        return list(self._decide(zip(found, views, strict=True)))

    def look(
        self, found: Sequence[Detection], views: Sequence[Sequence[Pixels]]
    ) -> list[tuple[Prediction, NDArray[np.float32]]]:
        """What ``decide`` says of each subject, and what the classifiers said that by, shape (d,); one after the other.

        Args:
            found: as for ``decide``.
            views: as for ``decide``.

        Raises:
            MemoryError: as ``sort_many`` does.
        """
        return list(
            Batches(self._look_some, _refuse, self._take_fewer).run(zip(found, views, strict=True), self._crops)
        )

    def detect(self, pixels: Pixels, *, conf: float) -> list[Detection]:
        """Subjects with at least the confidence ``conf``, boxes in pixels of ``pixels``, the surest first."""
        return self.finder.find(pixels, conf=conf)

    def classify(self, pixels: Pixels, detections: list[Detection]) -> list[Prediction]:
        """What the classifier makes of each detection's crop, in the same order."""
        return list(self._decide((one, self._cut_full(pixels, one)) for one in detections))

    def _cut_full(self, pixels: Pixels, one: Detection) -> list[Pixels]:
        return [view for voter in self._voters for view in voter.cut(pixels, one.box)]

    def _decide(self, looks: Iterable[_Look]) -> Iterator[Prediction]:
        return Batches(self._decide_some, _refuse, self._take_fewer).run(looks, self._crops)

    def _decide_some(self, looks: Sequence[_Look]) -> list[Prediction]:
        return _settle(looks, [voter.judge(views) for voter, views in self._show(looks)])

    def _look_some(self, looks: Sequence[_Look]) -> list[tuple[Prediction, NDArray[np.float32]]]:
        seen = [voter.look(views) for voter, views in self._show(looks)]
        embeddings = np.concatenate([one for _, one in seen], axis=1)
        return list(zip(_settle(looks, [opinions for opinions, _ in seen]), embeddings, strict=True))

    def _show(self, looks: Sequence[_Look]) -> Iterator[tuple[Voter, list[Sequence[Pixels]]]]:
        """Each voter, with its views of each subject."""
        first = 0
        for voter in self._voters:
            yield voter, [views[first : first + voter.views] for _, views in looks]
            first += voter.views

    def _take_fewer(self, _: int, fits: int) -> None:
        self._crops = fits


def _settle(looks: Sequence[_Look], by_voter: Sequence[Sequence[Opinion]]) -> list[Prediction]:
    decisions = [decide(opinions) for opinions in zip(*by_voter, strict=True)]
    return [
        Prediction(one, made.probabilities, sure=made.sure, rule=made.rule)
        for (one, _), made in zip(looks, decisions, strict=True)
    ]


def _refuse(_: _Look) -> NoReturn:
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
