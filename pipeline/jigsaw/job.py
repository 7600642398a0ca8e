"""The work of learning puzzles: a network that puts tiles back, trained in the loop that the classifier learns in."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor

from pipeline import yolo
from pipeline.errors import DataError
from pipeline.fitting import fit
from pipeline.jigsaw.kept import TASK
from pipeline.jigsaw.network import build_puzzle_network
from pipeline.jigsaw.puzzle_batches import PuzzleSettings, make_puzzle_train_loader, make_puzzle_val_loader
from pipeline.prepare import CropSource
from pipeline.resuming import Course, read_progress

_LEARNING_RATE = 1e-3

_AVERAGE = 0.998
"""See ``Course.average``."""


@dataclass(frozen=True, slots=True)
class JigsawJob:
    """A training on puzzles: data only, which can be handed to another process.

    Args:
        model_name: what looks at a tile; see ``build_puzzle_network``.
        start: weights for that encoder, of which those that fit are taken; None for random ones.
        train: pictures to learn from.
        val: pictures to choose the epoch on.
        settings: grid, image size, batch, epochs and the like.
        folder: where ``last.ckpt``, which a stopped training goes on from, and ``best.pt`` go.
        seed: of the first weights, the order and the puzzles.
        device: ``cpu``, ``mps`` or the number of a GPU.
        accumulate: batches that gradients are gathered over before the weights move; see ``StepBatches``.
    """

    model_name: str
    start: Path | None
    train: tuple[CropSource, ...]
    val: tuple[CropSource, ...]
    settings: PuzzleSettings
    folder: Path
    seed: int
    device: str
    accumulate: int = 1


def train_jigsaw(
    job: JigsawJob,
    weights: Path,
    *,
    on_step: Callable[[float], None],
    on_epoch: Callable[[yolo.Epoch], None],
    on_note: Callable[[str], None] = lambda _: None,
) -> None:
    """Train, and write the weights of the epoch with the lowest log loss on val.

    A stopped training goes on as ``train_classifier`` does; batch, accumulate and device may be others than before.

    Args:
        job: what to train on and how.
        weights: file to write.
        on_step: called after each training step with the part of all steps that is done, 0 to 1.
        on_epoch: called after each epoch; for one that had to be done again a second time.
        on_note: called with a line that the user should read.

    Raises:
        DataError: there are fewer than two pictures to learn from, or none to choose the epoch on.
        WeightsError: ``job.start`` holds no weights.
        OutputError: it cannot be written there.
        CropsortError: the loss is no number any more, and no epoch was kept.
    """
    if len(job.train) < 2 or not job.val:
        found = f"{len(job.train)} pictures to learn from, {len(job.val)} to choose the epoch on"
        raise DataError(found, expected="at least two and one", remedy="give more photos")
    course = _make_course(job)
    progress = read_progress(course)
    if progress is None or not progress.finished:
        _learn(job, course, on_step, on_epoch, on_note)
    yolo.write_checkpoint(weights, yolo.read_checkpoint(course.best))


def train_jigsaw_apart(job: JigsawJob, weights: Path, tell: Callable[[object], None]) -> None:
    """``train_jigsaw`` for ``run_apart``: ``tell`` hears what ``on_step``, ``on_epoch`` and ``on_note`` would."""
    train_jigsaw(job, weights, on_step=tell, on_epoch=tell, on_note=tell)


def _learn(
    job: JigsawJob,
    course: Course,
    on_step: Callable[[float], None],
    on_epoch: Callable[[yolo.Epoch], None],
    on_note: Callable[[str], None],
) -> None:
    settings = job.settings
    torch.manual_seed(job.seed)
    network = build_puzzle_network(job.model_name, grid=settings.grid, side=settings.imgsz)
    if job.start is not None:
        yolo.transfer(network.encoder, yolo.read_checkpoint(job.start).tensors)

    def keep(best: Mapping[str, Tensor]) -> None:
        yolo.write_checkpoint(course.best, yolo.Checkpoint(job.model_name, TASK, best))

    fit(
        network,
        course,
        settings.lr0 or _LEARNING_RATE,
        make_puzzle_train_loader(job.train, settings, seed=job.seed, accumulate=job.accumulate, device=job.device),
        make_puzzle_val_loader(job.val, settings, device=job.device),
        on_step=on_step,
        on_epoch=on_epoch,
        on_note=on_note,
        keep=keep,
        score="tiles",
    )


def _make_course(job: JigsawJob) -> Course:
    """Its key is of what the weights depend on, but for what may change on the way: batch, accumulate and device."""
    settings = job.settings
    said = {name: value for name, value in asdict(settings).items() if name != "batch"}
    parts = [[(source.file.name, source.box) for source in part] for part in (job.train, job.val)]
    start = None if job.start is None else job.start.name
    learnt = repr((job.model_name, start, parts, said, job.seed, _AVERAGE))
    return Course(
        job.folder,
        hashlib.sha256(learnt.encode()).hexdigest(),
        epochs=settings.epochs,
        patience=settings.patience,
        seed=job.seed,
        device=job.device,
        average=_AVERAGE,
    )
