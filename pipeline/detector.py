"""Stage one: find the subject, wherever it is and whatever its class."""

from __future__ import annotations

from pathlib import Path

from pipeline import yolo
from pipeline.config import DetectorSettings
from pipeline.prepare import DetectorData

DEFAULT_MODEL = "yolov5n"

_GENTLE_RATE = 1e-4
"""For weights that already find subjects: Ultralytics' own choice, twenty times as much, makes them forget first."""

_NOMINAL_BATCH = 64
_STEPS_AN_EPOCH = 20


def make_detector_job(
    start_file: Path | None,
    *,
    complete: bool,
    model_name: str,
    data: DetectorData,
    settings: DetectorSettings,
    accumulate: int | None,
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
        accumulate: batches that gradients are gathered over before the weights move; None for a number that suits the
            photos there are. A smaller batch later on keeps the product of the two.
        folder: where checkpoints, curves and pictures go.
        seed: of all that is drawn by lot.
        device: ``cpu``, ``mps`` or the number of a GPU.
    """
    batch = settings.batch
    return yolo.DetectorJob(
        model_name=model_name,
        start=start_file,
        data=data.file,
        folder=folder,
        imgsz=settings.imgsz,
        batch=batch,
        nbs=choose_nominal_batch(data.photos, batch) if accumulate is None else batch * accumulate,
        epochs=settings.epochs,
        patience=settings.patience,
        seed=seed,
        lr0=_GENTLE_RATE if complete else None,
        device=device,
    )


def choose_nominal_batch(photos: int, batch: int) -> int:
    """Photos that gradients are gathered over before the weights move.

    Ultralytics gathers 64, which leaves 80 photos one step an epoch, and a dozen epochs of fine-tuning next to nothing.
    So it is as many as leave about 20 steps an epoch: 8 at batch 8 for 80 photos, 20 for 400, 64 from 1,280 on.

    Args:
        photos: to learn from.
        batch: photos at a time; never fewer are gathered.
    """
    return max(batch, min(_NOMINAL_BATCH, photos // _STEPS_AN_EPOCH))
