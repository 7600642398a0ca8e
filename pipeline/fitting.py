"""The loop that a network learns in: Lightning's, which goes on from the start of the epoch it was stopped in."""

from __future__ import annotations

import logging
import math
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Checkpoint, EarlyStopping
from torch import Tensor, nn
from torch.utils.data import DataLoader

from pipeline import yolo
from pipeline.errors import CropsortError
from pipeline.learning import DivergedError, Learner
from pipeline.loading import StepBatches
from pipeline.resuming import PROGRESS, Course, WholeFiles, clear_leftovers, read_progress, write_record

Crops = DataLoader[tuple[Tensor, Any]]
"""Batches of it are images (batch, 3, side, side), 0 to 1, and the numbers of their classes, or in training the
probability of each class, shape (batch, classes); of puzzles the places of their tiles, several for each image."""


def fit(
    network: nn.Module,
    course: Course,
    rate: float,
    train: Crops,
    val: Crops,
    *,
    on_step: Callable[[float], None],
    on_epoch: Callable[[yolo.Epoch], None],
    on_note: Callable[[str], None],
    keep: Callable[[Mapping[str, Tensor]], None],
    head: Sequence[nn.Parameter] = (),
    class_weights: Sequence[float] | None = None,
    score: str = "top-1",
) -> None:
    """Have a network learn, from where ``read_progress`` says or from the beginning.

    Where the loss is no number any more, training ends with the best epoch until then.

    Args:
        network: from images (batch, 3, side, side), 0 to 1, to what ``yolo.logits`` takes.
        course: how.
        rate: highest learning rate.
        train: batches to learn from, made with ``StepBatches``.
        val: batches to choose the epoch on.
        on_step: called after each batch with the part of the whole training that is done, 0 to 1.
        on_epoch: called after each epoch; again for one that had to be done again.
        on_note: called with a line for the user.
        keep: called with the network's tensors where they are better on val than ever before, to write ``course.best``.
        head: parameters of the network that learn alone at first, where ``course`` says so.
        class_weights: how much a mistake counts, by class; None for all the same.
        score: what the part of right answers on val is called.

    Raises:
        OutputError: the checkpoint cannot be written.
        CropsortError: the loss is no number any more, and no epoch was kept.
    """
    progress = read_progress(course)
    clear_leftovers(course, anew=progress is None)
    batches = train.batch_sampler
    assert isinstance(batches, StepBatches)
    batches.sampler.set_epoch(progress.epochs if progress else 0)  # Lightning does so too late for waiting workers
    learner = Learner(network, head, course, rate, batches, class_weights)
    keeper = _Keeper(learner, on_step, on_epoch, keep, score)
    with _quiet_lightning(), _ctrl_c_kept():
        trainer = _make_trainer(learner, keeper)
        try:
            trainer.fit(learner, train, val, ckpt_path=course.last if progress else None)
        except DivergedError as error:
            on_note(_end_early(learner, error))


def _end_early(learner: Learner, error: DivergedError) -> str:
    """Have the training count as finished; what the user should know."""
    losses, remedy = learner.losses, f"a lower lr0 than {learner.rate:g} under classifier: in data.yaml"
    if not losses:
        raise CropsortError(str(error), where="classifier", expected="a finite one", remedy=remedy) from error
    write_record(learner.course.last, {PROGRESS: _describe(learner.course, len(losses), finished=True)})
    best = losses.index(min(losses)) + 1
    return (
        f"{error}: training ends here with the weights of epoch {best}, the best so far; {remedy} may take it further"
    )


class _Keeper(Checkpoint):
    """Says where training stands, and writes down what it takes to go on."""

    def __init__(
        self,
        learner: Learner,
        on_step: Callable[[float], None],
        on_epoch: Callable[[yolo.Epoch], None],
        keep: Callable[[Mapping[str, Tensor]], None],
        score: str,
    ) -> None:
        self.learner = learner
        self.course = learner.course
        self.on_step = on_step
        self.on_epoch = on_epoch
        self.keep = keep
        self.score = score
        self.began = self.ended = self.waited = 0.0

    def state_dict(self) -> dict[str, Any]:
        return {"losses": self.learner.losses}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.learner.losses = state_dict["losses"]

    def on_train_epoch_start(self, _trainer: pl.Trainer, _module: object) -> None:
        self.began = self.ended = time.perf_counter()
        self.waited = 0.0

    def on_train_batch_start(self, _trainer: pl.Trainer, _module: object, _batch: object, _batch_idx: int) -> None:
        self.waited += time.perf_counter() - self.ended

    def on_train_batch_end(
        self, trainer: pl.Trainer, _module: object, _outputs: object, _batch: object, batch_idx: int
    ) -> None:
        part = (batch_idx + 1) / trainer.num_training_batches
        self.on_step(min(1.0, (trainer.current_epoch + part) / self.course.epochs))
        self.ended = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, _module: object) -> None:
        seen = {name: float(value) for name, value in trainer.callback_metrics.items()}
        loss, number, losses = seen["val_loss"], trainer.current_epoch + 1, self.learner.losses
        rate = trainer.optimizers[0].param_groups[0]["lr"]
        if not math.isfinite(loss):
            raise DivergedError(f"the loss on val is {loss} after epoch {number}, at a learning rate of {rate:.1e}")
        losses.append(loss)
        if losses.index(min(losses)) == number - 1:
            # Before the checkpoint: who goes on from there must find its best weights.
            self.keep(self.learner.tensors())
        self.on_epoch(
            yolo.Epoch(
                number,
                self.course.epochs,
                {"train": seen["train_loss"], "val": loss},
                {self.score: seen["val_top1"]},
                rate=rate,
                seconds=time.perf_counter() - self.began,
                waited=self.waited / (self.ended - self.began),
            )
        )
        if trainer.should_stop or number == self.course.epochs:
            write_record(self.course.last, {PROGRESS: _describe(self.course, number, finished=True)})
        else:
            trainer.save_checkpoint(self.course.last)

    def on_save_checkpoint(self, trainer: pl.Trainer, _module: object, checkpoint: dict[str, Any]) -> None:
        checkpoint[PROGRESS] = _describe(self.course, trainer.current_epoch + 1, finished=False)


class _Patience(EarlyStopping):
    """Counts from where the whole network learns: a head that learns no more alone is no reason to stop."""

    def __init__(self, course: Course) -> None:
        super().__init__("val_loss", patience=course.patience, check_on_train_epoch_end=True)
        self.first = course.head_epochs if course.head_epochs < course.epochs else 0

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.current_epoch >= self.first:
            super().on_train_epoch_end(trainer, pl_module)


def _describe(course: Course, epochs: int, *, finished: bool) -> dict[str, Any]:
    return {"key": course.key, "epochs": epochs, "finished": finished}


def _make_trainer(learner: Learner, keeper: _Keeper) -> pl.Trainer:
    course = learner.course
    on_gpu = course.device.isdigit()
    return pl.Trainer(
        accelerator="gpu" if on_gpu else course.device,
        devices=[int(course.device)] if on_gpu else 1,
        precision="16-mixed" if on_gpu else "32-true",
        max_epochs=course.epochs,
        accumulate_grad_batches=len(learner.batches.sizes),
        callbacks=[_Patience(course), keeper],
        plugins=[WholeFiles()],
        gradient_clip_val=10.0,
        num_sanity_val_steps=0,
        default_root_dir=course.folder,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


@contextmanager
def _ctrl_c_kept() -> Iterator[None]:
    """Lightning turns Ctrl-C into an exit with code 1, and leaves the signal switched off."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SystemExit as leaving:
        raise KeyboardInterrupt from leaving
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, handler)


@contextmanager
def _quiet_lightning() -> Iterator[None]:
    """Lightning tells of devices, tips and worker counts, which are none of the user's business here."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"lightning\..*")
            yield
    finally:
        logger.setLevel(level)
