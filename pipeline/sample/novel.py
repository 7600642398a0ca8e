"""Covers of novels: quiet landscapes, plain type, one large thing."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from pipeline.sample.canvas import Canvas
from pipeline.sample.chance import pick
from pipeline.sample.colours import INK, PAPER, Colour, Palette, mixed
from pipeline.sample.scenery import draw_bare_tree, draw_hills, draw_skyline, draw_walker
from pipeline.sample.shapes import oval, rect
from pipeline.sample.words import random_author, random_title


def draw_novel_landscape(art: Canvas, rng: Generator, colours: Palette) -> None:
    """A wide sky over hills, water or a town, with someone or something alone in it."""
    top, bottom = pick(
        rng, ((colours.middle, colours.light), (colours.dark, colours.accent), (colours.light, colours.middle))
    )
    art.ramp(top, mixed(bottom, top, rng.uniform(0, 0.4)))
    if rng.random() < 0.5:
        size = rng.uniform(0.06, 0.2)
        art.polygon(oval((rng.uniform(0.2, 0.8), art.ratio * 0.6), size, size), mixed(bottom, PAPER, 0.6))
    shade = mixed(colours.dark, INK, 0.5)
    level = rng.uniform(0.66, 0.8)
    draw_hills(art, rng, mixed(bottom, shade, 0.4), shade, np.linspace(level, 0.9, int(rng.integers(1, 4))).tolist())
    lone = pick(rng, ("walker", "tree", "town", "none"))
    foot = np.array((rng.uniform(0.25, 0.75), art.ratio * 0.9))
    if lone == "walker":
        draw_walker(art, foot, rng.uniform(0.12, 0.25), INK)
    elif lone == "tree":
        draw_bare_tree(art, rng, foot, rng.uniform(0.13, 0.2), -np.pi / 2, INK)
    elif lone == "town":
        draw_skyline(art, rng, shade, mixed(shade, colours.light, 0.6), 0.88, 0)
    _write_title_and_author(art, rng, PAPER if sum(top) < 400 else colours.dark, mixed(PAPER, bottom, 0.3))


def draw_novel_type(art: Canvas, rng: Generator, colours: Palette) -> None:
    """Type on a plain ground, with a rule or a border, hardly more."""
    ground, type_ = pick(
        rng, ((colours.light, colours.dark), (colours.dark, colours.light), (colours.middle, PAPER), (PAPER, INK))
    )
    art.ramp(ground, mixed(ground, type_, rng.uniform(0, 0.2)))
    low = rng.random() < 0.3
    _write_title_and_author(art, rng, type_, type_, low=low)
    _draw_ornament(art, rng, type_, colours, low)


def _draw_ornament(art: Canvas, rng: Generator, type_: Colour, colours: Palette, low: bool) -> None:
    """A rule, a border, a label or a band, clear of the title, which stands below the middle where ``low``."""
    drawn = pick(rng, ("rule", "border", "label", "band"))
    if drawn == "border":
        art.line(rect(0.05, 0.05, 0.95, art.ratio - 0.05), type_, 0.006, closed=True)
        if not low:
            draw_walker(art, (0.5, art.ratio * 0.75), rng.uniform(0.1, 0.4), pick(rng, (type_, colours.accent)))
    elif drawn == "rule":
        y = art.ratio * rng.uniform(0.48, 0.54)
        art.line([(0.35, y), (0.65, y)], type_, 0.007)
    elif drawn == "band":
        top = art.ratio * (0.0 if low else 0.45)
        bottom = top + art.ratio * rng.uniform(0.2, 0.4)
        art.polygon(rect(0, top, 1, bottom), pick(rng, (colours.accent, colours.middle)))
    else:
        art.polygon(oval((0.5, art.ratio * (0.3 if low else 0.68)), 0.05, 0.07), colours.accent)


def draw_novel_emblem(art: Canvas, rng: Generator, colours: Palette) -> None:
    """One large quiet thing: a disc, a window, stripes or a bare branch."""
    ground, thing = pick(
        rng, ((colours.light, colours.accent), (colours.dark, colours.middle), (colours.middle, colours.light))
    )
    art.polygon(rect(0, 0, 1, art.ratio), ground)
    _draw_emblem(art, rng, thing, ground)
    words = PAPER if sum(ground) < 400 else INK
    _write_title_and_author(art, rng, words, words)


def _draw_emblem(art: Canvas, rng: Generator, thing: Colour, ground: Colour) -> None:
    drawn, middle = pick(rng, ("disc", "window", "stripes", "branch")), art.ratio * 0.64
    if drawn == "disc":
        size = rng.uniform(0.18, 0.34)
        art.polygon(oval((rng.uniform(0.3, 0.7), middle), size, size), thing)
    elif drawn == "window":
        art.polygon(rect(0.3, middle - 0.3, 0.7, middle + 0.25), thing)
        art.line([(0.5, middle - 0.3), (0.5, middle + 0.25)], ground, 0.02)
        art.line([(0.3, middle - 0.05), (0.7, middle - 0.05)], ground, 0.02)
    elif drawn == "stripes":
        for y in np.linspace(middle - 0.25, middle + 0.25, int(rng.integers(3, 7))):
            art.polygon(rect(0, y, 1, y + 0.04), mixed(thing, ground, rng.uniform(0, 0.6)))
    else:
        foot = np.array((rng.uniform(0.1, 0.3), art.ratio))
        draw_bare_tree(art, rng, foot, rng.uniform(0.24, 0.32), rng.uniform(-1.6, -1.1), thing)


def _write_title_and_author(art: Canvas, rng: Generator, colour: Colour, foot: Colour, *, low: bool = False) -> None:
    """Title and author in a serif face, the title above the middle or with ``low`` below it.

    The title has ``colour``, and so has the author above it; at the foot of the cover the author has colour ``foot``.
    """
    face = pick(rng, ("DejaVuSerif", "STIXGeneral", "DejaVuSerif-Bold", "cmr10", "STIXGeneralItalic"))
    words, author = random_title(rng, "novel"), random_author(rng)
    if rng.random() < 0.5:
        words, author = words.upper(), author.upper()
    top, inset = rng.uniform(0.58, 0.64) if low else rng.uniform(0.13, 0.18), rng.uniform(0.1, 0.2)
    box = (inset, top * art.ratio, 1 - inset, top * art.ratio + rng.uniform(0.2, 0.34))
    art.text(words, box, face=face, colour=colour)
    head = not low and rng.random() < 0.4
    line = 0.08 if head else art.ratio - rng.uniform(0.17, 0.22)
    author = author.replace(" ", "\n") if not head and rng.random() < 0.25 else author
    art.text(author, (0.15, line, 0.85, line + rng.uniform(0.05, 0.1)), face=face, colour=colour if head else foot)
