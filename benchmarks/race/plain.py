"""Plain Ultralytics: ``YOLO(start).train(...)`` with its own defaults, its best epoch on val, its own transforms."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from race.material import Answer, Material, Probabilities, export


def train_plain(material: Material, start: Path, folder: Path, threads: int, _tell: Callable[[object], None]) -> Answer:
    """Train in this process, which is Ultralytics' own from here on.

    Args:
        material: the crops; of its settings imgsz, batch, epochs, patience and seed are taken, all else is Ultralytics'
            default.
        start: weights to start from.
        folder: where copies of the photos and Ultralytics' files go.
        threads: of torch.
    """
    os.environ |= {"YOLO_OFFLINE": "true", "YOLO_AUTOINSTALL": "false", "YOLO_CONFIG_DIR": str(folder / "settings")}
    export(material, folder / "photos")
    import torch

    yolo = _load(start, folder)
    ends: list[float] = []

    def begin(_trainer: object) -> None:
        torch.set_num_threads(threads)  # it takes one less than there are cores
        ends.append(time.perf_counter())

    yolo.add_callback("on_train_start", begin)
    yolo.add_callback("on_fit_epoch_end", lambda _trainer: ends.append(time.perf_counter()))
    settings = material.config.classifier
    yolo.train(
        data=str(folder / "photos"),
        imgsz=settings.imgsz,
        epochs=settings.epochs,
        batch=settings.batch,
        patience=settings.patience,
        seed=material.config.seed,
        device="cpu",
        project=str(folder),
        name="run",
        plots=False,  # pictures would count against it
        verbose=False,
    )
    best = _open(yolo.trainer.best)
    val, test = (_predict(best, folder / "photos" / part, settings.imgsz, threads) for part in ("val", "test"))
    return Answer(ends[settings.epochs] - ends[0], 0.0, val, test)  # later it scores its best epoch once more


def _load(start: Path, folder: Path) -> Any:
    """The same tensors as cropsort starts from, in a file of Ultralytics' own."""
    import torch

    from pipeline.yolo import read_checkpoint, transfer

    nets, utils = import_module("ultralytics.nn.tasks"), import_module("ultralytics.utils")
    utils.SETTINGS.update({"sync": False})
    checkpoint = read_checkpoint(start)
    classes = [tensor for tensor in checkpoint.tensors.values() if tensor.ndim][-1].shape[0]  # the head's bias
    network = nets.ClassificationModel(f"{checkpoint.model_name}.yaml", nc=classes, verbose=False)
    if transfer(network, checkpoint.tensors) != len(network.state_dict()):
        raise SystemExit(f"{start} does not fill {checkpoint.model_name}")
    torch.save({"model": network, "train_args": {"task": "classify"}, "epoch": -1}, folder / "start.pt")
    return _open(folder / "start.pt")


def _open(weights: Path) -> Any:
    return import_module("ultralytics").YOLO(weights)  # imported late, when its environment is set


def _predict(best: Any, folder: Path, imgsz: int, threads: int) -> Probabilities:
    """What its own predictor says, joined by the numbers in the files' names."""
    import torch

    best.add_callback("on_predict_start", lambda _predictor: torch.set_num_threads(threads))
    files = sorted(folder.rglob("*.*"))
    answers = best.predict([str(file) for file in files], imgsz=imgsz, device="cpu", verbose=False, stream=True)
    rows = {int(Path(answer.path).stem): answer.probs.data.double().numpy() for answer in answers}
    return np.stack([rows[number] for number in range(len(files))])
