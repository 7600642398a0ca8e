"""Stage one: find the subject, wherever it is and whatever its class."""

from __future__ import annotations

from pathlib import Path

from pipeline import yolo
from pipeline.config import Config
from pipeline.console import TrainingLog
from pipeline.prepare import DetectorData
from pipeline.starts import Start

DEFAULT_MODEL = "yolov5n"

_GENTLE_RATE = 1e-4
"""For weights that already find subjects: Ultralytics' own choice, twenty times as much, makes them forget first."""

_NOMINAL_BATCH = 64
_STEPS_AN_EPOCH = 20


def train_detector(
    start: Start, data: DetectorData, config: Config, folder: Path, *, device: str, log: TrainingLog
) -> Path:
    """Train the detector on prepared photos.

    Args:
        start: architecture and weights to start from.
        data: prepared photos.
        config: its ``detector`` settings and seed.
        folder: where checkpoints, curves and pictures go.
        device: ``cpu``, ``mps`` or the number of a GPU.
        log: told of each step and epoch.

    Returns:
        The checkpoint of the best epoch on val.
    """
    settings = config.detector
    job = yolo.DetectorJob(
        model_name=start.model_name,
        tensors=start.tensors,
        data=data.file,
        folder=folder,
        imgsz=settings.imgsz,
        batch=settings.batch,
        nbs=choose_nominal_batch(data.photos, settings.batch),
        epochs=settings.epochs,
        patience=settings.patience,
        seed=config.seed,
        lr0=_GENTLE_RATE if start.complete else None,
        device=device,
        on_step=log.on_step,
        on_epoch=log.on_epoch,
    )
    return yolo.train_detector(job)


def choose_nominal_batch(photos: int, batch: int) -> int:
    """Photos that gradients are gathered over before the weights move.

    Ultralytics gathers 64, which leaves 80 photos one step an epoch, and a dozen epochs of fine-tuning next to nothing.
    So it is as many as leave about 20 steps an epoch: 8 at batch 8 for 80 photos, 20 for 400, 64 from 1,280 on.

    Args:
        photos: to learn from.
        batch: photos at a time; never fewer are gathered.
    """
    return max(batch, min(_NOMINAL_BATCH, photos // _STEPS_AN_EPOCH))
