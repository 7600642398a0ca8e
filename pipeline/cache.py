"""The folder where cropsort keeps what it can make again: not among the user's files."""

from __future__ import annotations

import os
import sys
import tempfile
from functools import cache
from pathlib import Path


def usual_cache() -> Path | None:
    """Where the system wants it, made or not; None for a user without a home.

    ``XDG_CACHE_HOME`` or ``~/.cache``, on Windows ``LOCALAPPDATA``, and ``cropsort`` in it.
    """
    named = os.environ.get("XDG_CACHE_HOME") or (os.environ.get("LOCALAPPDATA") if sys.platform == "win32" else None)
    try:
        base = Path(named) if named else Path.home() / ".cache"
    except RuntimeError:  # a container that runs as a number nobody has
        return None
    return base / "cropsort"


@cache
def cache_folder(inside: str = "") -> Path:
    """The folder, made, or a temporary one where it may not be written to; asked again, the same.

    Args:
        inside: a folder in it that is made as well.
    """
    base = usual_cache()
    try:
        if base is not None:
            (base / inside).mkdir(parents=True, exist_ok=True)
            if os.access(base, os.W_OK):
                return base
    except OSError:  # a home that may not be written to, as in a container
        pass
    return Path(tempfile.mkdtemp(prefix="cropsort-"))
