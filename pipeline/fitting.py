"""The loop that a classifier learns in: Lightning's, which goes on from the start of the epoch it was stopped in."""

from __future__ import annotations

import logging
import math
import signal
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.callbacks import Checkpoint, EarlyStopping
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader

from pipeline import yolo
from pipeline.loading import StepBatches
from pipeline.resuming import PROGRESS, Course, WholeFiles, clear_leftovers, read_progress, write_record

_SMOOTHING = 0.05
_WEIGHT_DECAY = 0.02
_WARM_UP = 0.15
_MOMENTA = 0.95, 0.85

Crops = DataLoader[tuple[Tensor, int]]
"""Batches of it are images (batch, 3, side, side), 0 to 1, and the numbers of their classes."""


def fit(
    network: nn.Module,
    course: Course,
    rate: float,
    train: Crops,
    val: Crops,
    *,
    on_step: Callable[[float], None],
    on_epoch: Callable[[yolo.Epoch], None],
    keep: Callable[[], None],
) -> None:
    """Have a network learn, from where ``read_progress`` says or from the beginning.

    Args:
        network: from images (batch, 3, side, side), 0 to 1, to what ``yolo.logits`` takes.
        course: how.
        rate: highest learning rate.
        train: batches to learn from, made with ``StepBatches``.
        val: batches to choose the epoch on.
        on_step: called after each batch with the part of the whole training that is done, 0 to 1.
        on_epoch: called after each epoch; again for one that had to be done again.
        keep: called when ``network`` is better on val than ever before, to write ``course.best``.

    Raises:
        OutputError: the checkpoint cannot be written.
    """
    progress = read_progress(course)
    clear_leftovers(course, anew=progress is None)
    batches = train.batch_sampler
    assert isinstance(batches, StepBatches)
    batches.sampler.set_epoch(progress.epochs if progress else 0)  # Lightning does so too late for waiting workers
    with _quiet_lightning(), _ctrl_c_kept():
        trainer = _make_trainer(course, batches, _Keeper(course, on_step, on_epoch, keep))
        trainer.fit(_Loop(network, course, rate, batches), train, val, ckpt_path=course.last if progress else None)


def one_cycle(done: int, steps: int, highest: float) -> tuple[float, float]:
    """The learning rate and AdamW's first beta for a step (Smith and Topin 2018): up, then down, betas the other way.

    The same as torch's ``OneCycleLR``, which counts the steps itself and so cannot go on with another number of them.

    Args:
        done: steps before this one.
        steps: how many there are in all.
        highest: the learning rate at the peak.
    """
    top, end = _WARM_UP * steps - 1, steps - 1
    high, low = _MOMENTA
    if done <= top:
        return _anneal(highest / 25, highest, done / top), _anneal(high, low, done / top)
    part = (done - top) / (end - top)
    return _anneal(highest, highest / 25 / 1e4, part), _anneal(low, high, part)


def _anneal(start: float, end: float, part: float) -> float:
    return end + (start - end) / 2.0 * (math.cos(math.pi * part) + 1)


class _Loop(pl.LightningModule):
    """Cross entropy with AdamW."""

    def __init__(self, network: nn.Module, course: Course, rate: float, batches: StepBatches) -> None:
        super().__init__()
        self.network = network
        self.course = course
        self.rate = rate
        self.batches = batches

    def on_train_batch_start(self, _batch: object, batch_idx: int) -> None:
        if batch_idx == 0:  # not before: what Lightning draws until then depends on whether it was stopped
            sequence = np.random.SeedSequence((self.course.seed, self.current_epoch))
            torch.manual_seed(int(sequence.generate_state(1, np.uint64)[0]))

    def training_step(self, batch: tuple[Tensor, Tensor], _batch_idx: int) -> Tensor:
        images, targets = batch
        loss = functional.cross_entropy(yolo.logits(self.network(images)), targets, label_smoothing=_SMOOTHING)
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=len(targets))
        sizes = self.batches.sizes
        return loss * (len(targets) * len(sizes) / sum(sizes))  # Lightning divides by the number of batches

    def validation_step(self, batch: tuple[Tensor, Tensor], _batch_idx: int) -> None:
        images, targets = batch
        out = yolo.logits(self.network(images))
        self.log("val_loss", functional.cross_entropy(out, targets), batch_size=len(targets))
        self.log("val_top1", (out.argmax(1) == targets).float().mean(), batch_size=len(targets))

    def configure_optimizers(self) -> torch.optim.Optimizer:
        decayed = [weight for weight in self.parameters() if weight.ndim > 1]
        others = [weight for weight in self.parameters() if weight.ndim <= 1]
        groups: list[dict[str, Any]] = [{"params": decayed}, {"params": others, "weight_decay": 0.0}]
        return torch.optim.AdamW(groups, lr=self.rate, weight_decay=_WEIGHT_DECAY)

    def optimizer_step(self, epoch: int, batch_idx: int, optimizer: Any, optimizer_closure: Any = None) -> None:
        steps = self.batches.steps
        done = epoch * steps + batch_idx // len(self.batches.sizes)
        rate, beta = one_cycle(done, self.course.epochs * steps, self.rate)
        for group in optimizer.param_groups:
            group["lr"], group["betas"] = rate, (beta, group["betas"][1])
        super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)


class _Keeper(Checkpoint):
    """Says where training stands, and writes down what it takes to go on."""

    def __init__(
        self,
        course: Course,
        on_step: Callable[[float], None],
        on_epoch: Callable[[yolo.Epoch], None],
        keep: Callable[[], None],
    ) -> None:
        self.course = course
        self.on_step = on_step
        self.on_epoch = on_epoch
        self.keep = keep
        self.best: float | None = None

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.best = state_dict["best"]

    def on_train_batch_end(
        self, trainer: pl.Trainer, _module: object, _outputs: object, _batch: object, batch_idx: int
    ) -> None:
        part = (batch_idx + 1) / trainer.num_training_batches
        self.on_step(min(1.0, (trainer.current_epoch + part) / self.course.epochs))

    def on_train_epoch_end(self, trainer: pl.Trainer, _module: object) -> None:
        seen = {name: float(value) for name, value in trainer.callback_metrics.items()}
        loss, number = seen["val_loss"], trainer.current_epoch + 1
        if self.best is None or loss < self.best:
            self.best = loss
            self.keep()  # before the checkpoint: who goes on from there must find its best weights
        losses = {"train": seen["train_loss"], "val": loss}
        self.on_epoch(yolo.Epoch(number, self.course.epochs, losses, {"top-1": seen["val_top1"]}))
        if trainer.should_stop or number == self.course.epochs:
            write_record(self.course.last, {PROGRESS: self._describe(number, finished=True)})
        else:
            trainer.save_checkpoint(self.course.last)

    def on_save_checkpoint(self, trainer: pl.Trainer, _module: object, checkpoint: dict[str, Any]) -> None:
        checkpoint[PROGRESS] = self._describe(trainer.current_epoch + 1, finished=False)

    def _describe(self, epochs: int, *, finished: bool) -> dict[str, Any]:
        return {"key": self.course.key, "epochs": epochs, "finished": finished}


def _make_trainer(course: Course, batches: StepBatches, keeper: _Keeper) -> pl.Trainer:
    on_gpu = course.device.isdigit()
    return pl.Trainer(
        accelerator="gpu" if on_gpu else course.device,
        devices=[int(course.device)] if on_gpu else 1,
        precision="16-mixed" if on_gpu else "32-true",
        max_epochs=course.epochs,
        accumulate_grad_batches=len(batches.sizes),
        callbacks=[EarlyStopping("val_loss", patience=course.patience), keeper],
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
