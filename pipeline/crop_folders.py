"""What was found, cut out, in a folder a class: to look through, to sort by hand, to train with."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from pipeline.crops import cut_subject
from pipeline.errors import PhotoError
from pipeline.images import Pixels, read_photo
from pipeline.naming import Taken, plain_name, plain_parts
from pipeline.pictures import OpenPhoto, PicturesMade, make_pictures
from pipeline.results import PhotoResult

CROPS, UNSURE = "crops", "crops-unsure"
"""Folders of the crops in that of a report: beside each other, so that all in the first may be trained with."""

_QUALITY = 95


def write_crops(
    results: Iterable[PhotoResult], open_source: OpenPhoto, folder: Path, *, class_names: Sequence[str]
) -> PicturesMade:
    """Cut out every subject at full size: ``crops/<class>/<photo>-<number>.jpg``, unsure ones in ``crops-unsure/``.

    Folders of the photo are part of the name, since what is a folder of a class may not have folders. Numbers are those
    of the rows: 0 is what the detector is surest of.

    Args:
        results: as for ``make_pictures``.
        open_source: as for ``make_pictures``.
        folder: the report's.
        class_names: every class of the run.

    Raises:
        OutputError: as ``make_pictures`` does.
    """
    roots = {True: folder / CROPS, False: folder / UNSURE}
    folders, taken = _name_folders(class_names), Taken()

    def place(result: PhotoResult) -> list[Path]:
        stem = plain_name(Path("_".join(plain_parts(result.photo))).stem)
        names = [folders.get(one.class_name) or plain_name(one.class_name) for one in result.predictions]
        return [
            roots[one.sure] / taken.claim(f"{name}/{stem}-{index}", ".jpg")
            for index, (one, name) in enumerate(zip(result.predictions, names, strict=True))
        ]

    def draw(result: PhotoResult, source: Path | bytes) -> list[Pixels]:
        photo = read_photo(source, name=result.photo)
        if photo.size != result.size:
            raise PhotoError("has changed since it was sorted", where=result.photo)
        return [cut_subject(photo.pixels, one.detection.box) for one in result.predictions]

    return make_pictures(results, open_source, list(roots.values()), place=place, draw=draw, quality=_QUALITY)


def _name_folders(class_names: Sequence[str]) -> dict[str, str]:
    """A folder of its own for each class."""
    taken = Taken()
    return {name: taken.claim(plain_name(name)) for name in class_names}
