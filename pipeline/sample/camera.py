"""A pinhole camera that looks at the desk.

The desk is the plane z = 0; x to the right, y away from the viewer, z up; centimetres.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

from pipeline.sample.shapes import Points

Frame = NDArray[np.uint8]  # a photo's pixels, (H, W, 3) RGB


@dataclass(frozen=True)
class Camera:
    """Where pixels look: ``matrix`` (3, 4) takes homogeneous centimetres to homogeneous pixels."""

    matrix: Points
    scale: float  # pixels per centimetre in the middle of the desk
    size: tuple[int, int]

    def project(self, points: ArrayLike, height: float) -> Points:
        """Pixels (N, 2) of the points (N, 2) at ``height`` above the desk."""
        flat = np.asarray(points, dtype=np.float64)
        seen = np.column_stack([flat, np.full(len(flat), height), np.ones(len(flat))]) @ self.matrix.T
        return np.asarray(seen[:, :2] / seen[:, 2:])

    def desk(self) -> Points:
        """The homography (3, 3) from the desk to pixels."""
        return self.matrix[:, [0, 1, 3]]

    def ground(self, pixel: ArrayLike) -> Points:
        """The desk's point (2,) that a pixel looks at."""
        seen = np.linalg.solve(self.desk(), np.append(np.asarray(pixel), 1.0))
        return np.asarray(seen[:2] / seen[2])


def random_camera(rng: Generator, size: tuple[int, int], span: float) -> Camera:
    """A phone held over the desk at any slant up to 40 degrees; ``span`` centimetres fill the photo's long side."""
    focal = 0.75 * max(size)
    distance, tilt, roll = focal * span / max(size), rng.uniform(0, 40) * np.pi / 180, rng.normal(0, 0.09)
    ahead = np.array([0, math.sin(tilt), -math.cos(tilt)])
    right = np.array([1.0, 0, 0])
    axes = np.stack([right, np.cross(ahead, right), ahead])
    cos, sin = math.cos(roll), math.sin(roll)
    lens = np.array([[focal, 0, size[0] / 2], [0, focal, size[1] / 2], [0, 0, 1]])
    turned = np.array([[cos, -sin, 0], [sin, cos, 0], [0, 0, 1]]) @ axes
    return Camera(lens @ np.column_stack([turned, turned @ ahead * distance]), focal / distance, size)
