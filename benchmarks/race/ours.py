"""cropsort's classifier: prepared and trained as ``cropsort train`` does it, but for tuner and detector."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from pipeline import yolo
from pipeline.augmenting import decides_on_mirrored, suit_photos
from pipeline.classifier import ClassifierJob, train_classifier
from pipeline.classifying import Classifier
from pipeline.crops import count_views, cut_views
from pipeline.images import Pixels, read_photo
from pipeline.prepare import prepare
from pipeline.starts import DEFAULTS, read_start
from race.material import Answer, Material, Probabilities, Subject

_TOGETHER = 64


def train_ours(material: Material, start: Path, folder: Path, threads: int, _tell: Callable[[object], None]) -> Answer:
    """Train in this process; preparing the crops counts as part of it.

    Args:
        material: the crops and settings.
        start: weights to start from.
        folder: where crops and checkpoints go.
        threads: of torch.
    """
    torch.set_num_threads(threads)
    begin = time.perf_counter()
    job = make_job(material, start, folder)
    prepared = time.perf_counter()
    train_classifier(job, folder / "classifier.pt", on_step=lambda _: None, on_epoch=lambda _: None)
    end = time.perf_counter()
    val, test = (classify(material, folder / "classifier.pt", part) for part in ("val", "test"))
    return Answer(end - begin, prepared - begin, val, test)


def make_job(material: Material, start: Path, folder: Path) -> ClassifierJob:
    """Write the crops and the weights to start from."""
    config = material.config.model_copy(update={"classes_from": "folders"})  # so that no detector's copies are written
    settings = suit_photos(config, whole=material.whole).classifier
    prepared = prepare(material.dataset, config, folder / "prepared", on_photo=lambda: None)
    begin = read_start(str(start), task=yolo.CLASSIFY, model_name=None, default_model=DEFAULTS["classifier"])
    file = folder / "start.pt"
    yolo.write_checkpoint(file, yolo.Checkpoint(begin.model_name, yolo.CLASSIFY, begin.tensors))
    return ClassifierJob(
        model_name=begin.model_name,
        start=file,
        class_names=material.dataset.class_names,
        train=prepared.train,
        val=prepared.val,
        settings=settings,
        folder=folder / "training",
        seed=config.seed,
        device="cpu",
    )


def classify(material: Material, weights: Path, part: str) -> Probabilities:
    """What the classifier says, before calibration, of each subject of a part."""
    settings, names = material.config.classifier, material.dataset.class_names
    flips = decides_on_mirrored(settings)
    classifier = Classifier(weights, names, device="cpu", imgsz=settings.imgsz, test_flips=flips)
    subjects = material.subjects(part)
    views = count_views(whole=material.whole)
    rows = [
        [answer[name] for name in names]
        for first in range(0, len(subjects), _TOGETHER)
        for answer in classifier.classify(_cut(subjects[first : first + _TOGETHER], material), views=views)
    ]
    return np.array(rows)


def _cut(subjects: Sequence[Subject], material: Material) -> list[Pixels]:
    settings, whole = material.config.classifier, material.whole
    side, margin = settings.imgsz, settings.margin
    return [
        view
        for one in subjects
        for view in cut_views(read_photo(one.photo).pixels, one.box, side=side, margin=margin, whole=whole)
    ]
