"""Copies to train on: Ultralytics rewrites photos in place, so it only ever sees ours; each photo is decoded once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from pipeline.boxes import Box
from pipeline.config import Config
from pipeline.crops import JITTER
from pipeline.dataset import DataSet
from pipeline.errors import DataError, PhotoError
from pipeline.files import write_text
from pipeline.images import Pixels, read_photo, shrink, write_jpeg
from pipeline.labels import Annotation, Subject, format_yolo

SUBJECT = "subject"
"""The one class of a detector that only looks where the subject is."""

_DETAIL = 1.5
"""Crops are kept at this multiple of the size needed, so that turning and moving them loses nothing."""


@dataclass(frozen=True, slots=True)
class CropSource:
    """A subject with its surroundings, kept to be cropped again and again.

    Args:
        file: the surroundings.
        box: the subject in pixels of that file.
        class_name: what it is.
        photo: the photo that it is from; None where nobody asks.
    """

    file: Path
    box: Box
    class_name: str
    photo: Path | None = None

    @property
    def origin(self) -> Path:
        """The photo that it is from; its own file where that is not said."""
        return self.photo or self.file


@dataclass(frozen=True, slots=True)
class DetectorData:
    """What the detector trains on.

    Args:
        file: a data.yaml for Ultralytics.
        photos: how many photos there are to learn from.
    """

    file: Path
    photos: int


@dataclass(frozen=True, slots=True)
class Prepared:
    """What the two stages train on.

    Args:
        detector: for stage one; None where photos are sorted and not labelled: no detector can learn from them.
        train: subjects to learn from, the corrected ones behind those of the training photos.
        val: subjects to choose the epoch on.
        notes: what the user should know, a line each.
    """

    detector: DetectorData | None
    train: tuple[CropSource, ...]
    val: tuple[CropSource, ...]
    notes: tuple[str, ...]


def prepare(dataset: DataSet, config: Config, folder: Path, *, on_photo: Callable[[], None]) -> Prepared:
    """Write upright copies for the detector, as large as it sees them, and the subjects for the classifier.

    Args:
        dataset: the photos and labels; of sorted photos, and of those with corrected boxes, only the subjects are
            written.
        config: image sizes and margin.
        folder: where to write; made if it is missing.
        on_photo: called after each photo.

    Raises:
        DataError: no photo that can be decoded is left in train or val.
        OutputError: it cannot be written there.
    """
    labelled = config.classes_from == "labels"
    notes: list[str] = []
    sources: dict[str, tuple[CropSource, ...]] = {}
    for part, annotations in (("train", dataset.train), ("val", dataset.val)):
        writer = _Writer(folder, part, config, dataset.class_names, for_detector=labelled)
        sources[part] = tuple(_write_all(writer, annotations, notes, on_photo))
        if not sources[part]:
            raise DataError(f"no subject left in {part}", where=dataset.file, remedy="see the lines above")
    writer = _Writer(folder, "corrected", config, dataset.class_names, for_detector=False)
    corrected = _write_all(writer, dataset.corrected, notes, on_photo)
    detector = _write_data(folder, dataset, config) if labelled else None
    return Prepared(detector, (*sources["train"], *corrected), sources["val"], tuple(notes))


@dataclass(frozen=True, slots=True)
class _Writer:
    folder: Path
    part: str
    config: Config
    class_names: tuple[str, ...]
    for_detector: bool

    def write(self, number: int, annotation: Annotation, pixels: Pixels) -> list[CropSource]:
        name = f"{number:06d}"
        if self.for_detector:
            self._write_for_detector(name, annotation, pixels)
        sources = (self._write_subject(f"{name}-{i}", pixels, one) for i, one in enumerate(annotation.subjects))
        return [replace(source, photo=annotation.photo) for source in sources]

    def _write_for_detector(self, name: str, annotation: Annotation, pixels: Pixels) -> None:
        write_jpeg(self.folder / "images" / self.part / f"{name}.jpg", shrink(pixels, self.config.detector.imgsz))
        label = self.folder / "labels" / self.part / f"{name}.txt"
        write_text(label, format_yolo(self._as_detected(annotation), _detector_names(self.config, self.class_names)))

    def _as_detected(self, annotation: Annotation) -> Annotation:
        if not self.config.detector.single_cls:
            return annotation
        return replace(annotation, subjects=tuple(Subject(subject.box, SUBJECT) for subject in annotation.subjects))

    def _write_subject(self, name: str, pixels: Pixels, subject: Subject) -> CropSource:
        settings = self.config.classifier
        height, width = pixels.shape[:2]
        around = subject.box.grown(settings.margin + 4 * JITTER).clipped(width, height)
        left, top = int(around.left), int(around.top)
        part = pixels[top : int(around.bottom) + 1, left : int(around.right) + 1]
        longest = max(subject.box.width, subject.box.height) * (1 + 2 * settings.margin)
        factor = min(1.0, _DETAIL * settings.imgsz / longest)
        small = shrink(part, max(1, round(max(part.shape[:2]) * factor)))
        file = self.folder / "subjects" / self.part / f"{name}.jpg"
        write_jpeg(file, small)
        moved = Box(*(edge - start for edge, start in zip(subject.box.edges, (left, top, left, top), strict=True)))
        return CropSource(file, moved.scaled(small.shape[1] / part.shape[1]), subject.class_name)


def _write_all(
    writer: _Writer, annotations: Iterable[Annotation], notes: list[str], on_photo: Callable[[], None]
) -> list[CropSource]:
    sources: list[CropSource] = []
    for number, annotation in enumerate(annotations):
        try:
            sources += writer.write(number, annotation, read_photo(annotation.photo).pixels)
        except PhotoError as error:
            notes.append(f"left out: {error}")
        on_photo()
    return sources


def _detector_names(config: Config, class_names: tuple[str, ...]) -> tuple[str, ...]:
    return (SUBJECT,) if config.detector.single_cls else class_names


def _write_data(folder: Path, dataset: DataSet, config: Config) -> DetectorData:
    """Class names are only numbered: for Korean ones Ultralytics would fetch a font."""
    count = len(_detector_names(config, dataset.class_names))
    names = [SUBJECT] if count == 1 else [f"class {index}" for index in range(count)]
    path = folder / "data.yaml"
    record = {"path": str(folder.resolve()), "train": "images/train", "val": "images/val", "names": names}
    write_text(path, yaml.safe_dump(record, allow_unicode=True))
    return DetectorData(path, sum(1 for _ in (folder / "images" / "train").iterdir()))
