"""What is written of each photo that was put together: it mended, and it before and after, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from pipeline.files import replacing
from pipeline.images import Pixels, encode_jpeg
from pipeline.naming import Taken, plain_parts

MENDED, BEFORE_AFTER = "mended", "before-after"
"""Folders of the pictures in that of a run."""

_LOSSLESS_PIXELS = 1_000_000
"""What has more is written as JPEG: a PNG of it would be many times as large, and no better to look at."""

_SHOWN, _ROOM, _CAPTION = 384, 24, 44
"""Side of each half, room around it and height of the line above it, pixels."""

_WHITE, _INK, _WRONG = (255, 255, 255), (40, 40, 40), (215, 48, 39)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the pictures of a photo are written, but for the ending, which depends on how large it is.

    Args:
        mended: of the photo with its tiles put where the network says.
        pair: of the two side by side.
    """

    mended: Path
    pair: Path


def name_places(photos: Sequence[str], folder: Path) -> list[Place]:
    """A place for each photo below ``mended`` and ``before-after``, with the folders that it is in.

    Args:
        photos: their names, as ``Source`` has them.
        folder: of the run.
    """
    taken = Taken()
    names = ["/".join(plain_parts(photo)) for photo in photos]
    stems = [taken.claim(name.rpartition(".")[0] or name) for name in names]
    return [Place(folder / MENDED / stem, folder / BEFORE_AFTER / stem) for stem in stems]


def write_pictures(
    place: Place, shuffled: Pixels, mended: Pixels, *, grid: int, wrong: Sequence[int], known: bool
) -> None:
    """Write both pictures, whole or not at all.

    Args:
        place: where.
        shuffled: before.
        mended: after, of the same size.
        grid: tiles in a row.
        wrong: places of ``mended`` that the wrong tile was put to, which get a red frame.
        known: whether that is known at all.

    Raises:
        OutputError: they cannot be written there.
    """
    count = grid**2
    said = f"mended: {count - len(wrong)} of {count} tiles right" if known else "mended"
    pair = _side_by_side(_show(shuffled, grid, ()), "shuffled", _show(mended, grid, wrong), said)
    _write(place.mended, mended, lossless=mended.shape[0] * mended.shape[1] <= _LOSSLESS_PIXELS)
    _write(place.pair, pair, lossless=True)


def _write(stem: Path, pixels: Pixels, *, lossless: bool) -> None:
    if lossless:
        _, encoded = cv2.imencode(".png", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR))
        content = encoded.tobytes()
    else:
        content = encode_jpeg(pixels)
    with replacing(stem.with_name(f"{stem.name}{'.png' if lossless else '.jpg'}")) as temporary:
        temporary.write_bytes(content)


def _show(pixels: Pixels, grid: int, wrong: Sequence[int]) -> Pixels:
    """As large as a half is; small pictures with every pixel as a square."""
    height, width = pixels.shape[:2]
    factor = _SHOWN / max(height, width)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    shown = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_NEAREST)
    for place in wrong:
        row, column = divmod(place, grid)
        corner = (column * size[0] // grid + 1, row * size[1] // grid + 1)
        opposite = ((column + 1) * size[0] // grid - 2, (row + 1) * size[1] // grid - 2)
        cv2.rectangle(shown, corner, opposite, _WRONG, 3)
    return np.asarray(shown, np.uint8)


def _side_by_side(before: Pixels, said_before: str, after: Pixels, said_after: str) -> Pixels:
    height, width = before.shape[:2]
    half = max(width, _SHOWN)
    page = np.full((height + _CAPTION + _ROOM, 2 * half + 3 * _ROOM, 3), _WHITE, np.uint8)
    for left, shown, said in ((_ROOM, before, said_before), (half + 2 * _ROOM, after, said_after)):
        page[_CAPTION : _CAPTION + height, left : left + width] = shown
        cv2.putText(page, said, (left, _CAPTION - 14), cv2.FONT_HERSHEY_SIMPLEX, 0.6, _INK, 1, cv2.LINE_AA)
    return page
