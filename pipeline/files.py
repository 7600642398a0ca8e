"""Writing files whole or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipeline.errors import CropsortError, OutputError

_LOCK = ".lock"


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary name beside ``path`` to write to, and move it into place when the block ends well.

    The name keeps the suffix, since writers tell the format by it. Whatever ends the block early leaves what was at
    ``path`` as it was and no temporary file behind.

    Raises:
        OutputError: it cannot be written there (full disk, no permission, open in another program).
    """
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.part{path.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(path)
    except OutputError:
        raise
    except OSError as error:
        raise output_error(error, path) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write UTF-8 text with Unix line ends, whole or not at all.

    Raises:
        OutputError: it cannot be written there.
    """
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_durably(path: Path, content: bytes | memoryview) -> None:
    """Write bytes whole or not at all, and have them on the disk: a battery may run empty as well.

    Raises:
        OutputError: it cannot be written there.
    """
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def claimed_folder(folder: Path, work: str, remedy: str) -> Iterator[None]:
    """Keep a folder for this process, made where it is missing; the system lets go when it ends, however it ends.

    Args:
        folder: where the lock lies.
        work: what another process may be doing there, for the error.
        remedy: what to do then.

    Raises:
        CropsortError: another process is at work there.
        OutputError: it cannot be written there.
    """
    from filelock import FileLock, Timeout  # not above: LabelImg's process has nothing but the standard library

    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / _LOCK, timeout=0)
        lock.acquire()
    except Timeout as error:
        raise CropsortError(f"another {work} is at work here", where=folder, remedy=remedy) from error
    except OSError as error:
        raise output_error(error, folder) from error
    try:
        yield
    finally:
        lock.release()


def output_error(error: OSError, path: Path) -> OutputError:
    """The one line that says why ``path`` could not be written, and what to do."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return OutputError("the disk is full", where=path, remedy="free some space and run the same command again")
    if isinstance(error, PermissionError):
        return OutputError(
            "may not be written", where=path, remedy="close the program that has it open, or choose another folder"
        )
    return OutputError(f"cannot be written ({error.strerror or error})", where=path)
