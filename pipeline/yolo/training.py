"""Training a detector with Ultralytics' trainer, from tensors of our own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from pipeline.errors import CropsortError
from pipeline.yolo.checkpoints import transfer
from pipeline.yolo.guard import quiet_drawing, quiet_ultralytics, threads_kept, ultralytics
from pipeline.yolo.models import build_detector, is_rtdetr

_SCORES = ("mAP50", "mAP50-95")


@dataclass(frozen=True, slots=True)
class Epoch:
    """Where training stands after an epoch.

    Args:
        number: counted from 1.
        epochs: how many there are at most.
        losses: mean training losses by name.
        scores: on val, by name.
    """

    number: int
    epochs: int
    losses: Mapping[str, float]
    scores: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class DetectorJob:
    """A training of the detector.

    Args:
        model_name: an Ultralytics detection model.
        tensors: weights to start from; those that fit are taken.
        data: a data.yaml of Ultralytics' own, with photos that may be written to.
        folder: where checkpoints, curves and pictures go.
        imgsz, batch, nbs, epochs, patience, seed: Ultralytics' settings of these names; ``nbs`` is the nominal batch
            that gradients are accumulated to.
        lr0: first learning rate of AdamW; None leaves optimiser and rate to Ultralytics.
        device: ``cpu``, ``mps`` or the number of a GPU.
        on_step: called after each training step with the part of all steps that is done, 0 to 1.
        on_epoch: called after each epoch.
    """

    model_name: str
    tensors: Mapping[str, Tensor] = field(repr=False)
    data: Path
    folder: Path
    imgsz: int
    batch: int
    nbs: int
    epochs: int
    patience: int
    seed: int
    lr0: float | None
    device: str
    on_step: Callable[[float], None]
    on_epoch: Callable[[Epoch], None]


def train_detector(job: DetectorJob) -> Path:
    """Train a detector with Ultralytics' trainer; the best epoch on val is kept.

    Returns:
        The checkpoint of the best epoch.

    Raises:
        CropsortError: the training ended without weights.
    """
    with quiet_ultralytics(), quiet_drawing(), threads_kept() as threads:
        trainer = _trainer_class(job)(overrides=_trainer_settings(job))
        trainer.add_callback("on_train_start", lambda _: torch.set_num_threads(threads))
        trainer.add_callback("on_train_batch_end", _step_reporter(job))
        trainer.add_callback("on_fit_epoch_end", _epoch_reporter(job))
        trainer.train()
        best = Path(trainer.best)
    if not best.exists():
        raise CropsortError("the training of the detector ended without weights", where=job.folder)
    return best


def _trainer_class(job: DetectorJob) -> Any:
    """Ultralytics' trainer for the model, starting from our tensors instead of a file."""
    build_detector(job.model_name, class_count=1)  # says in one line where there is no such model
    if is_rtdetr(job.model_name):
        parent = ultralytics("models.rtdetr.train").RTDETRTrainer
    else:
        parent = ultralytics("models.yolo.detect.train").DetectionTrainer

    class Trainer(parent):  # type: ignore[misc, valid-type]  # the parent is known only now
        def get_model(self, cfg: Any = None, weights: Any = None, verbose: bool = True) -> Any:  # noqa: ARG002 - its signature
            model = super().get_model(cfg, None, verbose=False)
            transfer(model, job.tensors)
            return model

    return Trainer


def _trainer_settings(job: DetectorJob) -> dict[str, object]:
    return {
        "model": f"{job.model_name}.yaml",
        "data": str(job.data),
        "project": str(job.folder.parent.resolve()),
        "name": job.folder.name,
        "exist_ok": True,
        "imgsz": job.imgsz,
        "batch": job.batch,
        "nbs": job.nbs,
        "epochs": job.epochs,
        "patience": job.patience,
        "seed": job.seed,
        "device": job.device,
        "close_mosaic": min(10, job.epochs // 3),
        "pretrained": False,
        "plots": True,
        "verbose": False,
        **(
            {} if job.lr0 is None else {"optimizer": "AdamW", "lr0": job.lr0, "warmup_epochs": 1, "warmup_bias_lr": 0.0}
        ),
    }


def _step_reporter(job: DetectorJob) -> Callable[[Any], None]:
    done = 0

    def report(trainer: Any) -> None:
        nonlocal done
        done += 1
        job.on_step(min(1.0, done / (len(trainer.train_loader) * job.epochs)))

    return report


def _epoch_reporter(job: DetectorJob) -> Callable[[Any], None]:
    def report(trainer: Any) -> None:
        if trainer.epoch >= job.epochs or trainer.tloss is None:
            return  # the last call is the final scoring, not an epoch
        losses = {name: float(value) for name, value in trainer.tloss.items()}
        scores = {name: float(trainer.metrics[f"metrics/{name}(B)"]) for name in _SCORES}
        job.on_epoch(Epoch(trainer.epoch + 1, job.epochs, losses, scores))

    return report
