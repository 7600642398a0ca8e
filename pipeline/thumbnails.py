"""The small pictures that workbook and page show, kept by the photo's name, so that a run that goes on finds them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from pipeline.boxes import Box
from pipeline.crops import cut_subject
from pipeline.files import output_error
from pipeline.images import Pixels, ScaledPhoto, encode_jpeg, shrink

SIDE = 96
"""Longer side in pixels, where the subject has as many."""

_QUALITY = 85

_OURS = re.compile(r"[0-9a-f]{24}-\d+\.jpg")


def make_thumbnail(photo: ScaledPhoto, box: Box, view: Pixels, *, margin: float) -> bytes:
    """The subject as JPEG.

    Args:
        photo: at any scale.
        box: the subject, in pixels of the full photo.
        view: its crop, which has more pixels of a small subject than a photo that was decoded small.
        margin: what the crop shows around the box, as a part of its longer side.
    """
    scaled = photo.to_own(box)
    subject = cut_subject(photo.pixels, scaled)
    if photo.factor > 1 and max(scaled.width, scaled.height) < SIDE:
        subject = _without_bars(view, box.grown(margin).clipped(*photo.size))
    return encode_jpeg(shrink(subject, SIDE), quality=_QUALITY)


def _without_bars(view: Pixels, shown: Box) -> Pixels:
    side, longer = view.shape[0], max(shown.width, shown.height, 1.0)
    width, height = (max(1, round(side * edge / longer)) for edge in (shown.width, shown.height))
    left, top = (side - width) // 2, (side - height) // 2
    return view[top : top + height, left : left + width]


class Thumbnails:
    """Those of a report, each in its file.

    Args:
        folder: that they are in; made where it is missing.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, photo: str, index: int, picture: bytes) -> None:
        """Keep the picture of a photo's prediction; several threads may do so at once.

        Raises:
            OutputError: it cannot be written.
        """
        path = self._path(photo, index)
        try:
            try:
                path.write_bytes(picture)
            except FileNotFoundError:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(picture)
        except OSError as error:
            raise output_error(error, path) from error

    def read(self, photo: str, index: int) -> bytes | None:
        """The picture of a photo's prediction; None where there is none."""
        try:
            return self._path(photo, index).read_bytes() or None
        except OSError:
            return None

    def list_lost(self, counts: Mapping[str, int]) -> set[str]:
        """Photos that lack pictures, as after a power cut: a file that is empty is none.

        Args:
            counts: how many each photo should have.
        """
        there = {path.name for path in self._files() if path.stat().st_size}
        return {photo for photo, count in counts.items() if not there.issuperset(_names(photo, count))}

    def keep_only(self, counts: Mapping[str, int]) -> None:
        """Remove all but the first so many of each photo; files of other kinds stay.

        Raises:
            OutputError: they may not be removed.
        """
        kept = {name for photo, count in counts.items() for name in _names(photo, count)}
        for path in self._files():
            if path.name not in kept:
                try:
                    path.unlink(missing_ok=True)
                except OSError as error:
                    raise output_error(error, path) from error
                with suppress(OSError):  # others are in it
                    path.parent.rmdir()

    def _files(self) -> list[Path]:
        return [path for path in self._folder.glob("*/*.jpg") if _OURS.fullmatch(path.name)]

    def _path(self, photo: str, index: int) -> Path:
        return self._folder / f"{name_pictures(photo)}-{index}.jpg"


def name_pictures(photo: str) -> str:
    """How the paths of a photo's pictures begin, in the folder that they are in; ``-0.jpg`` and so on follow."""
    key = _key(photo)
    return f"{key[:2]}/{key}"


def _names(photo: str, count: int) -> Iterator[str]:
    key = _key(photo)
    return (f"{key}-{index}.jpg" for index in range(count))


def _key(photo: str) -> str:
    """Of any name, however long and in whichever letters, a name that every file system takes."""
    return hashlib.sha256(photo.encode(errors="surrogatepass")).hexdigest()[:24]
