"""Names by which rows of a workbook are found again, whatever their reader sorted, hid or filtered."""

from __future__ import annotations

import hashlib

from pipeline.boxes import Box


def photo_key(photo: str) -> str:
    """Of a file of the run, by what its results call it: 16 hexadecimal digits."""
    return _digest(photo)


def subject_key(photo: str, box: Box) -> str:
    """Of a box in a photo, in pixels as the results round them: 16 hexadecimal digits.

    A run that is repeated and finds the same has the same keys; one that finds another box has another.
    """
    return _digest(f"{photo}\n{' '.join(f'{edge:.1f}' for edge in box.edges)}")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:16]
