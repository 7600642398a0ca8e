"""Stage two at work: the probability of each class for crops."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from pipeline import yolo
from pipeline.backbones import build_backbone
from pipeline.device import torch_device
from pipeline.errors import WeightsError
from pipeline.images import Pixels


class Classifier:
    """A trained classifier, ready to use.

    Args:
        weights: what ``train_classifier`` wrote.
        class_names: in the order of the output.
        device: ``cpu``, ``mps`` or the number of a GPU.

    Raises:
        WeightsError: the file is missing, holds no classifier, or one of another number of classes.
    """

    def __init__(self, weights: Path, class_names: tuple[str, ...], *, device: str) -> None:
        checkpoint = yolo.read_checkpoint(weights)
        if checkpoint.task != yolo.CLASSIFY:
            raise WeightsError("not a classifier", where=weights, remedy="train one: make train")
        self._network = build_backbone(checkpoint.model_name, class_count=len(class_names))
        if yolo.transfer(self._network, checkpoint.tensors) != len(self._network.state_dict()):
            raise WeightsError(
                f"not a classifier of {len(class_names)} classes", where=weights, remedy="train again: make train"
            )
        self._device = torch.device(torch_device(device))
        self._network.eval().to(self._device)
        self.class_names = class_names

    def classify(self, crops: Sequence[Pixels]) -> list[dict[str, float]]:
        """Probability of each class by name, 0 to 1, for crops of one size, RGB, shape (side, side, 3)."""
        if not crops:
            return []
        images = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).to(self._device).float() / 255
        with torch.inference_mode():
            table = yolo.logits(self._network(images)).softmax(1).double().cpu()
        return [dict(zip(self.class_names, row, strict=True)) for row in table.clamp(0, 1).tolist()]
