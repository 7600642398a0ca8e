"""What a file's bytes say of themselves: which photo format they begin, and how long a whole file would be."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator

HEIF_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"})
AVIF_BRANDS = frozenset({b"avif", b"avis"})

_START_OF_SCAN = 0xDA
_ONE_AFTER_THE_OTHER = frozenset({0xC0, 0xC1})
"""Markers of a JPEG whose blocks stand one after the other, each of them whole."""

BEGIN_BYTES = 16
"""How many bytes ``recognise`` looks at."""


def recognise(begin: bytes) -> str | None:
    """The format that a file's first bytes begin: ``JPEG``, ``PNG``, ``WEBP``, ``HEIF``, ``AVIF``, ``BMP``, ``GIF``.

    None for all else. So for TIFF, since a camera's raw files begin like it, and for videos, whose ``ftyp`` names other
    brands than a photo's.
    """
    if begin.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if begin.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if begin.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if begin.startswith(b"RIFF") and begin[8:12] == b"WEBP":
        return "WEBP"
    if begin[4:8] == b"ftyp":
        brand = begin[8:12]
        return "HEIF" if brand in HEIF_BRANDS else "AVIF" if brand in AVIF_BRANDS else None
    # BM alone begins many a text: the four bytes that every BMP has at 0 tell.
    return "BMP" if begin.startswith(b"BM") and begin[6:10] == bytes(4) and len(begin) >= BEGIN_BYTES else None


def count_missing(data: bytes) -> int:
    """How many bytes a photo's file lacks at least, by what its own structure says; 0 where nothing tells.

    Args:
        data: the file's bytes.
    """
    kind = "TIFF" if data[:4] in (b"II*\0", b"MM\0*") else recognise(data[:BEGIN_BYTES])
    measure = _MEASURES.get(kind or "")
    return 0 if measure is None else max(0, measure(data) - len(data))


def has_one_scan(data: bytes) -> bool:
    """Whether all pixels of a JPEG stand in one scan: neither progressive, nor one colour after the other.

    Of one in several scans nothing tells how many there were.
    """
    colours = 0
    for marker, begin, end in _segments(data) if recognise(data[:BEGIN_BYTES]) == "JPEG" else ():
        content = data[begin:end]
        if marker in _ONE_AFTER_THE_OTHER and len(content) > 5:
            colours = content[5]
        if marker == _START_OF_SCAN:
            return bool(colours) and content[:1] == bytes([colours])
    return False


def _measure_riff(data: bytes) -> int:
    return 8 + int.from_bytes(data[4:8], "little")


def _measure_bmp(data: bytes) -> int:
    return int.from_bytes(data[2:6], "little")


def _measure_tiff(data: bytes) -> int:
    """Up to its first directory, which writers put behind the pixels."""
    order = "<" if data.startswith(b"II") else ">"
    return int(struct.unpack_from(f"{order}I", data.ljust(8, b"\0"), 4)[0]) + 2


def _measure_boxes(data: bytes) -> int:
    """The boxes of HEIF and AVIF one after the other, each with its length in front."""
    place = 0
    while place < len(data):
        if place + 16 > len(data):
            return place + 8
        length = int.from_bytes(data[place : place + 4], "big")
        if length == 1:
            length = int.from_bytes(data[place + 8 : place + 16], "big")
        if length < 8:  # 0: up to the end of the file, whatever that is
            return 0
        place += length
    return place


def _measure_png(data: bytes) -> int:
    """The chunks one after the other; 0 where something else stands among them."""
    place = 8
    while place + 8 <= len(data):
        length, kind = int.from_bytes(data[place : place + 4], "big"), data[place + 4 : place + 8]
        if not kind.isalpha():
            return 0
        if kind == b"IEND":
            return place + 12
        place += 12 + length
    return max(place, len(data)) + 12


def _measure_jpeg(data: bytes) -> int:
    """Up to where its pixels begin, which have no length; 0 where something else stands before them."""
    end = 2
    for marker, _, end in _segments(data):
        if marker == _START_OF_SCAN:
            return end
    return end + 4 if data[end : end + 1] in (b"", b"\xff") else 0


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """A JPEG's segments up to its first scan: marker, where its content begins, and where it ends or would end."""
    place = 2
    while place + 4 <= len(data) and data[place] == 0xFF:
        marker, length = data[place + 1], int.from_bytes(data[place + 2 : place + 4], "big")
        if marker == 0xFF:  # any number of them may stand before a marker
            place += 1
            continue
        yield marker, place + 4, place + 2 + length
        if marker == _START_OF_SCAN:
            return
        place += 2 + length


_MEASURES: dict[str, Callable[[bytes], int]] = {
    "JPEG": _measure_jpeg,
    "PNG": _measure_png,
    "WEBP": _measure_riff,
    "HEIF": _measure_boxes,
    "AVIF": _measure_boxes,
    "BMP": _measure_bmp,
    "TIFF": _measure_tiff,
}
