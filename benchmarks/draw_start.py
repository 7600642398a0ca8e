"""Make the starting points in ``weights/start``: both stages trained from nothing on photos drawn by our own code.

    python benchmarks/draw_start.py            # some hours on two CPU cores

They let the sample train in minutes without a network. The photos have seeds that neither the sample nor any benchmark
draws with. A round that is done is not done again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import yaml

from pipeline import yolo
from pipeline.classifier import ClassifierJob, train_classifier
from pipeline.config import Config, read_config
from pipeline.console import TrainingLog, make_console
from pipeline.dataset import DataSet, load_dataset
from pipeline.prepare import Prepared, prepare
from pipeline.sample import KINDS, draw_photos
from pipeline.weights import SHIPPED, installed_versions

SIZE, SEED, NOMINAL_BATCH = (640, 480), 0, 64
MODELS = {"detector": "yolov5n", "classifier": "yolo11n-cls"}
PHOTOS = {"train": 700, "val": 60}
VAL_SEEDS = (8000, 8001)


@dataclass(frozen=True)
class Round:
    """One training of a stage, from the weights of the round before it."""

    stage: str
    seeds: tuple[int, ...]
    epochs: int
    lr0: float | None


ROUNDS = (
    Round("detector", (7000, 7001), epochs=16, lr0=None),
    Round("detector", (7000, 7001), epochs=10, lr0=5e-4),
    Round("detector", (7002, 7003), epochs=9, lr0=5e-4),
    Round("classifier", (7000, 7001), epochs=40, lr0=1e-3),
    Round("classifier", (7000, 7001, 7002, 7003), epochs=10, lr0=6e-4),
)


def main() -> None:
    """Draw, train round after round, and put the weights in half precision beside their cards."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--work", type=Path, default=Path("runs") / "benchmarks" / "start")
    work = parser.parse_args().work.resolve()
    latest: dict[str, tuple[yolo.Checkpoint, dict[str, float]]] = {}
    starts: dict[str, Path] = {}
    for number, a_round in enumerate(ROUNDS):
        done = work / f"round{number}.pt"
        if not done.exists():
            checkpoint, scores = train(a_round, starts.get(a_round.stage), work, number)
            done.with_suffix(".json").write_text(json.dumps(scores), encoding="utf-8")
            yolo.write_checkpoint(done, checkpoint)
        starts[a_round.stage] = done
        latest[a_round.stage] = yolo.read_checkpoint(done), json.loads(done.with_suffix(".json").read_text("utf-8"))
    for stage, (checkpoint, scores) in latest.items():
        ship(stage, checkpoint, scores)


def train(a_round: Round, start: Path | None, work: Path, number: int) -> tuple[yolo.Checkpoint, dict[str, float]]:
    """The best epoch of a round, and its scores on val."""
    config, dataset = describe(a_round, work, number)
    folder = work / f"round{number}"
    prepared = prepare(dataset, config, folder / "prepared", on_photo=lambda: None)
    with TrainingLog(make_console(), a_round.stage) as log:
        if a_round.stage == "detector":
            best = train_detector(a_round, start, prepared, folder, log)
            chosen = max(log.epochs, key=lambda epoch: epoch.scores["mAP50-95"])
        else:
            best = train_crops(start, prepared, config, folder, log)
            chosen = min(log.epochs, key=lambda epoch: epoch.losses["val"])
    return yolo.read_checkpoint(best), dict(chosen.scores)


def train_detector(a_round: Round, start: Path | None, prepared: Prepared, folder: Path, log: TrainingLog) -> Path:
    """The checkpoint of the best epoch."""
    assert prepared.detector is not None
    job = yolo.DetectorJob(
        model_name=MODELS["detector"],
        start=start,
        data=prepared.detector.file,
        folder=folder / "detector",
        imgsz=320,
        batch=16,
        nbs=NOMINAL_BATCH,
        epochs=a_round.epochs,
        patience=a_round.epochs,
        seed=SEED,
        lr0=a_round.lr0,
        device="cpu",
    )
    return yolo.train_detector(job, on_step=log.on_step, on_epoch=log.on_epoch)


def train_crops(start: Path | None, prepared: Prepared, config: Config, folder: Path, log: TrainingLog) -> Path:
    """The weights of the best epoch."""
    job = ClassifierJob(
        model_name=MODELS["classifier"],
        start=start,
        class_names=KINDS,
        train=prepared.train,
        val=prepared.val,
        settings=config.classifier,
        folder=folder / "classifier",
        seed=SEED,
        device="cpu",
    )
    train_classifier(job, folder / "classifier.pt", on_step=log.on_step, on_epoch=log.on_epoch)
    return folder / "classifier.pt"


def describe(a_round: Round, work: Path, number: int) -> tuple[Config, DataSet]:
    """The round's data set, drawn where it is not there yet."""
    places = {part: [draw(work, part, seed) for seed in seeds] for part, seeds in parts(a_round).items()}
    file = work / f"round{number}.yaml"
    classifier = {
        "epochs": a_round.epochs,
        "patience": a_round.epochs,
        "lr0": a_round.lr0,
        "degrees": 180,
        "fliplr": 0.0,
    }
    record = {**places, "names": list(KINDS), "detector": {"imgsz": 320}, "classifier": classifier}
    file.write_text(yaml.safe_dump(record), encoding="utf-8")
    config = read_config(file)
    return config, load_dataset(file, config)


def parts(a_round: Round) -> dict[str, tuple[int, ...]]:
    """Seeds of the photos of each part."""
    return {"train": a_round.seeds, "val": VAL_SEEDS}


def draw(work: Path, part: str, seed: int) -> str:
    """A folder of drawn photos."""
    photos, labels = (work / kind / part / str(seed) for kind in ("images", "labels"))
    if not (labels / "classes.txt").exists():
        draw_photos(photos, labels, count=PHOTOS[part], seed=seed, size=SIZE)
    return photos.as_posix()


def ship(stage: str, checkpoint: yolo.Checkpoint, scores: Mapping[str, float]) -> None:
    """Write a stage's weights as a starting point, tensors only, in half precision, with its card."""
    halved = {name: half(tensor) for name, tensor in checkpoint.tensors.items()}
    target = SHIPPED / f"{checkpoint.model_name}-drawn.pt"
    yolo.write_checkpoint(target, yolo.Checkpoint(checkpoint.model_name, checkpoint.task, halved))
    record = {
        "made_by": "benchmarks/draw_start.py",
        "use": "a start for training, never predicted with",
        "stage": stage,
        "model_name": checkpoint.model_name,
        "class_names": KINDS if stage == "classifier" else ["subject"],
        "photos_a_seed": PHOTOS,
        "val_seeds": VAL_SEEDS,
        "metrics": {name: round(value, 4) for name, value in scores.items()},
        "rounds": [asdict(a_round) for a_round in ROUNDS if a_round.stage == stage],
        "versions": installed_versions(),
    }
    target.with_suffix(".json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def half(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor in half precision; counters stay as they are."""
    return tensor.half() if tensor.is_floating_point() else tensor


if __name__ == "__main__":
    main()
