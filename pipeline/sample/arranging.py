"""Laying books and clutter where they fit."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from pipeline.boxes import Box
from pipeline.sample.books import random_book
from pipeline.sample.camera import Camera
from pipeline.sample.chance import pick
from pipeline.sample.clutter import MakeThing
from pipeline.sample.scene import Scene
from pipeline.sample.shapes import rect
from pipeline.sample.sight import Sight, silhouette
from pipeline.sample.things import Pose
from pipeline.sample.words import KINDS


def lay_clutter(scene: Scene, rng: Generator, kinds: tuple[MakeThing, ...], count: int, sight: Sight) -> None:
    """Lay ``count`` things where they hide no cover too much."""
    for _ in range(count):
        thing = pick(rng, kinds)(rng, scene.camera.scale)
        for _ in range(8):
            pose = _random_pose(rng, scene.camera, -0.05, rng.uniform(0, 2 * np.pi))
            if sight.hide(silhouette(scene.camera, thing, pose)):
                scene.lay(thing, pose)
                break


def lay_books(scene: Scene, rng: Generator, covers: Generator, count: int, sight: Sight) -> list[tuple[Box, str]]:
    """Lay ``count`` books, fewer where there is no room, and tell the bounds of their covers."""
    subjects = []
    for _ in range(count):
        kind = pick(covers, KINDS)
        book = random_book(rng, covers, kind, scene.camera.scale)
        for _ in range(60):
            turn = rng.normal(0, 0.3) if rng.random() < 0.65 else rng.uniform(0, 2 * np.pi)
            pose = _random_pose(rng, scene.camera, 0.1, turn)
            ground = pose.place(book, rect(0, 0, 1, book.art.ratio))
            cover = scene.camera.project(ground, book.thick)
            if sight.add(cover, silhouette(scene.camera, book, pose)):
                scene.lay(book, pose)
                subjects.append((Box(*cover.min(axis=0), *cover.max(axis=0)).clipped(*scene.camera.size), kind))
                break
    return subjects


def _random_pose(rng: Generator, camera: Camera, margin: float, turn: float) -> Pose:
    """Somewhere in the photo, ``margin`` (a share of its sides, may be negative) from its edges."""
    x, y = camera.ground(rng.uniform(margin, 1 - margin, 2) * camera.size)
    return Pose(float(x), float(y), turn)
