"""JPEGs decoded without Pillow: to the pixels that Pillow gives, and none that Pillow would refuse."""

from __future__ import annotations

import math
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.images import Pixels
from pipeline.plain_jpeg import SCALES, decode_plain_jpeg
from pipeline.sample import draw_photo


def encode(mode: str = "RGB", size: tuple[int, int] = (203, 151), **settings: Any) -> bytes:
    buffer = BytesIO()
    drawn = Image.fromarray(draw_photo(seed=4, index=2, size=size).image)
    drawn.convert(mode).save(buffer, "JPEG", **settings)
    return buffer.getvalue()


def plain(data: bytes, factor: int = 1) -> Pixels | None:
    with Image.open(BytesIO(data)) as image:
        return decode_plain_jpeg(image, data, factor)


def by_pillow(data: bytes, factor: int = 1) -> Pixels:
    with Image.open(BytesIO(data)) as image:
        image.draft(None, (image.width // factor, image.height // factor))
        return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize("settings", [{"progressive": True}, {"quality": 30}, {"restart_marker_rows": 1}, {}], ids=str)
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("factor", SCALES)
def test_pixels_are_those_that_pillow_gives(factor: int, subsampling: str, settings: dict[str, Any]) -> None:
    data = encode(subsampling=subsampling, **settings)
    made = plain(data, factor)
    assert made is not None
    assert made.shape == (math.ceil(151 / factor), math.ceil(203 / factor), 3)
    assert np.array_equal(made, by_pillow(data, factor))


@pytest.mark.parametrize("size", [(8, 8), (8, 15), (9, 16), (33, 8)])
@pytest.mark.parametrize("factor", SCALES)
def test_the_scale_is_the_one_that_was_asked_for_however_small_the_photo(size: tuple[int, int], factor: int) -> None:
    buffer = BytesIO()
    Image.effect_noise(size, 90).convert("RGB").save(buffer, "JPEG")
    made = plain(buffer.getvalue(), factor)
    assert made is not None
    assert np.array_equal(made, by_pillow(buffer.getvalue(), factor))


@pytest.mark.parametrize("data", [encode("L"), encode("CMYK"), encode()[:-60]], ids=["grey", "CMYK", "cut"])
def test_what_is_no_plain_jpeg_is_left_to_pillow(data: bytes) -> None:
    assert plain(data) is None


def test_other_scales_and_tiny_photos_are_left_to_pillow() -> None:
    tiny = BytesIO()
    Image.new("RGB", (7, 30)).save(tiny, "JPEG")
    assert plain(encode(), 3) is None
    assert plain(tiny.getvalue()) is None


def test_damaged_photos_are_left_to_pillow_or_as_pillow_has_them() -> None:
    data, rng, refused = encode(quality=60), np.random.default_rng(0), 0
    for number in range(300):
        damaged = bytearray(data if number % 3 else data[: rng.integers(len(data) // 2, len(data))])
        for place in rng.integers(len(data) // 3, len(damaged), rng.integers(0, 4)):
            damaged[place] = rng.integers(256)
        made = plain(bytes(damaged))
        refused += made is None
        if made is not None:
            assert np.array_equal(made, by_pillow(bytes(damaged)))
    assert 0 < refused < 300
