"""Names of a workbook's sheets as Excel takes them."""

from __future__ import annotations

import re
from itertools import count

from pipeline.workbook.tables import clean_text, count_units

_MAX_UNITS = 31
_RESERVED = "history"
_INVALID = re.compile(r"[\[\]:*?/\\]")
_SPACE = re.compile(r"\s+")


class SheetNames:
    """Those of one workbook: valid, and no two alike."""

    def __init__(self) -> None:
        self._taken = {_RESERVED}

    def claim(self, name: str, part: int = 1) -> str:
        """A name that no other sheet has, as near to ``name`` as may be.

        Args:
            name: what the sheet should be called.
            part: of a table that goes on over several sheets, counted from 1: "Photos", "Photos 2" ...
        """
        stem = _SPACE.sub(" ", _INVALID.sub("_", clean_text(name))).strip(" '") or "Sheet"
        return next(filter(self._take, (_number(stem, number) for number in count(part))))

    def _take(self, name: str) -> bool:
        """Whether the name was free; now it is not."""
        key = name.lower().casefold()  # as XlsxWriter tells names apart, and a little stricter
        free = key not in self._taken
        self._taken.add(key)
        return free


def _number(stem: str, number: int) -> str:
    suffix = "" if number == 1 else f" {number}"
    while count_units(stem + suffix) > _MAX_UNITS:
        stem = stem[:-1]
    return stem.rstrip(" '") + suffix
