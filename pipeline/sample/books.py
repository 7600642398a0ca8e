"""Books as things that lie on the desk."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.random import Generator

from pipeline.sample.canvas import Canvas
from pipeline.sample.colours import INK, PAPER, hsv, mixed
from pipeline.sample.covers import draw_cover
from pipeline.sample.shapes import rect
from pipeline.sample.things import Thing


def random_book(rng: Generator, covers: Generator, kind: str, scale: float) -> Thing:
    """A book of a kind, its cover drawn from ``covers``, about ``scale`` pixels to the centimetre."""
    wide, ratio = rng.uniform(12, 18.5), rng.uniform(1.28, 1.58)
    art = draw_cover(kind, rng=covers, width=max(16, round(wide * scale * 1.1)), ratio=ratio)
    red, green, blue = art.pixels[:, : art.width // 20 + 1, :3].mean(axis=(0, 1)).round().astype(int).tolist()
    spine = mixed((red, green, blue), INK, rng.uniform(0, 0.3))
    pages = mixed(PAPER, hsv(0.11, 0.5, 0.7), rng.uniform(0.1, 0.6))
    _add_gloss(art, rng)
    return Thing(art, wide, rng.uniform(0.6, 3.6), rect(0, 0, 1, ratio), (pages, pages, pages, spine), leaves=True)


def _add_gloss(art: Canvas, rng: Generator) -> None:
    """A lamp's soft reflection on a varnished cover."""
    high, wide = art.pixels.shape[:2]
    y, x = np.ogrid[: 64 * art.ratio, :64]
    turn, place, width = rng.uniform(0, np.pi), rng.uniform(-0.2, 1.2), rng.uniform(0.08, 0.3)
    far = (x * math.cos(turn) + y * math.sin(turn)) / 64 - place
    shine = (rng.uniform(0, 0.45) * 255 * np.exp(-((far / width) ** 2))).astype(np.uint8)
    art.blend(np.asarray(cv2.resize(shine, (wide, high)), dtype=np.uint8), (255, 255, 252))
