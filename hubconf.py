"""``torch.hub.load("path/to/cropsort", "custom", path="weights/sample", source="local")``: a trained pair to use.

Everything stays on disk: nothing is fetched. A program that has the project's folder on its path needs no hub:
``from pipeline import load``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from pipeline.sorter import Sorter

dependencies = ["PIL", "cv2", "lightning", "numpy", "pydantic", "rich", "timm", "torch", "torchvision", "ultralytics"]
"""Looked for before anything is loaded; torch.hub names those that are missing."""


def custom(path: str | Path, *, device: str = "auto") -> Sorter:
    """Load a trained pair: what ``pipeline.load`` gives.

    Args:
        path: its folder, ``weights/<data set>``; relative to the current folder, not to this one.
        device: ``auto``, ``cpu``, ``mps``, or the number of a CUDA GPU.

    Raises:
        WeightsError: there is no trained pair, or it cannot be used.
        ConfigError: this machine has no such device.
    """
    from pipeline import load

    return load(path, device=device)
