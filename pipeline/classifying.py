"""Stage two at work: the probability of each class for crops."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from pipeline import yolo
from pipeline.backbones import build_backbone
from pipeline.calibration import apply_temperature
from pipeline.device import torch_device
from pipeline.errors import WeightsError
from pipeline.images import Pixels
from pipeline.members import read_members


class Classifier:
    """A trained classifier, ready to use: one network, or several of which the mean probability counts.

    Args:
        weights: what ``write_members`` wrote.
        class_names: in the order of the output.
        device: ``cpu``, ``mps`` or the number of a GPU.
        imgsz: side of the crops that it will be given, pixels.
        temperature: chosen on val; see ``calibration``.
        test_flips: whether to decide on the mean of a crop and its mirror image.

    Raises:
        WeightsError: the file is missing, holds no classifier, or one of another number of classes.
    """

    def __init__(
        self,
        weights: Path,
        class_names: tuple[str, ...],
        *,
        device: str,
        imgsz: int,
        temperature: float = 1.0,
        test_flips: bool = False,
    ) -> None:
        self._device = torch.device(torch_device(device))
        members = [_build(member, weights, len(class_names), imgsz) for member in read_members(weights)]
        self._networks = [network.eval().to(self._device) for network in members]
        self._temperature = temperature
        self._test_flips = test_flips
        self.class_names = class_names

    def classify(self, crops: Sequence[Pixels], *, views: int = 1) -> list[dict[str, float]]:
        """Probability of each class by name, 0 to 1, for each subject.

        Args:
            crops: of one size, RGB, shape (side, side, 3).
            views: how many crops after each other are of one subject: their mean probability counts.
        """
        if not crops:
            return []
        images = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).to(self._device).float() / 255
        with torch.inference_mode():
            looks = torch.stack(self._look(images)).mean(0)
            mean = looks.reshape(-1, views, looks.shape[1]).mean(1)
        table = apply_temperature(mean.numpy(), self._temperature)
        return [dict(zip(self.class_names, row, strict=True)) for row in table.tolist()]

    def _look(self, images: Tensor) -> list[Tensor]:
        """What each network makes of each view: probabilities, shape (crops, classes)."""
        views = (images, images.flip(3)) if self._test_flips else (images,)
        outputs = [yolo.logits(network(view)) for network in self._networks for view in views]
        return [output.cpu().double().softmax(1) for output in outputs]  # 64 bits after the move: Macs have none


def _build(member: yolo.Checkpoint, weights: Path, class_count: int, imgsz: int) -> nn.Module:
    if member.task != yolo.CLASSIFY:
        raise WeightsError("not a classifier", where=weights, remedy="train one: make train")
    network = build_backbone(member.model_name, class_count=class_count, imgsz=imgsz)
    if yolo.transfer(network, member.tensors) != len(network.state_dict()):
        raise _misfit(network, member, weights, class_count)
    return network


def _misfit(network: nn.Module, member: yolo.Checkpoint, weights: Path, class_count: int) -> WeightsError:
    """Of what the tensors are, if not of the network."""
    shapes = [
        (own.shape, member.tensors[name].shape) for name, own in network.state_dict().items() if name in member.tensors
    ]
    counts = {found[0] for own, found in shapes if found != own and found[1:] == own[1:] and own[0] == class_count}
    found = f"a classifier of {counts.pop()} classes" if len(counts) == 1 else f"not the weights of {member.model_name}"
    return WeightsError(found, where=weights, expected=f"one of {class_count}", remedy="train again: make train")
