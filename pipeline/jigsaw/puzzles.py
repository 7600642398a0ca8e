"""Puzzles: a picture cut into tiles that lie in each other's places; pure arrays, nothing is read here."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from pipeline.images import Pixels

GRIDS = (2, 3)
"""Tiles in a row that there are networks for."""

TILE_STEP = 16
"""A tile's side is a multiple of it, pixels."""

Places = NDArray[np.int64]
"""Where the tile that lies at each place belongs, row by row from the top left; shape (n,)."""

_LEAST_EDGE = 0.25
"""Part of the gap that is cut away at every edge, wherever the tile lies in it: no two ever touch."""


def make_puzzle(
    pixels: Pixels, *, grid: int, side: int, rng: Generator, gap: float = 0.0, colour: float = 0.0
) -> tuple[Pixels, Places]:
    """Cut a picture into tiles and shuffle them.

    The largest square from its middle is what is cut: bars beside a picture that fits into a square as a whole would
    give its edges away, and nothing else would have to be learnt. It is cut before it is scaled, or each tile would get
    a breath of its neighbours.

    Args:
        pixels: RGB, shape (height, width, 3), both sides at least ``grid`` pixels.
        grid: tiles in a row.
        side: side of the shuffled picture, pixels, a multiple of ``grid``.
        rng: source of the order, the gaps and the colours.
        gap: part of a tile's side that is cut away at its edges, 0 to below 1, at least a quarter of it at each; what
            is left is enlarged again. 0 leaves edges that go on from tile to tile, which is a shortcut.
        colour: how much each tile's colours are changed, each channel for itself, 0 to 1: another shortcut closed.

    Returns:
        The shuffled picture, shape (side, side, 3), tiles touching; and where each tile of it belongs.

    Raises:
        ValueError: a number is outside of its range, or the picture is smaller than the grid.
    """
    _check(grid, side, gap, colour)
    places: Places = rng.permutation(grid * grid).astype(np.int64)
    tiles = cut_tiles(middle_square(pixels, grid), grid)
    if gap:
        tiles = [_cut_edges(tile, gap, rng) for tile in tiles]
    tiles = [fit_tile(tile, side // grid) for tile in tiles]
    if colour:
        tiles = [_change_colours(tile, colour, rng) for tile in tiles]
    return join_tiles([tiles[place] for place in places], grid), places


def middle_square(pixels: Pixels, grid: int) -> Pixels:
    """The largest square from the middle whose side the grid divides; a view.

    Raises:
        ValueError: the picture is smaller than the grid.
    """
    height, width = pixels.shape[:2]
    edge = min(height, width) // grid * grid
    if not edge:
        raise ValueError(f"{width} x {height} pixels are fewer than {grid} x {grid} tiles")
    top, left = (height - edge) // 2, (width - edge) // 2
    return pixels[top : top + edge, left : left + edge]


def fit_tile(tile: Pixels, side: int) -> Pixels:
    """A tile as a square of ``side`` pixels, stretched where it is none."""
    height, width = tile.shape[:2]
    if height == width == side:
        return tile
    shrinks = side < max(height, width)
    scaled = cv2.resize(tile, (side, side), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    return np.asarray(scaled, np.uint8)


def cut_tiles(pixels: Pixels, grid: int) -> list[Pixels]:
    """The tiles of a picture whose sides the grid divides, row by row from the top left; views.

    Raises:
        ValueError: the grid does not divide them.
    """
    height, width = pixels.shape[:2]
    if height % grid or width % grid or not min(height, width):
        raise ValueError(f"{width} x {height} pixels cannot be cut into {grid} x {grid} tiles")
    rows = np.split(pixels, grid)
    return [tile for row in rows for tile in np.split(row, grid, axis=1)]


def join_tiles(tiles: list[Pixels], grid: int) -> Pixels:
    """One picture of tiles of one size, row by row from the top left."""
    rows = [np.concatenate(tiles[first : first + grid], axis=1) for first in range(0, grid * grid, grid)]
    return np.concatenate(rows)


def put_back(pixels: Pixels, places: Places, grid: int) -> Pixels:
    """Mend a shuffled picture: each tile goes where it belongs.

    Args:
        pixels: the shuffled picture, its sides multiples of ``grid``.
        places: where the tile at each place belongs, each place once.
        grid: tiles in a row.
    """
    tiles = cut_tiles(pixels, grid)
    return join_tiles([tiles[number] for number in np.argsort(places)], grid)


def _check(grid: int, side: int, gap: float, colour: float) -> None:
    if grid < 1 or side < grid or side % grid:
        raise ValueError(f"side must be a multiple of grid, got {side} and {grid}")
    if not 0 <= gap < 1 or not 0 <= colour <= 1:
        raise ValueError(f"gap must lie between 0 and below 1, colour between 0 and 1, got {gap} and {colour}")


def _cut_edges(tile: Pixels, gap: float, rng: Generator) -> Pixels:
    side = tile.shape[0]
    kept = max(1, round(side * (1 - gap)))
    spare = side - kept
    least = min(round(spare * _LEAST_EDGE), spare // 2)
    top, left = rng.integers(least, spare - least, 2, endpoint=True)
    return tile[top : top + kept, left : left + kept]


def _change_colours(tile: Pixels, amount: float, rng: Generator) -> Pixels:
    """Brighter or darker, with more or less contrast, and each channel a little by itself."""
    scales = 1 + rng.uniform(-amount, amount) / 2 + rng.uniform(-amount, amount, 3) / 2
    shifts = 128 * (rng.uniform(-amount, amount) + rng.uniform(-amount, amount, 3)) / 2
    mean = tile.mean((0, 1))
    return np.asarray(((tile - mean) * scales + mean + shifts).clip(0, 255), np.uint8)
