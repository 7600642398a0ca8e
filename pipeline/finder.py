"""Where the subject of a photo is: found by a trained detector, or, without one, the whole photo."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from rich.console import Console

from pipeline.boxes import Box
from pipeline.config import Config
from pipeline.console import counting
from pipeline.dataset import DataSet
from pipeline.engine import Engine
from pipeline.engine.detecting import load_detector
from pipeline.errors import PhotoError, WeightsError
from pipeline.images import Pixels, ScaledPhoto, read_photo, shrink_scaled
from pipeline.labels import Annotation
from pipeline.results import Detection
from pipeline.weights import TRAIN_FIRST, Card, read_card


class Finder(Protocol):
    """What says where subjects are."""

    confidence: float
    """Threshold from which a detection counts, 0 to 1."""

    side: int
    """Longer side in pixels of what it looks at: photos need not be decoded to more for it."""

    def find(self, pixels: Pixels, *, conf: float) -> list[Detection]:
        """Subjects with at least the confidence ``conf``, boxes in pixels of ``pixels``, the surest first."""

    def find_many(self, photos: Sequence[Pixels], *, conf: float) -> list[list[Detection]]:
        """The same for several photos, in their order; together where that changes nothing in what is found."""

    def find_scaled(self, photos: Sequence[ScaledPhoto], *, conf: float) -> list[list[Detection]]:
        """The same for photos that were decoded at a fraction of their size, boxes in pixels of the full photos."""


class DetectorFinder:
    """A trained detector with what its card says.

    Args:
        weights: its file.
        card: its card, with threshold and IoU.
        device: ``cpu``, ``mps`` or the number of a GPU.
        engine: what the network runs in.

    Raises:
        WeightsError: the file holds no detector, or there is none of 8 bits where that was asked for.
    """

    def __init__(self, weights: Path, card: Card, *, device: str, engine: Engine = "torch") -> None:
        assert card.confidence is not None  # whoever read the card has checked it
        assert card.iou is not None
        self.confidence = card.confidence
        self.side, self._iou = card.imgsz, card.iou
        self._detector = load_detector(weights, device=device, engine=engine)

    def find(self, pixels: Pixels, *, conf: float) -> list[Detection]:
        """See ``Finder``."""
        return self.find_many([pixels], conf=conf)[0]

    def find_many(self, photos: Sequence[Pixels], *, conf: float) -> list[list[Detection]]:
        """See ``Finder``."""
        return self.find_scaled([ScaledPhoto.of(pixels) for pixels in photos], conf=conf)

    def find_scaled(self, photos: Sequence[ScaledPhoto], *, conf: float) -> list[list[Detection]]:
        """See ``Finder``."""
        small = [shrink_scaled(photo, self.side) for photo in photos]
        found = self._detect(small, conf)
        return [_enlarge(some, of, photo) for some, of, photo in zip(found, small, photos, strict=True)]

    def _detect(self, small: Sequence[Pixels], conf: float) -> list[list[Detection]]:
        """What is found in each, in its own pixels."""
        groups = [[*range(len(small))]] if self._detector.mixes_shapes else _group_shapes(small)
        found: dict[int, list[Detection]] = {}
        for places in groups:
            several = [small[place] for place in places]
            found |= zip(places, self._detector.detect(several, imgsz=self.side, conf=conf, iou=self._iou), strict=True)
        return [found[place] for place in range(len(small))]


def _group_shapes(photos: Sequence[Pixels]) -> list[list[int]]:
    """The places of the photos, those of one shape together."""
    places: dict[tuple[int, ...], list[int]] = defaultdict(list)
    for place, pixels in enumerate(photos):
        places[pixels.shape].append(place)
    return list(places.values())


def _size(pixels: Pixels) -> tuple[int, int]:
    return pixels.shape[1], pixels.shape[0]


def _enlarge(found: list[Detection], small: Pixels, photo: ScaledPhoto) -> list[Detection]:
    """What was found in a small copy of a photo's pixels, in pixels of the full photo."""
    factor = max(_size(photo.pixels)) / max(_size(small))
    return [Detection(photo.to_full(one.box.scaled(factor)).clipped(*photo.size), one.confidence) for one in found]


@dataclass(frozen=True, slots=True)
class Cropper:
    """A detector trained before, to crop sorted photos with.

    Args:
        weights: its file.
        card: its card.
    """

    weights: Path
    card: Card


def read_cropper(config: Config) -> Cropper | None:
    """The detector that data.yaml names for sorted photos; None where they are taken whole, or labelled.

    Raises:
        WeightsError: there is no such detector, or it has no card.
    """
    named = config.detector.weights
    if named is None or config.classes_from == "labels":
        return None
    weights = Path(named).expanduser()
    if not weights.is_file():
        expected = "a trained detector, such as weights/<data set>/detector.pt"
        raise WeightsError("no such file", where=weights, expected=expected, remedy=TRAIN_FIRST)
    return Cropper(weights, read_card(weights.with_suffix(".json"), "detector"))


def takes_whole_photos(config: Config, cropper: Cropper | None) -> bool:
    """Whether the photos themselves are the crops: they are sorted and not labelled, and nothing crops them."""
    return config.classes_from != "labels" and cropper is None


class WholePhoto:
    """Takes every photo as one subject, for classifiers that were trained on whole photos."""

    confidence = 0.0
    side = 1  # however small: it is the classifier that looks at the photo

    def find(self, pixels: Pixels, *, conf: float) -> list[Detection]:
        """See ``Finder``."""
        return _whole(_size(pixels), conf)

    def find_many(self, photos: Sequence[Pixels], *, conf: float) -> list[list[Detection]]:
        """See ``Finder``."""
        return [self.find(pixels, conf=conf) for pixels in photos]

    def find_scaled(self, photos: Sequence[ScaledPhoto], *, conf: float) -> list[list[Detection]]:
        """See ``Finder``."""
        return [_whole(photo.size, conf) for photo in photos]


def _whole(size: tuple[int, int], conf: float) -> list[Detection]:
    width, height = size
    whole = Detection(Box(0.0, 0.0, float(width), float(height)), 1.0)
    return [whole] if whole.confidence >= conf else []


def crop_sorted(dataset: DataSet, cropper: Cropper | None, device: str, console: Console) -> DataSet:
    """The data set with the boxes that the detector draws, where data.yaml names one for photos that are sorted.

    Raises:
        WeightsError: the file holds no detector.
    """
    if cropper is None:
        return dataset
    finder = DetectorFinder(cropper.weights, cropper.card, device=device)
    with counting(console, "finding the subjects", len(dataset.train) + len(dataset.val)) as advance:
        train, missed = locate_subjects(dataset.train, finder, on_photo=advance)
        val, missed_on_val = locate_subjects(dataset.val, finder, on_photo=advance)
    if missed + missed_on_val:
        console.print(f"note: nothing found in {missed + missed_on_val} photos: they are taken whole")
    return replace(dataset, train=train, val=val)


def locate_subjects(
    annotations: Iterable[Annotation], finder: Finder, *, on_photo: Callable[[], None]
) -> tuple[tuple[Annotation, ...], int]:
    """Draw the box around the subject of each sorted photo: what the detector is surest of, else the whole photo.

    Args:
        annotations: of sorted photos; one that cannot be read stays as it is, for whoever reads it next to say so.
        finder: the detector.
        on_photo: called after each.

    Returns:
        The annotations in the same order, and in how many photos nothing was found.
    """
    located, missed = [], 0
    for annotation in annotations:
        box = _find_box(annotation, finder)
        missed += box is None
        (subject,) = annotation.subjects
        located.append(annotation if box is None else replace(annotation, subjects=(replace(subject, box=box),)))
        on_photo()
    return tuple(located), missed


def _find_box(annotation: Annotation, finder: Finder) -> Box | None:
    try:
        found = finder.find(read_photo(annotation.photo).pixels, conf=finder.confidence)
    except PhotoError:
        return None
    return found[0].box if found and found[0].box.area > 0 else None
