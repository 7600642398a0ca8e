"""Book covers of four kinds, drawn flat by our own code, so that anyone may pass the pictures on.

Lengths on a cover are in cover widths: x runs from 0 to 1, y from 0 to the cover's ratio (height by width). What tells
a kind is its design; hues are drawn from one pool for all kinds, so that no single colour gives a kind away.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.random import Generator

from pipeline.sample.canvas import Canvas
from pipeline.sample.chance import pick
from pipeline.sample.colours import INK, PAPER, Palette, hsv, random_palette
from pipeline.sample.comic import draw_comic_panels, draw_comic_picture
from pipeline.sample.fairy_tale import draw_fairy_land, draw_fairy_medallion
from pipeline.sample.novel import draw_novel_emblem, draw_novel_landscape, draw_novel_type
from pipeline.sample.science import draw_science_diagram
from pipeline.sample.shapes import oval

Design = Callable[[Canvas, Generator, Palette], None]

# Of each kind: how vivid its colours are, 1 being middling, and what its covers may look like.
_DESIGNS: dict[str, tuple[float, tuple[Design, ...]]] = {
    "comic": (1.25, (draw_comic_picture, draw_comic_picture, draw_comic_panels)),
    "fairy tale": (0.9, (draw_fairy_land, draw_fairy_land, draw_fairy_medallion)),
    "novel": (0.8, (draw_novel_landscape, draw_novel_type, draw_novel_emblem)),
    "science": (0.95, (draw_science_diagram,)),
}


def draw_cover(kind: str, *, rng: Generator, width: int, ratio: float) -> Canvas:
    """A front cover, flat and upright.

    Args:
        kind: one of ``KINDS``.
        rng: what the design is drawn from; the same state gives the same cover.
        width: in pixels.
        ratio: height by width, about 1.3 to 1.6.

    Raises:
        KeyError: no such kind.
    """
    vivid, designs = _DESIGNS[kind]
    art = Canvas(width, ratio, PAPER)
    pick(rng, designs)(art, rng, random_palette(rng, vivid * rng.uniform(0.7, 1.2)))
    if rng.random() < 0.15:
        _stick_price_on(art, rng)
    _rub(art, rng)
    return art


def _stick_price_on(art: Canvas, rng: Generator) -> None:
    """A shop's sticker."""
    x, y = rng.uniform((0.15, 0.3), (0.85, art.ratio - 0.15))
    art.polygon(oval((x, y), 0.075, 0.075), pick(rng, (PAPER, hsv(rng.random(), 0.8, 0.9))))
    box = (x - 0.05, y - 0.025, x + 0.05, y + 0.025)
    art.text(f"{rng.integers(3, 20)}.90", box, face="DejaVuSans-Bold", colour=INK)


def _rub(art: Canvas, rng: Generator) -> None:
    """The wear of a real book: the fold beside the spine, and rubbed edges."""
    high, wide = art.pixels.shape[:2]
    x = np.arange(wide) / wide
    fold = 1 - rng.uniform(0.1, 0.35) * np.exp(-(((x - rng.uniform(0.03, 0.06)) / 0.008) ** 2))
    rows = np.abs(np.linspace(-1, 1, high))[:, None] ** 40
    light = fold * (1 + rng.uniform(0, 0.12) * np.maximum(rows, np.abs(2 * x - 1) ** 40))
    art.pixels[..., :3] = np.clip(art.pixels[..., :3] * light[..., None].astype(np.float32), 0, 255)
