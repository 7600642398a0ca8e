"""The photo as a phone takes it: light, blur, grain."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from pipeline.sample.camera import Frame
from pipeline.sample.shapes import SUBPIXEL_BITS, fixed_point


def exposed(frame: Frame, rng: Generator) -> Frame:
    """What the phone makes of the painted scene."""
    high, wide = frame.shape[:2]
    light = _light_gains(rng, (wide, high))
    seen = np.asarray(cv2.multiply(_blurred(frame, rng), light, dtype=cv2.CV_32F), dtype=np.float32)
    # A small photo is a large one shrunk: its grain is finer.
    grain = rng.uniform(3, 6) * (max(frame.shape) / 4032) ** 0.35
    seen += rng.standard_normal((high, wide, 1), dtype=np.float32) * np.float32(grain)
    blotch = rng.standard_normal((high // 2, wide // 2, 3), dtype=np.float32) * np.float32(grain * 0.6)
    seen += np.asarray(cv2.resize(blotch, (wide, high), interpolation=cv2.INTER_LINEAR), dtype=np.float32)
    return np.clip(seen, 0, 255).astype(np.uint8)


def _light_gains(rng: Generator, size: tuple[int, int]) -> NDArray[np.float32]:
    """Gains (H, W, 3) of uneven light, the light's colour and the lens's dark corners."""
    wide, high = (max(2, side * 64 // max(size)) for side in size)
    y, x = np.mgrid[-1 : 1 : high * 1j, -1 : 1 : wide * 1j]
    angle, lamp = rng.uniform(0, 2 * np.pi), rng.uniform(-1, 1, 2)
    across = x * math.cos(angle) + y * math.sin(angle)
    light = 1 + rng.uniform(0, 0.3) * across
    glow = rng.uniform(0, 0.4) * np.exp(-((x - lamp[0]) ** 2 + (y - lamp[1]) ** 2) / rng.uniform(0.3, 1.5))
    if rng.random() < 0.3:  # somebody's shadow, the photographer's perhaps
        light -= rng.uniform(0.1, 0.35) / (1 + np.exp((across - rng.uniform(-0.7, 0.7)) * rng.uniform(4, 25)))
    corners = 1 - rng.uniform(0.05, 0.3) * (x**2 + y**2) / 2
    tint = np.array([rng.normal(1, 0.06), 1.0, rng.normal(1, 0.08)])
    warm = np.array([1.0, 0.85, 0.6])
    gains = (light[..., None] + glow[..., None] * warm) * corners[..., None] * tint * rng.uniform(0.78, 1.12)
    return np.asarray(cv2.resize(gains.astype(np.float32), size, interpolation=cv2.INTER_LINEAR), dtype=np.float32)


def _blurred(frame: Frame, rng: Generator) -> Frame:
    """A slightly wrong focus, or a hand that moved."""
    unit = max(frame.shape) / 640
    if rng.random() < 0.3:
        return _shaken(frame, rng, unit)
    return np.asarray(cv2.GaussianBlur(frame, (0, 0), rng.uniform(0.2, 0.6) * unit), dtype=np.uint8)


def _shaken(frame: Frame, rng: Generator, unit: float) -> Frame:
    """Blurred along a straight way, about ``unit`` pixels long."""
    reach, angle = rng.uniform(0.5, 1.4) * unit, rng.uniform(0, np.pi)
    side = 2 * math.ceil(reach) + 1
    path = np.zeros((side, side), dtype=np.float32)
    way = np.array([math.cos(angle), math.sin(angle)]) * reach
    ends = fixed_point(np.stack([side // 2 - way, side // 2 + way]))
    cv2.line(path, ends[0].tolist(), ends[1].tolist(), 1.0, 1, cv2.LINE_8, SUBPIXEL_BITS)
    return np.asarray(cv2.filter2D(frame, -1, path / path.sum()), dtype=np.uint8)
