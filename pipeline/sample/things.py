"""Things that lie on the desk, and where."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from pipeline.sample.canvas import Canvas
from pipeline.sample.colours import INK, Colour
from pipeline.sample.shapes import Points


@dataclass(frozen=True)
class Thing:
    """Something that lies on the desk.

    Args:
        art: what it looks like from above.
        wide: width in centimetres.
        thick: its height above the desk in centimetres.
        outline: its walls' corners (N, 2), clockwise, in widths of ``art``; without a wall where empty.
        walls: colours of the walls, in turn.
        leaves: whether the walls are the edges of pages, all but the last, which is a spine.
    """

    art: Canvas
    wide: float
    thick: float
    outline: Points = field(default_factory=lambda: np.empty((0, 2)))
    walls: tuple[Colour, ...] = (INK,)
    leaves: bool = False


@dataclass(frozen=True)
class Pose:
    """Where a thing lies: its centre on the desk in centimetres, and its turn in radians."""

    x: float
    y: float
    turn: float

    def place(self, thing: Thing, points: ArrayLike) -> Points:
        """The desk's points (N, 2) of points in widths of the thing's art."""
        flat = (np.asarray(points) - (0.5, thing.art.ratio / 2)) * (thing.wide, -thing.wide)
        cos, sin = math.cos(self.turn), math.sin(self.turn)
        return np.asarray(flat @ np.array([[cos, sin], [-sin, cos]]) + (self.x, self.y))
