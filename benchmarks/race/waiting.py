"""What loading costs: the part of the steps' time spent waiting, and peak memory on ten times the data."""

from __future__ import annotations

import shutil
from dataclasses import replace
from itertools import cycle, islice
from pathlib import Path
from statistics import fmean

from pipeline import yolo
from pipeline.apart import run_apart
from pipeline.classifier import ClassifierJob, train_classifier_apart
from pipeline.prepare import CropSource

Row = dict[str, float]


def measure_loading(job: ClassifierJob, folder: Path, crops: int) -> Row:
    """Train on so many crops, copies of files included, in a process of its own.

    Args:
        job: of a training with at least two crops.
        folder: where copies and checkpoints go.
        crops: how many.
    """
    epochs: list[yolo.Epoch] = []
    copies = tuple(_copy(job.train, folder / "crops", crops))
    larger = replace(job, train=copies, folder=folder / "training")
    outcome = run_apart(
        train_classifier_apart,
        *(larger, folder / "classifier.pt"),
        on_message=lambda message: epochs.append(message) if isinstance(message, yolo.Epoch) else None,
        name=f"a training on {crops} crops",
    )
    shutil.rmtree(folder)
    waited = [epoch.waited for epoch in epochs]
    return {
        "crops": crops,
        "peak_bytes": outcome.peak_bytes,
        "waited": fmean(waited),
        "waited_most": max(waited),
        "epoch_seconds": fmean(epoch.seconds for epoch in epochs),
    }


def _copy(sources: tuple[CropSource, ...], folder: Path, count: int) -> list[CropSource]:
    """As many as wanted, each a file of its own."""
    folder.mkdir(parents=True)
    return [
        replace(source, file=Path(shutil.copyfile(source.file, folder / f"{number:06d}.jpg")))
        for number, source in enumerate(islice(cycle(sources), count))
    ]
