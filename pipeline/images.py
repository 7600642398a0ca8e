"""The only place where a photo is opened: upright by EXIF, as RGB pixels, never written to."""

from __future__ import annotations

import math
import stat
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from pipeline.colours import Pixels
from pipeline.decoding import MAX_PIXELS, decode, opening, quiet
from pipeline.errors import PhotoError, TooLargeError
from pipeline.exif import Header, read_tags, write_capture_time
from pipeline.files import replacing
from pipeline.plain_jpeg import SCALED_FORMATS
from pipeline.scaled import ScaledPhoto, choose_scale
from pipeline.signatures import BEGIN_BYTES, recognise

__all__ = [
    "GREY",
    "MAX_BYTES",
    "MAX_PIXELS",
    "Photo",
    "Pixels",
    "ScaledPhoto",
    "encode_jpeg",
    "is_photo_inside",
    "open_photo",
    "quiet",
    "read_header",
    "read_photo",
    "read_size",
    "read_small",
    "shrink",
    "shrink_scaled",
    "write_jpeg",
]

_NEAR = 1.6
"""Pixels to one up to which those of a photo decoded at a fraction are better interpolated between than averaged."""

MAX_BYTES = 1 << 30
"""A file with more is no photo: ``MAX_PIXELS`` of RGB that nobody compressed take 0.75 GB."""

GREY = 114
"""Value of the padding around a letterboxed image, as Ultralytics pads."""

_WHOLE_PIXELS = 64_000_000
"""A photo of a format without scales that has more is averaged down like a JPEG, lest it fill the memory."""


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


def open_photo(source: Path | bytes, *, side: int, name: str = "") -> ScaledPhoto:
    """Decode a photo to its last pixel, no larger than is needed; safe in many threads at once.

    A JPEG is decoded at the smallest of 1, 1/2, 1/4 and 1/8 that leaves its longer side ``side`` pixels, which costs
    about half of what all of it does; photos in other formats are decoded whole, and kept whole up to 64 million
    pixels.

    Args:
        source: the file, or its bytes.
        side: pixels that the longer side must have at least, where the photo has them.
        name: what to call it in an error; by default its path.

    Raises:
        TruncatedError: its end is missing.
        TooLargeError: it has more than ``MAX_PIXELS`` or ``MAX_BYTES``; nothing was decoded.
        PhotoError: it is empty, damaged, no photo at all, or may not be read.
    """

    def choose(form: str, size: tuple[int, int]) -> int:
        if form not in SCALED_FORMATS and math.prod(size) <= _WHOLE_PIXELS:
            return 1
        return choose_scale(lambda one: math.ceil(max(size) / one) >= side)

    where = _name_of(source, name)
    data = _read_bytes(source, where)
    made = decode(data, where, choose)
    return ScaledPhoto(made.pixels, made.header, data, float(made.factor), where)


def read_photo(source: Path | bytes, *, name: str = "") -> Photo:
    """Decode a photo, upright by its EXIF orientation.

    Args:
        source: the file, or its bytes.
        name: what to call it in an error; by default its path.

    Raises:
        PhotoError: as ``open_photo`` does.
    """
    where = _name_of(source, name)
    made = decode(_read_bytes(source, where), where)
    return Photo(made.pixels, made.header.captured)


def read_header(path: Path) -> Header:
    """What a photo's header says; nothing is decoded, but for a PNG, whose EXIF may stand behind its pixels.

    Raises:
        PhotoError: it cannot be told.
    """
    _check_file(path, str(path))
    with opening(path, path) as image:
        return read_tags(image)


def read_small(data: bytes, side: int, *, where: Path) -> tuple[Header, Pixels]:
    """Decode a photo as small as it goes: a JPEG at an eighth of its size costs half of the time.

    Args:
        data: the photo's bytes.
        side: pixels that both sides must have at least, where the photo has them.
        where: what to call it in an error.

    Returns:
        What its header says, and its upright pixels.

    Raises:
        PhotoError: as ``open_photo`` does.
    """
    made = decode(data, where, lambda _format, size: max(1, min(size) // side))
    return made.header, made.pixels


def read_size(path: Path) -> tuple[int, int]:
    """Width and height of the upright photo in pixels, from its header alone.

    Raises:
        PhotoError: it cannot be told.
    """
    return read_header(path).size


def shrink(pixels: Pixels, longest: int) -> Pixels:
    """Scale down so that the longer side is at most ``longest`` pixels; smaller images come back as they are."""
    return _resize(pixels, longest, cv2.INTER_AREA)


def shrink_scaled(photo: ScaledPhoto, longest: int) -> Pixels:
    """Nearly what ``shrink`` makes of the full photo, of one that was decoded at a fraction of its size.

    Each of its pixels is the mean of a square already. Means of one and a bit of those are blurred a second time, and
    unevenly, which moves a detector's boxes. Between their middles, four at a time, is nearer, and quicker, until so
    much lies between those that averaging is nearer again.
    """
    near = photo.factor > 1 and max(photo.pixels.shape[:2]) <= _NEAR * longest
    return _resize(photo.pixels, longest, cv2.INTER_LINEAR if near else cv2.INTER_AREA)


def _resize(pixels: Pixels, longest: int, interpolation: int) -> Pixels:
    height, width = pixels.shape[:2]
    factor = longest / max(height, width)
    if factor >= 1:
        return pixels
    size = max(1, round(width * factor)), max(1, round(height * factor))
    return np.asarray(cv2.resize(pixels, size, interpolation=interpolation), np.uint8)


def encode_jpeg(pixels: Pixels, *, quality: int = 95, captured: str | None = None, comment: str = "") -> bytes:
    """JPEG bytes of RGB pixels, colour at full resolution.

    Args:
        pixels: what it shows.
        quality: 1 to 100.
        captured: capture time as ``YYYY-MM-DD HH:MM:SS``, which becomes the only thing that EXIF says.
        comment: what the file says of itself, in ASCII; empty for nothing.
    """
    tags = b"" if captured is None else write_capture_time(captured)
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality, subsampling=0, exif=tags, comment=comment)
    return buffer.getvalue()


def write_jpeg(path: Path, pixels: Pixels, *, quality: int = 95) -> None:
    """Write RGB pixels as JPEG, whole or not at all.

    Raises:
        OutputError: it cannot be written there.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(encode_jpeg(pixels, quality=quality))


def is_photo_inside(path: Path) -> bool:
    """Whether a file that is not named like a photo begins like one: for files without a suffix, or with a wrong one.

    It need not be a whole one, nor readable to its end. TIFF does not count, since a camera's raw files begin like it;
    nor do videos. False for what may not be read.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return False
        with path.open("rb") as file:
            return recognise(file.read(BEGIN_BYTES)) is not None
    except OSError:
        return False


def _name_of(source: Path | bytes, name: str) -> str:
    return name or (str(source) if isinstance(source, Path) else "bytes")


def _read_bytes(source: Path | bytes, where: str) -> bytes:
    if isinstance(source, bytes):
        return source
    _check_file(source, where)
    try:
        return source.read_bytes()
    except OSError as error:
        raise PhotoError(f"cannot be read ({error.strerror or error})", where=where) from error


def _check_file(path: Path, where: str) -> None:
    """Refuse what reading would wait for or fill the memory with: a pipe, a device, a film of hours."""
    try:
        status = path.stat()
    except OSError as error:
        raise PhotoError(f"cannot be read ({error.strerror or error})", where=where) from error
    if not stat.S_ISREG(status.st_mode):
        raise PhotoError(f"cannot be read ({'a folder' if path.is_dir() else 'no ordinary file'})", where=where)
    if status.st_size > MAX_BYTES:
        raise TooLargeError(f"{status.st_size / 1e9:.1f} GB are more than {MAX_BYTES / 1e9:.1f}", where=where)
