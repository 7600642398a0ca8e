"""What hides what: a cover in the photo must be there to see."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.sample.camera import Camera
from pipeline.sample.shapes import SUBPIXEL_BITS, Points, fixed_point, rect
from pipeline.sample.things import Pose, Thing

Mask = NDArray[np.bool_]

_VISIBLE_SHARE = 0.8  # of a cover's area: less is neither cut off by the photo's edge nor hidden by other things
_RASTER_SIDE = 160  # pixels of the long side of the masks that tell what hides what


class Sight:
    """What of the covers can be seen, on a small raster of the photo."""

    def __init__(self, size: tuple[int, int]) -> None:
        self._shrink = _RASTER_SIDE / max(size)
        self._shape = (round(size[1] * self._shrink), round(size[0] * self._shrink))
        self._seen: list[tuple[Mask, float]] = []

    def _raster(self, outline: Points) -> tuple[Mask, float]:
        """What of it lies in the photo, and its area with what lies outside."""
        high, wide = self._shape
        mask = np.zeros((3 * high, 3 * wide), dtype=np.uint8)
        cv2.fillConvexPoly(mask, fixed_point(outline * self._shrink + (wide, high)), 1, cv2.LINE_8, SUBPIXEL_BITS)
        return mask[high : 2 * high, wide : 2 * wide] > 0, float(mask.sum())

    def hide(self, outline: Points) -> bool:
        """Put something convex over the covers, unless too little of one would be left to see."""
        hidden, _ = self._raster(outline)
        left = [(seen & ~hidden, area) for seen, area in self._seen]
        free = all(seen.sum() >= _VISIBLE_SHARE * area for seen, area in left)
        if free:
            self._seen = left
        return free

    def add(self, cover: Points, outline: Points) -> bool:
        """Put a book over the others; ``outline`` holds its walls too. Not where too little would be left to see."""
        seen, area = self._raster(cover)
        fits = bool(seen.sum() >= (_VISIBLE_SHARE + 0.05) * area) and self.hide(outline)
        if fits:
            self._seen.append((seen, area))
        return fits


def silhouette(camera: Camera, thing: Thing, pose: Pose) -> Points:
    """The convex outline (N, 2) of a thing in the photo."""
    ground = pose.place(thing, rect(0, 0, 1, thing.art.ratio))
    both = np.concatenate([camera.project(ground, 0.0), camera.project(ground, thing.thick)]).astype(np.float32)
    return np.asarray(cv2.convexHull(both)[:, 0], dtype=np.float64)
