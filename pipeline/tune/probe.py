"""What is measured in a process of its own: a few real steps of a stage, on photos that are made up for it.

Each stage is imported where it runs: the seconds that the other takes to load count in every trial.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import cv2
import numpy as np
import yaml

from pipeline.apart import Tell
from pipeline.boxes import Box
from pipeline.gpu import hold_gpu, measure_gpu_peak
from pipeline.tune.trials import TrainedPairs, Trial

if TYPE_CHECKING:
    from pipeline.images import Pixels

_STEPS = 4
"""The fourth is the first that has all in memory at once: the optimiser's state and the gradients of a step before."""

_GATHERED = 2
_BUFFERED = 8
_RATE = 1e-4
_PHONE_SIDE, _PHONE_END = 4032, 3024
"""Pixels of a photo that is predicted: 12 megapixels, as most phones take them."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What a trial came to.

    Args:
        seconds: a training step, or a batch predicted, takes.
        gpu_bytes: most that was taken of a GPU; 0 where there is none: memory is then watched from outside.
    """

    seconds: float
    gpu_bytes: int


def measure(
    trial: Trial, class_count: int, pairs: TrainedPairs | None, limit_bytes: int, folder: Path, tell: Tell
) -> Measured:
    """Run a trial for ``apart.run_apart``: real steps of the code that will do the work, and what comes after them.

    Training takes four steps (forward, loss, backward, optimiser, EMA, mixed precision where the device has it), with
    gradients gathered over two, and as many boxes in each photo as the fullest one of the data has; it scores a batch
    of val, and writes a checkpoint.

    Args:
        trial: what to measure.
        class_count: classes that are told apart.
        pairs: prediction only: what it is done with.
        limit_bytes: that a GPU may be used up to.
        folder: an empty folder for what it takes.
        tell: unused; all that this process says is its answer.
    """
    del tell
    hold_gpu(trial.device, limit_bytes)
    if trial.stage == "prediction":
        assert pairs is not None  # whoever asks has a trained pair
        seconds = _time_prediction(trial, pairs)
    else:
        train = _TRAININGS[trial.stage]
        seconds = _time_steps(lambda on_step: train(trial, class_count, folder, on_step))
    return Measured(seconds, measure_gpu_peak(trial.device))


def unseen_bytes(trial: Trial, photos: int) -> int:
    """What a training of so many photos keeps of them beyond what ``measure`` saw, on a CPU, bytes.

    For its mosaics Ultralytics keeps eight batches of photos, which so few steps do not fill.
    """
    if trial.stage != "detector":
        return 0
    kept = min(photos, _BUFFERED * trial.batch) - _STEPS * trial.batch
    return max(0, kept) * 3 * trial.imgsz**2


def _time_steps(train: Callable[[Callable[[float], None]], None]) -> float:
    """The first step is not counted: it pays for what is made once."""
    ends: list[float] = []
    train(lambda _: ends.append(time.perf_counter()))
    return median(after - before for before, after in pairwise(ends))


def _train_detector(trial: Trial, class_count: int, folder: Path, on_step: Callable[[float], None]) -> None:
    from pipeline.yolo import DetectorJob, train_detector

    rng = np.random.default_rng(0)
    photo, batch = _encode(_draw(trial.imgsz, trial.imgsz, rng)), trial.batch
    # Val is scored in batches of twice the size.
    for part, count in (("train", _STEPS * batch), ("val", 2 * batch)):
        for kind in ("images", "labels"):
            (folder / kind / part).mkdir(parents=True)
        for number in range(count):
            (folder / "images" / part / f"{number}.jpg").write_bytes(photo)
            (folder / "labels" / part / f"{number}.txt").write_text(_draw_label(trial.boxes, rng), encoding="ascii")
    data = folder / "data.yaml"
    names = [f"class {number}" for number in range(class_count)]
    record = {"path": str(folder.resolve()), "train": "images/train", "val": "images/val", "names": names}
    data.write_text(yaml.safe_dump(record, allow_unicode=True), encoding="utf-8")
    job = DetectorJob(
        model_name=trial.model,
        start=None,
        data=data,
        folder=folder / "run",
        imgsz=trial.imgsz,
        batch=batch,
        nbs=_GATHERED * batch,
        epochs=1,
        patience=1,
        seed=0,
        lr0=_RATE,
        device=trial.device,
    )
    train_detector(job, on_step=on_step, on_epoch=lambda _: None)


def _train_classifier(trial: Trial, class_count: int, folder: Path, on_step: Callable[[float], None]) -> None:
    from pipeline.classifier import ClassifierJob, train_classifier
    from pipeline.crops import JITTER
    from pipeline.prepare import CropSource
    from pipeline.settings import ClassifierSettings

    settings = ClassifierSettings(model=trial.model, imgsz=trial.imgsz, batch=trial.batch, epochs=1)
    side = round(1.5 * trial.imgsz)  # as prepare keeps them
    file = folder / "subject.jpg"
    file.write_bytes(_encode(_draw(side, side, np.random.default_rng(0))))
    edge = side * (settings.margin + 4 * JITTER)
    names = tuple(f"class {number}" for number in range(max(2, class_count)))
    source = CropSource(file, Box(edge, edge, side - edge, side - edge), names[0])
    job = ClassifierJob(
        model_name=trial.model,
        start=None,
        class_names=names,
        train=(source,) * max(2, _STEPS * trial.batch),
        val=(source,) * trial.batch,
        settings=settings,
        folder=folder / "run",
        seed=0,
        device=trial.device,
    )
    train_classifier(job, folder / "weights.pt", on_step=on_step, on_epoch=lambda _: None)


def _train_jigsaw(trial: Trial, _class_count: int, folder: Path, on_step: Callable[[float], None]) -> None:
    from pipeline.jigsaw.job import JigsawJob, train_jigsaw
    from pipeline.jigsaw.puzzle_batches import PuzzleSettings
    from pipeline.prepare import CropSource

    side = round(1.5 * trial.imgsz)  # as they are kept
    file = folder / "picture.jpg"
    file.write_bytes(_encode(_draw(side, side, np.random.default_rng(0))))
    source = CropSource(file, Box(0.0, 0.0, side, side), "")
    settings = PuzzleSettings(grid=math.isqrt(trial.boxes), imgsz=trial.imgsz, batch=trial.batch, epochs=1)
    job = JigsawJob(
        model_name=trial.model,
        start=None,
        train=(source,) * max(2, _STEPS * trial.batch),
        val=(source,) * trial.batch,
        settings=settings,
        folder=folder / "run",
        seed=0,
        device=trial.device,
    )
    train_jigsaw(job, folder / "weights.pt", on_step=on_step, on_epoch=lambda _: None)


_TRAININGS = {"detector": _train_detector, "classifier": _train_classifier, "jigsaw": _train_jigsaw}


def _time_prediction(trial: Trial, pairs: TrainedPairs) -> float:
    """Seconds that a batch is searched in, with as many photos in memory as there are under way in ``road``."""
    from pipeline.images import open_photo
    from pipeline.results import Detection
    from pipeline.road import CROPS, Road, count_cores
    from pipeline.sorter import Sorter

    sorter, cores = Sorter(pairs.folders, device=trial.device, engine=pairs.engine), count_cores()
    content = _encode(_draw(_PHONE_SIDE, _PHONE_END, np.random.default_rng(0)))
    crowd = [Detection(Box(0.0, 0.0, 200.0, 200.0), 1.0)] * CROPS  # small, so that photos are decoded again, whole
    with ThreadPoolExecutor(cores) as pool:
        opened = list(pool.map(lambda _: open_photo(content, side=sorter.side), range(cores)))
        one, missing = opened[0], Road.count_under_way(trial.batch, cores) - cores
        opened += [replace(one, pixels=one.pixels.copy(), data=bytes(bytearray(content))) for _ in range(missing)]
        views, *_ = pool.map(lambda photo: sorter.cut(photo, crowd), opened[:cores])
        sorter.find(opened[: trial.batch])
        sorter.decide(crowd, views)
        begin = time.perf_counter()
        sorter.find(opened[: trial.batch])
        return time.perf_counter() - begin


def _draw(width: int, height: int, rng: np.random.Generator) -> Pixels:
    """Coarse noise: it compresses about as a photo does."""
    small = rng.integers(0, 256, (max(1, height // 8), max(1, width // 8), 3), np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR).astype(np.uint8)


def _encode(pixels: Pixels) -> bytes:
    return cv2.imencode(".jpg", pixels)[1].tobytes()


def _draw_label(boxes: int, rng: np.random.Generator) -> str:
    centres = rng.uniform(0.2, 0.8, (boxes, 2))
    return "".join(f"0 {x:.4f} {y:.4f} 0.2 0.2\n" for x, y in centres)
