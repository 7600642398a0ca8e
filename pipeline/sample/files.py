"""Photos, their labels and whole data sets as files."""

from __future__ import annotations

import datetime
from pathlib import Path

import numpy as np
from PIL import Image

from pipeline.errors import DataError
from pipeline.files import output_error, replacing, write_text
from pipeline.sample.photo import DrawnPhoto, draw_photo
from pipeline.sample.words import KINDS

_EXIF_TAGS = {"make": 0x010F, "model": 0x0110, "orientation": 0x0112, "sub": 0x8769, "taken": 0x9003}


def draw_photos(photos: Path, labels: Path, *, count: int, seed: int, size: tuple[int, int], first: int = 0) -> None:
    """Draw photos with LabelImg's YOLO labels: ``photo-0001.jpg``, ``photo-0001.txt`` and so on, and ``classes.txt``.

    Args:
        photos: folder for the photos, made where missing.
        labels: folder for the labels, made where missing; a photo without a book gets an empty one.
        count: how many.
        seed: of the whole set.
        size: long and short side in pixels.
        first: index of the first one; its number is one more.

    Raises:
        DataError: a wrong size.
        OutputError: something cannot be written.
    """
    for index in range(first, first + count):
        photo = draw_photo(seed=seed, index=index, size=size)
        name = f"photo-{index + 1:04d}"
        _write_photo(photos / f"{name}.jpg", photo, _drawn_exif(photo.orientation, seed=seed, index=index))
        write_text(labels / f"{name}.txt", _label_lines(photo))
    write_text(labels / "classes.txt", "".join(f"{kind}\n" for kind in KINDS))


_UPRIGHT = "ignore: orientation-unclear  # the boxes are drawn on the photos as they are seen, upright\n"


def draw_sample(folder: Path, *, photos: int, seed: int, size: tuple[int, int]) -> Path:
    """Draw a data set ready to train: four fifths to train on, the rest to validate with.

    Args:
        folder: a new or empty folder; gets ``images``, ``labels`` and ``data.yaml``.
        photos: how many in all, 2 or more.
        seed: the same seed draws the same set.
        size: long and short side in pixels.

    Returns:
        The path of ``data.yaml``.

    Raises:
        DataError: too few photos, a wrong size, or files in ``folder`` already.
        OutputError: something cannot be written.
    """
    if photos < 2:
        raise DataError(f"{photos} photos", expected="2 or more, one to train on and one to validate with")
    _require_empty(folder)
    train = min(max(1, round(photos * 0.8)), photos - 1)
    for part, first, count in (("train", 0, train), ("val", train, photos - train)):
        draw_photos(folder / "images" / part, folder / "labels" / part, count=count, seed=seed, size=size, first=first)
    names = "".join(f"  {number}: {kind}\n" for number, kind in enumerate(KINDS))
    write_text(folder / "data.yaml", f"train: images/train\nval: images/val\nnames:\n{names}{_UPRIGHT}")
    return folder / "data.yaml"


def _drawn_exif(orientation: int, *, seed: int, index: int) -> Image.Exif:
    """What a phone would note: itself, how it was held, and when, some time in 2024 or 2025."""
    moment = np.random.default_rng((seed, index, 2)).integers(2 * 365 * 24 * 3600)
    taken = datetime.datetime(2024, 1, 1) + datetime.timedelta(seconds=int(moment))
    exif = Image.Exif()
    exif[_EXIF_TAGS["make"]] = "cropsort"
    exif[_EXIF_TAGS["model"]] = "drawn"
    exif[_EXIF_TAGS["orientation"]] = orientation
    exif.get_ifd(_EXIF_TAGS["sub"])[_EXIF_TAGS["taken"]] = f"{taken:%Y:%m:%d %H:%M:%S}"
    return exif


def _write_photo(path: Path, photo: DrawnPhoto, exif: Image.Exif) -> None:
    """Store the photo turned, so that whoever heeds its EXIF orientation sees it upright."""
    turns = {1: 0, 3: 2, 6: 1, 8: 3}[photo.orientation]
    stored = Image.fromarray(np.rot90(photo.image, turns))
    quality = 90 if max(stored.size) > 2000 else 80
    with replacing(path) as part:
        stored.save(part, "JPEG", quality=quality, exif=exif)


def _label_lines(photo: DrawnPhoto) -> str:
    """The lines of LabelImg's YOLO format; empty without a book."""
    high, wide = photo.image.shape[:2]
    lines = []
    for box, kind in photo.subjects:
        x, y = (box.left + box.right) / 2 / wide, (box.top + box.bottom) / 2 / high
        numbers = (KINDS.index(kind), x, y, box.width / wide, box.height / high)
        lines.append("%d %.6f %.6f %.6f %.6f\n" % numbers)  # noqa: UP031 - as LabelImg writes it
    return "".join(lines)


def _require_empty(folder: Path) -> None:
    try:
        taken = folder.is_dir() and any(folder.iterdir())
    except OSError as error:
        raise output_error(error, folder) from error
    if taken:
        raise DataError("is not empty", where=folder, expected="a new or empty folder", remedy="name another folder")
