"""Errors that end a command, each printed as one line.

::

    CropsortError               exit 2   set-up or usage; also the base of all
    ├── DataError (ValueError)  exit 1   the user's photos, labels or data.yaml hold something wrong
    │   └── PhotoError          (row)    one photo that cannot be read: a row in the results, never the end of a run
    │       ├── TruncatedError  (row)    its end is missing
    │       └── TooLargeError   (row)    more pixels or bytes than any photo has
    ├── ConfigError (ValueError) exit 2  data.yaml itself cannot be understood
    ├── WeightsError (ValueError) exit 2 weights missing, of the wrong kind, or of another data set
    ├── OutputError (OSError)   exit 1   nothing can be written there: full disk, no permission
    ├── OutOfMemoryError (MemoryError) exit 2 the device has less memory than it takes
    └── ProcessDiedError (ChildProcessError) exit 2  a process that work was given to ended without an answer

A line reads ``where - what was found - what was expected - what to do``; parts that say nothing are left out.
"""

from __future__ import annotations

from pathlib import Path


class CropsortError(Exception):
    """Base of every error that cropsort raises on purpose.

    Args:
        found: what is wrong.
        where: the file (or key, or option) it was found in.
        line: line in that file, counted from 1.
        expected: what would have been right.
        remedy: what the user can do.
    """

    exit_code = 2

    def __init__(
        self,
        found: str,
        *,
        where: Path | str | None = None,
        line: int | None = None,
        expected: str = "",
        remedy: str = "",
    ) -> None:
        self.found = found
        self.where = where
        self.line = line
        self.expected = expected
        self.remedy = remedy
        super().__init__(str(self))

    def __reduce__(self) -> tuple[object, ...]:
        # Exceptions are pickled by their arguments, of which ours keeps none: between processes all fields count.
        return _rebuild, (type(self), self.__dict__.copy())

    def __str__(self) -> str:
        place = "" if self.where is None else str(self.where)
        if place and self.line is not None:
            place += f":{self.line}"
        expected = f"expected {self.expected}" if self.expected else ""
        parts = (place, self.found, expected, self.remedy)
        return " ".join(" - ".join(part for part in parts if part).split("\n"))


class DataError(CropsortError, ValueError):
    """The user's photos, labels or lists hold something that cannot be worked with."""

    exit_code = 1


class PhotoError(DataError):
    """One photo cannot be read.

    Args:
        reason: what is wrong with it, in a few words.
    """

    def __init__(self, reason: str, *, where: Path | str) -> None:
        super().__init__(reason, where=where)


class TruncatedError(PhotoError):
    """The end of a photo is missing: an upload that broke off, a full memory card."""


class TooLargeError(PhotoError):
    """A photo has more pixels, or its file more bytes, than any photo has: a decompression bomb."""


class ConfigError(CropsortError, ValueError):
    """data.yaml cannot be understood."""


class WeightsError(CropsortError, ValueError):
    """Weights are missing, of the wrong kind, or belong to another data set."""


class OutputError(CropsortError, OSError):
    """Results cannot be written."""

    exit_code = 1


class OutOfMemoryError(CropsortError, MemoryError):
    """The device has less memory than it takes."""


class ProcessDiedError(CropsortError, ChildProcessError):
    """A process that work was given to ended without an answer."""


def _rebuild(kind: type[CropsortError], fields: dict[str, object]) -> CropsortError:
    error = kind(str(fields["found"]), where=str(fields["where"]))
    error.__dict__.update(fields)
    error.args = (str(error),)
    return error
