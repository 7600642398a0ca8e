"""Training a detector with Ultralytics' trainer, from tensors of our own, and going on where it was stopped."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from pipeline.errors import CropsortError
from pipeline.files import replacing
from pipeline.yolo.checkpoints import read_checkpoint, transfer
from pipeline.yolo.guard import quiet_drawing, quiet_ultralytics, threads_kept, ultralytics
from pipeline.yolo.models import build_detector, is_rtdetr
from pipeline.yolo.resuming import Progress, finish, is_finished, keep_progress, read_progress, restore_data

_SCORES = ("mAP50", "mAP50-95")

_NO_RETRIES = 3
"""As many as Ultralytics allows itself, so that none is left: it would halve the batch behind our back."""


@dataclass(frozen=True, slots=True)
class Epoch:
    """Where training stands after an epoch.

    Args:
        number: counted from 1.
        epochs: how many there are at most.
        losses: mean training losses by name.
        scores: on val, by name.
        rate: learning rate of its last step.
        seconds: that it took, validation included.
        waited: part of its training steps' time that was spent waiting for photos, 0 to 1; 0 where it is not measured.
    """

    number: int
    epochs: int
    losses: Mapping[str, float]
    scores: Mapping[str, float]
    rate: float = 0.0
    seconds: float = 0.0
    waited: float = 0.0


@dataclass(frozen=True, slots=True)
class DetectorJob:
    """A training of the detector: data only, which can be handed to another process.

    Args:
        model_name: an Ultralytics detection model.
        start: weights to start from, as ``write_checkpoint`` writes them, of which those that fit are taken; None for
            random ones.
        data: a data.yaml of Ultralytics' own, with photos that may be written to.
        folder: where checkpoints, curves and pictures go.
        imgsz, batch, nbs, epochs, patience, seed: Ultralytics' settings of these names; ``nbs`` is the nominal batch
            that gradients are accumulated to.
        lr0: first learning rate of AdamW; None leaves optimiser and rate to Ultralytics.
        device: ``cpu``, ``mps`` or the number of a GPU.
        plots: whether Ultralytics draws its curves and pictures.
    """

    model_name: str
    start: Path | None
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
    plots: bool = True


def train_detector(job: DetectorJob, *, on_step: Callable[[float], None], on_epoch: Callable[[Epoch], None]) -> Path:
    """Train a detector with Ultralytics' trainer; the best epoch on val is kept.

    Goes on after the last epoch that a training in ``job.folder`` ended, however it was stopped, and begins where there
    was none, or one of another model. ``batch``, ``imgsz`` and ``device`` may have changed since, and the folders'
    places; the data must be the same. A training that had come to its end is not begun again.

    Args:
        job: the training.
        on_step: called after each training step with the part of all steps that is done, 0 to 1.
        on_epoch: called after each epoch, once it is safe.

    Returns:
        The checkpoint of the best epoch.

    Raises:
        CropsortError: the training ended without weights.
        RuntimeError: from torch, where memory does not suffice; nothing is tried again.
    """
    best = job.folder.resolve() / "weights" / "best.pt"
    if is_finished(job.folder):
        return best
    with quiet_ultralytics(), quiet_drawing(), threads_kept() as threads:
        trainer = _trainer_class(job)(read_progress(job.folder, job.model_name))
        trainer.add_callback("on_train_start", lambda _: torch.set_num_threads(threads))
        trainer.add_callback("on_train_epoch_start", _forbid_retries)
        trainer.add_callback("on_train_batch_end", _step_reporter(job, on_step))
        trainer.add_callback("on_model_save", _epoch_reporter(job, on_epoch))
        trainer.train()
    if not best.exists():
        raise CropsortError("the training of the detector ended without weights", where=job.folder)
    finish(job.folder)
    return best


def train_detector_apart(job: DetectorJob, weights: Path, tell: Callable[[object], None]) -> None:
    """``train_detector`` for a process of its own: tells the part of all steps that is done, and each ``Epoch``.

    The checkpoint of the best epoch is written to ``weights``, whole or not at all.
    """
    best = train_detector(job, on_step=tell, on_epoch=tell)
    with replacing(weights) as temporary:
        shutil.copyfile(best, temporary)


def _trainer_class(job: DetectorJob) -> Any:
    """Ultralytics' trainer for the model, starting from our tensors instead of a file."""
    build_detector(job.model_name, class_count=1)  # says in one line where there is no such model
    if is_rtdetr(job.model_name):
        parent = ultralytics("models.rtdetr.train").RTDETRTrainer
    else:
        parent = ultralytics("models.yolo.detect.train").DetectionTrainer

    class Trainer(parent):  # type: ignore[misc, valid-type]  # the parent is known only now
        def __init__(self, progress: Progress | None) -> None:
            self.progress = progress
            super().__init__(overrides=_trainer_settings(job))
            if progress is not None:
                self.csv.write_text(progress.results, encoding="utf-8")

        def check_resume(self, overrides: Any) -> None:  # noqa: ARG002 - its signature
            self.resume = self.progress is not None

        def get_model(self, cfg: Any = None, weights: Any = None, verbose: bool = True) -> Any:  # noqa: ARG002 - its signature
            model = super().get_model(cfg, None, verbose=False)
            if self.progress is not None:
                model.load_state_dict(self.progress.model)
            elif job.start is not None:
                transfer(model, read_checkpoint(job.start).tensors)
            return model

        def resume_training(self, ckpt: Any) -> None:  # noqa: ARG002 - its signature
            progress, self.progress = self.progress, None  # the training needs the memory
            if progress is not None and not progress.is_over(job.epochs):
                super().resume_training(progress.as_checkpoint(self.model))
                restore_data(self, progress)

        def _do_train(self) -> None:
            if self.progress is None or not self.progress.is_over(job.epochs):
                super()._do_train()
                return
            self.epoch = self.progress.epoch
            self._setup_train()
            self.final_eval()
            if job.plots:
                self.plot_metrics()

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
        "plots": job.plots,
        "verbose": False,
        **(
            {} if job.lr0 is None else {"optimizer": "AdamW", "lr0": job.lr0, "warmup_epochs": 1, "warmup_bias_lr": 0.0}
        ),
    }


def _forbid_retries(trainer: Any) -> None:
    trainer._oom_retries = _NO_RETRIES


def _step_reporter(job: DetectorJob, on_step: Callable[[float], None]) -> Callable[[Any], None]:
    done = 0

    def report(trainer: Any) -> None:
        nonlocal done
        done += 1
        batches = len(trainer.train_loader)
        on_step(min(1.0, (trainer.start_epoch * batches + done) / (batches * job.epochs)))

    return report


def _epoch_reporter(job: DetectorJob, on_epoch: Callable[[Epoch], None]) -> Callable[[Any], None]:
    def report(trainer: Any) -> None:
        keep_progress(trainer, job.folder, job.model_name)
        losses = {name: float(value) for name, value in trainer.tloss.items()}
        scores = {name: float(trainer.metrics[f"metrics/{name}(B)"]) for name in _SCORES}
        seconds = time.time() - trainer.epoch_time_start  # as Ultralytics itself counts, which does so only later
        on_epoch(Epoch(trainer.epoch + 1, job.epochs, losses, scores, float(trainer.lr["lr/pg0"]), seconds))

    return report
