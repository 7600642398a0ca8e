"""How well two tiles fit together: what lies along their edges, laid side by side."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

_DEPTH = 4
"""Pixels of a tile from its edge inwards that are looked at."""

_CHANNELS, _JOINED = 32, 64


class Seams(nn.Module):
    """What each two tiles look like where they would touch, were the second right of the first, or below it.

    Of a tile each edge is described alone, and the descriptions of two edges are then laid on each other: so much is
    done once for a tile, and not for each pair of them.

    Attributes:
        width: of what is said of a pair.
    """

    def __init__(self) -> None:
        super().__init__()
        self.width = 4 * _JOINED
        self.edge = nn.Sequential(*_convolve(3, _CHANNELS, (3, 3)), *_convolve(_CHANNELS, _CHANNELS, (3, 3)))
        # As high as the strip, so that of an edge a line is left.
        self.sides = nn.ModuleList(nn.Conv2d(_CHANNELS, _JOINED, (_DEPTH, 1)) for _ in range(4))
        self.joined = nn.ModuleList(
            nn.Sequential(*_convolve(_JOINED, _JOINED, (1, 3)), *_convolve(_JOINED, _JOINED, (1, 3))) for _ in range(2)
        )

    def forward(self, tiles: Tensor, count: int) -> Tensor:
        """What there is to say of each two tiles of a picture; of one with itself, too, which says how it is.

        Args:
            tiles: of some pictures, those of one after each other, (batch * count, 3, side, side), 0 to 1.
            count: tiles in a picture.

        Returns:
            Shape (batch, count, count, width).
        """
        strips = self.edge(cut_strips(tiles - 0.5)).chunk(4)
        right, left, bottom, top = (
            _split(side(strip).squeeze(2).transpose(1, 2), count)
            for side, strip in zip(self.sides, strips, strict=True)
        )
        return torch.cat(
            [
                _sum_up(joined, functional.relu(first.unsqueeze(2) + second.unsqueeze(1)))
                for joined, first, second in zip(self.joined, (right, bottom), (left, top), strict=True)
            ],
            3,
        )


def _split(described: Tensor, count: int) -> Tensor:
    """From the edges of all tiles (batch * count, side, channels) to those of each picture."""
    return described.reshape(-1, count, *described.shape[1:])


def _sum_up(joined: nn.Module, seams: Tensor) -> Tensor:
    """From seams (batch, count, count, side, channels) to what is said of each."""
    maps = joined(seams.flatten(1, 2).permute(0, 3, 1, 2))  # a row is a seam
    said = torch.cat((maps.mean(3), maps.amax(3)), 1).transpose(1, 2)
    return said.reshape(*seams.shape[:3], -1)


def cut_strips(tiles: Tensor) -> Tensor:
    """The right edges of all tiles, the left, the bottom and the top ones: (4 * count, 3, depth, side).

    In each the edge itself lies undermost, and runs as it does in the tile, downwards or to the right.
    """
    right, left = tiles[..., -_DEPTH:].transpose(2, 3), tiles[..., :_DEPTH].flip(3).transpose(2, 3)
    bottom, top = tiles[:, :, -_DEPTH:], tiles[:, :, :_DEPTH].flip(2)
    return torch.cat((right, left, bottom, top)).contiguous(memory_format=torch.channels_last)


def _convolve(channels: int, wider: int, kernel: tuple[int, int]) -> tuple[nn.Module, ...]:
    padding = kernel[0] // 2, kernel[1] // 2
    conv = nn.Conv2d(channels, wider, kernel, padding=padding, bias=False)
    return conv, nn.BatchNorm2d(wider), nn.ReLU(inplace=True)
