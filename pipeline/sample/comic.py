"""Covers of comics: thick outlines, printed dots, heroes and noise."""

from __future__ import annotations

import itertools
import math

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike

from pipeline.sample.canvas import Canvas
from pipeline.sample.chance import pick
from pipeline.sample.colours import INK, PAPER, Colour, Palette, hsv, random_palette
from pipeline.sample.scenery import draw_skyline
from pipeline.sample.shapes import Place, Points, oval, polar, rect
from pipeline.sample.words import random_title


def draw_comic_picture(art: Canvas, rng: Generator, colours: Palette) -> None:
    """One great picture."""
    _draw_scene(art, rng, colours)
    if rng.random() < 0.7:
        words = pick(rng, ("Not again!", "Look\nout!", "So it's\nyou!", "Run!", "To the\nroof!"))
        middle = (rng.uniform(0.25, 0.75), art.ratio * rng.uniform(0.78, 0.86))
        _draw_speech_bubble(art, rng, middle, rng.uniform(0.18, 0.24), words)
    _draw_title(art, rng, colours, rng.uniform(0.3, 0.45))
    if rng.random() < 0.6:
        _draw_issue_number(art, rng)


def draw_comic_panels(art: Canvas, rng: Generator, colours: Palette) -> None:
    """Panels below the title."""
    art.polygon(rect(0, 0, 1, art.ratio), pick(rng, (PAPER, INK, colours.light)))
    head, gap = rng.uniform(0.25, 0.4), rng.uniform(0.015, 0.035)
    rows = np.linspace(head + gap, art.ratio - gap, int(rng.integers(2, 4)) + 1)
    for top, bottom in itertools.pairwise(rows):
        cuts = (0.0, 1.0) if rng.random() < 0.25 else (0.0, rng.uniform(0.35, 0.65), 1.0)
        for left, right in itertools.pairwise(cuts):
            bounds = (left + gap, top, right - gap, bottom - gap)
            panel = art.part(bounds, colours.light)
            _draw_scene(panel, rng, random_palette(rng, 1.2) if rng.random() < 0.3 else colours)
            if rng.random() < 0.4:
                middle = (rng.uniform(0.3, 0.7), 0.2)
                _draw_speech_bubble(panel, rng, middle, 0.26, pick(rng, ("Ha!", "What?", "Oh no!")))
            art.paste(panel, bounds[0], bounds[1])
            art.line(rect(*bounds), INK, 0.016, closed=True)
    _draw_title(art, rng, colours, head)


def _draw_title(art: Canvas, rng: Generator, colours: Palette, bottom: float) -> None:
    """The title over the top of the cover, down to ``bottom``."""
    if rng.random() < 0.5:
        art.polygon(rect(0, 0, 1, bottom), pick(rng, (colours.accent, colours.dark, PAPER, colours.middle)), edge=0.016)
    words = random_title(rng, "comic").upper()
    words = words.replace("\n", " ") if rng.random() < 0.3 else words
    face = pick(rng, ("DejaVuSans-Bold", "DejaVuSans-BoldOblique", "STIXGeneralBolIta", "cmss10"))
    paint = pick(rng, (colours.light, PAPER, hsv(rng.uniform(0.1, 0.17), 0.9, 1)))
    art.text(words, (0.05, 0.03, 0.95, bottom - 0.02), face=face, colour=paint, edge=0.1, tilt=rng.uniform(-5, 5))


def _draw_issue_number(art: Canvas, rng: Generator) -> None:
    """The number in a disc at the right edge."""
    x, y = 0.87, rng.uniform(0.5, art.ratio - 0.15)
    art.polygon(oval((x, y), 0.09, 0.09), PAPER, edge=0.01)
    box = (x - 0.05, y - 0.05, 0.92, y + 0.05)
    art.text(f"No.\n{rng.integers(1, 99)}", box, face="DejaVuSans-Bold", colour=INK)


def _draw_scene(art: Canvas, rng: Generator, colours: Palette) -> None:
    """What fills a panel, or a whole cover."""
    back, dots = pick(
        rng, ((colours.middle, colours.light), (colours.light, colours.accent), (colours.accent, colours.middle))
    )
    art.polygon(rect(0, 0, 1, art.ratio), back)
    pick(rng, (_draw_halftone, _draw_rays, _draw_halftone))(art, rng, dots)
    if rng.random() < 0.35:
        draw_skyline(art, rng, colours.dark, colours.light, 0.75, 0.012)
    middle, span = (rng.uniform(0.4, 0.6), art.ratio * rng.uniform(0.52, 0.62)), min(1.1, art.ratio)
    drawn = pick(rng, ("hero", "hero", "face", "burst"))
    if drawn == "hero":
        _draw_hero(art, rng, middle, span * rng.uniform(0.75, 0.95), colours)
    elif drawn == "face":
        _draw_shouting_head(art, rng, middle, span * rng.uniform(0.6, 0.85), colours)
    else:
        _draw_noise_word(art, rng, middle, span * rng.uniform(0.32, 0.42), colours)


def _draw_halftone(art: Canvas, rng: Generator, colour: Colour) -> None:
    """Printed dots over all of it, swelling towards one corner."""
    high, wide = art.pixels.shape[:2]
    pitch = max(4.0, wide * rng.uniform(0.025, 0.05))
    y, x = np.ogrid[:high, :wide]
    along, across = ((x + y) / math.sqrt(2)).astype(np.float32), ((x - y) / math.sqrt(2)).astype(np.float32)
    far = np.hypot(along % pitch - pitch / 2, across % pitch - pitch / 2)
    swell = (x / wide if rng.random() < 0.5 else 1 - x / wide) * 0.4 + (
        y / high if rng.random() < 0.5 else 1 - y / high
    )
    art.blend((np.clip(swell * pitch * 0.45 - far + 0.5, 0, 1) * 255).astype(np.uint8), colour)


def _draw_rays(art: Canvas, rng: Generator, colour: Colour) -> None:
    """Wedges that shine from a point near the middle."""
    centre, count = (rng.uniform(0.3, 0.7), rng.uniform(0.35, 0.65) * art.ratio), int(rng.integers(8, 20))
    for angle in np.arange(count) * 2 * np.pi / count:
        art.polygon([centre, *polar(centre, 3.0, [angle, angle + np.pi / count])], colour)


def _draw_hero(art: Canvas, rng: Generator, centre: Place, tall: float, colours: Palette) -> None:
    """A caped figure with thick outlines, leaning to one side; ``tall`` high."""
    turn, side = rng.uniform(-0.6, 0.6), pick(rng, (-1, 1))
    cos, sin = math.cos(turn), math.sin(turn)

    def put(points: ArrayLike, colour: Colour) -> None:
        turned = np.asarray(points) * (side, 1) @ np.array([[cos, sin], [-sin, cos]])
        art.polygon(turned * tall + centre, colour, edge=0.013)

    skin = hsv(0.07, rng.uniform(0.25, 0.6), rng.uniform(0.45, 0.98))
    suit = pick(rng, (colours.middle, colours.dark, colours.accent))
    put(
        [(-0.12, -0.22), (0.1, -0.22), (0.38, 0.25), (0.3, 0.5), (0.12, 0.36), (-0.05, 0.5), (-0.2, 0.3)],
        colours.accent,
    )
    put([(-0.1, 0.08), (0.0, 0.1), (-0.06, 0.5), (-0.16, 0.5)], suit)
    put([(0.0, 0.1), (0.1, 0.08), (0.2, 0.46), (0.1, 0.5)], suit)
    put([(-0.14, -0.2), (-0.06, -0.17), (-0.2, -0.5), (-0.29, -0.48)], suit)
    put([(0.06, -0.2), (0.15, -0.22), (0.25, 0.0), (0.12, 0.07), (0.09, 0.02), (0.15, -0.02)], suit)
    put([(-0.15, -0.22), (0.15, -0.22), (0.1, 0.12), (-0.1, 0.12)], suit)
    put(oval((0, -0.08), 0.06, 0.06), colours.light)
    put(oval((-0.25, -0.52), 0.06, 0.06), skin)
    put(oval((0, -0.34), 0.09, 0.12), skin)
    put([(-0.09, -0.4), (0.09, -0.4), (0.08, -0.32), (0, -0.34), (-0.08, -0.32)], colours.accent)


def _draw_shouting_head(art: Canvas, rng: Generator, centre: Place, tall: float, colours: Palette) -> None:
    """A shouting head with thick outlines, ``tall`` high."""
    skin = hsv(rng.choice([0.07, 0.07, rng.random()]), rng.uniform(0.25, 0.6), rng.uniform(0.5, 0.98))
    x, y = centre
    spikes = _burst_outline(rng, (x, y - 0.12 * tall), 0.46 * tall, 0.46 * tall)
    curls = oval((x, y - 0.1 * tall), rng.uniform(0.34, 0.5) * tall, 0.45 * tall)
    art.polygon(pick(rng, (spikes, curls)), pick(rng, (INK, colours.dark, colours.accent)), edge=0.014)
    art.polygon(oval(centre, 0.32 * tall, 0.42 * tall), skin, edge=0.014)
    for side in (-1, 1):
        eye = (x + side * 0.13 * tall, y - 0.08 * tall)
        art.polygon(oval(eye, 0.09 * tall, rng.uniform(0.05, 0.1) * tall), PAPER, edge=0.01)
        art.polygon(oval(eye, 0.03 * tall, 0.04 * tall), INK)
        art.line(
            [(eye[0] - side * 0.1 * tall, eye[1] - 0.08 * tall), (eye[0] + side * 0.1 * tall, eye[1] - 0.16 * tall)],
            INK,
            0.022,
        )
    art.polygon(oval((x, y + 0.2 * tall), 0.14 * tall, rng.uniform(0.04, 0.13) * tall), (120, 20, 30), edge=0.012)


def _draw_noise_word(art: Canvas, rng: Generator, centre: Place, size: float, colours: Palette) -> None:
    """A noise written in a burst, ``size`` its half axis."""
    x, y = centre
    art.polygon(_burst_outline(rng, centre, size * 1.15, size), colours.accent, edge=0.016)
    art.polygon(_burst_outline(rng, centre, size * 0.85, size * 0.72), colours.light, edge=0.01)
    words = pick(rng, ("POW!", "ZAP!", "BOOM!", "KRAK!", "WHAM!", "BZZT!"))
    box = (x - 0.72 * size, y - 0.35 * size, x + 0.72 * size, y + 0.35 * size)
    tilt = rng.uniform(-15, 15)
    art.text(
        words, box, face="DejaVuSans-Bold", colour=pick(rng, (colours.accent, colours.middle)), edge=0.09, tilt=tilt
    )


def _burst_outline(rng: Generator, centre: Place, across: float, down: float) -> Points:
    """A jagged star around ``centre`` with the given half axes."""
    spikes = int(rng.integers(9, 18))
    radii = np.tile([1.0, rng.uniform(0.6, 0.78)], spikes) * rng.uniform(0.88, 1.08, 2 * spikes)
    return np.asarray(centre) + polar((0, 0), radii, np.arange(2 * spikes) * np.pi / spikes) * (across, down)


def _draw_speech_bubble(art: Canvas, rng: Generator, centre: Place, across: float, words: str) -> None:
    """A speech bubble with its tail down to one side."""
    x, y = centre
    down, side = across * rng.uniform(0.45, 0.65), pick(rng, (-1, 1))
    tail = [
        (x - 0.25 * across, y + 0.7 * down),
        (x + 0.25 * across, y + 0.7 * down),
        (x + side * across, y + 1.9 * down),
    ]
    art.polygon(tail, PAPER, edge=0.012)
    art.polygon(oval(centre, across, down), PAPER, edge=0.012)
    art.polygon([(a, b - 0.12 * down) for a, b in tail[:2]] + [(x, y + 0.9 * down)], PAPER)
    box = (x - 0.68 * across, y - 0.55 * down, x + 0.68 * across, y + 0.55 * down)
    art.text(words, box, face="DejaVuSans-BoldOblique", colour=INK)
