"""Which photos are the same picture as one of the data set: the same file, or a copy, turned upright or scaled down.

The next frame of a burst is another picture, however alike: what was labelled in one does not lie there in the other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.errors import PhotoError
from pipeline.fingerprints import Fingerprint, take_fingerprints
from pipeline.images import read_header, read_small

# Measured on 963 photos of cards and groceries. Copies of 50 of them, half as large or 640 pixels wide, at JPEG quality
# 40 to 95: 4 bits and a correlation of 0.989 in the worst case. Next frames of a moving camera: 2 bits and 0.985 in the
# likest case. Only two frames of a camera on a stand are as like as copies (0.9997); their times tell them apart.
_NEAR_BITS = 8
"""Bits of the perceptual hash that differ at most between a photo and its copies."""

_SIDE = 128
_SAME = 0.9875
"""Correlation of a photo and its copy, both at 128 x 128 pixels, at least."""

_PLAIN = 8.0
"""Standard deviation, of 255, under which a picture is a wall or the dark, and like every other one."""

_SHAPE = 0.02
"""Difference of the ratios of width to height, as a part of them, at most: copies are rounded to whole pixels."""

_Picture = NDArray[np.float32]
"""128 x 128 RGB pixels in a row, of mean 0 and standard deviation 1."""


def find_same(
    asked: Sequence[Path], known: Sequence[Path], *, on_photo: Callable[[], None] | None = None
) -> dict[Path, Path]:
    """Find each photo's picture among the known photos, else among the photos asked for before it.

    Args:
        asked: photos, each once.
        known: photos of the data set; where several are the same picture the first one is found.
        on_photo: called after each of all photos was looked at.

    Returns:
        The same picture by photo, itself where it is a known one; photos without any, and those that cannot be read,
        are left out.
    """
    taken = take_fingerprints(dict.fromkeys((*known, *asked)), on_photo=on_photo)
    prints = [one for one in taken if isinstance(one, Fingerprint)]  # in this order: each is looked for before itself
    first = {one.digest: one.photo for one in reversed(prints)}
    bits = np.array([one.bits for one in prints], np.uint64)
    look = lru_cache(maxsize=512)(_look)
    home, wanted = set(known), set(asked)
    found: dict[Path, Path] = {photo: photo for photo in wanted & home}
    for place, own in enumerate(prints):
        if own.photo in home:
            continue
        same: Path | None = first[own.digest]
        if same == own.photo:
            near = np.flatnonzero(np.bitwise_count(bits[:place] ^ bits[place]) <= _NEAR_BITS)
            same = _find_copy(own, [prints[int(index)] for index in near], look)
        if same is not None:
            found[own.photo] = found.get(same, same)
    return found


def _find_copy(one: Fingerprint, others: Iterable[Fingerprint], look: Callable[[Path], _Picture | None]) -> Path | None:
    """The first of the others that shows the same picture."""
    possible = [other for other in others if _may_be_of_one_moment(one, other)]
    own = look(one.photo) if possible else None
    if own is None:
        return None
    for other in possible:
        theirs = look(other.photo)
        if theirs is not None and float(own @ theirs) / len(own) >= _SAME and _have_one_shape(one.photo, other.photo):
            return other.photo
    return None


def _may_be_of_one_moment(one: Fingerprint, other: Fingerprint) -> bool:
    """Copies may have lost when they were taken, but do not say another time."""
    return one.captured is None or other.captured is None or one.captured == other.captured


def _look(photo: Path) -> _Picture | None:
    try:
        _, pixels = read_small(photo.read_bytes(), _SIDE, where=photo)
    except (OSError, PhotoError):  # it was read a moment ago
        return None
    cells = cv2.resize(pixels, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float32).ravel()
    spread = float(cells.std())
    return None if spread < _PLAIN else np.asarray((cells - cells.mean()) / spread, np.float32)


def _have_one_shape(one: Path, other: Path) -> bool:
    try:
        (width, height), (wide, high) = read_header(one).size, read_header(other).size
    except PhotoError:
        return False
    return abs(width * high / (height * wide) - 1) <= _SHAPE
