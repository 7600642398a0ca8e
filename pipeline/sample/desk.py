"""The bare desk: wood, stone or cloth."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from pipeline.sample.camera import Camera, Frame
from pipeline.sample.chance import pick
from pipeline.sample.colours import hsv


def draw_desk(rng: Generator, camera: Camera) -> Frame:
    """The bare desk, as the camera sees it."""
    texture = pick(rng, (_wood, _wood, _stone, _cloth))
    wood = hsv(rng.uniform(0.05, 0.11), rng.uniform(0.25, 0.65), rng.uniform(0.3, 0.85))
    plain = hsv(rng.random(), rng.uniform(0, 0.45), rng.uniform(0.15, 0.95))
    colour = wood if texture is _wood and rng.random() < 0.85 else plain
    size = max(camera.size) * 5 // 8
    light = texture(rng, size)
    board = np.clip(light[..., None] * np.array(colour, dtype=np.float32), 0, 255).astype(np.uint8)
    span, turn = 110.0, rng.choice([0.0, np.pi / 2]) + rng.normal(0, 0.25)
    cos, sin = span / size * math.cos(turn), span / size * math.sin(turn)
    middle = np.array([[cos, -sin, (sin - cos) * size / 2], [sin, cos, -(sin + cos) * size / 2], [0, 0, 1]])
    seen = cv2.warpPerspective(board, camera.desk() @ middle, camera.size, borderMode=cv2.BORDER_REFLECT)
    return np.asarray(seen, dtype=np.uint8)


def _wood(rng: Generator, size: int) -> NDArray[np.float32]:
    """Relative brightness (size, size) of boards."""
    grain = (
        0.05 * _smooth_noise(rng, 400, 6, size)
        + 0.05 * _smooth_noise(rng, 90, 4, size)
        + 0.04 * _smooth_noise(rng, 12, 3, size)
    )
    rings = 0.05 * np.sin(40 * _smooth_noise(rng, 7, 2, size) * rng.uniform(0.1, 0.4))
    boards = int(rng.integers(1, 12))
    board = np.arange(size) * boards // size
    tone = rng.normal(0, 0.07, boards)[board] - 0.4 * (np.diff(board, prepend=0) > 0)
    return np.asarray(1 + grain + rings + (tone[:, None] if boards > 3 else 0), dtype=np.float32)


def _stone(rng: Generator, size: int) -> NDArray[np.float32]:
    """Relative brightness (size, size) of a speckled or a plain board."""
    speck, strength = _smooth_noise(rng, 500, 500, size), rng.choice([0.0, 0.03, 0.1])
    return 1 + np.float32(strength) * speck + np.float32(0.03) * _smooth_noise(rng, 6, 6, size)


def _cloth(rng: Generator, size: int) -> NDArray[np.float32]:
    """Relative brightness (size, size) of a striped or checked cloth."""
    along = np.sin(np.arange(size, dtype=np.float32) / size * rng.uniform(20, 150))
    stripe, depth = np.tanh(along * 4), rng.uniform(0.03, 0.16)
    check = stripe[:, None] + (stripe[None] if rng.random() < 0.5 else 0)
    return np.asarray(1 + depth * check + 0.05 * _smooth_noise(rng, 300, 300, size), dtype=np.float32)


def _smooth_noise(rng: Generator, rows: int, columns: int, size: int) -> NDArray[np.float32]:
    """Smooth noise (size, size) of about unit variance, with so many bumps down and across."""
    bumps = rng.standard_normal((rows, columns), dtype=np.float32)
    return np.asarray(cv2.resize(bumps, (size, size), interpolation=cv2.INTER_CUBIC), dtype=np.float32)
