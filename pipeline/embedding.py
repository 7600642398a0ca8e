"""What a classifier decides by: the numbers that go into its last layer, in which like crops are alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from pipeline import yolo
from pipeline.backbones import head_layers


class Embedder(nn.Module):
    """Networks that say what they see in an image, and what they saw it by.

    Args:
        networks: made by ``build_backbone``.
        test_flips: whether each image's mirror image counts as well.
    """

    def __init__(self, networks: Sequence[nn.Module], *, test_flips: bool) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self._test_flips = test_flips

    def forward(self, images: Tensor) -> Tensor:
        """The mean probability of each class, then the embedding, one row an image, shape (n, classes + d).

        The embedding is that of all networks, one after the other, and of an image and its mirror image the mean. Each
        is of length 1 before, or the network with the larger numbers would count more, and the view that shows more.
        """
        views = (images, images.flip(3)) if self._test_flips else (images,)
        seen = [[_look(network, view) for view in views] for network in self.networks]
        probabilities = torch.stack([one for looks in seen for one, _ in looks]).mean(0)
        embeddings = [torch.stack([one for _, one in looks]).mean(0) for looks in seen]
        return torch.cat([probabilities, *embeddings], 1)


def _look(network: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    with _tapped(network) as taken:
        logits = yolo.logits(network(images))
    return logits.float().softmax(1), nn.functional.normalize(torch.cat(taken, 1).float())


@contextmanager
def _tapped(network: nn.Module) -> Iterator[list[Tensor]]:
    """What goes into each classifying layer while the network works, shape (n, d)."""
    taken: list[Tensor] = []

    def take(layer: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        taken.append(_flatten(inputs[0], layer))

    handles = [layer.register_forward_pre_hook(take) for layer in head_layers(network)]
    try:
        yield taken
    finally:
        for handle in handles:
            handle.remove()


def _flatten(inputs: Tensor, layer: nn.Module) -> Tensor:
    """The mean over the places in an image, where a layer decides on each of them."""
    if inputs.ndim == 2:
        return inputs
    return inputs.flatten(1, -2).mean(1) if isinstance(layer, nn.Linear) else inputs.flatten(2).mean(2)
