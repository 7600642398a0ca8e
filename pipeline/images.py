"""The only place where a photo is opened: upright by EXIF, as RGB pixels, never written to."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from pipeline.errors import PhotoError
from pipeline.exif import Header, read_tags, turn_upright, write_capture_time
from pipeline.files import replacing

Pixels = NDArray[np.uint8]
"""Upright pixels, shape (height, width, 3), RGB, 0 to 255."""

MAX_PIXELS = 250_000_000
"""A photo with more pixels is taken for a decompression bomb; the largest phone sensor has 200 million."""

DAMAGED = "its end is missing or damaged"
"""What an error says of a photo that can be opened, but not decoded to its end."""

GREY = 114
"""Value of the padding around a letterboxed image, as Ultralytics pads."""


@dataclass(frozen=True, slots=True)
class Photo:
    """A photo that was read.

    Args:
        pixels: upright RGB pixels, shape (height, width, 3).
        captured: EXIF capture time as ``YYYY-MM-DD HH:MM:SS``; None where the photo has none.
    """

    pixels: Pixels
    captured: str | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels, upright."""
        return int(self.pixels.shape[1]), int(self.pixels.shape[0])


def read_photo(source: Path | bytes, *, name: str = "") -> Photo:
    """Decode a photo, upright by its EXIF orientation.

    Args:
        source: the file, or its bytes.
        name: what to call it in an error; by default its path.

    Raises:
        PhotoError: it is empty, truncated, too large, no photo at all, or may not be read.
    """
    where = name or (str(source) if isinstance(source, Path) else "bytes")
    data = _read_bytes(source, where) if isinstance(source, Path) else source
    if not data:
        raise PhotoError("the file is empty", where=where)
    _prepare_pillow()
    try:
        with quiet(), Image.open(BytesIO(data)) as image:
            _check_size(image, where)
            header = read_tags(image)
            return Photo(_to_rgb(turn_upright(image, header.orientation)), header.captured)
    except PhotoError:
        raise
    except UnidentifiedImageError as error:
        raise PhotoError("not a photo in any known format", where=where) from error
    except Exception as error:  # damaged files make decoders raise anything; this turns a bad photo into a row
        raise PhotoError(f"cannot be decoded ({error or type(error).__name__})", where=where) from error


def read_header(path: Path) -> Header:
    """What a photo's header says; nothing is decoded.

    Raises:
        PhotoError: it cannot be told.
    """
    _prepare_pillow()
    try:
        with quiet(), Image.open(path) as image:
            return read_tags(image)
    except UnidentifiedImageError as error:
        raise PhotoError("not a photo in any known format", where=path) from error
    except Exception as error:  # as in read_photo
        raise PhotoError(f"cannot be opened ({error or type(error).__name__})", where=path) from error


def read_small(data: bytes, side: int, *, where: Path) -> tuple[Header, Pixels]:
    """Decode a photo as small as it goes: a JPEG at an eighth of its size costs a third of the time.

    For several threads at once, inside one ``quiet`` of theirs all: each silencing warnings by itself is not safe.

    Args:
        data: the photo's bytes.
        side: pixels that both sides must have at least, where the photo has them.
        where: what to call it in an error.

    Returns:
        What its header says, and its upright pixels.

    Raises:
        PhotoError: as ``read_photo`` does; ``found`` begins with ``DAMAGED`` where the photo opens, but not its pixels.
    """
    if not data:
        raise PhotoError("the file is empty", where=where)
    _prepare_pillow()
    header = None
    try:
        with Image.open(BytesIO(data)) as image:
            _check_size(image, str(where))
            header = read_tags(image)
            image.draft("RGB", (side, side))
            factor = min(image.size) // side
            small = image.reduce(factor) if factor > 1 and image.mode in ("L", "RGB") else image
            return header, _to_rgb(turn_upright(small, header.orientation))
    except PhotoError:
        raise
    except UnidentifiedImageError as error:
        raise PhotoError("not a photo in any known format", where=where) from error
    except Exception as error:  # as in read_photo
        found = "cannot be opened" if header is None else DAMAGED
        raise PhotoError(f"{found} ({error or type(error).__name__})", where=where) from error


def read_size(path: Path) -> tuple[int, int]:
    """Width and height of the upright photo in pixels, from its header alone.

    Raises:
        PhotoError: it cannot be told.
    """
    return read_header(path).size


def shrink(pixels: Pixels, longest: int) -> Pixels:
    """Scale down so that the longer side is at most ``longest`` pixels; smaller images come back as they are."""
    height, width = pixels.shape[:2]
    factor = longest / max(height, width)
    if factor >= 1:
        return pixels
    size = max(1, round(width * factor)), max(1, round(height * factor))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def encode_jpeg(pixels: Pixels, *, quality: int = 95, captured: str | None = None) -> bytes:
    """JPEG bytes of RGB pixels, colour at full resolution.

    Args:
        pixels: what it shows.
        quality: 1 to 100.
        captured: capture time as ``YYYY-MM-DD HH:MM:SS``, which becomes the only thing that EXIF says.
    """
    tags = b"" if captured is None else write_capture_time(captured)
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality, subsampling=0, exif=tags)
    return buffer.getvalue()


def write_jpeg(path: Path, pixels: Pixels, *, quality: int = 95) -> None:
    """Write RGB pixels as JPEG, whole or not at all.

    Raises:
        OutputError: it cannot be written there.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(encode_jpeg(pixels, quality=quality))


@contextmanager
def quiet() -> Iterator[None]:
    """Pillow warns of every oddity in a file's tags; the pixels are there or they are not."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@cache
def _prepare_pillow() -> None:
    """Teach Pillow HEIC and let it open what our own cap allows."""
    pillow_heif.register_heif_opener()
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS


def _read_bytes(path: Path, where: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise PhotoError(f"cannot be read ({error.strerror or error})", where=where) from error


def _check_size(image: Image.Image, where: str) -> None:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise PhotoError(f"{width} x {height} pixels are more than {MAX_PIXELS // 1_000_000} million", where=where)


def _to_rgb(image: Image.Image) -> Pixels:
    if image.mode == "I" or image.mode.startswith("I;16"):  # 16 bit grey: Pillow would clip, not scale
        image = Image.fromarray((np.clip(np.asarray(image), 0, 65535) >> 8).astype(np.uint8))
    if image.mode in ("LA", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        coloured = image.convert("RGBA")
        white = Image.new("RGBA", coloured.size, "white")
        image = Image.alpha_composite(white, coloured)
    return np.array(image.convert("RGB"), np.uint8)
