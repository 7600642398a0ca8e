"""Stage one: find the subject, wherever it is and whatever its class."""

from __future__ import annotations

from pathlib import Path

from pipeline import yolo
from pipeline.prepare import DetectorData
from pipeline.settings import DetectorSettings

_GENTLE_RATE = 1e-4
"""For weights that already find subjects: Ultralytics' own choice, twenty times as much, makes them forget first."""


def make_detector_job(
    start_file: Path | None,
    *,
    complete: bool,
    model_name: str,
    data: DetectorData,
    settings: DetectorSettings,
    accumulate: int,
    folder: Path,
    seed: int,
    device: str,
) -> yolo.DetectorJob:
    """A training of the detector on prepared photos.

    Args:
        start_file: weights to start from, as ``yolo.write_checkpoint`` writes them; None for random ones.
        complete: whether they fill the whole network, its head for one class included.
        model_name: an Ultralytics detection model.
        data: prepared photos.
        settings: image size and batch, epochs and patience.
        accumulate: batches that gradients are gathered over before the weights move; see ``tune.batches``.
        folder: where checkpoints, curves and pictures go.
        seed: of all that is drawn by lot.
        device: ``cpu``, ``mps`` or the number of a GPU.
    """
    return yolo.DetectorJob(
        model_name=model_name,
        start=start_file,
        data=data.file,
        folder=folder,
        imgsz=settings.imgsz,
        batch=settings.batch,
        nbs=settings.batch * accumulate,
        epochs=settings.epochs,
        patience=settings.patience,
        seed=seed,
        lr0=_GENTLE_RATE if complete else None,
        device=device,
    )
