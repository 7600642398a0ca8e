"""Hills, houses, walkers and trees, for covers of more than one kind."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator

from pipeline.sample.canvas import Canvas
from pipeline.sample.colours import Colour, mixed
from pipeline.sample.shapes import Place, Points, oval, polar, rect


def _rolling_line(rng: Generator, level: float, swing: float) -> Points:
    """A rolling line (81, 2) from left to right around y = ``level``, ``swing`` up and down."""
    x = np.linspace(-0.02, 1.02, 81)
    y = sum(
        rng.uniform(0.2, 1) / turns * np.sin(turns * rng.uniform(2, 4) * x + rng.uniform(0, 7)) for turns in (1, 2, 4)
    )
    return np.stack([x, level + swing * y], axis=1)


def draw_hills(art: Canvas, rng: Generator, far: Colour, near: Colour, levels: Sequence[float]) -> None:
    """Hills one before the other, from ``far`` to ``near``, ``levels`` being shares of the height."""
    for step, level in enumerate(levels):
        ridge = _rolling_line(rng, level * art.ratio, 0.06)
        colour = mixed(far, near, step / max(1, len(levels) - 1))
        art.polygon([*ridge, (1.02, art.ratio + 0.02), (-0.02, art.ratio + 0.02)], colour)


def draw_skyline(art: Canvas, rng: Generator, wall: Colour, lit: Colour, level: float, edge: float) -> None:
    """Houses along the lower edge, their roofs around ``level`` (a share of the height)."""
    left = -0.05
    while left < 1:
        wide, top = rng.uniform(0.1, 0.22), art.ratio * (level + rng.uniform(-0.12, 0.12))
        art.polygon(rect(left, top, left + wide, art.ratio + 0.1), wall, edge=edge)
        for x, y in rng.uniform((left + 0.02, top + 0.03), (left + wide - 0.03, top + 0.35), (9, 2)):
            art.polygon(rect(x, y, x + 0.018, y + 0.026), lit)
        left += wide


def draw_walker(art: Canvas, foot: Place, tall: float, colour: Colour) -> None:
    """A walker's silhouette, standing on ``foot``."""
    body = np.array([(-0.1, 0), (-0.13, -0.5), (-0.17, -0.75), (0.17, -0.75), (0.13, -0.5), (0.14, 0), (0.02, -0.3)])
    art.polygon(body * tall + foot, colour)
    art.polygon(oval((foot[0], foot[1] - 0.88 * tall), 0.09 * tall, 0.12 * tall), colour)


def draw_bare_tree(art: Canvas, rng: Generator, foot: Place, length: float, angle: float, colour: Colour) -> None:
    """A branch and those that grow from it, to about a fiftieth of the cover."""
    tip = polar(foot, length, angle)
    art.line(np.stack([foot, tip]), colour, length * 0.13)
    if length > 0.035:
        for side in (-1, 1):
            turn = angle + side * rng.uniform(0.2, 0.7)
            draw_bare_tree(art, rng, tip, length * rng.uniform(0.6, 0.8), turn, colour)
