"""Puzzles on their way to the network: which picture, cut how, in what batches; the classifier's loader brings them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.random import Generator
from torch.utils.data import BatchSampler

from pipeline.crop_batches import Batch, Key, KeyBatches, read_kept
from pipeline.crops import cut_subject
from pipeline.errors import ConfigError
from pipeline.images import Pixels
from pipeline.jigsaw.puzzles import GRIDS, TILE_STEP, Places, make_puzzle
from pipeline.loading import CropLoader, EpochSampler, StepBatches, count_workers
from pipeline.prepare import CropSource

_VAL_SEED = 20_260
"""Of the puzzles that the epoch is chosen on: the same in every epoch, and in every training."""


@dataclass(frozen=True, slots=True)
class PuzzleSettings:
    """What puzzles are made and learnt with.

    Args:
        grid: tiles in a row, 2 or 3.
        imgsz: side of the shuffled picture, pixels; a multiple of 16 for every tile in a row.
        batch: pictures in a batch, at least 2.
        epochs: most passes over the pictures.
        patience: passes without a lower loss on val after which training ends.
        gap: see ``make_puzzle``.
        colour: see ``make_puzzle``.
        lr0: highest learning rate; None for what suits the network.

    Raises:
        ConfigError: a number is outside of its range.
    """

    grid: int = 2
    imgsz: int = 32
    batch: int = 64
    epochs: int = 20
    patience: int = 10
    gap: float = 0.0
    colour: float = 0.0
    lr0: float | None = None

    def __post_init__(self) -> None:
        if self.grid not in GRIDS:
            raise ConfigError(f"{self.grid} tiles in a row", where="grid", expected=" or ".join(map(str, GRIDS)))
        _check_side(self.imgsz, self.grid)
        for name, least, most in (("batch", 2, math.inf), ("epochs", 1, math.inf), ("patience", 1, math.inf)):
            _check_range(name, getattr(self, name), least, most)
        _check_range("gap", self.gap, 0, 0.5)
        _check_range("colour", self.colour, 0, 1)
        if self.lr0 is not None:
            _check_range("lr0", self.lr0, 0, 1)

    @property
    def tiles(self) -> int:
        """In a picture."""
        return self.grid**2


class PuzzleBatches(KeyBatches):
    """Shuffled pictures in whole batches; what is in one depends on its keys and the seed alone.

    Args:
        sources: the pictures; of each the box is what is cut, its class is nobody's business here.
        settings: grid, size, gap and colour.
        seed: of what is drawn in training, mirror images included; None for the puzzles of val.
    """

    def __init__(self, sources: tuple[CropSource, ...], settings: PuzzleSettings, seed: int | None) -> None:
        super().__init__(sources)
        self.settings = settings
        self.seed = seed

    def draw(self, key: Key) -> tuple[Pixels, Places]:
        """The shuffled picture (side, side, 3) and where its tiles belong (n,); of (seed, epoch, number) alone."""
        epoch, number = key
        source = self.sources[number % len(self.sources)]
        part = cut_subject(read_kept(source.file), source.box)
        if self.seed is None:
            rng = np.random.default_rng((_VAL_SEED, number % len(self.sources)))
        else:
            rng = np.random.default_rng((self.seed, epoch, number))
            part = _vary(part, rng)
        given = self.settings
        return make_puzzle(part, grid=given.grid, side=given.imgsz, rng=rng, gap=given.gap, colour=given.colour)

    def make(self, keys: Sequence[Key]) -> Batch:
        """Images (batch, 3, side, side), 0 to 255, channels last, and places (batch * n,)."""
        pictures, places = zip(*(self.draw(key) for key in keys), strict=True)
        images = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2)
        return images, torch.from_numpy(np.concatenate(places))


def make_puzzle_train_loader(
    sources: tuple[CropSource, ...], settings: PuzzleSettings, *, seed: int, accumulate: int, device: str
) -> CropLoader[PuzzleBatches]:
    """Puzzles to learn from, others in each epoch, in steps as ``StepBatches`` makes them.

    Args:
        sources: the pictures.
        settings: of the puzzles, and the batch.
        seed: of order and puzzles.
        accumulate: batches that are gathered for a step.
        device: ``cpu``, ``mps`` or the number of a GPU.

    Returns:
        Batches of images (batch, 3, side, side), 0 to 1, on the device, and of places (batch * n,): where the tile at
        each place of each picture belongs.
    """
    batches = StepBatches(EpochSampler(len(sources), seed), batch=settings.batch, accumulate=accumulate)
    return CropLoader(PuzzleBatches(sources, settings, seed), batches, device, count_workers(device))


def make_puzzle_val_loader(
    sources: tuple[CropSource, ...], settings: PuzzleSettings, *, device: str
) -> CropLoader[PuzzleBatches]:
    """All pictures in order, in batches, the same puzzles every time; see ``make_puzzle_train_loader``."""
    batches: Any = BatchSampler(EpochSampler(len(sources), None), settings.batch, drop_last=False)  # type: ignore[arg-type]  # not only numbers
    workers = 0 if device == "cpu" else count_workers(device)  # as for the classifier's val
    return CropLoader(PuzzleBatches(sources, settings, None), batches, device, workers)


def _check_side(side: int, grid: int) -> None:
    step = grid * TILE_STEP
    if side < step or side % step:
        raise ConfigError(
            f"{side} pixels for {grid} x {grid} tiles",
            where="imgsz",
            expected=f"a multiple of {step}, such as {max(step, round(side / step) * step)}",
        )


def _check_range(name: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        expected = f"at least {least}" if math.isinf(most) else f"{least} to {most}"
        raise ConfigError(f"{value}", where=name, expected=expected)


def _vary(part: Pixels, rng: Generator) -> Pixels:
    """A mirror image is a puzzle as good, and so is any square along a longer side."""
    if rng.random() < 0.5:
        part = part[:, ::-1]
    height, width = part.shape[:2]
    edge = min(height, width)
    top, left = int(rng.integers(height - edge + 1)), int(rng.integers(width - edge + 1))
    return part[top : top + edge, left : left + edge]
