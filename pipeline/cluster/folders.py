"""A folder for each group, with copies of its photos or links to them; the photos themselves stay where they are."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from pipeline.cluster.groups import Grouped
from pipeline.errors import OutputError
from pipeline.files import output_error, replacing, write_durably
from pipeline.naming import Taken, plain_name, plain_parts

How = Literal["copy", "link"]

FOLDER = "groups"
"""In that of the report."""

_MADE = "made.json"
_SAME_TIME_NS = 2_000_000_000
"""File systems round the time of a file, to two seconds at the worst."""


@dataclass(frozen=True, slots=True)
class _Made:
    """A copy or a link of ours.

    Args:
        name: its path from the folder of all groups, with forward slashes.
        source: the photo that it is of, absolute.
        size: of the copied file in bytes.
        modified_ns: when the photo was last changed, as its copy says too.
        how: which of the two it is.
    """

    name: str
    source: str
    size: int
    modified_ns: int
    how: How


def fill_folders(
    folder: Path, grouped: Grouped, how: How, *, on_photo: Callable[[], None] = lambda: None
) -> tuple[tuple[str, str], ...]:
    """Put each photo into the folder of each group that it has a subject in: ``groups/group 1/trip_001.jpg``.

    What an earlier run put there goes; what somebody else did stays, and nothing is written over it.

    Args:
        folder: of the report.
        grouped: the subjects and their groups.
        how: whether photos are copied, or linked to.
        on_photo: called after each of them.

    Returns:
        Photos that could not be copied, and why.

    Raises:
        OutputError: it cannot be written there, or links cannot be made there.
    """
    root = folder / FOLDER
    _remove_earlier(root)
    failed: list[tuple[str, str]] = []
    wanted = list(_plan(root, grouped, how, failed))
    _note(root, wanted)
    for one in wanted:
        source = Path(one.source)
        try:
            _link(source, root / one.name) if how == "link" else _copy(source, root / one.name)
        except FileNotFoundError:
            failed.append((one.source, "has gone since it was grouped"))
        on_photo()
    return tuple(failed)


def count_photos(grouped: Grouped) -> int:
    """How many copies or links there will be."""
    subjects = grouped.gathered.subjects
    return sum(len({subjects[place].path for place in group.members}) for group in grouped.groups)


def _plan(root: Path, grouped: Grouped, how: How, failed: list[tuple[str, str]]) -> Iterator[_Made]:
    """Each photo once a group, under a name that nothing there has."""
    subjects = grouped.gathered.subjects
    for group in grouped.groups:
        place = root / plain_name(group.name)
        taken = Taken(path.name for path in place.iterdir()) if place.is_dir() else Taken()
        for subject in {subjects[one].path: subjects[one] for one in group.members}.values():
            name = PurePosixPath("_".join(plain_parts(subject.photo)))
            try:
                status = subject.path.stat()
            except OSError as error:
                failed.append((subject.photo, f"cannot be read ({error.strerror or error})"))
                continue
            copy = f"{place.name}/{taken.claim(name.stem, name.suffix)}"
            yield _Made(copy, str(subject.path.absolute()), status.st_size, status.st_mtime_ns, how)


def _copy(source: Path, copy: Path) -> None:
    if not source.is_file():
        raise FileNotFoundError(source)
    with replacing(copy) as temporary:
        shutil.copy2(source, temporary)


def _link(source: Path, link: Path) -> None:
    """From one folder to the other, so that both can be moved together."""
    try:
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(_way(source, link.parent))
    except FileExistsError as error:
        raise OutputError(
            "is in the way of a link", where=link, remedy="move it away, then run the command again"
        ) from error
    except (OSError, NotImplementedError) as error:  # a memory card, or Windows without developer mode
        remedy = "copy the photos instead: --folders copy"
        raise OutputError(f"links cannot be made here ({error})", where=link.parent, remedy=remedy) from error


def _way(source: Path, folder: Path) -> Path:
    try:
        return Path(os.path.relpath(source, folder.resolve()))
    except ValueError:  # another drive of Windows
        return source


def _note(root: Path, wanted: list[_Made]) -> None:
    """What is ours is written down before it is made: a run that is stopped leaves nothing that nobody knows."""
    lines = [json.dumps(asdict(one), ensure_ascii=False) for one in wanted]
    write_durably(root / _MADE, ("[\n" + ",\n".join(lines) + "\n]\n").encode(errors="surrogateescape"))


def _remove_earlier(root: Path) -> None:
    """Remove what an earlier run made and nobody has changed, and the folders that are empty then."""
    for one in _read_made(root):
        path = root / one.name
        if _is_ours(path, one):
            try:
                path.unlink()
            except OSError as error:
                raise output_error(error, path) from error
            with suppress(OSError):  # others are in it
                path.parent.rmdir()


def _read_made(root: Path) -> list[_Made]:
    """None where there are none, or they cannot be understood: then nothing there is ours."""
    try:
        records = json.loads((root / _MADE).read_bytes().decode(errors="surrogateescape"))
        return [_Made(**record) for record in records if _stays_inside(record)]
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return []


def _stays_inside(record: Mapping[str, str]) -> bool:
    path = PurePosixPath(record["name"])
    return not path.is_absolute() and ".." not in path.parts


def _is_ours(path: Path, one: _Made) -> bool:
    try:
        if one.how == "link":
            return path.is_symlink() and path.readlink() == _way(Path(one.source), path.parent)
        status = path.lstat()
    except OSError:
        return False
    return status.st_size == one.size and abs(status.st_mtime_ns - one.modified_ns) <= _SAME_TIME_NS
