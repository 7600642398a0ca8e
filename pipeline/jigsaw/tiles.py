"""An encoder of small tiles: it keeps where in the tile something is, which larger networks average away."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

_FIRST, _MOST = 32, 256
"""Channels."""

_CELLS = 4
"""Cells in a row of the last map, at most; each keeps its place."""


class TileEncoder(nn.Module):
    """From tiles to what they show.

    Args:
        side: of a tile, pixels.
        width: of the outcome.
    """

    def __init__(self, side: int, width: int) -> None:
        super().__init__()
        self.stem = _convolve(3, _FIRST)
        stages: list[nn.Module] = []
        channels = _FIRST
        while side > _CELLS:
            wider, side = min(2 * channels, _MOST), (side + 1) // 2
            stages += [_convolve(channels, wider, stride=2), _Block(wider)]
            channels = wider
        self.stages = nn.Sequential(*stages)
        self.head = nn.Linear(channels * side**2, width)

    def forward(self, tiles: Tensor) -> Tensor:
        """Of tiles (count, 3, side, side), 0 to 1: shape (count, width)."""
        made: Tensor = self.head(self.stages(self.stem(tiles - 0.5)).flatten(1))
        return made


class _Block(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _convolve(channels, channels)
        self.second = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels))

    def forward(self, maps: Tensor) -> Tensor:
        return functional.relu(maps + self.second(self.first(maps)))


def _convolve(channels: int, wider: int, *, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, wider, 3, stride, padding=1, bias=False), nn.BatchNorm2d(wider), nn.ReLU(inplace=True)
    )
