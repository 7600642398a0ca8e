"""What tells photos that are the same, or nearly: each is decoded once, small, and kept as a kilobyte."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import cv2
import imagehash
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipeline.bursts import consecutive_pairs, named_pairs, timed_pairs
from pipeline.errors import PhotoError, TruncatedError
from pipeline.images import quiet, read_small

SIDE = 16
"""Side of the small picture in pixels."""

_DRAFT_SIDE = 64

# What separates near duplicates from pictures that are only alike was measured on 1,918 photos of cards, groceries and
# drawn books, some 400 of them saved again in other ways. Bits that differ, and distance (1 - correlation of the small
# pictures), at most in 99 of 100:
#   JPEG quality 20       2 bits  0.008     cropped by 2 %       6 bits  0.013
#   half the size         2 bits  0.000     moved by 1 %         7 bits  0.029
#   10 % brighter         4 bits  0.008     turned by 1 degree   8 bits  0.011
# The six pairs of cards within these bounds are the same view taken twice (0.000 to 0.024); the next pairs show another
# card on the same carpet (8 bits, 0.096). Two objects of 5 % of the area in turn on one background pass both bounds
# in 26 to 64 of 100; in 4 to 15 of 100 no cell of the small picture shows them either.
_NEAR = 10, 0.03
_MOST_IN_A_CELL = 1.1
"""Difference of one cell of the small pictures, in standard deviations; saving again makes 1.05 in 1 of 100 cases."""

# Neighbours on a roll are of one moment up to here, whatever one cell shows. Of 1,700 such pairs of cards and groceries
# five are (6 bits and 0.024 at most, the same card); the next show other cards on the same table (14 bits or more, or
# 0.063 or more). A view cropped by 2 % at one corner is within these bounds in 97 of 100 cases.
_MOMENT = 12, 0.06

_PLAIN = 8.0
"""Standard deviation, of 255, under which a photo is a wall or the dark; the least of those measured is 13."""

_ROWS = 64
_MOST_THREADS = 8
"""Each may hold a whole HEIC photo."""


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a photo is recognised by.

    Args:
        photo: the photo's file.
        digest: SHA-256 of the file, hexadecimal.
        bits: perceptual hash of the upright photo, 64 bits.
        captured: EXIF capture time as ``YYYY-MM-DD HH:MM:SS``; None where the photo has none.
        camera: EXIF model of the camera; None where the photo has none.
        small: the upright photo at 16 x 16 pixels, RGB, row by row.
    """

    photo: Path
    digest: str
    bits: int
    captured: str | None
    camera: str | None
    small: bytes = field(repr=False)


Group = tuple[Fingerprint, ...]
"""Fingerprints of photos that belong together, two at least, in order of their paths."""

Pairs = Iterable[tuple[int, int]]


def take_fingerprints(
    photos: Iterable[Path], *, on_photo: Callable[[], None] | None = None
) -> list[Fingerprint | PhotoError]:
    """Decode each photo once, on every core.

    Args:
        photos: files.
        on_photo: called after each photo.

    Returns:
        In the order of ``photos``: a fingerprint, or why there is none; ``is_truncated`` tells the two reasons apart.
    """
    taken: list[Fingerprint | PhotoError] = []
    with quiet():
        for one in _in_threads(photos):
            taken.append(one)
            if on_photo is not None:
                on_photo()
    return taken


def is_truncated(error: PhotoError) -> bool:
    """Whether the photo only lacks its end."""
    return isinstance(error, TruncatedError)


def find_repeated(fingerprints: Iterable[Fingerprint]) -> list[Group]:
    """Photos that are the same file."""
    ordered = _ordered(fingerprints)
    return _join(ordered, _repeated_pairs(ordered))


def find_similar(fingerprints: Iterable[Fingerprint]) -> list[Group]:
    """Near duplicates: one picture saved again, scaled, brightened, or cropped by a hair; same files not again."""
    ordered = list({one.digest: one for one in reversed(_ordered(fingerprints))}.values())[::-1]
    return _join(ordered, _similar_pairs(ordered))


def find_bursts(fingerprints: Iterable[Fingerprint]) -> list[Group]:
    """Photos of one moment: by EXIF time, by name, or with consecutive numbers and looking alike."""
    ordered = _ordered(fingerprints)
    return _join(ordered, _burst_pairs(ordered))


def join_groups(groups: Iterable[Group]) -> list[Group]:
    """Groups that share a photo become one."""
    given = list(groups)
    ordered = _ordered({one.photo: one for group in given for one in group}.values())
    place = {one.photo: index for index, one in enumerate(ordered)}
    return _join(ordered, ((place[group[0].photo], place[one.photo]) for group in given for one in group[1:]))


def group_photos(fingerprints: Iterable[Fingerprint]) -> dict[Path, int]:
    """A number for every photo, the same where photos are repeated, similar or of one burst."""
    ordered = _ordered(fingerprints)
    pairs = chain(_repeated_pairs(ordered), _similar_pairs(ordered), _burst_pairs(ordered))
    return {one.photo: number for one, number in zip(ordered, _number(len(ordered), pairs), strict=True)}


def _in_threads(photos: Iterable[Path]) -> Iterator[Fingerprint | PhotoError]:
    """Few photos are ahead of the one that is waited for, so that memory stays flat."""
    workers = min(os.cpu_count() or 1, _MOST_THREADS)
    ahead: deque[Future[Fingerprint | PhotoError]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        for photo in photos:
            ahead.append(pool.submit(_take, photo))
            if len(ahead) > 4 * workers:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()


def _take(photo: Path) -> Fingerprint | PhotoError:
    try:
        data = photo.read_bytes()
        header, pixels = read_small(data, _DRAFT_SIDE, where=photo)
    except OSError as error:
        return PhotoError(f"cannot be read ({error.strerror or error})", where=photo)
    except PhotoError as error:
        return error
    bits = int(str(imagehash.phash(Image.fromarray(pixels))), 16)
    small = cv2.resize(pixels, (SIDE, SIDE), interpolation=cv2.INTER_AREA).tobytes()
    return Fingerprint(photo, hashlib.sha256(data).hexdigest(), bits, header.captured, header.camera, small)


def _ordered(fingerprints: Iterable[Fingerprint]) -> list[Fingerprint]:
    return sorted(fingerprints, key=lambda one: one.photo.as_posix())


def _repeated_pairs(ordered: list[Fingerprint]) -> Iterator[tuple[int, int]]:
    first: dict[str, int] = {}
    for index, one in enumerate(ordered):
        if first.setdefault(one.digest, index) != index:
            yield first[one.digest], index


def _similar_pairs(ordered: list[Fingerprint]) -> Iterator[tuple[int, int]]:
    """Enough pairs to join the groups: what is in one group already is not compared, or a fixed camera takes hours."""
    shown = np.flatnonzero(~_are_plain(ordered))
    cells = _normalise([ordered[index] for index in shown])
    group = np.arange(len(shown))
    for one, near in _near_bits(np.array([ordered[index].bits for index in shown], np.uint64)):
        others = near[group[near] != group[one]]
        alike = others[_are_alike(cells[one], cells[others])]
        group[np.isin(group, group[alike])] = group[one]
        yield from ((int(shown[one]), int(shown[other])) for other in alike)


def _near_bits(bits: NDArray[np.uint64]) -> Iterator[tuple[int, NDArray[np.intp]]]:
    """Each one with those after it whose bits are near; in blocks, since all of 50,000 would take gigabytes."""
    for start in range(0, len(bits), _ROWS):
        near = np.bitwise_count(bits[start : start + _ROWS, None] ^ bits[None, start:]) <= _NEAR[0]
        for row, found in enumerate(near):
            after = np.flatnonzero(found[row + 1 :])
            if len(after):
                yield start + row, after + start + row + 1


def _are_alike(one: NDArray[np.float16], others: NDArray[np.float16]) -> NDArray[np.bool_]:
    alike = _distance(one, others) <= _NEAR[1]
    alike[alike] = np.abs(others[alike] - one).max(axis=1, initial=0) <= _MOST_IN_A_CELL
    return alike


def _distance(one: NDArray[np.float16], others: NDArray[np.float16]) -> NDArray[np.float32]:
    """1 - correlation."""
    return np.asarray(1 - others.astype(np.float32) @ one.astype(np.float32) / len(one))


def _burst_pairs(ordered: list[Fingerprint]) -> Iterator[tuple[int, int]]:
    photos = [one.photo for one in ordered]
    yield from named_pairs(photos)
    yield from timed_pairs((one.photo, one.captured, one.camera) for one in ordered)
    plain = _are_plain(ordered)
    for one, other in consecutive_pairs(photos):
        if not (plain[one] or plain[other]) and _are_of_a_moment(ordered[one], ordered[other]):
            yield one, other


def _are_of_a_moment(one: Fingerprint, other: Fingerprint) -> bool:
    if (one.bits ^ other.bits).bit_count() > _MOMENT[0]:
        return False
    first, second = _normalise([one, other])
    return bool(_distance(first, second[None])[0] <= _MOMENT[1])


def _are_plain(ordered: list[Fingerprint]) -> NDArray[np.bool_]:
    return np.array([np.frombuffer(one.small, np.uint8).std() < _PLAIN for one in ordered], np.bool_)


def _normalise(some: list[Fingerprint]) -> NDArray[np.float16]:
    """Small pictures as rows of mean 0 and standard deviation 1: a brighter photo is the same picture."""
    rows = np.empty((len(some), SIDE * SIDE * 3), np.float16)
    for row, one in zip(rows, some, strict=True):
        cells = np.frombuffer(one.small, np.uint8).astype(np.float32)
        row[:] = (cells - cells.mean()) / cells.std()
    return rows


def _join(ordered: list[Fingerprint], pairs: Pairs) -> list[Group]:
    groups: dict[int, list[Fingerprint]] = defaultdict(list)
    for one, number in zip(ordered, _number(len(ordered), pairs), strict=True):
        groups[number].append(one)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def _number(count: int, pairs: Pairs) -> list[int]:
    """The number of each one's group: that of its first member."""
    leader = list(range(count))

    def find(index: int) -> int:
        while leader[index] != index:
            leader[index] = leader[leader[index]]
            index = leader[index]
        return index

    for one, other in pairs:
        first, second = sorted((find(one), find(other)))
        leader[second] = first
    return [find(index) for index in range(count)]
