"""What a photo says of itself: how to turn it, when, where and with what it was taken. Broken tags say nothing."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

_Turn = Callable[[NDArray[np.uint8]], NDArray[np.uint8]]

_ON_ITS_SIDE = frozenset({5, 6, 7, 8})
_FROM_THE_RIGHT, _FROM_BELOW = frozenset({2, 3, 6, 7}), frozenset({3, 4, 7, 8})
_MAKE, _MODEL, _ORIENTATION, _EXIF_IFD, _GPS_IFD, _DATE_TIME_ORIGINAL = 0x010F, 0x0110, 0x0112, 0x8769, 0x8825, 0x9003


@dataclass(frozen=True, slots=True)
class Header:
    """What a photo says of itself before it is decoded.

    Args:
        size: width and height of the upright photo in pixels.
        orientation: how its stored pixels must still be turned, 1 to 8 as EXIF numbers it; 1 where they are upright.
        captured: EXIF capture time as ``YYYY-MM-DD HH:MM:SS``; None where the photo has none.
        format: Pillow's name of what its content is, such as ``JPEG``, ``MPO`` or ``HEIF``.
        camera: EXIF make and model of the camera; None where the photo has none.
        gps: EXIF latitude (-90 to 90, north above 0) and longitude (-180 to 180, east above 0) in degrees; None where
            the photo has none, or none that can be.
    """

    size: tuple[int, int]
    orientation: int
    captured: str | None
    format: str
    camera: str | None = None
    gps: tuple[float, float] | None = None


def read_tags(image: Image.Image) -> Header:
    """The header of a photo that Pillow has opened."""
    exif = _read_exif(image)
    orientation = _orientation(image, exif)
    width, height = image.size
    size = (height, width) if orientation in _ON_ITS_SIDE else (width, height)
    return Header(size, orientation, _capture_time(exif), image.format or "", _camera(exif), _position(exif))


def turn_upright(pixels: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Turn stored pixels as an EXIF orientation says; those of 1 come back as they are."""
    turn = _UPRIGHT.get(orientation)
    return pixels if turn is None else turn(pixels)


def is_mirrored(orientation: int) -> tuple[bool, bool]:
    """Whether what is stored last comes first in the upright photo: from the left, and from the top."""
    return orientation in _FROM_THE_RIGHT, orientation in _FROM_BELOW


def write_capture_time(captured: str) -> bytes:
    """EXIF that says nothing but the capture time, ``YYYY-MM-DD HH:MM:SS``."""
    exif = Image.Exif()
    exif.get_ifd(_EXIF_IFD)[_DATE_TIME_ORIGINAL] = captured.replace("-", ":")
    return exif.tobytes()


def _rotate(code: int) -> _Turn:
    return lambda pixels: np.asarray(cv2.rotate(pixels, code), np.uint8)


def _flip(code: int) -> _Turn:
    return lambda pixels: np.asarray(cv2.flip(pixels, code), np.uint8)


def _transpose(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.transpose(pixels), np.uint8)


_UPRIGHT: dict[int, _Turn] = {
    2: _flip(1),
    3: _rotate(cv2.ROTATE_180),
    4: _flip(0),
    5: _transpose,
    6: _rotate(cv2.ROTATE_90_CLOCKWISE),
    7: lambda pixels: _rotate(cv2.ROTATE_180)(_transpose(pixels)),
    8: _rotate(cv2.ROTATE_90_COUNTERCLOCKWISE),
}


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


def _camera(exif: Image.Exif) -> str | None:
    """Make and model; the make once, where the model begins with it: "Canon" and "Canon EOS R" are one name."""
    make, model = (_text(exif.get(tag)) for tag in (_MAKE, _MODEL))
    if make and model and model.split()[0].lower() != make.split()[0].lower():
        return f"{make} {model}"
    return model or make or None


def _text(written: object) -> str:
    """A text of one line without what writers fill it up with."""
    return " ".join(written.split("\0")[0].split()) if isinstance(written, str) else ""


def _position(exif: Image.Exif) -> tuple[float, float] | None:
    try:
        tags = exif.get_ifd(_GPS_IFD)
        latitude = _degrees(tags.get(2), tags.get(1), "NS", 90)
        longitude = _degrees(tags.get(4), tags.get(3), "EW", 180)
    except Exception:  # broken EXIF, or text where numbers belong: no position
        return None
    # 0, 0 lies in the sea: it is what cameras write that do not know where they are.
    return (latitude, longitude) if latitude or longitude else None


def _degrees(written: object, side: object, signs: str, most: int) -> float:
    """Degrees of an angle written as degrees, minutes and seconds.

    Raises:
        ValueError: it is none.
    """
    letter = (side.decode("ascii") if isinstance(side, bytes) else str(side)).strip("\0 ").upper()
    parts = tuple(map(float, written)) if isinstance(written, tuple) else ()
    degrees, minutes, seconds = parts
    angle = degrees + minutes / 60 + seconds / 3600
    if not (math.isfinite(angle) and min(parts) >= 0 and max(minutes, seconds) <= 60 and angle <= most):
        raise ValueError(f"no angle: {written}")
    return round(angle, 6) * {signs[0]: 1, signs[1]: -1}[letter]
