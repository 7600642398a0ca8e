"""Decode a photo's bytes: strictly, as small as is asked for, and with a PhotoError that says why not."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
import pillow_heif
from PIL import Image, ImageFile, UnidentifiedImageError

from pipeline.colours import Pixels, to_rgb
from pipeline.errors import PhotoError, TooLargeError, TruncatedError
from pipeline.exif import Header, read_tags, turn_upright
from pipeline.plain_jpeg import SCALED_FORMATS, decode_plain_jpeg
from pipeline.signatures import BEGIN_BYTES, count_missing, has_one_scan, recognise

MAX_PIXELS = 250_000_000
"""A photo with more pixels is taken for a decompression bomb; the largest phone sensor has 200 million.

What 200 million cost at most, in GB of memory: a JPEG 0.1 at 1/8 (progressive 0.6 to 1.2) and 0.6 whole (progressive
1.2, with colour at full resolution 1.8), one that is left to Pillow 0.8 more than that; averaged to 1/8, HEIC 1.4,
AVIF 1.8, others 0.3 to 0.9 beside their files' bytes.
"""

_MAX_WEBP_PIXELS = 120_000_000
"""200 million of WebP cost 3.1 GB, and no phone writes them."""

# What photos come in, and no more: for others Pillow starts programs (EPS) or tells them by next to nothing (TGA).
_FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "HEIF", "TIFF", "BMP", "GIF", "PPM")

_LARGE_PIXELS = 50_000_000
"""Photos that decode to more do so one at a time, whatever the number of threads: 200 million fill 1.4 GB."""

_large = threading.Lock()

_ANY_ENDS = b"\xff\xd9", bytes(151 * step % 254 + 1 for step in range(1, 999)) + b"\xff\xd9"
"""The end marker of a JPEG, and some pixels that are none before it."""

Choose = Callable[[str, tuple[int, int]], int]
"""From a photo's format and stored size to how many times smaller it may be decoded, 1 or more."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A decoded photo.

    Args:
        pixels: upright.
        header: what the photo says of itself.
        factor: pixels of the whole photo to one of ``pixels``, along each side; the last may stand for fewer.
    """

    pixels: Pixels
    header: Header
    factor: int


def whole(_format: str, _size: tuple[int, int]) -> int:
    """Have a photo decoded at its full size."""
    return 1


def decode(data: bytes, where: Path | str, choose: Choose = whole) -> Decoded:
    """Decode a photo to its last pixel; safe in many threads at once.

    A JPEG may lack the marker of its end, as long as all of its pixels are there.

    Args:
        data: the file's bytes.
        where: what to call it in an error.
        choose: how small; a JPEG is decoded at the nearest scale above, 1/2, 1/4 or 1/8, and averaged from there.

    Raises:
        TruncatedError: its end is missing.
        TooLargeError: it has more than ``MAX_PIXELS``; nothing was decoded.
        PhotoError: it is empty, damaged, or no photo at all.
    """
    if not data:
        raise PhotoError("the file is empty", where=where)
    try:
        made = _decode(data, where, choose)
    except TruncatedError:
        found = _decode_endless(data, where, choose) if has_one_scan(data) else None
        if found is None:
            raise
        made = found
    return replace(made, pixels=turn_upright(made.pixels, made.header.orientation))


@contextmanager
def opening(source: bytes | Path, where: Path | str) -> Iterator[Image.Image]:
    """Open a photo with Pillow, with its warnings silenced and every error turned into a PhotoError.

    Args:
        source: the file's bytes, or its path.
        where: what to call it in an error.
    """
    _prepare_pillow()
    image = None
    try:
        file = BytesIO(source) if isinstance(source, bytes) else source
        with quiet(), Image.open(file, formats=_FORMATS) as image:
            _check_size(image, where)
            yield image
    except PhotoError:
        raise
    except Image.DecompressionBombError as error:
        raise TooLargeError(f"more than {MAX_PIXELS // 1_000_000} million pixels", where=where) from error
    except Exception as error:  # damaged files make decoders raise anything; this turns a bad photo into a row
        raise _explain(error, image, source if isinstance(source, bytes) else b"", where) from error


class _Quiet:
    """Warnings are silenced when the first thread comes and as before when the last one has gone.

    Each thread by itself would put back what it found, which may be another's silence.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0
        self._kept = warnings.catch_warnings()

    def enter(self) -> None:
        with self._lock:
            if not self._inside:
                self._kept = warnings.catch_warnings()
                self._kept.__enter__()
                warnings.simplefilter("ignore")
            self._inside += 1

    def leave(self) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                self._kept.__exit__(None, None, None)


_quiet = _Quiet()


@contextmanager
def quiet() -> Iterator[None]:
    """Pillow warns of every oddity in a file's tags; the pixels are there or they are not. For any thread."""
    _quiet.enter()
    try:
        yield
    finally:
        _quiet.leave()


@cache
def _prepare_pillow() -> None:
    """Teach Pillow HEIC and let it open what our own cap allows."""
    pillow_heif.register_heif_opener()
    Image.MAX_IMAGE_PIXELS = MAX_PIXELS


def _check_size(image: Image.Image, where: Path | str) -> None:
    width, height = image.size
    most = _MAX_WEBP_PIXELS if image.format == "WEBP" else MAX_PIXELS
    if width * height > most:
        raise TooLargeError(f"{width} x {height} pixels are more than {most // 1_000_000} million", where=where)


def _decode(data: bytes, where: Path | str, choose: Choose, *, by_pillow: bool = False) -> Decoded:
    """As stored: it is turned when Pillow's own pixels are gone."""
    with opening(data, where) as image:
        wanted = choose(image.format or "", image.size)
        with _large if _count_decoded(image, wanted) > _LARGE_PIXELS else nullcontext():
            if image.format == "PNG":  # its EXIF may stand behind its pixels
                image.load()
            header = read_tags(image)
            plain = None if by_pillow else decode_plain_jpeg(image, data, wanted)
            if plain is not None:
                return Decoded(plain, header, wanted)
            reached = _draft(image, wanted, len(data))
            image.load()
            _check_size(image, where)  # a HEIF may hold more than it said
            further = max(1, wanted // reached)
            return Decoded(to_rgb(image, further), header, reached * further)


def _count_decoded(image: Image.Image, wanted: int) -> int:
    """Pixels that are in memory at once; of a progressive JPEG all, whatever its scale."""
    width, height = image.size
    scaled = image.format in SCALED_FORMATS and not image.info.get("progressive")
    return width * height // (min(wanted, 8) ** 2 if scaled else 1)


def _draft(image: Image.Image, wanted: int, length: int) -> int:
    """Have a JPEG decoded at the smallest scale that is no smaller than 1/``wanted``; returns how much smaller."""
    if image.format not in SCALED_FORMATS or not isinstance(image, ImageFile.ImageFile):
        return 1
    image.decodermaxblock = length  # in one go: with less at hand the decoder does rows again
    width, height = image.size
    drafted = image.draft(None, (max(1, width // wanted), max(1, height // wanted)))
    return 1 if drafted is None else round(width / drafted[1][2])


def _decode_endless(data: bytes, where: Path | str, choose: Choose) -> Decoded | None:
    """A JPEG that lacks nothing but the marker of its end: whatever is put in its place, its pixels are the same.

    Only with one end it may be plain, and what is compared must have been decoded by one and the same.
    """
    try:
        one, other = (_decode(data.rstrip(b"\xff") + end, where, choose, by_pillow=True) for end in _ANY_ENDS)
    except PhotoError:
        return None
    return one if np.array_equal(one.pixels, other.pixels) else None


def _explain(error: Exception, image: Image.Image | None, data: bytes, where: Path | str) -> PhotoError:
    """What an error of Pillow says of the photo."""
    missing = count_missing(data)
    if missing or (image is not None and any(word in str(error).lower() for word in _CUT)):
        return TruncatedError(f"its end is missing: {_say_missing(image, missing)}", where=where)
    known = recognise(data[:BEGIN_BYTES])
    if isinstance(error, UnidentifiedImageError):
        found = (
            "not a photo in any known format" if known is None else f"its header is damaged (it begins like {known})"
        )
    else:
        found = f"cannot be {'opened' if image is None else 'decoded'} ({error or type(error).__name__})"
    return PhotoError(found, where=where)


_CUT = "truncated", "unexpected end", "end of file"
"""What the decoders' errors say of data that ends too early."""


def _say_missing(image: Image.Image | None, missing: int) -> str:
    """How much is missing, by rows that were not decoded where there are any that were, else by bytes."""
    core = getattr(image, "_im", None)
    box = core.getbbox() if core is not None else None
    if image is not None and box is not None and box[3] < image.height:
        return f"{max(0.01, 1 - box[3] / image.height):.0%} of its pixels"
    return f"{missing:,} bytes or more" if missing else "some of its pixels"
