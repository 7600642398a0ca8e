"""What a photo says of itself: how it must be turned, when and with what it was taken. Broken tags say nothing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from PIL import Image

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
_MODEL, _ORIENTATION, _EXIF_IFD, _DATE_TIME_ORIGINAL = 0x0110, 0x0112, 0x8769, 0x9003


@dataclass(frozen=True, slots=True)
class Header:
    """What a photo says of itself before it is decoded.

    Args:
        size: width and height of the upright photo in pixels.
        orientation: how its stored pixels must still be turned, 1 to 8 as EXIF numbers it; 1 where they are upright.
        captured: EXIF capture time as ``YYYY-MM-DD HH:MM:SS``; None where the photo has none.
        format: Pillow's name of what its content is, such as ``JPEG``, ``MPO`` or ``HEIF``.
        camera: EXIF model of the camera; None where the photo has none.
    """

    size: tuple[int, int]
    orientation: int
    captured: str | None
    format: str
    camera: str | None = None


def read_tags(image: Image.Image) -> Header:
    """The header of a photo that Pillow has opened."""
    exif = _read_exif(image)
    orientation = _orientation(image, exif)
    width, height = image.size
    size = (height, width) if orientation in _ON_ITS_SIDE else (width, height)
    return Header(size, orientation, _capture_time(exif), image.format or "", _camera(exif))


def turn_upright(image: Image.Image, orientation: int) -> Image.Image:
    """Turn stored pixels as an EXIF orientation says."""
    turn = _UPRIGHT.get(orientation)
    return image if turn is None else image.transpose(turn)


def write_capture_time(captured: str) -> bytes:
    """EXIF that says nothing but the capture time, ``YYYY-MM-DD HH:MM:SS``."""
    exif = Image.Exif()
    exif.get_ifd(_EXIF_IFD)[_DATE_TIME_ORIGINAL] = captured.replace("-", ":")
    return exif.tobytes()


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
    model = exif.get(_MODEL)
    return model.strip("\0 ") or None if isinstance(model, str) else None
