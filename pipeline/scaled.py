"""A photo decoded at a fraction of its size, and where what it shows lies in the full one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from pipeline.boxes import Box
from pipeline.colours import Pixels
from pipeline.decoding import decode
from pipeline.exif import Header, is_mirrored
from pipeline.plain_jpeg import SCALES


@dataclass(frozen=True, slots=True, eq=False)
class ScaledPhoto:
    """A photo decoded at a fraction of its size.

    Args:
        pixels: upright RGB pixels, shape (height, width, 3).
        header: what the photo says of itself.
        data: the bytes of its file; none where it never was one.
        factor: pixels of the full photo to one of ``pixels``, 1 or more; see ``to_full``.
        name: what to call it in an error.
    """

    pixels: Pixels
    header: Header
    data: bytes = b""
    factor: float = 1.0
    name: str = "photo"

    @classmethod
    def of(cls, pixels: Pixels) -> ScaledPhoto:
        """Upright RGB pixels, shape (height, width, 3), as the photo that they are at full scale."""
        return cls(pixels, Header((pixels.shape[1], pixels.shape[0]), 1, None, ""))

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the full photo in pixels, upright."""
        return self.header.size

    @property
    def origin(self) -> tuple[float, float]:
        """Where the upper left corner of ``pixels`` lies in the full photo: at 0, or before it by less than ``factor``.

        A side that is no multiple of ``factor`` ends in a pixel that stands for fewer: stored at the end, it comes
        first in a photo that was turned.
        """
        height, width = self.pixels.shape[:2]
        covered = width * self.factor, height * self.factor
        turned = is_mirrored(self.header.orientation)
        x, y = (
            side - all_of_it if far else 0.0 for side, all_of_it, far in zip(self.size, covered, turned, strict=True)
        )
        return x, y

    def to_full(self, box: Box) -> Box:
        """A box in ``pixels`` in pixels of the full photo; it may lie outside of it by less than ``factor``."""
        x, y = self.origin
        return box.scaled(self.factor).moved(x, y)

    def to_own(self, box: Box) -> Box:
        """A box in pixels of the full photo in ``pixels``."""
        x, y = self.origin
        return box.moved(-x, -y).scaled(1 / self.factor)

    def at_scale(self, scale: float) -> ScaledPhoto:
        """The photo decoded again, at the smallest scale that is at least ``scale``; itself where it is that large.

        Args:
            scale: part of the full size, above 0, 1 at most.

        Raises:
            PhotoError: as ``open_photo`` does.
        """
        if self.factor * scale <= 1 or not self.data:
            return self
        made = decode(self.data, self.name, lambda _format, _size: choose_scale(lambda one: one * scale <= 1))
        return replace(self, pixels=made.pixels, factor=float(made.factor))


def choose_scale(serves: Callable[[int], bool]) -> int:
    """How many times smaller a photo may be decoded: the most that serves, 1 where none does."""
    return next((one for one in SCALES if serves(one)), 1)
