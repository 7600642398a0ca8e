"""One photo: a desk, what lies on it, light and camera.

Desk, clutter, light and camera come from one random stream, kinds and covers from another, so that nothing but the
cover tells a book's kind.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from pipeline.boxes import Box
from pipeline.errors import DataError
from pipeline.sample.arranging import lay_books, lay_clutter
from pipeline.sample.camera import Frame, random_camera
from pipeline.sample.clutter import LARGE_CLUTTER, SMALL_CLUTTER
from pipeline.sample.desk import draw_desk
from pipeline.sample.exposure import exposed
from pipeline.sample.scene import Scene
from pipeline.sample.sight import Sight

_BOOKLESS_SHARE = 1 / 8
_MIN_SIDE = 64  # pixels


@dataclass(frozen=True)
class DrawnPhoto:
    """A drawn photo.

    Args:
        image: upright, (H, W, 3) RGB.
        subjects: of each book, the bounds of its cover in pixels of ``image``, clipped to it, and its kind.
        orientation: the EXIF tag, 1, 3, 6 or 8, to store it with.
    """

    image: Frame
    subjects: tuple[tuple[Box, str], ...]
    orientation: int


def draw_photo(*, seed: int, index: int, size: tuple[int, int]) -> DrawnPhoto:
    """Draw one photo, always the same for the same arguments.

    Args:
        seed: of the whole set, 0 or more.
        index: of the photo in the set, 0 or more.
        size: the frame's long and short side in pixels, 64 or more; a photo held upright comes out the other way round.

    Raises:
        DataError: a size too small, or with the short side first.
    """
    if size[0] < size[1] or size[1] < _MIN_SIDE:
        raise DataError(f"size {size[0]} x {size[1]}", expected=f"the longer side first, {_MIN_SIDE} pixels or more")
    rng, covers = (np.random.default_rng((seed, index, stream)) for stream in (0, 1))
    orientation, upright = _random_hold(rng, size)
    count = 0 if rng.random() < _BOOKLESS_SHARE else int(rng.choice([1, 2, 3], p=[0.45, 0.35, 0.2]))
    camera = random_camera(rng, upright, rng.uniform(34, 52) + 7 * count)
    angle = rng.uniform(0, 2 * np.pi)
    sun = np.array([math.cos(angle), math.sin(angle)]) * rng.uniform(0.15, 0.7)
    scene, sight = Scene(draw_desk(rng, camera), camera, sun), Sight(upright)
    lay_clutter(scene, rng, LARGE_CLUTTER, int(rng.integers(0, 4)), sight)
    subjects = lay_books(scene, rng, covers, count, sight)
    lay_clutter(scene, rng, SMALL_CLUTTER, int(rng.integers(1, 6)), sight)
    return DrawnPhoto(exposed(scene.frame, rng), tuple(subjects), orientation)


def _random_hold(rng: Generator, size: tuple[int, int]) -> tuple[int, tuple[int, int]]:
    """How the phone was held: the EXIF orientation, and the upright photo's width and height."""
    held = int(rng.choice([0, 1, 3, 6, 8], p=[0.1, 0.45, 0.1, 0.25, 0.1]))
    upright = size if held in (1, 3) else size[::-1]
    return held or 1, upright  # 0: a portrait that some program has already turned
