"""The small pictures that the workbook shows, kept by the photo's name, so that a run that goes on finds them again."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path

from pipeline.boxes import Box
from pipeline.crops import cut_subject
from pipeline.files import output_error
from pipeline.images import Pixels, ScaledPhoto, encode_jpeg, shrink

SIDE = 96
"""Longer side in pixels, where the subject has as many."""

_QUALITY = 85


def make_thumbnail(photo: ScaledPhoto, box: Box, view: Pixels, *, margin: float) -> bytes:
    """The subject as JPEG.

    Args:
        photo: at any scale.
        box: the subject, in pixels of the full photo.
        view: its crop, which has more pixels of a small subject than a photo that was decoded small.
        margin: what the crop shows around the box, as a part of its longer side.
    """
    scaled = box.scaled(1 / photo.factor)
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

    def list_lost(self, photos: Collection[str]) -> set[str]:
        """Photos of which a power cut left an empty file in the place of a picture."""
        keys = {path.name.split("-")[0] for path in self._files() if not path.stat().st_size}
        return {photo for photo in photos if _key(photo) in keys} if keys else set()

    def keep_only(self, counts: Collection[tuple[str, int]]) -> None:
        """Remove all but the first so many of each photo.

        Raises:
            OutputError: they may not be removed.
        """
        kept = {f"{_key(photo)}-{index}.jpg" for photo, count in counts for index in range(count)}
        for path in self._files():
            if path.name not in kept:
                try:
                    path.unlink(missing_ok=True)
                except OSError as error:
                    raise output_error(error, path) from error
                with suppress(OSError):  # others are in it
                    path.parent.rmdir()

    def _files(self) -> Iterator[Path]:
        yield from list(self._folder.glob("*/*.jpg"))

    def _path(self, photo: str, index: int) -> Path:
        key = _key(photo)
        return self._folder / key[:2] / f"{key}-{index}.jpg"


def _key(photo: str) -> str:
    """Of any name, however long and in whichever letters, a name that every file system takes."""
    return hashlib.sha256(photo.encode()).hexdigest()[:24]
