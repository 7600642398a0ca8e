"""The end of a command's process.

Standard library only: it is there before anything is installed.
"""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable


def run_and_end(work: Callable[[], None]) -> None:
    """Run a command as all that this process is for.

    What was registered for the end is done and all output written; but torch, OpenVINO and what else was loaded is not
    taken apart object by object, for which Python needs a second or two after a command has said its last word.

    Args:
        work: it may raise ``SystemExit``; the exit code is the one Python would have given.
    """
    code: int | None = None

    def end() -> None:
        if code is None:
            return  # an error that nobody answered, which is Python's to tell
        try:
            for stream in filter(None, (sys.stdout, sys.stderr)):  # who was started without a window may have none
                stream.flush()
        except (OSError, ValueError):
            return  # a full disk or a reader that has gone: Python has its own words for that too
        os._exit(code)

    atexit.register(end)  # first of all, so that it runs last
    try:
        work()
    except SystemExit as leaving:
        code = _number(leaving.code)
        raise
    code = 0


def _number(code: object) -> int:
    """The exit code that Python makes of what ``SystemExit`` was given."""
    if code is None:
        return 0
    return code if isinstance(code, int) else 1
