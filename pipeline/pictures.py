"""Pictures made of a run's photos on request: each whole, made but once, and gone when what it shows has gone."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from pipeline.batches import lacks_memory
from pipeline.errors import PhotoError
from pipeline.files import output_error, replacing
from pipeline.flow import Done, Stage, run_stages
from pipeline.images import Pixels, encode_jpeg
from pipeline.results import PhotoResult, to_json

OpenPhoto = Callable[[str], Path | bytes | None]
"""Gives a photo by its name in the results: its file or its bytes; None where it has gone."""

_MARK = "cropsort"
_HEAD_BYTES = 64
"""A JPEG's comment stands this near to its beginning, where it has no EXIF."""

_MOST_THREADS = 8

_Outcome = Literal["made", "kept", "missing"]


@dataclass(frozen=True, slots=True)
class PicturesMade:
    """What became of the photos that something was found in.

    Args:
        made: photos whose pictures were made.
        kept: photos whose pictures an earlier run had made.
        missing: photos that have gone, or changed, since they were sorted; they have no picture.
    """

    made: int
    kept: int
    missing: int


@dataclass(frozen=True, slots=True)
class _Task:
    result: PhotoResult
    paths: tuple[Path, ...]
    mark: str


def make_pictures(
    results: Iterable[PhotoResult],
    open_photo: OpenPhoto,
    roots: Sequence[Path],
    *,
    place: Callable[[PhotoResult], Sequence[Path]],
    draw: Callable[[PhotoResult, Path | bytes], Sequence[Pixels]],
    quality: int,
) -> PicturesMade:
    """Make the pictures that are not there yet, several photos at a time, and remove those of what has gone.

    A picture says in its JPEG comment which result it was made from: one that is of the same result stays as it is, one
    of another is made again, and one of a result that is no more is removed. Files without such a comment are nobody's
    business here.

    Args:
        results: those of a run, gone through once; in the same order each time, or pictures may have to be renamed.
        open_photo: gives a photo; several threads call it at once.
        roots: the folders that the pictures are in, and others of theirs may be.
        place: the pictures' files for a photo; called in the order of ``results``.
        draw: the pictures, as many; may raise ``PhotoError``. Several threads call it at once.
        quality: of the JPEGs, 1 to 100.

    Raises:
        OutputError: they cannot be written there.
    """
    marks: set[str] = set()

    def list_tasks() -> Iterator[_Task]:
        for result in results:
            if result.predictions:
                task = _Task(result, tuple(place(result)), _mark(result))
                marks.add(task.mark)
                yield task

    def work(tasks: Sequence[_Task]) -> list[Done[_Outcome]]:
        return [Done(_make(task, open_photo, draw, quality)) for task in tasks]

    threads = min(os.cpu_count() or 1, _MOST_THREADS)
    stage: Stage[_Task, _Outcome] = Stage("pictures", work, lambda _: Done("missing"), threads=threads, room=threads)
    with closing(run_stages(list_tasks(), [stage])) as done:
        outcomes = Counter(done)
    for root in roots:
        _remove_others(root, marks)
    return PicturesMade(outcomes["made"], outcomes["kept"], outcomes["missing"])


def is_made_from(picture: Path, result: PhotoResult) -> bool:
    """Whether a file is a picture of ours, made from this very result."""
    return _read_mark(picture) == _mark(result)


def _make(
    task: _Task,
    open_photo: OpenPhoto,
    draw: Callable[[PhotoResult, Path | bytes], Sequence[Pixels]],
    quality: int,
) -> _Outcome:
    if all(_read_mark(path) == task.mark for path in task.paths):
        return "kept"
    source = open_photo(task.result.photo)
    if source is None:
        return "missing"
    try:
        pictures = draw(task.result, source)
    except PhotoError as error:
        if lacks_memory(error):
            raise
        return "missing"
    for path, pixels in zip(task.paths, pictures, strict=True):
        with replacing(path) as temporary:
            temporary.write_bytes(encode_jpeg(pixels, quality=quality, comment=task.mark))
    return "made"


def _mark(result: PhotoResult) -> str:
    """What tells a result from any other, whenever it was come to."""
    record = to_json(replace(result, seconds=0.0))
    return f"{_MARK} {hashlib.sha256(record.encode(errors='surrogatepass')).hexdigest()[:16]}"


def _read_mark(path: Path) -> str | None:
    """The mark of a picture; None where there is none, or a file that we did not write."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError:
        return None
    place = head.find(f"{_MARK} ".encode())
    return None if place < 0 else head[place : place + len(_MARK) + 17].decode("ascii", errors="replace")


def _remove_others(root: Path, marks: set[str]) -> None:
    """Remove our own pictures that no result stands for, or that were cut off half-written, and empty folders."""
    for folder, _, names in os.walk(root, topdown=False):
        for path in (Path(folder, name) for name in names if name.endswith(".jpg")):
            mark = _read_mark(path)
            if mark is not None and (mark not in marks or path.name.startswith(".")):
                try:
                    path.unlink()
                except OSError as error:
                    raise output_error(error, path) from error
        with suppress(OSError):  # somebody's file is in it
            Path(folder).rmdir()
