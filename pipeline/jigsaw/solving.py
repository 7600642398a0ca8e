"""``cropsort jigsaw solve``: photos put together again, or intact ones shuffled first to see how well that goes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from rich.console import Console
from torch import nn

from pipeline.batches import lacks_memory
from pipeline.console import Following, libraries_hushed
from pipeline.errors import PhotoError, TooLargeError, TruncatedError
from pipeline.flow import Done, Stage, run_stages
from pipeline.images import Pixels, is_photo_inside, read_photo
from pipeline.jigsaw.arranging import PuzzleScores, arrange, score
from pipeline.jigsaw.kept import PuzzleCard
from pipeline.jigsaw.mended import Place, write_pictures
from pipeline.jigsaw.puzzles import Places, cut_tiles, fit_tile, join_tiles, middle_square, put_back
from pipeline.listing import is_photo
from pipeline.road import count_cores
from pipeline.sources import Source

Status = Literal["mended", "too small", "does not divide", "unreadable", "truncated", "too large", "unsupported"]
"""``mended``: tiles were put where the network says; ``too small``: fewer pixels than tiles in a row; ``does not
divide``: a shuffled photo that cannot have been cut into such tiles; the others are those of ``results``."""

_NO_FAILURE: tuple[Status, ...] = ("mended", "unsupported")

_TOGETHER = 64
"""Puzzles that the network sees at a time."""

_LIGHT_BYTES = 750_000
"""Of pixels that count for one of them; more count for more."""


@dataclass(frozen=True, slots=True)
class Row:
    """What became of a file.

    Args:
        photo: its name.
        status: see ``Status``.
        order: where the tile at each place was put, row by row from the top left, counted from 0; None for none.
        truth: where each belongs; None where nobody knows.
        reason: why it was not mended.
    """

    photo: str
    status: Status
    order: tuple[int, ...] | None = None
    truth: tuple[int, ...] | None = None
    reason: str = ""

    @property
    def right(self) -> int | None:
        """Tiles that were put where they belong; None where nobody knows."""
        if self.order is None or self.truth is None:
            return None
        return sum(put == belongs for put, belongs in zip(self.order, self.truth, strict=True))


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of each photo.

    Args:
        grid: tiles in a row.
        side: of the picture that the network sees, pixels.
        shuffled: whether the photos are shuffled already; else they are shuffled here.
        seed: of that.
    """

    grid: int
    side: int
    shuffled: bool
    seed: int


@dataclass(frozen=True, slots=True)
class _Puzzle:
    row: Row
    pixels: Pixels
    seen: Pixels


@dataclass(frozen=True, slots=True)
class _Solved:
    row: Row
    pixels: Pixels


def solve(
    files: Sequence[Source], network: nn.Module, asked: Asked, places: Sequence[Place], console: Console
) -> list[Row]:
    """Mend photos, and write each beside what it was.

    Args:
        files: the photos, on the disk.
        network: a trained solver.
        asked: what is to be done.
        places: where to write what is made of each.
        console: told of the progress.

    Returns:
        A row for each file, in their order.

    Raises:
        OutputError: a picture cannot be written.
    """
    line = _Line(network, asked)
    numbered = [(number, file, place) for number, (file, place) in enumerate(zip(files, places, strict=True))]
    rows: dict[int, Row] = {}
    with (
        libraries_hushed(),
        Following(console, "mending photos", len(files), Counter()) as progress,
        closing(run_stages(numbered, line.stages(count_cores()))) as outcomes,
    ):
        for number, row in outcomes:
            rows[number] = row
            progress.advance(row.status)
    return [rows[number] for number in range(len(files))]


def score_rows(rows: Sequence[Row]) -> PuzzleScores | None:
    """How well those were mended of which the truth is known; None where there are none."""
    pairs = [(row.order, row.truth) for row in rows if row.right is not None]
    if not pairs:
        return None
    orders, truths = zip(*pairs, strict=True)
    return score(np.array(orders, np.int64), np.array(truths, np.int64))


def list_failed(rows: Sequence[Row]) -> Iterator[Row]:
    """Photos that were not mended, though they are photos."""
    return (row for row in rows if row.status not in _NO_FAILURE)


def ask(card: PuzzleCard, *, shuffled: bool, seed: int) -> Asked:
    """What a solver is asked, by its card."""
    return Asked(card.grid, card.imgsz, shuffled, seed)


def solve_puzzles(network: nn.Module, pictures: Sequence[Pixels], grid: int) -> list[Places]:
    """Where the tiles of shuffled pictures belong.

    Args:
        network: a trained solver, in evaluation.
        pictures: each of shape (side, side, 3), of the size that it was trained on.
        grid: tiles in a row.
    """
    weight = next(network.parameters())
    images = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).to(weight.device).to(weight.dtype) / 255
    with torch.inference_mode():
        tables = network(images).float().softmax(1).view(len(pictures), grid**2, grid**2)
    return list(arrange(tables.cpu().numpy()))


@dataclass(frozen=True, slots=True)
class _Line:
    """What a photo goes through."""

    network: nn.Module
    asked: Asked

    def stages(self, cores: int) -> list[Stage[Any, Any]]:
        return [
            Stage("open", self._open, _refuse, threads=cores, room=cores),
            Stage("solve", self._solve, _refuse, batch=_TOGETHER, room=max(cores, _TOGETHER), weigh=_weigh),
            Stage("write", self._write, _refuse, threads=cores, room=cores),
        ]

    def _open(self, some: Sequence[tuple[int, Source, Place]]) -> list[Any]:
        return [self._open_one(number, file, place) for number, file, place in some]

    def _open_one(self, number: int, file: Source, place: Place) -> Any:
        row = Row(file.name, "mended")
        path = Path(file.place)
        if path.is_file() and not (is_photo(path) or is_photo_inside(path)):
            reason = "no photo by its name or its first bytes"
            return Done((number, replace(row, status="unsupported", reason=reason)))
        try:
            pixels = read_photo(path, name=file.name).pixels
        except PhotoError as error:
            if lacks_memory(error):
                raise
            return Done((number, replace(row, status=_status_of(error), reason=error.found)))
        made = self._make_puzzle(row, pixels, number)
        return (number, made, place) if isinstance(made, _Puzzle) else Done((number, made))

    def _make_puzzle(self, row: Row, pixels: Pixels, number: int) -> _Puzzle | Row:
        grid, (height, width) = self.asked.grid, pixels.shape[:2]
        if min(height, width) < grid:
            reason = f"{width} x {height} pixels are fewer than {grid} x {grid} tiles"
            return replace(row, status="too small", reason=reason)
        if self.asked.shuffled:
            if height % grid or width % grid:
                reason = f"{width} x {height} pixels cannot have been cut into {grid} x {grid} tiles of one size"
                return replace(row, status="does not divide", reason=reason)
            tiles = cut_tiles(pixels, grid)
        else:
            truth = np.random.default_rng((self.asked.seed, number)).permutation(grid**2)
            whole = cut_tiles(middle_square(pixels, grid), grid)
            tiles = [whole[place] for place in truth]
            row = replace(row, truth=tuple(truth.tolist()))
        seen = join_tiles([fit_tile(tile, self.asked.side // grid) for tile in tiles], grid)
        return _Puzzle(row, join_tiles(tiles, grid), seen)

    def _solve(self, some: Sequence[tuple[int, _Puzzle, Place]]) -> list[Any]:
        found = solve_puzzles(self.network, [puzzle.seen for _, puzzle, _ in some], self.asked.grid)
        return [
            (number, _Solved(replace(puzzle.row, order=tuple(places.tolist())), puzzle.pixels), place)
            for (number, puzzle, place), places in zip(some, found, strict=True)
        ]

    def _write(self, some: Sequence[tuple[int, _Solved, Place]]) -> list[Any]:
        return [Done((number, self._write_one(solved, place))) for number, solved, place in some]

    def _write_one(self, solved: _Solved, place: Place) -> Row:
        row, grid = solved.row, self.asked.grid
        order = np.array(row.order, np.int64)
        mended = put_back(solved.pixels, order, grid)
        wrong: list[int] = []
        if row.truth is not None:
            wrong = [put for put, belongs in zip(order.tolist(), row.truth, strict=True) if put != belongs]
        write_pictures(place, solved.pixels, mended, grid=grid, wrong=wrong, known=row.truth is not None)
        return row


def _weigh(thing: tuple[int, _Puzzle, Place]) -> float:
    """Many small pictures are seen together; of photos straight from a phone two would fill what there is room for."""
    return max(1.0, thing[1].pixels.size / _LIGHT_BYTES)


def _refuse(thing: tuple[Any, ...]) -> Done[tuple[int, Row]]:
    number, file = thing[0], thing[1]
    name = file.name if isinstance(file, Source) else file.row.photo
    return Done((number, Row(name, "too large", reason="does not fit into memory, even alone")))


def _status_of(error: PhotoError) -> Status:
    if isinstance(error, TruncatedError):
        return "truncated"
    return "too large" if isinstance(error, TooLargeError) else "unreadable"
