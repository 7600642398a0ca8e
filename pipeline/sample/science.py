"""Covers of science books: diagrams and formulae."""

from __future__ import annotations

import math

import numpy as np
from numpy.random import Generator

from pipeline.sample.canvas import Canvas
from pipeline.sample.chance import pick
from pipeline.sample.colours import INK, PAPER, Colour, Palette, mixed
from pipeline.sample.shapes import oval, polar, rect
from pipeline.sample.words import random_author, random_title

_FORMULAE = (
    "∇·E = ρ/ε₀",
    "∂u/∂t = α∇²u",
    "S = k ln W",
    "x² + y² = r²",
    "∫ f(x) dx",
    "PV = nRT",
    "ψ = Σ cₙφₙ",
    "λ = h/p",
)


def draw_science_diagram(art: Canvas, rng: Generator, colours: Palette) -> None:
    """A diagram on a plain, ramped or squared ground, the title above or below it."""
    grounds = (
        (colours.dark, colours.light),
        (colours.light, colours.dark),
        (PAPER, colours.dark),
        (colours.middle, PAPER),
    )
    ground, line = pick(rng, grounds)
    art.ramp(ground, mixed(ground, colours.middle, rng.uniform(0, 0.35)))
    if rng.random() < 0.45:
        _draw_squared_paper(art, rng, mixed(ground, line, 0.22))
    low = rng.random() < 0.3
    middle = art.ratio * rng.uniform(0.33, 0.38) if low else art.ratio * rng.uniform(0.6, 0.67)
    diagram = pick(
        rng, (_draw_atom, _draw_plot, _draw_molecule, _draw_orbits, _draw_rippled_surface, _draw_helix, _draw_formulae)
    )
    diagram(art, rng, middle, colours, line)
    dark = sum(ground) < 400
    top = art.ratio - rng.uniform(0.42, 0.48) if low else rng.uniform(0.03, 0.1)
    _write_title_and_authors(art, rng, top, mixed(ground, INK if dark else colours.light, 0.6), PAPER if dark else line)
    if not low and rng.random() < 0.5:
        box = (0.08, art.ratio - 0.14, 0.7, art.ratio - 0.07)
        art.text(pick(rng, _FORMULAE), box, face="DejaVuSans-Oblique", colour=PAPER if dark else line, align="left")


def _write_title_and_authors(art: Canvas, rng: Generator, top: float, band: Colour, colour: Colour) -> None:
    """Title in a sans serif face, on a band or on the ground, and the authors; ``top`` is its upper edge."""
    face = pick(rng, ("DejaVuSans", "DejaVuSans-Bold", "cmss10", "DejaVuSansMono-Bold"))
    if rng.random() < 0.5:
        art.polygon(rect(0, top, 1, top + 0.38), band)
    align = pick(rng, ("left", "left", "center"))
    box = (0.08, top + 0.04, 0.92, top + rng.uniform(0.18, 0.27))
    art.text(random_title(rng, "science"), box, face=face, colour=colour, align=align)
    last = pick(rng, (random_author(rng), f"{rng.integers(4, 9)}th Edition"))
    box = (0.08, top + 0.3, 0.8, top + 0.345)
    art.text(f"{random_author(rng)} · {last}", box, face="DejaVuSans", colour=colour, align=align)


def _draw_squared_paper(art: Canvas, rng: Generator, colour: Colour) -> None:
    """Squared paper over all of it."""
    step = rng.uniform(0.05, 0.1)
    for x in np.arange(step / 2, 1, step):
        art.line([(x, 0), (x, art.ratio)], colour, 0.003)
    for y in np.arange(step / 2, art.ratio, step):
        art.line([(0, y), (1, y)], colour, 0.003)


def _draw_atom(art: Canvas, rng: Generator, middle: float, colours: Palette, line: Colour) -> None:
    """A nucleus with its electrons on their orbits."""
    centre, size, orbits = (0.5, middle), rng.uniform(0.3, 0.42), int(rng.integers(3, 5))
    for turn in np.arange(orbits) * np.pi / orbits + rng.uniform(0, 1):
        path = oval(centre, size, size * rng.uniform(0.3, 0.4), turn)
        art.line(path, line, 0.011, closed=True)
        art.polygon(oval(path[int(rng.integers(64))], 0.026, 0.026), colours.accent)
    for x, y in rng.normal(centre, 0.03, (9, 2)):
        art.polygon(oval((x, y), 0.032, 0.032), pick(rng, (colours.accent, colours.middle, line)))


def _draw_plot(art: Canvas, rng: Generator, middle: float, colours: Palette, line: Colour) -> None:
    """Axes with curves, dots or bars."""
    left, right, top, bottom = 0.14, 0.88, middle - 0.3, middle + 0.27
    x = np.linspace(left, right, 60)
    drawn = pick(rng, ("curves", "dots", "bars"))
    for turn in range(int(rng.integers(1, 4)) if drawn == "curves" else 1):
        peak, spread = rng.uniform(0.35, 0.65), rng.uniform(0.06, 0.16)
        bell = np.exp(-(((x - peak) / spread) ** 2)) * rng.uniform(0.6, 0.95)
        y = bottom - (bottom - top) * pick(rng, (bell, 0.5 + 0.4 * np.sin(x * rng.uniform(8, 25)) * np.exp(-x)))
        if drawn == "curves":
            art.line(np.stack([x, y], axis=1), (colours.accent, line, colours.middle)[turn], 0.014)
        for place, level in zip(x[2::4], y[2::4] + rng.normal(0, 0.02, 15)[: len(x[2::4])], strict=True):
            if drawn == "dots":
                art.polygon(oval((place, level), 0.014, 0.014), colours.accent)
            elif drawn == "bars":
                art.polygon(rect(place - 0.017, min(level, bottom), place + 0.017, bottom), colours.accent)
    art.line([(left, top), (left, bottom), (right, bottom)], line, 0.01)


def _draw_molecule(art: Canvas, rng: Generator, middle: float, colours: Palette, line: Colour) -> None:
    """Rings of a molecule, a ball on every corner."""
    size, turn = rng.uniform(0.1, 0.15), rng.uniform(0, 1)
    start = np.array((rng.uniform(0.3, 0.5), middle + rng.uniform(-0.1, 0.1)))
    step = size * math.sqrt(3)
    for ring in range(int(rng.integers(2, 5))):
        centre = polar(start, step * min(ring, 1), turn + np.pi / 6 + ring * np.pi / 3)
        corners = polar(centre, size, turn + np.arange(6) * np.pi / 3)
        art.line(corners, line, 0.013, closed=True)
        for corner in corners:
            art.polygon(oval(corner, 0.026, 0.026), pick(rng, (colours.accent, colours.middle, line)))


def _draw_orbits(art: Canvas, rng: Generator, middle: float, colours: Palette, line: Colour) -> None:
    """Planets on circles around a sun, some cut by the cover's edge."""
    centre = (rng.uniform(0.1, 0.9), middle + rng.uniform(-0.1, 0.15))
    for far in np.arange(0.16, 0.8, rng.uniform(0.09, 0.15)):
        art.line(oval(centre, far, far), line, 0.005, closed=True)
        size = rng.uniform(0.015, 0.045)
        art.polygon(
            oval(polar(centre, far, rng.uniform(0, 6.3)), size, size), pick(rng, (colours.accent, colours.middle, line))
        )
    art.polygon(oval(centre, 0.08, 0.08), colours.accent)


def _draw_rippled_surface(art: Canvas, rng: Generator, middle: float, colours: Palette, line: Colour) -> None:
    """A rippled surface as a net of lines."""
    u, v = np.meshgrid(np.linspace(-1, 1, 22), np.linspace(-1, 1, 22))
    far = np.hypot(u, v) * rng.uniform(5, 10)
    lift = np.cos(far) * np.exp(-far / 6) * rng.uniform(0.12, 0.25)
    net = np.stack([0.5 + 0.3 * (u - v) * 0.8, middle + 0.18 * (u + v) - lift], axis=-1)
    for path in (*net, *net.transpose(1, 0, 2)):
        art.line(path, pick(rng, (line, line, colours.accent)), 0.006)


def _draw_helix(art: Canvas, rng: Generator, middle: float, colours: Palette, line: Colour) -> None:
    """Two strands wound around each other, with rungs."""
    y = np.linspace(middle - 0.34, middle + 0.34, 70)
    swing = np.sin(y * rng.uniform(8, 12)) * rng.uniform(0.13, 0.2)
    axis = rng.uniform(0.4, 0.6) + (y - y.mean()) * rng.uniform(-0.5, 0.5)
    one, other = np.stack([axis + swing, y], axis=1), np.stack([axis - swing, y], axis=1)
    for left, right in zip(one[::3], other[::3], strict=True):
        art.line([left, right], pick(rng, (colours.accent, colours.middle)), 0.012)
    art.line(one, line, 0.02)
    art.line(other, line, 0.02)


def _draw_formulae(art: Canvas, rng: Generator, middle: float, colours: Palette, line: Colour) -> None:
    """Formulae in rows, a circle or a triangle between them."""
    for row, words in enumerate(rng.permutation(_FORMULAE)[:5]):
        left, top = rng.uniform(0.06, 0.3), middle - 0.34 + 0.14 * row
        face = pick(rng, ("DejaVuSans-Oblique", "DejaVuSerif-Italic"))
        paint = pick(rng, (line, line, colours.accent))
        art.text(
            str(words), (left, top, left + 0.6, top + rng.uniform(0.07, 0.12)), face=face, colour=paint, align="left"
        )
    corners = polar((0.78, middle + 0.1), 0.13, rng.uniform(0, 1) + np.arange(3) * 2.1)
    art.line(pick(rng, (oval((0.78, middle), 0.12, 0.12), corners)), colours.accent, 0.01, closed=True)
