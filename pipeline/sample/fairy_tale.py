"""Covers of fairy tales: castles, woods and toadstools under the moon, borders with curls."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from pipeline.sample.canvas import Canvas
from pipeline.sample.chance import pick
from pipeline.sample.colours import INK, PAPER, Colour, Palette, hsv, mixed
from pipeline.sample.scenery import draw_hills
from pipeline.sample.shapes import Bounds, Place, oval, polar, rect
from pipeline.sample.words import random_title


def draw_fairy_land(art: Canvas, rng: Generator, colours: Palette) -> None:
    """A castle, a wood or a meadow under the moon, in a frame."""
    night = rng.random() < 0.6
    sky, glow = (colours.dark, colours.middle) if night else (colours.light, mixed(colours.accent, PAPER, 0.5))
    art.ramp(sky, glow)
    shine, ground = hsv(rng.uniform(0.1, 0.16), rng.uniform(0.2, 0.6), 1), mixed(colours.dark, colours.middle, 0.4)
    _draw_stars(art, rng, shine if night else PAPER, 0.7)
    _draw_moon(art, rng, shine)
    draw_hills(art, rng, mixed(glow, ground, 0.4), ground, (0.62, 0.7))
    drawn = pick(rng, ("castle", "castle", "wood", "both", "meadow"))
    if drawn in ("castle", "both"):
        wall = pick(rng, (colours.light, colours.dark, mixed(colours.accent, PAPER, 0.6)))
        foot = (rng.uniform(0.35, 0.65), art.ratio * 0.7)
        _draw_castle(art, rng, foot, rng.uniform(0.38, 0.55), wall, colours.accent, shine)
    if drawn in ("wood", "both"):
        _draw_row_of_trees(art, rng, mixed(colours.dark, INK, 0.25), 0.84)
    draw_hills(art, rng, ground, mixed(colours.dark, INK, 0.2), (0.8, 0.87))
    for x in rng.uniform(0.12, 0.88, 6 if drawn == "meadow" else int(rng.integers(0, 3))):
        _draw_toadstool(art, (x, art.ratio * rng.uniform(0.84, 0.93)), rng.uniform(0.1, 0.24), colours.accent)
    _draw_title(art, rng, shine if night else colours.dark, (0.16, 0.18, 0.84, 0.46), INK if night else PAPER)
    if rng.random() < 0.75:
        _draw_border(art, rng, pick(rng, (shine, colours.light, colours.accent)))


def draw_fairy_medallion(art: Canvas, rng: Generator, colours: Palette) -> None:
    """An old binding: an ornament in a ring, curls around it, in a frame."""
    ground, gilt = pick(
        rng,
        ((colours.dark, hsv(rng.uniform(0.1, 0.14), 0.5, 0.9)), (colours.light, colours.dark), (colours.middle, PAPER)),
    )
    art.polygon(rect(0, 0, 1, art.ratio), ground)
    _draw_border(art, rng, gilt)
    low = art.ratio * rng.uniform(0.57, 0.62)
    centre, size = (0.5, low), min(rng.uniform(0.2, 0.27), (low - 0.46) / 1.5)  # clear of the title
    for angle in np.linspace(0, 2 * np.pi, 10, endpoint=False):
        _draw_curl(art, polar(centre, size * 1.25, angle), size * 0.26, angle, 1, gilt, 0.008)
    art.polygon(oval(centre, size, size), mixed(ground, colours.accent, rng.uniform(0.2, 0.9)), edge=0.014, ink=gilt)
    _draw_ornament(art, rng, centre, size, gilt, colours)
    _draw_title(art, rng, gilt, (0.18, 0.2, 0.82, 0.46), ground)
    art.text("Fairy Tales", (0.3, art.ratio - 0.22, 0.7, art.ratio - 0.14), face="STIXGeneralItalic", colour=gilt)


def _draw_ornament(art: Canvas, rng: Generator, centre: Place, size: float, gilt: Colour, colours: Palette) -> None:
    """A crown, a castle or a toadstool inside a ring of radius ``size``."""
    drawn = pick(rng, ("crown", "castle", "toadstool"))
    if drawn == "crown":
        _draw_crown(art, centre, size * 0.5, gilt, colours.accent)
    elif drawn == "castle":
        _draw_castle(art, rng, (0.5, centre[1] + 0.4 * size), size * 0.85, gilt, colours.dark, colours.light)
    else:
        _draw_toadstool(art, (0.5, centre[1] + 0.6 * size), size * 1.3, colours.accent)


def _draw_title(art: Canvas, rng: Generator, colour: Colour, box: Bounds, ink: Colour) -> None:
    face = pick(
        rng, ("STIXGeneralItalic", "STIXGeneralBolIta", "DejaVuSerif-BoldItalic", "cmmi10", "DejaVuSerif-Italic")
    )
    art.text(random_title(rng, "fairy tale"), box, face=face, colour=colour, edge=pick(rng, (0.0, 0.05)), ink=ink)


def _draw_stars(art: Canvas, rng: Generator, colour: Colour, bottom: float) -> None:
    """Four- to six-pointed stars down to ``bottom`` (a share of the height)."""
    for _ in range(int(rng.integers(12, 40))):
        centre, points = rng.uniform((0, 0), (1, bottom * art.ratio)), int(rng.integers(4, 7))
        radii = np.tile([1.0, 0.38], points) * rng.uniform(0.008, 0.03)
        art.polygon(polar(centre, radii, np.arange(2 * points) * np.pi / points - np.pi / 2), colour)


def _draw_moon(art: Canvas, rng: Generator, colour: Colour) -> None:
    """A full moon or a crescent in the upper half."""
    centre, size = (rng.uniform(0.25, 0.75), art.ratio * rng.uniform(0.4, 0.52)), rng.uniform(0.1, 0.19)
    if rng.random() < 0.4:
        art.polygon(oval(centre, size, size), colour)
        return
    sweep = np.linspace(-0.6, 0.6, 40) * np.pi
    inner = polar((centre[0] - 0.35 * size, centre[1]), size * np.hypot(np.cos(sweep) * 0.75, np.sin(sweep)), sweep)
    art.polygon([*polar(centre, size, sweep), *inner[::-1]], colour)


def _draw_castle(
    art: Canvas, rng: Generator, foot: Place, wide: float, wall: Colour, roof: Colour, lit: Colour
) -> None:
    """Towers with pointed roofs and flags, standing on ``foot``."""
    x, y = foot
    art.polygon(rect(x - 0.42 * wide, y - 0.45 * wide, x + 0.42 * wide, y + 0.2 * wide), wall)
    for place in (-0.45, 0.45, -0.2, 0.22, 0.0):
        half, tall = wide * rng.uniform(0.07, 0.11), wide * (rng.uniform(1.0, 1.3) - abs(place))
        left, right, top = x + place * wide - half, x + place * wide + half, y - tall
        art.polygon(rect(left, top, right, y + 0.2 * wide), mixed(wall, INK, rng.uniform(0, 0.15)))
        peak = (left + half, top - wide * rng.uniform(0.25, 0.4))
        art.polygon([(left - 0.3 * half, top), (right + 0.3 * half, top), peak], roof)
        art.polygon([peak, (peak[0], peak[1] - 0.09 * wide), (peak[0] + 0.1 * wide, peak[1] - 0.06 * wide)], lit)
        art.polygon(oval((left + half, top + 1.6 * half), 0.28 * half, 0.5 * half), lit)
    art.polygon(oval((x, y), 0.09 * wide, 0.2 * wide), roof)


def _draw_row_of_trees(art: Canvas, rng: Generator, colour: Colour, level: float) -> None:
    """A row of firs, or of round trees with curls in them, standing at ``level`` (a share of the height)."""
    firs = rng.random() < 0.6
    for x in np.arange(-0.03, 1.05, rng.uniform(0.1, 0.16)):
        foot, tall = level * art.ratio + rng.uniform(-0.04, 0.04), rng.uniform(0.25, 0.48)
        art.polygon(rect(x - 0.012, foot - tall * 0.6, x + 0.012, foot + 0.1), mixed(colour, INK, 0.3))
        if not firs:
            art.polygon(oval((x, foot - 0.75 * tall), 0.09, 0.1), colour)
            _draw_curl(art, (x, foot - 0.75 * tall), 0.07, rng.uniform(0, 6), 1, mixed(colour, PAPER, 0.5), 0.008)
            continue
        for step in range(3):
            y, half = foot - tall * (0.25 + 0.25 * step), tall * (0.26 - 0.06 * step)
            art.polygon([(x - half, y), (x + half, y), (x, y - 0.4 * tall)], colour)


def _draw_toadstool(art: Canvas, foot: Place, size: float, cap: Colour) -> None:
    """A toadstool with dots, ``size`` high."""
    x, y = foot
    art.polygon(
        [
            (x - 0.12 * size, y),
            (x + 0.12 * size, y),
            (x + 0.08 * size, y - 0.6 * size),
            (x - 0.08 * size, y - 0.6 * size),
        ],
        PAPER,
    )
    art.polygon(polar((x, y - 0.5 * size), 0.5 * size, np.linspace(np.pi, 2 * np.pi, 30)), cap)
    for angle, far in ((3.6, 0.33), (4.7, 0.3), (5.7, 0.34), (4.2, 0.15), (5.3, 0.14)):
        art.polygon(oval(polar((x, y - 0.5 * size), far * size, angle), 0.06 * size, 0.05 * size), PAPER)


def _draw_crown(art: Canvas, centre: Place, size: float, colour: Colour, gem: Colour) -> None:
    """A crown of half width ``size``."""
    shape = np.array([(-1, 0.6), (-1.1, -0.5), (-0.5, 0.05), (0, -0.8), (0.5, 0.05), (1.1, -0.5), (1, 0.6)])
    art.polygon(shape * size + centre, colour)
    for x, y in ((-1.1, -0.55), (0, -0.85), (1.1, -0.55), (-0.5, 0.35), (0, 0.35), (0.5, 0.35)):
        art.polygon(oval((centre[0] + x * size, centre[1] + y * size), 0.11 * size, 0.11 * size), gem)


def _draw_border(art: Canvas, rng: Generator, colour: Colour) -> None:
    """A double border with curls in its corners and dots along it."""
    inset = rng.uniform(0.03, 0.06)
    for far, width in ((inset, 0.012), (inset + 0.025, 0.005)):
        art.line(rect(far, far, 1 - far, art.ratio - far), colour, width, closed=True)
    size = rng.uniform(0.04, 0.065)
    for right, low in ((0, 0), (1, 0), (1, 1), (0, 1)):
        x, y = abs(right - inset - size), abs(low * art.ratio - inset - size)
        for part, way in ((1.0, 1), (0.65, -1)):
            shift = size * (1.6 if part < 1 else 0)
            _draw_curl(art, (x + shift * (1 - 2 * right), y), size * part, rng.uniform(0, 1), way, colour, 0.006)
            _draw_curl(art, (x, y + shift * (1 - 2 * low)), size * part, rng.uniform(0, 1), -way, colour, 0.006)
    for along in np.linspace(0.3, 0.7, 9):
        for y in (inset + 0.05, art.ratio - inset - 0.05):
            art.polygon(oval((along, y), 0.008, 0.008), colour)


def _draw_curl(art: Canvas, centre: Place, size: float, start: float, way: int, colour: Colour, width: float) -> None:
    """A curl of two turns that opens to radius ``size``; ``way`` is 1 or -1."""
    sweep = np.linspace(0, 1, 60)
    art.line(polar(centre, size * sweep, start + way * sweep * 4 * np.pi), colour, width)
