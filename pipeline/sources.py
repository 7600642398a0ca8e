"""Where photos come from: a folder, a file, a pattern, a list of names, a URL, names on standard input."""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from glob import escape, glob, has_magic
from io import TextIOWrapper
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from pipeline.errors import DataError
from pipeline.listing import is_hidden, is_photo, list_files
from pipeline.report_folder import PICTURES

STDIN = "-"
"""The place of photos whose names come on standard input."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file, or a URL.

    Args:
        name: what the results call it: its path from ``Sources.root`` on, with forward slashes, or the URL.
        place: its path, or the URL.
    """

    name: str
    place: Path | str

    @property
    def is_url(self) -> bool:
        """Whether it is to be fetched."""
        return isinstance(self.place, str)

    def stat(self) -> tuple[int | None, int | None]:
        """Size in bytes and time of the last change in nanoseconds; None for what has none, or has gone."""
        try:
            status = None if isinstance(self.place, str) else self.place.stat()
        except OSError:
            status = None
        return (None, None) if status is None else (status.st_size, status.st_mtime_ns)


@dataclass(frozen=True, slots=True)
class Sources:
    """What there is to predict.

    Args:
        label: what it is called where another run's report is told from this one's: an absolute path, a URL.
        title: what the folder of its report is called.
        root: the folder that names begin from.
        files: each once, in the order of their names.
        hidden: hidden files that were left out.
    """

    label: str
    title: str
    root: Path
    files: tuple[Source, ...]
    hidden: int = 0

    def leave_out(self, folder: Path) -> Sources:
        """All but what a report makes among the photos.

        Args:
            folder: the report's. Where the photos lie in it themselves only its folders of pictures are left out.

        Raises:
            DataError: nothing is left.
        """
        own, root = folder.resolve(), self.root.resolve()
        made = [own / name for name in PICTURES] if root.is_relative_to(own) else [own]
        begins = tuple(f"{place}{os.sep}" for place in made)
        # Not each file's own resolve(), which asks the disk for every part of its path.
        kept = tuple(one for one in self.files if one.is_url or not str(Path(root, one.name)).startswith(begins))
        if self.files and not kept:
            remedy = "choose another one: OUT=folder, or --out folder"
            raise DataError("all photos lie where the report's own pictures do", where=folder, remedy=remedy)
        return replace(self, files=kept)


def find_sources(photos: str | Path) -> Sources:
    """Everything that an argument stands for.

    Args:
        photos: a folder, a photo, a pattern such as ``trip/**/*.jpg``, a ``.txt`` with a path or URL a line (relative
            paths from its folder on), a URL, or ``-`` for such lines on standard input (from the current folder on).

    Raises:
        DataError: it is missing, unreadable or names no photos.
    """
    text = str(photos)
    if text == STDIN:
        return _check(
            _from_lines(_read_stdin(), Path(), label=f"names on standard input in {Path.cwd()}", title="stdin"), text
        )
    if is_url(text):
        return Sources(text, _title_of(text), Path(), (Source(text, text),))
    path = find_path(Path(text))
    if path is None and (pattern := _split_pattern(text)):
        return _check(_from_pattern(*pattern), text)
    if path is None or path.is_dir():
        return _check(_from_folder(path or Path(text)), text)
    if path.suffix.lower() == ".txt":
        return _check(_from_list(path), text)
    return _check(Sources(str(path.resolve()), path.stem, path.parent, (Source(_name(path, path.parent), path),)), text)


def default_folder(sources: Sources) -> Path:
    """Where the report goes: ``reports/<the photos' title>``."""
    return Path("reports") / (sources.title or "photos")


def is_url(text: str) -> bool:
    """Whether it is a place on the web."""
    return text.lower().startswith(("http://", "https://"))


def find_path(path: Path) -> Path | None:
    """The path as it is on the disk: Korean may be written in either Unicode form here and there; None if nowhere."""
    if path.exists():
        return path
    for form in ("NFC", "NFD"):
        other = Path(unicodedata.normalize(form, str(path)))
        if other.exists():
            return other
    return None if str(path).isascii() else _find_by_parts(path)


def _find_by_parts(path: Path) -> Path | None:
    found = Path(path.anchor)
    for part in path.relative_to(path.anchor).parts:
        wanted = unicodedata.normalize("NFC", part)
        try:
            names = [part] if (found / part).exists() else [one.name for one in found.iterdir()]
        except OSError:
            return None
        same = next((name for name in names if unicodedata.normalize("NFC", name) == wanted), None)
        if same is None:
            return None
        found /= same
    return found


def _from_folder(folder: Path) -> Sources:
    listing = list_files(folder)
    files = tuple(Source(_name(path, folder), path) for path in listing.files)
    return Sources(str(folder.resolve()), folder.resolve().name, folder, files, listing.hidden)


def _split_pattern(text: str) -> tuple[Path, str] | None:
    """The folder that a pattern begins from, as it is on the disk, and the rest; None where there is no pattern.

    A folder may be called ``trip [1]``.
    """
    parts = Path(text).parts
    for place, part in enumerate(parts):
        if has_magic(part) and find_path(Path(*parts[: place + 1])) is None:
            root = Path(*parts[:place])
            return find_path(root) or root, str(Path(*parts[place:]))
    return None


def _from_pattern(root: Path, pattern: str) -> Sources:
    forms = [unicodedata.normalize(form, pattern) for form in ("NFC", "NFD")]
    found = {one for form in forms for one in glob(str(Path(escape(str(root)), form)), recursive=True)}  # noqa: PTH207 - that takes relative ones only
    paths = [path for path in map(Path, sorted(found)) if path.is_file()]
    files = tuple(Source(_name(path, root), path) for path in paths if not is_hidden(path))
    return Sources(str(root.resolve() / forms[0]), root.resolve().name, root, files, len(paths) - len(files))


def _read_stdin() -> list[str]:
    """A program may write names that are no UTF-8, as the disk has them."""
    if isinstance(sys.stdin, TextIOWrapper):
        sys.stdin.reconfigure(errors="surrogateescape")
    return sys.stdin.read().splitlines()


def _from_list(file: Path) -> Sources:
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot be read ({error})", where=file, expected="a path or URL a line, in UTF-8") from error
    return _from_lines(lines, file.parent, label=str(file.resolve()), title=file.stem)


def _from_lines(lines: Iterable[str], root: Path, *, label: str, title: str) -> Sources:
    named = {one.name: one for one in _read_lines(lines, root)}
    files = tuple(one for one in named.values() if one.is_url or not is_hidden(Path(one.place)))
    return Sources(label, title, root, tuple(sorted(files, key=lambda one: one.name)), len(named) - len(files))


def _read_lines(lines: Iterable[str], root: Path) -> Iterator[Source]:
    for line in filter(None, map(str.strip, lines)):
        if is_url(line):
            yield Source(line, line)
        else:
            path = root / line
            path = find_path(path) or path
            yield Source(_name(path, root), path)


def _check(sources: Sources, given: str) -> Sources:
    """Refuse what holds no photo at all: rather a slip than a wish for a report of nothing."""
    from pipeline.images import is_photo_inside

    places = [one.place for one in sources.files]
    paths = [place for place in places if isinstance(place, Path)]
    if len(paths) < len(places) or any(map(is_photo, paths)) or any(map(is_photo_inside, paths)):
        return sources
    nothing = "the folder is empty" if Path(given).is_dir() else "nothing is there"
    found = f"no photos in it, {len(paths)} other files" if paths else nothing
    raise DataError(found, where=given, expected="JPEG, PNG, HEIC or the like")


def _name(path: Path, root: Path) -> str:
    """The path from the root on; bytes that are no UTF-8, as old memory cards have, are spelled out."""
    whole, start = (Path(os.path.abspath(one)) for one in (path, root))  # noqa: PTH100 - resolve() would follow links
    named = whole.relative_to(start) if whole.is_relative_to(start) else whole
    return os.fsencode(named.as_posix()).decode(errors="backslashreplace")


def _title_of(url: str) -> str:
    """A name that every file system takes, of whatever a server calls its photo."""
    parts = urlsplit(url)
    stem = PurePosixPath(unquote(parts.path)).stem.strip(". ")
    return re.sub(r"[^\w .()-]", "-", stem or parts.netloc)
