"""The only place where a photo is opened: upright by EXIF, as RGB pixels, never written to."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import pillow_heif
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from pipeline.errors import DataError, PhotoError
from pipeline.files import replacing

Pixels = NDArray[np.uint8]
"""Upright pixels, shape (height, width, 3), RGB, 0 to 255."""

PHOTO_SUFFIXES = frozenset(
    {
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".png",
        ".webp",
        ".heic",
        ".heif",
        ".avif",
        ".mpo",
        ".tif",
        ".tiff",
        ".bmp",
        ".gif",
    }
)

MAX_PIXELS = 250_000_000
"""A photo with more pixels is taken for a decompression bomb; the largest phone sensor has 200 million."""

GREY = 114
"""Value of the padding around a letterboxed image, as Ultralytics pads."""


_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ON_ITS_SIDE = frozenset({5, 6, 7, 8})
_ORIENTATION, _EXIF_IFD, _DATE_TIME_ORIGINAL = 0x0112, 0x8769, 0x9003


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


@dataclass(frozen=True, slots=True)
class Header:
    """What a photo says of itself before it is decoded.

    Args:
        size: width and height of the upright photo in pixels.
        orientation: how its stored pixels must still be turned, 1 to 8 as EXIF numbers it; 1 where they are upright.
        captured: EXIF capture time as ``YYYY-MM-DD HH:MM:SS``; None where the photo has none.
        format: Pillow's name of what its content is, such as ``JPEG``, ``MPO`` or ``HEIF``.
    """

    size: tuple[int, int]
    orientation: int
    captured: str | None
    format: str


def is_photo(path: Path) -> bool:
    """Whether the file's name is a photo's."""
    return path.suffix.lower() in PHOTO_SUFFIXES


def is_hidden(path: Path) -> bool:
    """Whether the file is hidden, as ``.DS_Store`` and macOS' ``._*`` on memory cards, or one of Windows' own."""
    return path.name.startswith(".") or path.name.lower() in {"thumbs.db", "desktop.ini"}


@dataclass(frozen=True, slots=True)
class Listing:
    """What lies in a folder.

    Args:
        files: all files that are not hidden, sorted by path.
        hidden: how many are.
    """

    files: tuple[Path, ...]
    hidden: int


def list_files(folder: Path) -> Listing:
    """The files in a folder and below; folders whose name begins with a dot are passed over.

    Raises:
        DataError: the folder is missing, not a folder, or may not be read.
    """
    try:
        if not folder.exists():
            raise DataError("no such folder", where=folder, remedy="check the spelling")
        if not folder.is_dir():
            raise DataError("not a folder", where=folder, expected="a folder of photos")
    except OSError as error:
        _refuse(error)
    found: list[Path] = []
    for root, folders, files in os.walk(folder, onerror=_refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(root, name) for name in files]
    seen = tuple(sorted(path for path in found if not is_hidden(path)))
    return Listing(seen, len(found) - len(seen))


def _refuse(error: OSError) -> None:
    remedy = "give yourself the right to read it, or leave it out"
    raise DataError(f"may not be read ({error.strerror})", where=error.filename, remedy=remedy) from error


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
        with _quiet(), Image.open(BytesIO(data)) as image:
            _check_size(image, where)
            exif = _read_exif(image)
            turn = _UPRIGHT.get(_orientation(image, exif))
            upright = image.transpose(turn) if turn is not None else image
            return Photo(_to_rgb(upright), _capture_time(exif))
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
        with _quiet(), Image.open(path) as image:
            exif = _read_exif(image)
            orientation = _orientation(image, exif)
            width, height = image.size
            size = (height, width) if orientation in _ON_ITS_SIDE else (width, height)
            return Header(size, orientation, _capture_time(exif), image.format or "")
    except UnidentifiedImageError as error:
        raise PhotoError("not a photo in any known format", where=path) from error
    except Exception as error:  # as in read_photo
        raise PhotoError(f"cannot be opened ({error or type(error).__name__})", where=path) from error


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


def encode_jpeg(pixels: Pixels, *, quality: int = 95) -> bytes:
    """JPEG bytes of RGB pixels, colour at full resolution, ``quality`` 1 to 100."""
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality, subsampling=0)
    return buffer.getvalue()


def write_jpeg(path: Path, pixels: Pixels, *, quality: int = 95) -> None:
    """Write RGB pixels as JPEG, whole or not at all.

    Raises:
        OutputError: it cannot be written there.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(encode_jpeg(pixels, quality=quality))


@contextmanager
def _quiet() -> Iterator[None]:
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


def _read_exif(image: Image.Image) -> Image.Exif:
    try:
        return image.getexif()
    except Exception:  # a photo with broken EXIF is still a photo
        return Image.Exif()


def _orientation(image: Image.Image, exif: Image.Exif) -> int:
    """How the picture must still be turned, as EXIF numbers it; Pillow turns a TIFF itself while it loads."""
    turn = 1 if image.format == "TIFF" else exif.get(_ORIENTATION, 1)
    return turn if turn in _UPRIGHT else 1


def _capture_time(exif: Image.Exif) -> str | None:
    try:
        written = str(exif.get_ifd(_EXIF_IFD).get(_DATE_TIME_ORIGINAL, ""))
        return str(datetime.strptime(written.strip("\0 "), "%Y:%m:%d %H:%M:%S"))
    except Exception:  # broken EXIF, or a date of blanks as some phones write: no date
        return None


def _to_rgb(image: Image.Image) -> Pixels:
    if image.mode == "I" or image.mode.startswith("I;16"):  # 16 bit grey: Pillow would clip, not scale
        image = Image.fromarray((np.clip(np.asarray(image), 0, 65535) >> 8).astype(np.uint8))
    if image.mode in ("LA", "PA", "RGBA", "RGBa") or "transparency" in image.info:
        coloured = image.convert("RGBA")
        white = Image.new("RGBA", coloured.size, "white")
        image = Image.alpha_composite(white, coloured)
    return np.array(image.convert("RGB"), np.uint8)
