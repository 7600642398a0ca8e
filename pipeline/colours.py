"""RGB pixels of whatever a decoder gives: grey, 16 bit, CMYK, a palette, transparent."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]
"""Upright pixels, shape (height, width, 3), RGB, 0 to 255."""

_STRIP_PIXELS = 1_000_000
"""Pixels that are converted at a time: few enough for the processor's cache, and for memory beside 200 million."""

_TWELVE_BITS = 1 << 12


def to_rgb(image: Image.Image, factor: int) -> Pixels:
    """RGB pixels of a loaded image, each the mean of ``factor`` x ``factor``; what is transparent becomes white."""
    width, height = image.size
    shift = _count_spare_bits(image) if _is_deep(image) else 0
    pixels = np.empty((math.ceil(height / factor), math.ceil(width / factor), 3), np.uint8)
    for top, strip in _cut_strips(image, factor):
        coloured = _strip_to_rgb(strip, shift)
        small = coloured.reduce(factor) if factor > 1 else coloured
        pixels[top // factor : top // factor + small.height] = np.asarray(small)
    return pixels


def _cut_strips(image: Image.Image, factor: int) -> Iterator[tuple[int, Image.Image]]:
    """Each with where it begins, a multiple of ``factor``."""
    width, height = image.size
    rows = max(1, _STRIP_PIXELS // (width * factor)) * factor
    for top in range(0, height, rows):
        yield top, image if rows >= height else image.crop((0, top, width, min(height, top + rows)))


def _is_deep(image: Image.Image) -> bool:
    """Whether it is grey of more than 8 bits; deep colours Pillow makes 8 bit itself."""
    return image.mode == "I" or image.mode.startswith("I;16")


def _count_spare_bits(image: Image.Image) -> int:
    """Bits to drop of deep grey: cameras of 12 bits store them in 16 as they are, which else would be all but black."""
    highest = max(int(np.asarray(strip).max()) for _, strip in _cut_strips(image, 1))
    return 4 if highest < _TWELVE_BITS else 8


def _strip_to_rgb(image: Image.Image, shift: int) -> Image.Image:
    if _is_deep(image):  # Pillow would clip, not scale
        image = Image.fromarray((np.clip(np.asarray(image), 0, 65535) >> shift).astype(np.uint8))
    if image.mode in ("LA", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        coloured = image.convert("RGBA")
        white = Image.new("RGBA", coloured.size, "white")
        image = Image.alpha_composite(white, coloured)
    return image if image.mode == "RGB" else image.convert("RGB")
