"""Colours, RGB of 0 to 255 each."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

from numpy.random import Generator

Colour = tuple[int, int, int]

INK: Colour = (18, 16, 20)
PAPER: Colour = (250, 247, 238)


def mixed(one: Colour, other: Colour, share: float) -> Colour:
    """``one`` with ``share`` (0 to 1) of ``other`` mixed in."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def hsv(hue: float, saturation: float, value: float) -> Colour:
    """A colour from hue (in turns), saturation and value; the latter two are clipped to 0 to 1."""
    red, green, blue = colorsys.hsv_to_rgb(hue % 1, min(max(saturation, 0), 1), min(max(value, 0), 1))
    return round(red * 255), round(green * 255), round(blue * 255)


@dataclass(frozen=True)
class Palette:
    """The colours of one cover."""

    dark: Colour
    middle: Colour
    light: Colour
    accent: Colour


def random_palette(rng: Generator, vivid: float) -> Palette:
    """Any hue, matching hues with it; ``vivid`` scales the saturations, 1 is middling."""
    hue = rng.random()
    near, far = hue + rng.normal(0, 0.06), hue + rng.uniform(0.25, 0.75)
    return Palette(
        dark=hsv(hue, vivid * rng.uniform(0.45, 0.9), rng.uniform(0.13, 0.38)),
        middle=hsv(near, vivid * rng.uniform(0.4, 0.8), rng.uniform(0.45, 0.85)),
        light=hsv(near + rng.normal(0, 0.08), vivid * rng.uniform(0.06, 0.3), rng.uniform(0.84, 0.98)),
        accent=hsv(far, vivid * rng.uniform(0.55, 0.95), rng.uniform(0.75, 1.0)),
    )
