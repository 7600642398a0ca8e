"""Training stage two: a classifier of crops, its best epoch on val kept; a training that was stopped goes on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from pipeline import yolo
from pipeline.backbones import build_backbone
from pipeline.errors import ConfigError, DataError
from pipeline.fitting import fit
from pipeline.loading import CropDataset, EpochSampler, StepBatches
from pipeline.prepare import CropSource
from pipeline.resuming import Course, read_progress
from pipeline.settings import ClassifierSettings

_LEARNING_RATE = 1e-3
_GENTLE_RATE = 1e-4
"""For weights that fill the whole network, its head included: they know the classes, and would forget at first."""


@dataclass(frozen=True, slots=True)
class ClassifierJob:
    """A training of the classifier.

    Args:
        model_name: the backbone; see ``build_backbone``.
        start: weights to start from, a file that ``yolo.write_checkpoint`` wrote, of which those that fit are taken;
            None for random ones.
        class_names: in the order of the output.
        train: subjects to learn from.
        val: subjects to choose the epoch on.
        settings: image size, batch, epochs and the like.
        folder: where ``last.ckpt``, which a stopped training goes on from, and ``best.pt`` go.
        seed: of the head's first weights, the order and the augmentation.
        device: ``cpu``, ``mps`` or the number of a GPU.
        accumulate: batches that gradients are gathered over before the weights move; see ``StepBatches``.
        lr0: highest learning rate; None for 1e-3, or a tenth of it where ``start`` fills the whole network.

    Raises:
        ConfigError: the batch is one crop.
    """

    model_name: str
    start: Path | None
    class_names: tuple[str, ...]
    train: tuple[CropSource, ...]
    val: tuple[CropSource, ...]
    settings: ClassifierSettings
    folder: Path
    seed: int
    device: str
    accumulate: int = 1
    lr0: float | None = None

    def __post_init__(self) -> None:
        if self.batch < 2:
            raise ConfigError(
                f"a batch of {self.batch}",
                where="classifier",
                expected="at least 2, as batch normalisation learns nothing from one crop",
                remedy="a smaller imgsz or model takes less memory",
            )

    @property
    def batch(self) -> int:
        """Crops in a batch."""
        return self.settings.batch


def train_classifier(
    job: ClassifierJob,
    weights: Path,
    *,
    on_step: Callable[[float], None],
    on_epoch: Callable[[yolo.Epoch], None],
) -> None:
    """Train, and write the weights of the epoch with the lowest log loss on val.

    Where ``job.folder`` holds a stopped training of the same, it goes on from the start of the epoch that it was
    stopped in; batch, accumulate and device may be others than before. A finished one is not done again.

    Args:
        job: what to train on and how.
        weights: file to write.
        on_step: called after each training step with the part of all steps that is done, 0 to 1.
        on_epoch: called after each epoch; for one that had to be done again a second time.

    Raises:
        DataError: there are fewer than two crops to learn from.
        WeightsError: ``job.start`` holds no weights.
        OutputError: it cannot be written there.
    """
    if len(job.train) < 2:
        raise DataError(f"{len(job.train)} crop to learn from", expected="at least two", remedy="label more photos")
    course = _make_course(job)
    progress = read_progress(course)
    if progress is None or not progress.finished:
        _learn(job, course, on_step, on_epoch)
    yolo.write_checkpoint(weights, yolo.read_checkpoint(course.best))


def train_classifier_apart(job: ClassifierJob, weights: Path, tell: Callable[[object], None]) -> None:
    """``train_classifier`` for ``run_apart``: ``tell`` hears what ``on_step`` and ``on_epoch`` would."""
    train_classifier(job, weights, on_step=tell, on_epoch=tell)


def _learn(
    job: ClassifierJob, course: Course, on_step: Callable[[float], None], on_epoch: Callable[[yolo.Epoch], None]
) -> None:
    torch.manual_seed(job.seed)
    network = build_backbone(job.model_name, class_count=len(job.class_names))
    tensors = {} if job.start is None else yolo.read_checkpoint(job.start).tensors
    complete = yolo.transfer(network, tensors) == len(network.state_dict())

    def keep() -> None:
        best = {name: tensor.cpu() for name, tensor in network.state_dict().items()}
        yolo.write_checkpoint(course.best, yolo.Checkpoint(job.model_name, yolo.CLASSIFY, best))

    rate = job.lr0 or (_GENTLE_RATE if complete else _LEARNING_RATE)
    fit(network, course, rate, _train_loader(job), _val_loader(job), on_step=on_step, on_epoch=on_epoch, keep=keep)


def _make_course(job: ClassifierJob) -> Course:
    """Its key is of what the weights depend on, but for what may change on the way: batch, accumulate and device."""
    settings = job.settings.model_dump(exclude={"model", "start", "batch"})
    parts = [[(source.file.name, source.box, source.class_name) for source in part] for part in (job.train, job.val)]
    learnt = repr((job.model_name, job.class_names, parts, settings, job.seed, job.lr0))
    key = hashlib.sha256(learnt.encode()).hexdigest()
    return Course(job.folder, key, job.settings.epochs, job.settings.patience, job.seed, job.device)


def _train_loader(job: ClassifierJob) -> DataLoader[tuple[Tensor, int]]:
    data = CropDataset(job.train, job.class_names, job.settings, job.seed)
    batches = StepBatches(EpochSampler(len(job.train), job.seed), batch=job.batch, accumulate=job.accumulate)
    return DataLoader(data, batch_sampler=batches, **_loading(job))


def _val_loader(job: ClassifierJob) -> DataLoader[tuple[Tensor, int]]:
    data = CropDataset(job.val, job.class_names, job.settings, None)
    sampler = EpochSampler(len(job.val), None)
    return DataLoader(data, job.batch, sampler=sampler, **_loading(job))


def _loading(job: ClassifierJob) -> dict[str, Any]:
    """On a CPU training itself keeps the cores busy; a GPU wants the crops made ready beside it."""
    if not job.device.isdigit():
        return {"num_workers": 0}
    return {"num_workers": 4, "persistent_workers": True, "pin_memory": True}
