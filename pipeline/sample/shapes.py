"""Outlines, and points for cv2."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Points = NDArray[np.float64]  # (N, 2), x and y
Place = Sequence[float] | Points  # one point
Bounds = tuple[float, float, float, float]  # left, top, right, bottom

SUBPIXEL_BITS = 4  # cv2's fixed point: corners to a sixteenth of a pixel, so that small covers are not drawn in steps


def polar(centre: Place, radii: ArrayLike, angles: ArrayLike) -> Points:
    """Points (N, 2) at ``radii`` and ``angles`` (radians, clockwise from the right) around ``centre``."""
    spokes = np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    return np.asarray(np.add(centre, np.asarray(radii)[..., None] * spokes), dtype=np.float64)


def oval(centre: Place, across: float, down: float, turn: float = 0.0) -> Points:
    """The outline (64, 2) of an ellipse with the given half axes, turned by ``turn`` radians."""
    flat = polar((0, 0), 1.0, np.linspace(0, 2 * np.pi, 64, endpoint=False)) * (across, down)
    cos, sin = math.cos(turn), math.sin(turn)
    return np.asarray(centre + flat @ np.array([[cos, sin], [-sin, cos]]), dtype=np.float64)


def rect(left: float, top: float, right: float, bottom: float) -> Points:
    """The four corners of a rectangle."""
    return np.array([(left, top), (right, top), (right, bottom), (left, bottom)], dtype=np.float64)


def rounded_rect(ratio: float, corner: float) -> Points:
    """The outline of a rectangle of width 1 with rounded corners."""
    arcs = [
        oval((x, y), corner, corner)[start : start + 17]
        for x, y, start in (
            (1 - corner, ratio - corner, 0),
            (corner, ratio - corner, 16),
            (corner, corner, 32),
            (1 - corner, corner, 48),
        )
    ]
    return np.concatenate(arcs)


def fixed_point(points: ArrayLike) -> NDArray[np.int32]:
    """Points in pixels as cv2 takes them with a shift of ``SUBPIXEL_BITS``."""
    return np.asarray(np.round(np.asarray(points) * 2**SUBPIXEL_BITS), dtype=np.int32)
