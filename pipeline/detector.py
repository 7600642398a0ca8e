"""Stage one: find the subject, wherever it is and whatever its class."""

from __future__ import annotations

from pathlib import Path

from pipeline import yolo
from pipeline.config import Config
from pipeline.console import TrainingLog
from pipeline.prepare import Prepared
from pipeline.starts import Start

DEFAULT_MODEL = "yolov5n"


def train_detector(
    start: Start, prepared: Prepared, config: Config, folder: Path, *, device: str, log: TrainingLog
) -> Path:
    """Train the detector on prepared photos.

    Args:
        start: architecture and weights to start from.
        prepared: the photos.
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
        data=prepared.detector_data,
        folder=folder,
        imgsz=settings.imgsz,
        batch=settings.batch,
        epochs=settings.epochs,
        patience=settings.patience,
        seed=config.seed,
        device=device,
        on_step=log.on_step,
        on_epoch=log.on_epoch,
    )
    return yolo.train_detector(job)
