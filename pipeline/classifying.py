"""Stage two at work: the probability of each class for crops."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pipeline import yolo
from pipeline.backbones import build_backbone
from pipeline.calibration import Probabilities, apply_temperature
from pipeline.device import torch_device
from pipeline.embedding import Embedder
from pipeline.engine import Engine, compiled_precision
from pipeline.engine.cached import open_network
from pipeline.engine.converting import Built, Recipe
from pipeline.engine.network import Network
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
        engine: what the networks run in.

    Raises:
        WeightsError: the file is missing, holds no classifier, or one of another number of classes; or there is none of
            8 bits where that was asked for.
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
        engine: Engine = "torch",
    ) -> None:
        count, precision = len(class_names), compiled_precision(engine)
        recipe = recipe_classifier(weights, class_count=count, imgsz=imgsz, test_flips=test_flips)
        network = open_network(weights, recipe, precision) if precision else None
        self._load = partial(_Torch, weights, count, imgsz, device, test_flips, half=engine == "half")
        self._look: _Compiled | _Torch = _Compiled(network) if network else self._load()
        embedder = recipe_embedder(weights, class_count=count, imgsz=imgsz, test_flips=test_flips)
        self._open_embedder = partial(open_network, weights, embedder, "fp32")
        self._temperature = temperature
        self.class_names = class_names

    def classify(self, crops: Sequence[Pixels], *, views: int = 1) -> list[dict[str, float]]:
        """Probability of each class by name, 0 to 1, for each subject.

        Args:
            crops: of one size, RGB, shape (side, side, 3).
            views: how many crops after each other are of one subject: their mean probability counts.
        """
        if not crops:
            return []
        return self._name(_average(self._look(crops), views))

    def embed(self, crops: Sequence[Pixels], *, views: int = 1) -> NDArray[np.float32]:
        """The inputs of the last, classifying layer, in which like subjects are alike; shape (subjects, d).

        Those of several networks stand side by side, each of length 1 in every look; of a subject's views, and of their
        mirror images where these decide as well, the mean is given.

        Args:
            crops: at least one; as for ``classify``.
            views: as for ``classify``.
        """
        return self.look(crops, views=views)[1]

    def look(self, crops: Sequence[Pixels], *, views: int = 1) -> tuple[list[dict[str, float]], NDArray[np.float32]]:
        """What ``classify`` and ``embed`` say, for the work of one of them."""
        seen = _average(self._embed(crops), views)
        count = len(self.class_names)
        return self._name(seen[:, :count]), seen[:, count:].astype(np.float32)

    @cached_property
    def _embed(self) -> Callable[[Sequence[Pixels]], NDArray[np.float64]]:
        """Made where it is wanted: predicting does without."""
        if isinstance(self._look, _Torch):
            return self._look.embed
        network = self._open_embedder()
        return _Compiled(network) if network else self._load().embed

    def _name(self, mean: Probabilities) -> list[dict[str, float]]:
        table = apply_temperature(mean, self._temperature)
        return [dict(zip(self.class_names, row, strict=True)) for row in table.tolist()]


def _average(looks: NDArray[np.float64], views: int) -> NDArray[np.float64]:
    """The mean of each subject's looks."""
    mean: NDArray[np.float64] = looks.reshape(-1, views, looks.shape[1]).mean(1)
    return mean


def recipe_classifier(weights: Path, *, class_count: int, imgsz: int, test_flips: bool) -> Recipe:
    """How a classifier's weights become one network that gives the mean probability of its members.

    Args:
        weights: what ``write_members`` wrote.
        class_count: outputs.
        imgsz: side of the crops, pixels.
        test_flips: as for ``Classifier``.
    """

    def build() -> Built:
        together = Together(read_networks(weights, class_count, imgsz), test_flips=test_flips)
        return Built(together.eval(), torch.zeros(1, 3, imgsz, imgsz))

    return Recipe("classifier", (class_count, imgsz, test_flips), build)


def recipe_embedder(weights: Path, *, class_count: int, imgsz: int, test_flips: bool) -> Recipe:
    """How they become one that says what ``Embedder`` does; see ``recipe_classifier``."""

    def build() -> Built:
        embedder = Embedder(read_networks(weights, class_count, imgsz), test_flips=test_flips)
        return Built(embedder.eval(), torch.zeros(1, 3, imgsz, imgsz))

    return Recipe("embedder", (class_count, imgsz, test_flips), build)


def read_networks(weights: Path, class_count: int, imgsz: int) -> list[nn.Module]:
    """The networks of a classifier.

    Raises:
        WeightsError: as ``Classifier`` says.
    """
    return [_build(member, weights, class_count, imgsz).eval() for member in read_members(weights)]


class Together(nn.Module):
    """Several networks as one: the mean of their probabilities, of each crop and its mirror image where wanted.

    Args:
        networks: from images (n, 3, side, side), 0 to 1.
        test_flips: whether the mirror image counts as well.
    """

    def __init__(self, networks: Sequence[nn.Module], *, test_flips: bool) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self._test_flips = test_flips

    def forward(self, images: Tensor) -> Tensor:
        """Probabilities, shape (n, classes)."""
        views = (images, images.flip(3)) if self._test_flips else (images,)
        looks = [yolo.logits(network(view)).softmax(1) for network in self.networks for view in views]
        return torch.stack(looks).mean(0)


class _Compiled:
    """Looks at each crop by itself: what is said of it does not depend on the others."""

    def __init__(self, network: Network) -> None:
        self._network = network

    def __call__(self, crops: Sequence[Pixels]) -> Probabilities:
        return np.stack(self._network.run(crops)).astype(np.float64)


class _Torch:
    def __init__(
        self, weights: Path, class_count: int, imgsz: int, device: str, test_flips: bool, *, half: bool
    ) -> None:
        self._device = torch.device(torch_device(device))
        self._kind = torch.float16 if half else torch.float32
        networks = read_networks(weights, class_count, imgsz)
        self._networks = [network.to(self._device, self._kind) for network in networks]
        self._embedder = Embedder(self._networks, test_flips=test_flips).eval()
        self._test_flips = test_flips

    def __call__(self, crops: Sequence[Pixels]) -> Probabilities:
        images = self._to_images(crops)
        views = (images, images.flip(3)) if self._test_flips else (images,)
        with torch.inference_mode():
            outputs = [yolo.logits(network(view)) for network in self._networks for view in views]
        # In 64 bits after the move: Macs have none.
        mean: Probabilities = torch.stack([output.cpu().double().softmax(1) for output in outputs]).mean(0).numpy()
        return mean

    def embed(self, crops: Sequence[Pixels]) -> NDArray[np.float64]:
        """What ``Embedder`` says of each."""
        with torch.inference_mode():
            seen: NDArray[np.float64] = self._embedder(self._to_images(crops)).cpu().double().numpy()
        return seen

    def _to_images(self, crops: Sequence[Pixels]) -> Tensor:
        return torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2).to(self._device).to(self._kind) / 255


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
