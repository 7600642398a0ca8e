"""The pictures that puzzles are made of: any folder of photos, or CIFAR-10, as small copies of our own."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import cv2
import numpy as np
from rich.console import Console

from pipeline.batches import lacks_memory
from pipeline.boxes import Box
from pipeline.console import counting
from pipeline.errors import DataError, OutOfMemoryError, PhotoError
from pipeline.files import output_error, replacing
from pipeline.flow import Done, Stage, run_stages
from pipeline.images import Pixels, open_photo, read_size
from pipeline.jigsaw.puzzles import TILE_STEP
from pipeline.prepare import CropSource
from pipeline.road import count_cores
from pipeline.sources import find_sources

CIFAR = "cifar-10-batches-py"
"""The folder that the published archive of CIFAR-10 unpacks to."""

_USUAL_SIDE = 96
"""Of the shuffled picture, pixels, where photos are larger."""

_ASKED_SIZES = 200
"""Photos whose headers are looked at to choose the size."""

_CIFAR_SIDE = 32


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture to learn from.

    Args:
        name: what a note calls it.
        open: gives its bytes as they are, and a function to its pixels; may raise ``PhotoError``.
    """

    name: str
    open: Callable[[], tuple[bytes, Callable[[int], Pixels]]]


@dataclass(frozen=True, slots=True)
class Collected:
    """Copies of pictures.

    Args:
        sources: each content once, in an order that depends on the contents alone.
        notes: what the user should know, a line each.
    """

    sources: tuple[CropSource, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pile:
    """Pictures that were found, none of them opened yet.

    Args:
        title: what ``runs/`` and ``weights/`` call them.
        pictures: in the order of their names.
        sizes: width and height of some of them, pixels.
    """

    title: str
    pictures: tuple[Picture, ...]
    sizes: tuple[tuple[int, int], ...]

    def choose_side(self, grid: int) -> int:
        """A side for the shuffled pictures, pixels: no more than most pictures have, as far as the grid allows."""
        step = grid * TILE_STEP
        shorter = median(min(size) for size in self.sizes) if self.sizes else _USUAL_SIDE
        return max(step, int(min(shorter, _USUAL_SIDE)) // step * step)


def find_pictures(photos: str | Path) -> Pile:
    """Everything that an argument stands for.

    Args:
        photos: what ``find_sources`` takes, but for URLs; or the folder that CIFAR-10 was unpacked in, whose training
            part it then is.

    Raises:
        DataError: it is missing, unreadable or holds no photos; or it is a damaged CIFAR-10.
    """
    folder = Path(photos)
    for root in (folder.parent, folder) if folder.name == CIFAR else (folder,):
        if (root / CIFAR).is_dir():
            return _find_cifar(root)
    sources = find_sources(photos).leave_out(Path("runs"))  # where the copies are, should it be among the photos
    paths = [one.place for one in sources.files if isinstance(one.place, Path)]
    if len(paths) < len(sources.files):
        raise DataError("holds web addresses", where=photos, expected="photos on the disk", remedy="save them first")
    pictures = tuple(Picture(str(path), partial(_open_file, path)) for path in paths)
    return Pile(sources.title or "photos", pictures, tuple(_ask_sizes(paths)))


def collect(pile: Pile, folder: Path, *, side: int, grid: int, console: Console) -> Collected:
    """Keep a small upright copy of each picture; those of an earlier run stay, those of pictures that are gone go.

    A copy's shorter side has ``side`` pixels, or as many as there are, its name is its picture's content, and what it
    is made of is lossless: small pictures are learnt from as they are.

    Args:
        pile: the pictures.
        folder: of the copies, and of nothing else.
        side: pixels that the shuffled picture has.
        grid: tiles in a row.
        console: told of the progress.

    Raises:
        DataError: there are fewer than three pictures to learn from.
        OutputError: the copies cannot be written.
    """
    with counting(console, "preparing pictures", len(pile.pictures)) as advance:
        made, notes = {}, []
        for outcome in _copy_all(pile.pictures, folder, side, grid):
            if isinstance(outcome, CropSource):
                made[outcome.file.name] = outcome
            else:
                notes.append(f"left out: {outcome}")
            advance()
    if len(made) < 3:
        remedy = notes[0] if notes else "give a folder with more photos"
        raise DataError(f"{len(made)} pictures to learn from", where=pile.title, expected="at least 3", remedy=remedy)
    _keep_only(folder, set(made))
    twice = len(pile.pictures) - len(made) - len(notes)
    if twice:
        notes.append(f"{twice} pictures are the same as others, and count once")
    return Collected(tuple(made[name] for name in sorted(made)), tuple(sorted(notes)))


def _copy_all(
    pictures: Sequence[Picture], folder: Path, side: int, grid: int
) -> Iterator[CropSource | PhotoError | OutOfMemoryError]:
    cores = count_cores()

    def copy(some: Sequence[Picture]) -> list[Done[CropSource | PhotoError | OutOfMemoryError]]:
        return [Done(_copy(one, folder, side, grid)) for one in some]

    def refuse(one: Picture) -> Done[CropSource | PhotoError | OutOfMemoryError]:
        return Done(OutOfMemoryError("does not fit into memory", where=one.name))

    stage: Stage[Picture, CropSource] = Stage("copy", copy, refuse, threads=cores, room=cores)
    with closing(run_stages(pictures, [stage])) as outcomes:
        yield from outcomes


def _copy(picture: Picture, folder: Path, side: int, grid: int) -> CropSource | PhotoError:
    try:
        content, decode = picture.open()
        path = folder / f"{hashlib.sha256(content).hexdigest()[:32]}.png"
        size = _png_size(path)
        if size is None:
            pixels = _shrink(decode(side), side)
            size = pixels.shape[1], pixels.shape[0]
            if min(size) < grid:
                raise PhotoError(
                    f"{size[0]} x {size[1]} pixels are fewer than {grid} x {grid} tiles", where=picture.name
                )
            _write_png(path, pixels)
    except PhotoError as error:
        if lacks_memory(error):
            raise
        return error
    return CropSource(path, Box(0, 0, *size), "")


def _shrink(pixels: Pixels, side: int) -> Pixels:
    """Scaled down to a shorter side of ``side`` pixels where it is larger."""
    height, width = pixels.shape[:2]
    factor = side / min(height, width)
    if factor >= 1:
        return pixels
    size = max(side, round(width * factor)), max(side, round(height * factor))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def _write_png(path: Path, pixels: Pixels) -> None:
    _, encoded = cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
    with replacing(path) as temporary:
        temporary.write_bytes(encoded.tobytes())


def _png_size(path: Path) -> tuple[int, int] | None:
    """Width and height of a copy; None where there is none."""
    try:
        with path.open("rb") as file:
            head = file.read(24)
    except OSError:
        return None
    if len(head) < 24 or not head.startswith(b"\x89PNG"):
        return None
    return int.from_bytes(head[16:20]), int.from_bytes(head[20:24])


def _keep_only(folder: Path, names: set[str]) -> None:
    for path in folder.glob("*.png"):
        if path.name not in names:
            try:
                path.unlink()
            except OSError as error:
                raise output_error(error, path) from error


def _ask_sizes(paths: Sequence[Path]) -> Iterator[tuple[int, int]]:
    for path in paths[:: max(1, len(paths) // _ASKED_SIZES)]:
        with suppress(PhotoError):
            yield read_size(path)


def _open_file(path: Path) -> tuple[bytes, Callable[[int], Pixels]]:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise PhotoError(f"cannot be read ({error.strerror or error})", where=path) from error

    def decode(side: int) -> Pixels:
        # Of a panorama the shorter side counts, which open_photo knows nothing of: a phone's has up to eight times it.
        return open_photo(content, side=4 * side, name=str(path)).pixels

    return content, decode


def _find_cifar(root: Path) -> Pile:
    """The 50,000 pictures to learn from; torchvision looks at the hash of every file before it reads it."""
    from torchvision.datasets import CIFAR10

    try:
        arrays = CIFAR10(root, train=True, download=False).data
    except (RuntimeError, OSError) as error:
        remedy = "unpack cifar-10-python.tar.gz anew"
        raise DataError("a file of CIFAR-10 is missing or damaged", where=root / CIFAR, remedy=remedy) from error
    pictures = tuple(Picture(f"{CIFAR} {number}", partial(_open_array, array)) for number, array in enumerate(arrays))
    return Pile("cifar-10", pictures, ((_CIFAR_SIDE, _CIFAR_SIDE),))


def _open_array(array: Pixels) -> tuple[bytes, Callable[[int], Pixels]]:
    return array.tobytes(), lambda _side: array
