"""Photos of one moment, as cameras and people name them, and as EXIF dates them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import pairwise
from pathlib import Path

LONGEST_PAUSE = 2
"""Seconds between two photos of a burst at most."""

_MOST_A_SECOND = 30
"""More photos with the same second than a phone can take: somebody stamped them, and the time says nothing."""

_NUMBERED_BURST = re.compile(r"^(?P<shot>.*burst[ _-]?\d+)[ _.-]\(?\d{1,4}\)?(\D.*)?$", re.IGNORECASE)
_DATED_BURST = re.compile(r"burst(?P<shot>\d{8,})", re.IGNORECASE)
_BURST = re.compile(r"^(?P<shot>.*burst)[ _-]?\(?\d{1,7}\)?(\D.*)?$", re.IGNORECASE)
_SECOND = re.compile(r"^(?P<shot>.*(19|20)\d{6}[_-]\d{6})([ _~-]?\(?\d{1,3}\)?)?$")
_NUMBER = re.compile(r"^(?P<before>.*?)(?P<number>\d{1,15})$")


def burst_name(stem: str) -> str | None:
    """What a photo's name says of the burst it belongs to; None where it says nothing of one.

    ``IMG_20240101_120000_BURST001``, ``00100_BURST20240101120000123_COVER``, ``burst_01``, ``burst2_01`` and
    ``IMG_20240101_120000_001`` beside ``IMG_20240101_120000_002`` are of a burst.
    """
    dated = _DATED_BURST.search(stem)
    if dated is not None:
        return dated["shot"]
    for pattern in (_NUMBERED_BURST, _BURST, _SECOND):
        found = pattern.match(stem)
        if found is not None:
            return found["shot"].lower()
    return None


def named_pairs(photos: list[Path]) -> Iterator[tuple[int, int]]:
    """Pairs of photos in one folder whose names are of one burst."""
    shots: dict[tuple[Path, str], list[int]] = defaultdict(list)
    for index, photo in enumerate(photos):
        name = burst_name(photo.stem)
        if name is not None:
            shots[photo.parent, name].append(index)
    for members in shots.values():
        yield from pairwise(members)


def timed_pairs(photos: Iterable[tuple[Path, str | None, str | None]]) -> Iterator[tuple[int, int]]:
    """Pairs of photos that one camera took within two seconds, in one folder.

    Args:
        photos: path, EXIF time as ``YYYY-MM-DD HH:MM:SS``, and camera of each.
    """
    rolls: dict[tuple[Path, str | None], dict[datetime, list[int]]] = defaultdict(lambda: defaultdict(list))
    for index, (photo, captured, camera) in enumerate(photos):
        if captured is not None:
            rolls[photo.parent, camera][datetime.fromisoformat(captured)].append(index)
    for roll in rolls.values():
        seconds = [second for second in sorted(roll) if len(roll[second]) <= _MOST_A_SECOND]
        for second in seconds:
            yield from pairwise(roll[second])
        for earlier, later in pairwise(seconds):
            if (later - earlier).total_seconds() <= LONGEST_PAUSE:
                yield roll[earlier][0], roll[later][0]


def consecutive_pairs(photos: list[Path]) -> Iterator[tuple[int, int]]:
    """Pairs of photos in one folder whose names differ by one number: neighbours on the roll, not yet a burst."""
    rolls: dict[tuple[Path, str], dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for index, photo in enumerate(photos):
        found = _NUMBER.match(photo.stem)
        if found is not None:
            rolls[photo.parent, found["before"]][int(found["number"])].append(index)
    for roll in rolls.values():
        for number, members in roll.items():
            yield from ((one, other) for one in members for other in roll.get(number + 1, ()))
