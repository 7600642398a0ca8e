"""Stage two: a classifier of crops, trained with Lightning, its best epoch on val kept."""

from __future__ import annotations

import logging
import signal
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader

from pipeline import yolo
from pipeline.config import ClassifierSettings
from pipeline.device import torch_device
from pipeline.errors import DataError, WeightsError
from pipeline.images import Pixels
from pipeline.loading import CropDataset, EpochSampler
from pipeline.prepare import CropSource

_SMOOTHING = 0.05
_LEARNING_RATE = 1e-3
_GENTLE_RATE = 1e-4
"""For weights that fill the whole network, its head included: they know the classes, and would forget at first."""

_WEIGHT_DECAY = 0.02


@dataclass(frozen=True, slots=True)
class ClassifierJob:
    """A training of the classifier.

    Args:
        model_name: the backbone; see ``build_backbone``.
        tensors: weights to start from; those that fit are taken.
        class_names: in the order of the output.
        train: subjects to learn from.
        val: subjects to choose the epoch on.
        settings: image size, batch, epochs and the like.
        folder: where the checkpoint goes.
        seed: of the head's first weights, the order and the augmentation.
        lr0: highest learning rate; None for 1e-3, or a tenth of it where ``tensors`` fill the whole network.
        device: ``cpu``, ``mps`` or the number of a GPU.
        on_step: called after each training step with the part of all steps that is done, 0 to 1.
        on_epoch: called after each epoch.
    """

    model_name: str
    tensors: Mapping[str, Tensor] = field(repr=False)
    class_names: tuple[str, ...]
    train: tuple[CropSource, ...]
    val: tuple[CropSource, ...]
    settings: ClassifierSettings
    folder: Path
    seed: int
    device: str
    on_step: Callable[[float], None]
    on_epoch: Callable[[yolo.Epoch], None]
    lr0: float | None = None


class Classifier:
    """A trained classifier, ready to use.

    Args:
        weights: what ``train_classifier`` wrote.
        class_names: in the order of the output.
        device: ``cpu``, ``mps`` or the number of a GPU.

    Raises:
        WeightsError: the file is missing, holds no classifier, or one of another number of classes.
    """

    def __init__(self, weights: Path, class_names: tuple[str, ...], *, device: str) -> None:
        checkpoint = yolo.read_checkpoint(weights)
        if checkpoint.task != yolo.CLASSIFY:
            raise WeightsError("not a classifier", where=weights, remedy="train one: make train")
        self._network = build_backbone(checkpoint.model_name, class_count=len(class_names))
        if yolo.transfer(self._network, checkpoint.tensors) != len(self._network.state_dict()):
            raise WeightsError(
                f"not a classifier of {len(class_names)} classes", where=weights, remedy="train again: make train"
            )
        self._device = torch.device(torch_device(device))
        self._network.eval().to(self._device)
        self.class_names = class_names

    def classify(self, crops: Sequence[Pixels]) -> list[dict[str, float]]:
        """Probability of each class by name, 0 to 1, for crops of one size, RGB, shape (side, side, 3)."""
        if not crops:
            return []
        images = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).to(self._device).float() / 255
        with torch.inference_mode():
            table = yolo.logits(self._network(images)).softmax(1).double().cpu()
        return [dict(zip(self.class_names, row, strict=True)) for row in table.clamp(0, 1).tolist()]


def build_backbone(model_name: str, *, class_count: int) -> nn.Module:
    """A network with random weights from images (batch, 3, side, side), 0 to 1, to what ``yolo.logits`` takes.

    Other families of backbones get their place here.
    """
    return yolo.build_classifier(model_name, class_count=class_count)


def train_classifier(job: ClassifierJob, weights: Path) -> None:
    """Train, and write the weights of the epoch with the lowest log loss on val.

    Args:
        job: what to train on and how.
        weights: file to write.

    Raises:
        DataError: there are fewer than two crops to learn from.
        OutputError: it cannot be written there.
    """
    if len(job.train) < 2:
        raise DataError(f"{len(job.train)} crop to learn from", expected="at least two", remedy="label more photos")
    torch.manual_seed(job.seed)
    network = build_backbone(job.model_name, class_count=len(job.class_names))
    complete = yolo.transfer(network, job.tensors) == len(network.state_dict())
    keeper = ModelCheckpoint(dirpath=job.folder, filename="best", monitor="val_loss", enable_version_counter=False)
    with _quiet_lightning():
        trainer = _make_trainer(job, keeper)
        _fit(trainer, _Training(network, job, job.lr0 or (_GENTLE_RATE if complete else _LEARNING_RATE)), job)
    best = torch.load(keeper.best_model_path, map_location="cpu", weights_only=True)["state_dict"]
    tensors = {name.removeprefix("network."): tensor for name, tensor in best.items()}
    yolo.write_checkpoint(weights, yolo.Checkpoint(job.model_name, yolo.CLASSIFY, tensors))


def _fit(trainer: pl.Trainer, module: _Training, job: ClassifierJob) -> None:
    """Lightning turns Ctrl-C into an exit with code 1, and leaves the signal switched off."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        trainer.fit(module, _train_loader(job), _val_loader(job))
    except SystemExit as leaving:
        raise KeyboardInterrupt from leaving
    finally:
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, handler)


class _Training(pl.LightningModule):
    """Cross entropy with AdamW and one warm-up and decay of the learning rate (Smith and Topin 2018, one-cycle)."""

    def __init__(self, network: nn.Module, job: ClassifierJob, rate: float) -> None:
        super().__init__()
        self.network = network
        self.job = job
        self.rate = rate

    def training_step(self, batch: tuple[Tensor, Tensor], _batch_idx: int) -> Tensor:
        images, targets = batch
        loss = functional.cross_entropy(yolo.logits(self.network(images)), targets, label_smoothing=_SMOOTHING)
        self.log("train_loss", loss, on_step=False, on_epoch=True, batch_size=len(targets))
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor], _batch_idx: int) -> None:
        images, targets = batch
        out = yolo.logits(self.network(images))
        self.log("val_loss", functional.cross_entropy(out, targets), batch_size=len(targets))
        self.log("val_top1", (out.argmax(1) == targets).float().mean(), batch_size=len(targets))

    def configure_optimizers(self) -> Any:
        decayed = [weight for weight in self.parameters() if weight.ndim > 1]
        others = [weight for weight in self.parameters() if weight.ndim <= 1]
        groups: list[dict[str, Any]] = [{"params": decayed}, {"params": others, "weight_decay": 0.0}]
        optimizer = torch.optim.AdamW(groups, lr=self.rate, weight_decay=_WEIGHT_DECAY)
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, self.rate, total_steps=steps, pct_start=0.15)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class _Reporter(pl.Callback):
    """Tells the job's callbacks where training stands."""

    def __init__(self, job: ClassifierJob) -> None:
        self.job = job

    def on_train_batch_end(self, trainer: pl.Trainer, *_: object) -> None:
        self.job.on_step(min(1.0, trainer.global_step / max(1, int(trainer.estimated_stepping_batches))))

    def on_train_epoch_end(self, trainer: pl.Trainer, *_: object) -> None:
        seen = {name: float(value) for name, value in trainer.callback_metrics.items()}
        losses = {"train": seen["train_loss"], "val": seen["val_loss"]}
        epoch = yolo.Epoch(trainer.current_epoch + 1, self.job.settings.epochs, losses, {"top-1": seen["val_top1"]})
        self.job.on_epoch(epoch)


def _make_trainer(job: ClassifierJob, keeper: ModelCheckpoint) -> pl.Trainer:
    on_gpu = job.device.isdigit()
    return pl.Trainer(
        accelerator="gpu" if on_gpu else job.device,
        devices=[int(job.device)] if on_gpu else 1,
        precision="16-mixed" if on_gpu else "32-true",
        max_epochs=job.settings.epochs,
        callbacks=[keeper, EarlyStopping("val_loss", patience=job.settings.patience), _Reporter(job)],
        gradient_clip_val=10.0,
        num_sanity_val_steps=0,
        default_root_dir=job.folder,
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def _train_loader(job: ClassifierJob) -> DataLoader[tuple[Tensor, int]]:
    data = CropDataset(job.train, job.class_names, job.settings, job.seed)
    batch = min(job.settings.batch, len(job.train))
    sampler = EpochSampler(len(job.train), job.seed)
    return DataLoader(data, batch, sampler=sampler, drop_last=True, **_loading(job))


def _val_loader(job: ClassifierJob) -> DataLoader[tuple[Tensor, int]]:
    data = CropDataset(job.val, job.class_names, job.settings, None)
    sampler = EpochSampler(len(job.val), None)
    return DataLoader(data, job.settings.batch, sampler=sampler, **_loading(job))


def _loading(job: ClassifierJob) -> dict[str, Any]:
    """On a CPU training itself keeps the cores busy; a GPU wants the crops made ready beside it."""
    if not job.device.isdigit():
        return {"num_workers": 0}
    return {"num_workers": 4, "persistent_workers": True, "pin_memory": True}


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
