"""A trained detector on its way to other engines."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from typing import Any

import torch
from torch import nn

from pipeline.yolo.guard import quiet_ultralytics, ultralytics
from pipeline.yolo.inference import check_detector

_STRIDE = 32

_OPTIONS: dict[str, dict[str, Any]] = {
    "onnx": {"dynamic": True, "simplify": False},  # simplifying takes two packages more
    "engine": {"dynamic": False, "simplify": False, "quantize": 16},
}


def exportable_detector(weights: Path, *, dynamic: bool = True) -> tuple[nn.Module, int]:
    """A detector whose head gives one tensor: boxes and confidences, as Ultralytics' own suppression takes them.

    The steps are those of Ultralytics' exporter that matter for it. Where a head has a branch that does without
    suppression, the other one is used, as Ultralytics does when it predicts.

    Args:
        weights: a checkpoint of Ultralytics' own.
        dynamic: whether photos will come in several shapes.

    Returns:
        The network, and its stride in pixels.

    Raises:
        WeightsError: the file is missing or holds no detector.
        TypeError: its head is another than YOLO's, or one that was stripped.
    """
    check_detector(weights)
    with quiet_ultralytics():
        model = ultralytics("models").YOLO(weights, task="detect").model.float().eval()
        heads = ultralytics("nn.modules.head")
        head = model.model[-1]
        if not isinstance(head, heads.Detect):
            raise TypeError(f"detectors that end in {type(head).__name__} are torch's alone")
        if hasattr(model, "end2end"):
            model.end2end = False
        if getattr(model, "end2end", False):  # a checkpoint that was stripped of the branch with suppression
            raise TypeError("detectors that have nothing but a branch without suppression are torch's alone")
        model = model.fuse(verbose=False)
        for parameter in model.parameters():
            parameter.requires_grad = False
        head.export, head.dynamic, head.format, head.shape = True, dynamic, "openvino", None
    return model, max(int(model.stride.max()), _STRIDE)


def example_images(stride: int) -> torch.Tensor:
    """Images that any detector takes, to follow its work on: no square, or height and width would be one to it."""
    return torch.zeros(1, 3, 4 * stride, 8 * stride)


def export_detector(weights: Path, form: str, folder: Path, *, imgsz: int, device: str) -> Path:
    """Have Ultralytics write a detector in another format.

    Args:
        weights: a checkpoint of Ultralytics' own.
        form: as Ultralytics calls it, such as ``onnx``.
        folder: an empty folder to write to.
        imgsz: longer side of the photos, pixels.
        device: ``cpu``, ``mps`` or the number of a GPU.

    Returns:
        The file, or folder, that was written.

    Raises:
        Exception: Ultralytics cannot, for any reason.
    """
    copy = folder / weights.name  # it writes beside what it reads
    shutil.copyfile(weights, copy)
    options = _OPTIONS.get(form, {})
    with quiet_ultralytics(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = ultralytics("models").YOLO(copy, task="detect")
        written = Path(model.export(format=form, imgsz=imgsz, device=device, **options))
    copy.unlink()
    return written


def build_engine(onnx: Path, path: Path, shape: tuple[int, ...]) -> Path:
    """Have TensorRT make an engine of 16 bits of an ONNX file; takes an NVIDIA GPU."""
    with quiet_ultralytics():
        ultralytics("utils.export.engine").onnx2engine(str(onnx), path, quantize=16, shape=shape)
    return path
