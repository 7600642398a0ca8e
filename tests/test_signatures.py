"""First bytes of photos, of what is none, and how much of a file is missing by its own structure."""

from __future__ import annotations

from io import BytesIO
from typing import Any

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from pipeline.signatures import count_missing, has_one_scan, recognise

PIXELS = np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8)


def encode(form: str, **options: Any) -> bytes:
    pillow_heif.register_heif_opener()
    buffer = BytesIO()
    Image.fromarray(PIXELS).save(buffer, form, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "HEIF", "AVIF", "BMP", "GIF"])
def test_photos_are_recognised_by_their_first_bytes(form: str) -> None:
    assert recognise(encode(form)[:16]) == form


@pytest.mark.parametrize(
    "begin",
    [
        b"",
        b"BM",
        b"BMW and Audi are cars",
        b"\xff\xd8",
        b"II*\0\x08\0\0\0",  # a camera's raw file begins like a TIFF
        b"RIFF\x24\0\0\0WAVEfmt ",
        b"\0\0\0\x18ftypmp42\0\0\0\0",
        b"\0\0\0\x14ftypqt  \0\0\0\0",
        b"\0\0\0\x18ftypcrx \0\0\0\0",
        b"%PDF-1.7\n",
        b"I am a text that is long enough",
    ],
)
def test_what_is_no_photo_is_not_recognised(begin: bytes) -> None:
    assert recognise(begin) is None


@pytest.mark.parametrize("form", ["PNG", "WEBP", "HEIF", "AVIF", "BMP"])
@pytest.mark.parametrize("part", [0.3, 0.7, 0.99])
def test_missing_bytes_are_counted_where_the_file_says_how_long_it_is(form: str, part: float) -> None:
    data = encode(form)
    cut = data[: int(len(data) * part)]
    assert count_missing(data) == 0
    assert 0 < count_missing(cut) <= len(data) - len(cut)


def test_jpeg_tells_only_of_its_header() -> None:
    data = encode("JPEG")
    scan = data.index(b"\xff\xda")
    assert count_missing(data) == count_missing(data[: scan + 14]) == 0
    assert all(0 < count_missing(data[:length]) <= scan + 14 - length for length in range(3, scan + 14))


def test_tiff_whose_directory_is_cut_off_lacks_it() -> None:
    data = encode("TIFF", compression="tiff_deflate")
    assert count_missing(data) == 0
    assert count_missing(data[: len(data) // 2]) > 0


def test_garbage_tells_nothing() -> None:
    assert count_missing(b"\x89PNG\r\n\x1a\n" + bytes(range(200))) == 0
    assert count_missing(b"\xff\xd8\xff\xe0\0\x04ab" + b"no marker") == 0
    assert count_missing(b"\0\0\0\x18ftypheic" + bytes(40)) == 0
    assert count_missing(b"") == 0


def test_jpeg_in_several_scans_is_told_from_one_in_a_single() -> None:
    assert has_one_scan(encode("JPEG"))
    assert not has_one_scan(encode("JPEG", progressive=True))
    assert not has_one_scan(encode("PNG"))
    assert not has_one_scan(b"\xff\xd8\xff")
