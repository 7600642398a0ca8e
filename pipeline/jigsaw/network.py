"""The network that puts tiles back: what each shows, how well each two fit together, and what follows from all."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from pipeline import yolo
from pipeline.backbones import build_backbone
from pipeline.jigsaw.seams import Seams
from pipeline.jigsaw.tiles import TileEncoder

TILES = "tiles"
"""Our own small encoder for small tiles, which looks at the seams as well."""

_WIDTH = 256
_LAYERS = 3


class PuzzleNetwork(nn.Module):
    """Says of each tile of shuffled pictures where it belongs.

    The tiles know nothing of where they lie: shuffled otherwise, they get the same answers.

    Args:
        encoder: from tiles (count, 3, side, side), 0 to 1, to what ``yolo.logits`` takes, shape (count, width).
        width: what it makes of a tile.
        grid: tiles in a row.
        seams: what tells how well two tiles fit together; None to go by what each shows alone.

    Attributes:
        encoder: as given.
    """

    def __init__(self, encoder: nn.Module, width: int, *, grid: int, seams: Seams | None = None) -> None:
        super().__init__()
        self.encoder = encoder
        self.seams = seams
        self._grid = grid
        self.layers = nn.ModuleList(_Exchange(width, 2 * seams.width if seams else 0) for _ in range(_LAYERS))
        self.head = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, grid**2))

    def forward(self, images: Tensor) -> Tensor:
        """How probable each place is for each tile.

        Args:
            images: shuffled pictures (batch, 3, side, side), 0 to 1; the grid divides the side.

        Returns:
            Logits (batch * n, n): row b * n + i is of the tile at place i, row by row, of picture b.
        """
        count, tiles = self._grid**2, split_tiles(images, self._grid)
        shown = yolo.logits(self.encoder(tiles))
        shown = shown.view(-1, count, shown.shape[1])
        fits = None
        if self.seams is not None:
            seen = self.seams(tiles, count)
            fits = torch.cat((seen, seen.transpose(1, 2)), 3)
        for layer in self.layers:
            shown = layer(shown, fits)
        logits: Tensor = self.head(shown).flatten(0, 1)
        return logits


class _Exchange(nn.Module):
    """Each tile hears of every other what that shows and how the two fit together, and makes up its mind anew."""

    def __init__(self, width: int, fits: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.own = nn.Linear(width, width)
        self.others = nn.Linear(width, width, bias=False)
        self.fits = nn.Linear(fits, width, bias=False) if fits else None
        self.told = nn.Sequential(nn.GELU(), nn.Linear(width, width), nn.GELU())
        self.heard = nn.Linear(width, width)
        self.thought = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, shown: Tensor, fits: Tensor | None) -> Tensor:
        """From what tiles show (batch, n, width), and how they fit together (batch, n, n, fits), to what they show."""
        normed = self.norm(shown)
        pairs = self.own(normed).unsqueeze(2) + self.others(normed).unsqueeze(1)
        if self.fits is not None and fits is not None:
            pairs = pairs + self.fits(fits)
        shown = shown + self.heard(self.told(pairs).mean(2))
        made: Tensor = shown + self.thought(shown)
        return made


def build_puzzle_network(model_name: str, *, grid: int, side: int) -> PuzzleNetwork:
    """A network with random weights for pictures of one size.

    Args:
        model_name: ``tiles``, or a backbone of ``build_backbone``; that one sees what tiles show, and no seams.
        grid: tiles in a row.
        side: of the picture, pixels; the grid divides it.

    Raises:
        ConfigError: there is no such network, or it cannot work with tiles of that size.
    """
    tile = side // grid
    if model_name == TILES:
        return PuzzleNetwork(TileEncoder(tile, _WIDTH), _WIDTH, grid=grid, seams=Seams())
    return PuzzleNetwork(build_backbone(model_name, class_count=_WIDTH, imgsz=tile), _WIDTH, grid=grid)


def split_tiles(images: Tensor, grid: int) -> Tensor:
    """The tiles (batch * n, 3, tile, tile) of pictures (batch, 3, side, side), those of one picture row by row."""
    batch, channels, side, _ = images.shape
    tile = side // grid
    cut = images.reshape(batch, channels, grid, tile, grid, tile).permute(0, 2, 4, 1, 3, 5)
    return cut.reshape(-1, channels, tile, tile).contiguous(memory_format=torch.channels_last)
