"""Most JPEGs, decoded straight into an array: the same pixels as Pillow gives, in half of the time at full size."""

from __future__ import annotations

import math

import simplejpeg
from PIL import Image

from pipeline.colours import Pixels

SCALED_FORMATS = frozenset({"JPEG", "MPO"})
"""Formats that decode at 1/2, 1/4 and 1/8 of their size for less."""

SCALES = 8, 4, 2, 1
"""How many times smaller such a photo can be decoded, the most first."""

_LEAST = 8
"""Pixels of both sides from which each scale gives another number of them."""


def decode_plain_jpeg(image: Image.Image, data: bytes, factor: int) -> Pixels | None:
    """Decode a JPEG that is whole and of common colours to the pixels that Pillow gives.

    Args:
        image: as Pillow has opened it; nothing of it is decoded.
        data: the file's bytes.
        factor: how many times smaller.

    Returns:
        RGB as stored, shape (height, width, 3); None for any other photo, and for one whose decoder has but a warning
        to give: what is wrong with it, and how much that matters, is Pillow's to say.
    """
    if image.format not in SCALED_FORMATS or image.mode != "RGB" or factor not in SCALES or min(image.size) < _LEAST:
        return None
    width, height = (math.ceil(side / factor) for side in image.size)
    try:
        made: Pixels = simplejpeg.decode_jpeg(data, "RGB", min_width=width, min_height=height, min_factor=1)
    except ValueError:
        return None
    return made
