"""What both ways learn from, choose their epoch on and are scored on."""

from __future__ import annotations

import random
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from pipeline.boxes import Box
from pipeline.config import Config, read_config
from pipeline.crops import cut_subject, letterbox
from pipeline.dataset import DataSet, list_photos, load_dataset
from pipeline.images import read_photo, write_jpeg
from pipeline.init import find_class_names
from pipeline.labels import Annotation

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("train", "val", "test")

Probabilities = NDArray[np.float64]
"""Shape (crops, classes)."""


@dataclass(frozen=True, slots=True)
class Source:
    """Photos that crops come from.

    Args:
        train: folder that train and val are taken from.
        test: folder to score on.
        by: what says the class of a photo, as in data.yaml.
        settings: of cropsort's classifier that these photos want.
    """

    train: Path
    test: Path
    by: str
    settings: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Subject:
    """A crop to be cut, as both ways get it."""

    photo: Path
    box: Box
    target: int


@dataclass(frozen=True, slots=True)
class Material:
    """A data set with its split.

    Args:
        dataset: its photos.
        config: image size, batch, epochs and the like; taken by cropsort as it is, and by Ultralytics as far as it
            has settings of these names.
        whole: whether the photos themselves are the subjects.
    """

    dataset: DataSet
    config: Config
    whole: bool

    def subjects(self, part: str) -> list[Subject]:
        """All subjects of a part."""
        names = self.dataset.class_names
        annotations: tuple[Annotation, ...] = getattr(self.dataset, part)
        return [
            Subject(one.photo, subject.box, names.index(subject.class_name))
            for one in annotations
            for subject in one.subjects
        ]

    def targets(self, part: str) -> NDArray[np.int64]:
        """The classes of all subjects of a part, in their order."""
        return np.array([subject.target for subject in self.subjects(part)], np.int64)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a training came to.

    Args:
        seconds: that it took, validation after each epoch included.
        preparing: part of them before the first step of training.
        val: probabilities of val's subjects, in their order.
        test: probabilities of test's.
    """

    seconds: float
    preparing: float
    val: Probabilities
    test: Probabilities


def find_source(name: str, data: Path | None) -> Source:
    """Real photos where they are given; else the sample, its val for scoring."""
    if data is not None and (data / name).is_dir():
        by = "labels" if name == "cards" else "folders"
        settings = {"degrees": 180.0} if name == "cards" else {}  # cards lie at any angle
        return Source((data / name / "train").resolve(), (data / name / "test").resolve(), by, settings)
    settings = {"degrees": 180.0, "fliplr": 0.0}  # as data.yaml of the sample says
    sample = ROOT / "images" / "sample"
    return Source(sample / "train", sample / "val", "labels", settings)


def make_material(source: Source, settings: dict[str, Any], folder: Path, *, seed: int, rare: int = 0) -> Material:
    """Carve val out of train, near duplicates on one side, and cut the crops of some classes to a tenth.

    Args:
        source: the photos.
        settings: of cropsort's classifier, added to the source's own.
        folder: where data.yaml goes.
        seed: of the split, of the training, and of which classes are cut.
        rare: how many classes are cut, in train alone; at least two crops of each stay.
    """
    photos = list_photos(source.train)
    names = find_class_names(photos) if source.by == "labels" else sorted({photo.parent.name for photo in photos})
    record = {
        "train": str(source.train),
        "test": str(source.test),
        "names": list(names),
        "classes_from": source.by,
        "seed": seed,
        "device": "cpu",
        "classifier": {**source.settings, **settings},
    }
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "data.yaml"
    file.write_text(yaml.safe_dump(record, allow_unicode=True), encoding="utf-8")
    config = read_config(file)
    dataset = load_dataset(file, config)
    chosen = random.Random(seed).sample(sorted(names), rare)
    dataset = replace(dataset, train=tuple(_cut(dataset.train, chosen, seed)))
    return Material(dataset, config, whole=source.by == "folders")


def export(material: Material, folder: Path) -> None:
    """Write every subject as a picture into folders of classes, as Ultralytics reads them; the name says its number.

    Whole photos are copied as they are; crops are cut with the margin and padded to a grey square, so that Ultralytics'
    centre crop cuts nothing off.
    """
    for part in PARTS:
        for target in range(len(material.dataset.class_names)):
            (folder / part / f"{target:03d}").mkdir(parents=True, exist_ok=True)
        for number, subject in enumerate(material.subjects(part)):
            target_file = folder / part / f"{subject.target:03d}" / f"{number:06d}{subject.photo.suffix.lower()}"
            if material.whole:
                shutil.copyfile(subject.photo, target_file)
            else:
                box = subject.box.grown(material.config.classifier.margin)
                crop = cut_subject(read_photo(subject.photo).pixels, box)
                write_jpeg(target_file.with_suffix(".jpg"), letterbox(crop, max(crop.shape[:2])))


def _cut(annotations: Iterable[Annotation], class_names: list[str], seed: int) -> Iterator[Annotation]:
    """The photos with a tenth of the subjects of the classes named, at least two of each; photos stay."""
    ordered = list(annotations)
    kept: set[tuple[int, int]] = set()
    for name in class_names:
        places = [
            (index, place)
            for index, one in enumerate(ordered)
            for place, subject in enumerate(one.subjects)
            if subject.class_name == name
        ]
        kept |= set(random.Random(seed).sample(places, min(len(places), max(2, len(places) // 10))))
    for index, one in enumerate(ordered):
        subjects = tuple(
            subject
            for place, subject in enumerate(one.subjects)
            if subject.class_name not in class_names or (index, place) in kept
        )
        if subjects:
            yield replace(one, subjects=subjects)
