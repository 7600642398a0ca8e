"""Training stage two: a classifier of crops, its best epoch on val kept; a training that was stopped goes on."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from pipeline import yolo
from pipeline.backbones import build_backbone, head_parameters
from pipeline.errors import ConfigError, DataError
from pipeline.fitting import fit
from pipeline.loading import make_train_loader, make_val_loader
from pipeline.prepare import CropSource
from pipeline.resuming import Course, read_progress
from pipeline.sampling import weigh_classes
from pipeline.schedules import count_head_epochs
from pipeline.settings import ClassifierSettings

_LEARNING_RATE = 1e-3
_GENTLE_RATE = 1e-4
"""For weights that fill the whole network, its head included: they know the classes, and would forget at first."""

_AVERAGE = 0.998
"""See ``Course.average``."""

_NOT_LEARNT = {"model", "ensemble", "folds", "start", "batch", "test_flips", "sure_precision"}
"""Settings that another training, or what comes after it, is about."""


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
    on_note: Callable[[str], None] = lambda _: None,
) -> None:
    """Train, and write the weights of the epoch with the lowest log loss on val.

    Where ``job.folder`` holds a stopped training of the same, it goes on from the start of the epoch that it was
    stopped in; batch, accumulate and device may be others than before. A finished one is not done again. One class
    alone is nothing to tell apart, for which one epoch is enough.

    Args:
        job: what to train on and how.
        weights: file to write.
        on_step: called after each training step with the part of all steps that is done, 0 to 1.
        on_epoch: called after each epoch; for one that had to be done again a second time.
        on_note: called with a line that the user should read.

    Raises:
        DataError: there are fewer than two crops to learn from.
        WeightsError: ``job.start`` holds no weights.
        OutputError: it cannot be written there.
        CropsortError: the loss is no number any more, and no epoch was kept.
    """
    if len(job.train) < 2:
        raise DataError(f"{len(job.train)} crop to learn from", expected="at least two", remedy="label more photos")
    course = _make_course(job)
    progress = read_progress(course)
    if progress is None or not progress.finished:
        if len(job.class_names) == 1:
            on_note(f"'{job.class_names[0]}' is the only class: nothing to tell apart, one epoch is enough")
        _learn(job, course, on_step, on_epoch, on_note)
    yolo.write_checkpoint(weights, yolo.read_checkpoint(course.best))


def train_classifier_apart(job: ClassifierJob, weights: Path, tell: Callable[[object], None]) -> None:
    """``train_classifier`` for ``run_apart``: ``tell`` hears what ``on_step``, ``on_epoch`` and ``on_note`` would."""
    train_classifier(job, weights, on_step=tell, on_epoch=tell, on_note=tell)


def _learn(
    job: ClassifierJob,
    course: Course,
    on_step: Callable[[float], None],
    on_epoch: Callable[[yolo.Epoch], None],
    on_note: Callable[[str], None],
) -> None:
    settings, names = job.settings, job.class_names
    torch.manual_seed(job.seed)
    network = build_backbone(job.model_name, class_count=len(names), imgsz=settings.imgsz)
    tensors = {} if job.start is None else yolo.read_checkpoint(job.start).tensors
    complete = yolo.transfer(network, tensors) == len(network.state_dict())
    numbers = [names.index(source.class_name) for source in job.train]

    def keep(best: Mapping[str, Tensor]) -> None:
        yolo.write_checkpoint(course.best, yolo.Checkpoint(job.model_name, yolo.CLASSIFY, best))

    fit(
        network,
        course,
        settings.lr0 or (_GENTLE_RATE if complete else _LEARNING_RATE),
        make_train_loader(job.train, names, settings, seed=job.seed, accumulate=job.accumulate, device=job.device),
        make_val_loader(job.val, names, settings, device=job.device),
        on_step=on_step,
        on_epoch=on_epoch,
        on_note=on_note,
        keep=keep,
        head=head_parameters(network),
        class_weights=weigh_classes(numbers, len(names)) if settings.balance == "weights" else None,
    )


def _make_course(job: ClassifierJob) -> Course:
    """Its key is of what the weights depend on, but for what may change on the way: batch, accumulate and device."""
    settings = job.settings
    said = settings.model_dump(exclude=_NOT_LEARNT)
    parts = [[(source.file.name, source.box, source.class_name) for source in part] for part in (job.train, job.val)]
    learnt = repr((job.model_name, job.class_names, parts, said, job.seed, _AVERAGE))
    epochs = settings.epochs if len(job.class_names) > 1 else 1
    return Course(
        job.folder,
        hashlib.sha256(learnt.encode()).hexdigest(),
        epochs=epochs,
        patience=settings.patience,
        seed=job.seed,
        device=job.device,
        schedule=settings.schedule,
        head_epochs=count_head_epochs(settings.layers, epochs),
        average=_AVERAGE,
    )
