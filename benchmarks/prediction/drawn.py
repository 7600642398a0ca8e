"""Drawn photos as heavy as a phone's, kept in the work folder, and folders of links to photos."""

from __future__ import annotations

import io
import multiprocessing
import os
import shutil
from collections.abc import Iterable, Sequence
from functools import partial
from itertools import count, cycle, islice
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.files import replacing
from pipeline.sample import draw_photo, draw_photos
from prediction.options import empty

PHONE = (4032, 3024)
SMALL = (640, 480)
"""Of the photos of which there are thousands: what is asked of those does not depend on how large they are."""

SEED = 6

_WANTED_BYTES = 3_000_000
_NOISE = (0.0, 1.5, 3.0, 4.5, 6.0, 8.0)
"""Standard deviations of a sensor's noise, in steps of the 255, that are tried until the JPEG weighs enough."""

_QUALITY = 90
_LOOK = (128, 96)


def choose_crowded(photos: int) -> list[int]:
    """The numbers of the first photos that show two books, as a quick small drawing of them says."""
    numbers = (index for index in count() if len(draw_photo(seed=SEED, index=index, size=_LOOK).subjects) == 2)
    return list(islice(numbers, photos))


def draw(folder: Path, numbers: Iterable[int], size: tuple[int, int]) -> list[Path]:
    """Draw photos of the sample that are not there yet, on all cores; their labels lie in ``labels`` beside ``images``.

    Args:
        folder: gets ``images`` and ``labels``.
        numbers: of the photos.
        size: long and short side in pixels; those of ``PHONE`` get a sensor's noise.

    Returns:
        The photos.
    """
    files = {index: folder / "images" / f"photo-{index + 1:04d}.jpg" for index in numbers}
    missing = [index for index, file in files.items() if not file.exists()]
    if missing:
        with multiprocessing.get_context("spawn").Pool(min(len(missing), count_cores())) as pool:
            pool.map(partial(_draw_one, folder, size), missing, chunksize=1)
    return list(files.values())


def count_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def link(folder: Path, photos: Sequence[Path], number: int, *, copies: bool = False) -> Path:
    """A folder made anew with so many photos, the given ones over and over under other names.

    Args:
        folder: to make.
        photos: at least one.
        number: how many there shall be.
        copies: whether each is a file of its own; else they are links, and nobody may write to them.
    """
    empty(folder)
    for place, photo in enumerate(islice(cycle(photos), number)):
        _link(photo, folder / f"{place:05d}{photo.suffix}", copies=copies)
    return folder


def _link(photo: Path, place: Path, *, copies: bool) -> None:
    if not copies:
        try:
            place.hardlink_to(photo)
            return
        except OSError:  # another disk, or one that has no links
            pass
    shutil.copyfile(photo, place)


def _draw_one(folder: Path, size: tuple[int, int], index: int) -> None:
    """Into a folder of its own first: a photo that is there is whole."""
    made = folder / f".drawn-{index}"
    draw_photos(made, made, count=1, seed=SEED, size=size, first=index)
    name = f"photo-{index + 1:04d}"
    data = (made / f"{name}.jpg").read_bytes()
    for place, content in (
        (folder / "labels" / f"{name}.txt", (made / f"{name}.txt").read_bytes()),
        (folder / "labels" / "classes.txt", (made / "classes.txt").read_bytes()),
        (folder / "images" / f"{name}.jpg", add_noise(data, index) if size == PHONE else data),
    ):
        with replacing(place) as temporary:
            temporary.write_bytes(content)
    shutil.rmtree(made)


def add_noise(data: bytes, seed: int) -> bytes:
    """As much of a sensor's noise as makes a JPEG weigh what a phone's does; its EXIF stays."""
    with Image.open(io.BytesIO(data)) as image:
        tags, pixels = image.getexif(), np.asarray(image.convert("RGB"))
    noise = np.random.default_rng((SEED, seed, 3)).standard_normal((*pixels.shape[:2], 1), dtype=np.float32)
    heavy = data
    for strength in _NOISE:
        noisy = np.clip(pixels + noise * np.float32(strength), 0, 255).astype(np.uint8) if strength else pixels
        buffer = io.BytesIO()
        Image.fromarray(noisy).save(buffer, "JPEG", quality=_QUALITY, exif=tags)
        heavy = buffer.getvalue()
        if len(heavy) >= _WANTED_BYTES:
            break
    return heavy
