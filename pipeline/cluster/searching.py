"""The road of a photo whose subjects are to be grouped: opened, searched, cut, several photos at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.batches import lacks_memory
from pipeline.cluster.features import PIXELS_SIDE
from pipeline.crops import cut_scaled, useful_side
from pipeline.errors import PhotoError
from pipeline.finder import Finder, WholePhoto
from pipeline.flow import Done, Stage
from pipeline.images import Pixels, ScaledPhoto, is_photo_inside, open_photo
from pipeline.listing import is_photo
from pipeline.results import Detection
from pipeline.road import count_cores
from pipeline.sources import Source
from pipeline.thumbnails import SIDE, make_thumbnail

if TYPE_CHECKING:
    from pipeline.sorter import Sorter


@dataclass(frozen=True, slots=True)
class Problem:
    """A file without a subject.

    Args:
        number: of the file among all.
        photo: its name.
        reason: why, in a few words.
        failed: whether it is a photo that cannot be read.
    """

    number: int
    photo: str
    reason: str
    failed: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What there is to see of the subjects in a photo.

    Args:
        number: of the photo among all.
        name: what the results call it.
        path: its file.
        found: the subjects, the surest first, at least one.
        views: of each, as ``Sorter.cut`` gives them.
        thumbnails: of each, JPEG.
    """

    number: int
    name: str
    path: Path
    found: Sequence[Detection]
    views: Sequence[Sequence[Pixels]]
    thumbnails: Sequence[bytes]


@dataclass(frozen=True, slots=True, eq=False)
class _Opened:
    number: int
    name: str
    path: Path
    photo: ScaledPhoto


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    opened: _Opened
    found: Sequence[Detection]


_Given = tuple[int, Source]


class Search:
    """Finds the subjects and cuts them out.

    Args:
        sorter: has the detector, and knows what its classifiers look at; None where photos are compared pixel by pixel.
        whole: whether each photo is a subject; always so without a sorter.
    """

    def __init__(self, sorter: Sorter | None, *, whole: bool) -> None:
        self._finder: Finder = WholePhoto() if sorter is None or whole else sorter.finder
        self._side = max(SIDE, useful_side(PIXELS_SIDE, whole=True) if sorter is None else sorter.side)
        self._margin = 0.0 if sorter is None else sorter.cards.classifier.margin or 0.0
        self._cut_views = _cut_whole if sorter is None else sorter.cut

    def stages(self) -> list[Stage[Any, Any]]:
        """From ``(number, source)`` to a ``Seen`` or a ``Problem``; for ``run_stages``."""
        cores = count_cores()
        return [
            Stage("open", _each(self._open), _refuse_given, threads=cores, room=cores),
            # One photo at a time: what is found in it does not depend on which others happen to be there.
            Stage("find", _each(self._find), _refuse_opened, room=cores),
            Stage("cut", _each(self._cut), lambda one: _refuse_opened(one.opened), threads=cores, room=cores),
        ]

    def _open(self, given: _Given) -> _Opened | Done[Problem]:
        number, source = given
        if not isinstance(source.place, Path):
            return Done(Problem(number, source.name, "lies on the web: save it first, and group the file"))
        if not is_photo(source.place) and not is_photo_inside(source.place):
            return Done(Problem(number, source.name, "no photo by its name or its first bytes"))
        try:
            photo = open_photo(source.place, side=self._side, name=source.name)
        except PhotoError as error:
            return Done(_fail(number, source.name, error))
        return _Opened(number, source.name, source.place, photo)

    def _find(self, one: _Opened) -> _Found | Done[Problem]:
        (found,) = self._finder.find_scaled([one.photo], conf=self._finder.confidence)
        return _Found(one, found) if found else Done(Problem(one.number, one.name, "nothing was found in it"))

    def _cut(self, one: _Found) -> Done[Seen | Problem]:
        opened = one.opened
        try:
            views = self._cut_views(opened.photo, one.found)
        except PhotoError as error:
            return Done(_fail(opened.number, opened.name, error))
        thumbnails = [
            make_thumbnail(opened.photo, subject.box, seen[0], margin=self._margin)
            for subject, seen in zip(one.found, views, strict=True)
        ]
        return Done(Seen(opened.number, opened.name, opened.path, one.found, views, thumbnails))


def _cut_whole(photo: ScaledPhoto, found: Sequence[Detection]) -> list[list[Pixels]]:
    """What ``from_pixels`` is shown of photos that nothing else looks at."""
    return [cut_scaled(photo, one.box, side=PIXELS_SIDE, margin=0.0, whole=False) for one in found]


def _fail(number: int, name: str, error: PhotoError) -> Problem:
    if lacks_memory(error):
        raise error
    return Problem(number, name, error.found, failed=True)


def _refuse_given(given: _Given) -> Done[Problem]:
    return Done(Problem(given[0], given[1].name, "does not fit into memory alone", failed=True))


def _refuse_opened(one: _Opened) -> Done[Problem]:
    return Done(Problem(one.number, one.name, "does not fit into memory alone", failed=True))


def _each(work: Callable[[Any], Any]) -> Callable[[Sequence[Any]], list[Any]]:
    return lambda things: [work(thing) for thing in things]
