"""Tiny networks with random weights that find something, as files."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from pipeline.yolo.guard import quiet_ultralytics, ultralytics


def write_detector(path: Path, model_name: str, *, class_count: int = 2, alone: bool = False) -> Path:
    """Write a checkpoint as Ultralytics does.

    Args:
        path: of the file.
        model_name: such as ``yolov5n``.
        class_count: classes it tells apart.
        alone: keep only the branch that does without suppression, as some published checkpoints do.
    """
    with quiet_ultralytics():
        torch.manual_seed(0)
        model = ultralytics("nn.tasks").DetectionModel(f"{model_name}.yaml", nc=class_count, verbose=False)
        settle(model, 64)
        if alone:
            model.end2end = True
            model.eval().fuse(verbose=False)
        model.args, model.names = {"task": "detect", "imgsz": 64}, dict(enumerate("abcdefgh"[:class_count]))
        torch.save({"model": model, "ema": None, "train_args": {"task": "detect", "imgsz": 64}}, path)
    return path


def settle(network: nn.Module, side: int) -> None:
    """Have a network that was never trained say different things of different images."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # statistics are those of the one batch below, and not a hundredth of them
    with torch.no_grad():
        network.train()(torch.rand(8, 3, side, side))
