"""Pictures whose corners can be told apart, and a solver that has learnt to."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from pipeline import yolo
from pipeline.images import Pixels
from pipeline.jigsaw.kept import SOLVER, TASK, PuzzleCard, write_kept
from pipeline.jigsaw.network import build_puzzle_network
from pipeline.jigsaw.puzzles import make_puzzle

_ABOVE, _BELOW = (220, 40, 40), (40, 40, 220)


def draw_corners(height: int, width: int, seed: int = 0) -> Pixels:
    """Red above, blue below, brightest in the middle of each row: its mirror image is such a picture, too."""
    pixels = np.empty((height, width, 3), np.float64)
    pixels[: height // 2], pixels[height // 2 :] = _ABOVE, _BELOW
    from_middle = np.abs(np.arange(width) - (width - 1) / 2) / (width / 2)
    pixels *= (1 - 0.8 * from_middle)[:, None]
    noise = np.random.default_rng(seed).integers(-20, 21, pixels.shape)
    return np.asarray((pixels + noise).clip(0, 255), np.uint8)


def write_corners(path: Path, height: int, width: int, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(draw_corners(height, width, seed)).save(path, quality=95)
    return path


def write_solver(folder: Path, *, grid: int = 2, steps: int = 25) -> Path:
    """Weights and card of a solver that knows such pictures (with a grid of 2, and steps enough)."""
    side = 16 * grid
    torch.manual_seed(0)
    network = build_puzzle_network("tiles", grid=grid, side=side)
    optimiser = torch.optim.AdamW(network.parameters(), 1e-3)
    for step in range(steps):
        rngs = [np.random.default_rng((step, number)) for number in range(8)]
        made = [make_puzzle(draw_corners(side, side, step), grid=grid, side=side, rng=rng) for rng in rngs]
        images = torch.from_numpy(np.stack([pixels for pixels, _ in made])).permute(0, 3, 1, 2) / 255
        places = torch.from_numpy(np.concatenate([places for _, places in made]))
        optimiser.zero_grad()
        nn.functional.cross_entropy(network(images), places).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    card = PuzzleCard(SOLVER, "tiles", grid, side, gap=0.0, colour=0.0, seed=0, photos=8, data="corners")
    write_kept(folder, card, yolo.Checkpoint("tiles", TASK, network.state_dict()))
    return folder
