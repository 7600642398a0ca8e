"""What the report's page shows of each photo, as scripts beside it: a page opened from a disk may load nothing else."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import Any

from pipeline.errors import OutputError
from pipeline.files import output_error, replacing

PHOTOS_A_PART = 2_000
"""A script of so many is some hundred kilobytes."""

_CALL = "cropsort"
"""Function of the page that each script gives its records to."""

_OURS = re.compile(r"\.?part-\d{4,}-[0-9a-f]{12}(\.\d+\.part)?\.js")
"""Scripts, and what is left of one whose writing a power cut ended."""

_ESCAPED = re.compile("[<\u2028\u2029\ud800-\udfff]")
"""Written as an escape: what older browsers end a line at, what UTF-8 has no bytes for, and tags, to be safe."""


@contextmanager
def replacing_parts(folder: Path, records: Iterable[Any], *, part: int = PHOTOS_A_PART) -> Iterator[list[str]]:
    """Write records as scripts, and give the names of those for the page that is written in the block.

    Names tell what is in a script, so that the page of before has its own for as long as it is there: these go when
    the block ends well, the new ones when it does not.

    Args:
        folder: of the scripts; made where it is missing.
        records: what JSON has room for, one a photo; gone through once.
        part: records in a script.

    Raises:
        OutputError: they cannot be written there, or those of before may not be removed.
    """
    before = _list_parts(folder)
    names: list[str] = []
    rest = iter(records)
    try:
        while some := list(islice(rest, part)):
            names.append(_write_part(folder, len(names) + 1, some))
        yield names
    except BaseException:
        with suppress(OutputError):  # why it ended says more
            _remove(folder, set(names) - before)
        raise
    _remove(folder, before.difference(names))


def _write_part(folder: Path, number: int, records: list[Any]) -> str:
    content = _as_script(records)
    name = f"part-{number:04d}-{hashlib.sha256(content).hexdigest()[:12]}.js"
    with replacing(folder / name) as temporary:
        temporary.write_bytes(content)
    return name


def _as_script(records: list[Any]) -> bytes:
    text = json.dumps(records, ensure_ascii=False, separators=(",", ":"))
    return f"{_CALL}({_ESCAPED.sub(_escape, text)});\n".encode()


def _escape(match: re.Match[str]) -> str:
    return f"\\u{ord(match[0]):04x}"


def _list_parts(folder: Path) -> set[str]:
    try:
        return {path.name for path in folder.iterdir() if _OURS.fullmatch(path.name)}
    except OSError:  # writing to it says why
        return set()


def _remove(folder: Path, names: Iterable[str]) -> None:
    for name in names:
        try:
            (folder / name).unlink(missing_ok=True)
        except OSError as error:
            raise output_error(error, folder / name) from error
    with suppress(OSError):  # there is something in it, or it was never made
        folder.rmdir()
