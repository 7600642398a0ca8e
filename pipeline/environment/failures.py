"""What can go wrong while ``.venv`` is made, each as one line with its remedy."""

from __future__ import annotations

import os
import re
import sys

from pipeline.environment.builds import Build
from pipeline.errors import CropsortError


class NotFetchedError(CropsortError):
    """What pip was to fetch cannot be had: no network, or no such package."""


OLDEST = (3, 11)
"""Major and minor version of the oldest Python that will do."""

AGAIN = "run the same command again: it goes on from here"
"""The remedy for all that stopped half-way."""

_UNREACHED = "the package index cannot be reached"
_NOT_THERE = "a package is not to be had for Python {python} on {system}"
_FAILURES = (
    (
        r"No space left|Errno 28|Errno 122|quota exceeded|not enough space",
        "the disk is full",
        "room for what is fetched and for what it unpacks to",
        "free some and " + AGAIN,
    ),
    (
        r"DO NOT MATCH THE HASHES",
        "a package is not the one that requirements.lock names",
        "the same bytes as when the lock was made",
        "a download may have been cut or changed on its way: set PIP_NO_CACHE_DIR=1 and run the same command again",
    ),
    (
        r"Permission denied|Access is denied|Errno 13|WinError 5\b|Read-only file system",
        "no permission to write",
        "a project folder that you may write to",
        "move the project, or close the programs that use .venv, and " + AGAIN,
    ),
    (
        r"Connection|Max retries|Retrying|timed out|[Pp]roxy|SSL|name resolution|Network is unreachable|IncompleteRead"
        r"|HTTP error \d|incomplete-download|not enough bytes were received|\d{3} (?:Client|Server) Error",
        _UNREACHED,
        "a network connection",
        "connect (behind a proxy set HTTPS_PROXY, for an index of your own PIP_INDEX_URL) and " + AGAIN,
    ),
    (
        r"No matching distribution",
        _NOT_THERE,
        "64-bit Python 3.11 to 3.14 on Linux, Windows, or macOS 14 or later with Apple silicon",
        "set up with such a Python; where this is one, see that the package index can be reached",
    ),
)
_NOT_FETCHED = (_UNREACHED, _NOT_THERE)


def check_python(version: tuple[int, int]) -> None:
    """Refuse a Python that is too old.

    Args:
        version: its major and minor version.

    Raises:
        CropsortError: it is too old.
    """
    if version < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        raise CropsortError(
            "too old",
            where="Python {}.{}".format(*version),
            expected=f"Python {oldest} or newer",
            remedy=f"install one, then `python{oldest} -m pipeline setup`, or `make setup PYTHON=python{oldest}`",
        )


def check_modules(found: dict[str, bool]) -> None:
    """Refuse a Python that cannot make environments.

    Args:
        found: for each module that making one takes, whether this Python has it.

    Raises:
        CropsortError: a module is missing.
    """
    missing = [name for name in found if not found[name]]
    if missing:
        raise CropsortError(
            f"this Python comes without {' and '.join(missing)}",
            where=sys.executable,
            expected="a Python that can make environments",
            remedy="on Debian and Ubuntu: sudo apt install python3-venv",
        )


def explain_failure(log: str) -> CropsortError:
    """Turn what pip or venv wrote into one line.

    Args:
        log: its standard error.

    Returns:
        The error, with pip's own last word on it.
    """
    lines = (
        re.findall(r"^(?:ERROR|error|[\w.]*Error|[\w.]*Exception): *(.+)", log, re.MULTILINE)
        or log.strip().splitlines()
    )
    said = lines[-1].strip().split(". ")[0][:200] if lines else "it gave no reason"
    facts = {"python": "{}.{}".format(*sys.version_info), "system": sys.platform}
    for pattern, found, expected, remedy in _FAILURES:
        if re.search(pattern, log):
            said = f"{found.format(**facts)} ({said})"
            kind = NotFetchedError if found in _NOT_FETCHED else CropsortError
            return kind(said, where=".venv", expected=expected, remedy=remedy)
    remedy = f"{AGAIN}; where it fails the same way, delete .venv first"
    return CropsortError(f"pip failed ({said})", where=".venv", remedy=remedy)


def size(build: Build | None) -> str:
    """What is fetched and what it takes, in words.

    Args:
        build: the build of torch that is taken in place of the lock's, which has CUDA on Linux only.
    """
    large = build is not None or sys.platform == "linux"
    return "3 GB to fetch, 6 GB on the disk" if large else "0.5 GB to fetch, 1.2 GB on the disk"


def python_name() -> str:
    """The word that starts Python in a shell of this system."""
    return "python" if os.name == "nt" else "python3"
