"""Make the starting points in ``weights/start``: both stages trained from nothing on photos drawn by our own code.

    python benchmarks/draw_start.py            # about an hour on two CPU cores

They let the sample train in minutes without a network. The photos have seeds that neither the sample nor any benchmark
draws with.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import torch

from pipeline import yolo
from pipeline.console import make_console
from pipeline.sample import draw_photos
from pipeline.training import train
from pipeline.weights import SHIPPED, read_cards, weights_file

SIZE = (640, 480)
PARTS = {"train": {7000: 700, 7001: 700}, "val": {8000: 60, 8001: 60}}
SETTINGS = """train: images/train
val: images/val
names: [comic, fairy tale, novel, science]
name: drawn
detector: {model: yolov5n, start: scratch, imgsz: 320, epochs: 16}
classifier: {model: yolo11n-cls, start: scratch, epochs: 40, patience: 40, degrees: 180, fliplr: 0.0}
"""


def main() -> None:
    """Draw, train, and put the weights in half precision beside their cards."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--work", type=Path, default=Path("runs") / "benchmarks" / "start")
    work = parser.parse_args().work.resolve()
    for part, counts in PARTS.items():
        for seed, count in counts.items():
            photos, labels = (work / kind / part / str(seed) for kind in ("images", "labels"))
            if not (labels / "classes.txt").exists():
                draw_photos(photos, labels, count=count, seed=seed, size=SIZE)
    (work / "data.yaml").write_text(SETTINGS, encoding="utf-8")
    os.chdir(work)
    made = train(work / "data.yaml", make_console())
    for stage in ("detector", "classifier"):
        ship(made.weights, stage)


def ship(folder: Path, stage: str) -> None:
    """Write a stage's weights as a starting point: tensors only, in half precision."""
    cards = read_cards(folder)
    card = cards.detector if stage == "detector" else cards.classifier
    checkpoint = yolo.read_checkpoint(weights_file(folder, stage))
    halved = {name: half(tensor) for name, tensor in checkpoint.tensors.items()}
    target = SHIPPED / f"{card.model_name}-drawn.pt"
    yolo.write_checkpoint(target, yolo.Checkpoint(card.model_name, checkpoint.task, halved))
    record = {
        "made_by": "benchmarks/draw_start.py",
        "use": "a start for training, never predicted with",
        "model_name": card.model_name,
        "class_names": card.class_names if stage == "classifier" else ["subject"],
        "imgsz": card.imgsz,
        "seed": card.seed,
        "photos_by_seed": PARTS,
        "metrics": card.metrics,
        "data": card.data,
        "val": card.val,
        "versions": card.versions,
    }
    target.with_suffix(".json").write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")


def half(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor in half precision; counters stay as they are."""
    return tensor.half() if tensor.is_floating_point() else tensor


if __name__ == "__main__":
    main()
