"""The road of a photo: opened, searched, cut, decided on, each stage at work while the others are."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.batches import lacks_memory
from pipeline.errors import PhotoError, TooLargeError, TruncatedError
from pipeline.fetching import fetch
from pipeline.flow import Done, Stage, run_stages
from pipeline.images import Pixels, ScaledPhoto, is_photo_inside, open_photo, read_size
from pipeline.listing import is_photo
from pipeline.results import Detection, PhotoResult, Status
from pipeline.sources import Source
from pipeline.thumbnails import Thumbnails, make_thumbnail

if TYPE_CHECKING:
    from pipeline.sorter import Sorter

CROPS = 64
"""Views of subjects that are decided on together."""

_ORDINARY_BYTES = 8_000_000
"""Of a photo of 12 megapixels, decoded at a quarter of its size, and its file."""

_NO_MEMORY = "does not fit into memory alone"


@dataclass(frozen=True, slots=True)
class _Opened:
    about: PhotoResult
    photo: ScaledPhoto


@dataclass(frozen=True, slots=True)
class _Found:
    about: PhotoResult
    photo: ScaledPhoto
    found: Sequence[Detection]


@dataclass(frozen=True, slots=True)
class _Cut:
    about: PhotoResult
    found: Sequence[Detection]
    views: Sequence[Sequence[Pixels]]


_Result = Done[PhotoResult]


@dataclass(frozen=True, slots=True)
class Road:
    """Where photos are sorted.

    Args:
        sorter: the trained pair.
        thumbnails: what the workbook shows of each subject.
        batch: photos searched together, at least 1; fewer where memory runs out.
        gps: whether results say where a photo was taken.
        on_fewer: told how many photos at a time there were and how many fit, where memory runs out.
    """

    sorter: Sorter
    thumbnails: Thumbnails
    batch: int = 1
    gps: bool = False
    on_fewer: Callable[[int, int], None] = lambda _before, _fits: None

    def sort(self, sources: Iterable[Source]) -> Generator[PhotoResult, None, None]:
        """A result for each file, as it is done; to be closed, see ``run_stages``.

        Raises:
            OutputError: a thumbnail cannot be written.
        """
        return run_stages(sources, self._stages(count_cores()))

    @staticmethod
    def count_under_way(batch: int, cores: int) -> int:
        """Ordinary photos that are in memory at once, at most."""
        return cores + (room := max(batch, cores)) + batch + room + cores

    def _stages(self, cores: int) -> list[Stage[Any, Any]]:
        room = max(self.batch, cores)
        return [
            Stage("open", _each(self._open), _refuse_source, threads=cores, room=cores),
            Stage("find", self._find, _refuse, batch=self.batch, room=room, weigh=_weigh, on_fewer=self.on_fewer),
            Stage("cut", _each(self._cut), _refuse, threads=cores, room=room, weigh=_weigh),
            Stage("decide", self._decide, _refuse, batch=CROPS, room=CROPS, weigh=_count_views),
        ]

    def _open(self, source: Source) -> _Opened | _Result:
        begin = time.perf_counter()
        about = _describe(source)
        if about.file_bytes is not None and not _looks_like_photo(source):
            return Done(replace(about, status="unsupported", error="no photo by its name or its first bytes"))
        try:
            content = fetch(source.place) if isinstance(source.place, str) else source.place
            photo = open_photo(content, side=self.sorter.side, name=source.name)
        except PhotoError as error:
            return Done(_fail(about, error, begin))
        header = photo.header
        about = replace(
            about,
            size=header.size,
            captured=header.captured,
            camera=header.camera,
            gps=header.gps if self.gps else None,
            seconds=time.perf_counter() - begin,
        )
        return _Opened(about, photo)

    def _find(self, opened: Sequence[_Opened]) -> list[_Found | _Result]:
        begin = time.perf_counter()
        found = self.sorter.find([one.photo for one in opened])
        share = (time.perf_counter() - begin) / len(opened)
        abouts = [replace(one.about, seconds=one.about.seconds + share) for one in opened]
        return [
            _Found(about, one.photo, some) if some else Done(about)
            for about, one, some in zip(abouts, opened, found, strict=True)
        ]

    def _cut(self, one: _Found) -> _Cut | _Result:
        begin, about = time.perf_counter(), one.about
        try:
            views = self.sorter.cut(one.photo, one.found)
        except PhotoError as error:
            return Done(_fail(about, error, begin))
        margin = self.sorter.cards.classifier.margin or 0.0
        for index, (subject, seen) in enumerate(zip(one.found, views, strict=True)):
            picture = make_thumbnail(one.photo, subject.box, seen[0], margin=margin)
            self.thumbnails.write(about.photo, index, picture)
        return _Cut(replace(about, seconds=about.seconds + time.perf_counter() - begin), one.found, views)

    def _decide(self, cuts: Sequence[_Cut]) -> list[_Result]:
        begin = time.perf_counter()
        found = [subject for one in cuts for subject in one.found]
        made = iter(self.sorter.decide(found, [seen for one in cuts for seen in one.views]))
        share = (time.perf_counter() - begin) / len(cuts)
        return [
            Done(
                replace(
                    one.about,
                    status="ok",
                    seconds=one.about.seconds + share,
                    predictions=tuple(next(made) for _ in one.found),
                )
            )
            for one in cuts
        ]


def _refuse_source(source: Source) -> _Result:
    size = _read_size(source.place) if isinstance(source.place, Path) else None
    return Done(replace(_describe(source), status="too large", size=size, error=_NO_MEMORY))


def _read_size(path: Path) -> tuple[int, int] | None:
    try:
        return read_size(path)
    except PhotoError:
        return None  # whoever opens it says why


def count_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _describe(source: Source) -> PhotoResult:
    """What is known of a file before it is opened."""
    file_bytes, modified_ns = source.stat()
    return PhotoResult(source.name, "empty", file_bytes=file_bytes, modified_ns=modified_ns)


def _looks_like_photo(source: Source) -> bool:
    return isinstance(source.place, str) or is_photo(source.place) or is_photo_inside(source.place)


def _fail(about: PhotoResult, error: PhotoError, begin: float) -> PhotoResult:
    if lacks_memory(error):
        raise error
    status: Status = "unreadable"
    if isinstance(error, TruncatedError):
        status = "truncated"
    elif isinstance(error, TooLargeError):
        status = "too large"
    return replace(about, status=status, seconds=about.seconds + time.perf_counter() - begin, error=error.found)


def _refuse(one: _Opened | _Found | _Cut) -> _Result:
    return Done(replace(one.about, status="too large", error=_NO_MEMORY))


def _weigh(one: _Opened | _Found) -> float:
    return max(1.0, (one.photo.pixels.nbytes + len(one.photo.data)) / _ORDINARY_BYTES)


def _count_views(one: _Cut) -> float:
    return float(sum(map(len, one.views)))


def _each(work: Callable[[Any], Any]) -> Callable[[Sequence[Any]], list[Any]]:
    return lambda things: [work(thing) for thing in things]
