"""Things on a desk that are no books.

Each function makes one of them, ``scale`` pixels to the centimetre.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.random import Generator

from pipeline.sample.canvas import Canvas
from pipeline.sample.chance import pick
from pipeline.sample.colours import INK, PAPER, Colour, hsv, mixed
from pipeline.sample.shapes import Bounds, oval, rect, rounded_rect
from pipeline.sample.things import Thing


def _canvas(wide: float, scale: float, ratio: float, colour: Colour | None = None) -> Canvas:
    """A canvas for something ``wide`` centimetres wide."""
    return Canvas(max(16, round(wide * scale)), ratio, colour)


def _scribble(art: Canvas, rng: Generator, box: Bounds, step: float, colour: Colour) -> None:
    """Lines that look like writing."""
    left, top, right, bottom = box
    for y in np.arange(top, bottom, step):
        x = left
        end = right - rng.uniform(0, 0.3) * (right - left) * (rng.random() < 0.3)
        while x < end:
            word = rng.uniform(0.6, 3) * step
            art.line([(x, y), (min(x + word, end), y)], colour, step * 0.17)
            x += word + 0.5 * step


def _sheet(rng: Generator, scale: float) -> Thing:
    art = _canvas(21, scale, 1.414, mixed(PAPER, hsv(rng.random(), 0.3, 1), rng.uniform(0, 0.4)))
    grey = mixed(INK, PAPER, rng.uniform(0.2, 0.6))
    top = rng.uniform(0.1, 0.4)
    if rng.random() < 0.4:
        art.polygon(rect(0.12, 0.12, rng.uniform(0.4, 0.88), 0.18), grey)
    _scribble(art, rng, (0.12, top, 0.88, rng.uniform(0.7, 1.3)), rng.uniform(0.025, 0.04), grey)
    if rng.random() < 0.4:
        left, low = rng.uniform(0.12, 0.4), rng.uniform(0.6, 0.85)
        art.polygon(rect(left, low, left + 0.45, low + 0.4), mixed(PAPER, hsv(rng.random(), 0.6, 0.8), 0.5))
    return Thing(art, 21, 0.02)


def _pad(rng: Generator, scale: float) -> Thing:
    wide, ratio = pick(rng, ((15.0, 1.4), (10.5, 1.4), (21.0, 1.35)))
    art = _canvas(wide, scale, ratio, mixed(PAPER, hsv(0.14, 0.5, 1), rng.uniform(0, 0.5)))
    for y in np.arange(0.12, ratio, rng.uniform(0.03, 0.06)):
        art.line([(0, y), (1, y)], (150, 175, 205), 0.003)
    _scribble(art, rng, (0.1, 0.2, 0.9, rng.uniform(0.3, ratio)), 0.07, hsv(rng.uniform(0.55, 0.7), 0.7, 0.4))
    for x in np.arange(0.04, 1, 0.05):
        art.line([(x, 0.0), (x, 0.06)], (60, 60, 66), 0.012)
    return Thing(art, wide, 0.7, rect(0, 0, 1, ratio), (mixed(PAPER, INK, 0.15),), leaves=True)


def _sticky(rng: Generator, scale: float) -> Thing:
    art = _canvas(7.6, scale, 1, hsv(rng.random(), rng.uniform(0.3, 0.65), rng.uniform(0.9, 1)))
    _scribble(art, rng, (0.1, 0.2, 0.9, rng.uniform(0.3, 0.9)), 0.13, INK)
    return Thing(art, 7.6, 0.1)


def _envelope(rng: Generator, scale: float) -> Thing:
    art = _canvas(22, scale, 0.5, mixed(PAPER, hsv(0.09, 0.5, 0.8), rng.uniform(0, 0.8)))
    if rng.random() < 0.5:
        art.line([(0, 0), (0.5, 0.28), (1, 0)], mixed(PAPER, INK, 0.4), 0.004)
    else:
        _scribble(art, rng, (0.5, 0.28, 0.8, 0.42), 0.045, INK)
        art.polygon(rect(0.88, 0.04, 0.96, 0.15), hsv(rng.random(), 0.6, 0.7))
    return Thing(art, 22, 0.08)


def _pen(rng: Generator, scale: float) -> Thing:
    art, body = _canvas(14, scale, 0.07), hsv(rng.random(), rng.uniform(0, 0.9), rng.uniform(0.1, 0.95))
    art.polygon([(0.12, 0.005), (0.99, 0.005), (0.99, 0.065), (0.12, 0.065), (0, 0.035)], body)
    art.polygon([(0.05, 0.02), (0.05, 0.05), (0, 0.035)], mixed(body, INK, 0.7))
    art.polygon(rect(0.14, 0.013, 0.98, 0.027), mixed(body, PAPER, 0.5))
    if rng.random() < 0.6:
        art.polygon(rect(0.66, 0.005, 0.99, 0.065), mixed(body, INK, 0.35))
        art.polygon(rect(0.7, 0.025, 0.96, 0.045), (190, 190, 195))
    return Thing(art, 14, 0.7)


def _ruler(rng: Generator, scale: float) -> Thing:
    art = _canvas(21, scale, 0.14, pick(rng, ((214, 190, 140), (225, 228, 230), hsv(rng.random(), 0.5, 0.9))))
    for tick in range(1, 41):
        art.line([(tick / 41, 0), (tick / 41, 0.03 if tick % 2 else 0.055)], INK, 0.002)
    return Thing(art, 21, 0.15)


def _mug(rng: Generator, scale: float) -> Thing:
    art, glaze = _canvas(12, scale, 1), hsv(rng.random(), rng.uniform(0, 0.8), rng.uniform(0.2, 0.98))
    rim = oval((0.4, 0.5), 0.34, 0.34)
    art.polygon(rounded_rect(0.12, 0.05) * (0.3, 1) + (0.68, 0.44), mixed(glaze, INK, 0.2))
    art.polygon(rim, glaze)
    art.polygon(oval((0.4, 0.5), 0.3, 0.3), mixed(glaze, INK, 0.4))
    art.polygon(
        oval((0.4, 0.51), 0.285, 0.28), pick(rng, ((62, 36, 20), (120, 60, 20), (190, 150, 115), (235, 235, 230)))
    )
    return Thing(art, 12, 9.0, rim, (glaze,))


def _phone(rng: Generator, scale: float) -> Thing:
    shell, shape = hsv(rng.random(), rng.uniform(0, 0.5), rng.uniform(0.08, 0.9)), rounded_rect(2.05, 0.12)
    art = _canvas(7.4, scale, 2.05)
    art.polygon(shape, shell)
    if rng.random() < 0.6:
        art.polygon(
            (shape - (0.5, 1.025)) * (0.92, 0.96) + (0.5, 1.025), hsv(rng.random(), 0.5, rng.uniform(0.04, 0.25))
        )
    else:
        art.polygon(rounded_rect(0.4, 0.1) * 0.42 + (0.06, 0.06), mixed(shell, INK, 0.25))
        for y in (0.1, 0.2):
            art.polygon(oval((0.15 + y, y + 0.03), 0.05, 0.05), INK)
    return Thing(art, 7.4, 0.8, shape, (mixed(shell, INK, 0.4),))


def _draw_keys(art: Canvas, box: Bounds, columns: int, colour: Colour, print_: Colour) -> None:
    left, top, right, bottom = box
    wide, high = (right - left) / columns, (bottom - top) / 5
    for row in range(5):
        for column in range(columns):
            x, y = left + column * wide, top + row * high
            art.polygon(rect(x + 0.06 * wide, y + 0.06 * high, x + 0.94 * wide, y + 0.92 * high), colour)
            art.line([(x + 0.25 * wide, y + 0.35 * high), (x + 0.34 * wide, y + 0.35 * high)], print_, 0.002)


def _keyboard(rng: Generator, scale: float) -> Thing:
    case = hsv(rng.random(), rng.uniform(0, 0.15), rng.uniform(0.08, 0.95))
    key, print_ = (mixed(case, PAPER, 0.15), PAPER) if sum(case) < 380 else (mixed(case, INK, 0.08), INK)
    art = _canvas(30, scale, 0.38)
    art.polygon(rounded_rect(0.38, 0.02), case)
    _draw_keys(art, (0.02, 0.03, 0.98, 0.35), 15, key, print_)
    return Thing(art, 30, 1.4, rounded_rect(0.38, 0.02), (mixed(case, INK, 0.3),))


def _laptop(rng: Generator, scale: float) -> Thing:
    case, art = hsv(0.6, rng.uniform(0, 0.08), rng.uniform(0.3, 0.9)), _canvas(32, scale, 0.7)
    art.polygon(rounded_rect(0.7, 0.03), case)
    _draw_keys(art, (0.08, 0.06, 0.92, 0.38), 14, mixed(INK, PAPER, rng.uniform(0, 0.15)), (200, 200, 200))
    art.polygon(rounded_rect(0.65, 0.03) * 0.36 + (0.32, 0.42), mixed(case, INK, 0.08))
    return Thing(art, 32, 1.3, rounded_rect(0.7, 0.03), (mixed(case, INK, 0.3),))


def _cable(rng: Generator, scale: float) -> Thing:
    art, colour = _canvas(36, scale, 1), pick(rng, (INK, PAPER, (90, 90, 95), hsv(rng.random(), 0.6, 0.7)))
    along, phase = np.linspace(0, 1, 120), rng.uniform(0, 6, 4)
    x = 0.5 + 0.3 * np.sin(3 * along + phase[0]) + 0.15 * np.sin(9 * along + phase[1])
    y = 0.5 + 0.3 * np.sin(4 * along + phase[2]) + 0.15 * np.sin(8 * along + phase[3])
    art.line(np.stack([x, y], axis=1), colour, 0.013)
    art.line(np.stack([x, y - 0.003], axis=1), mixed(colour, PAPER, 0.3), 0.003)
    return Thing(art, 36, 0.4)


def _coin(rng: Generator, scale: float) -> Thing:
    art, metal = _canvas(2.3, scale, 1), pick(rng, ((196, 160, 70), (180, 180, 182), (170, 105, 65)))
    art.polygon(oval((0.5, 0.5), 0.49, 0.49), mixed(metal, INK, 0.25))
    art.polygon(oval((0.5, 0.5), 0.42, 0.42), metal)
    art.text(
        f"{pick(rng, (1, 2, 5, 10, 20, 50))}",
        (0.28, 0.28, 0.72, 0.72),
        face="DejaVuSans-Bold",
        colour=mixed(metal, INK, 0.4),
    )
    return Thing(art, 2.3, 0.2)


def _leaf(rng: Generator, scale: float) -> Thing:
    art, green = _canvas(8, scale, 0.6), hsv(rng.uniform(0.04, 0.35), rng.uniform(0.4, 0.8), rng.uniform(0.3, 0.75))
    along = np.linspace(0, 1, 30)
    half = 0.24 * np.sin(np.pi * along**0.8) * (1 + 0.06 * np.sin(40 * along))
    rim = np.concatenate([np.stack([along, 0.3 - half], axis=1), np.stack([along, 0.3 + half], axis=1)[::-1]])
    art.polygon(rim * (0.85, 1), green)
    vein = mixed(green, PAPER, 0.35)
    art.line([(0, 0.3), (1, 0.31)], vein, 0.012)
    for x in np.arange(0.12, 0.75, 0.1):
        for side in (-1, 1):
            art.line([(x, 0.3), (x + 0.1, 0.3 + side * 0.14)], vein, 0.006)
    return Thing(art, 8, 0.3)


def _glasses(rng: Generator, scale: float) -> Thing:
    art, rim = _canvas(14, scale, 0.95), hsv(rng.random(), rng.uniform(0, 0.7), rng.uniform(0.05, 0.6))
    for x, way in ((0.27, -1), (0.73, 1)):
        art.line(oval((x, 0.78), 0.19, 0.15), rim, 0.025, closed=True)
        art.line([(x + way * 0.19, 0.75), (x + way * 0.2, 0.2), (x + way * 0.1, 0.05)], rim, 0.02)
    art.line([(0.46, 0.76), (0.5, 0.73), (0.54, 0.76)], rim, 0.025)
    return Thing(art, 14, 1.5)


MakeThing = Callable[[Generator, float], Thing]

# What stands twice is twice as likely.
LARGE_CLUTTER: tuple[MakeThing, ...] = (_sheet, _sheet, _pad, _envelope, _keyboard, _laptop, _cable)
SMALL_CLUTTER: tuple[MakeThing, ...] = (
    _pen,
    _pen,
    _sticky,
    _mug,
    _phone,
    _coin,
    _coin,
    _leaf,
    _ruler,
    _glasses,
    _cable,
)
