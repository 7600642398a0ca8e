"""Links from a report to the files that it is of, so that both can be moved together."""

from __future__ import annotations

import os
import re
from pathlib import Path

from pipeline.workbook.tables import clean_text, is_web_address

_SPECIAL = re.compile(r"""[%#? "<>\[\]^`{}|\\:\t\n\r]""")
"""What a link target must not hold as it is; Korean stays, in the Unicode form that the file's name has."""

_SPACE = re.compile(r"""[ "<>^`{}|\\\t\n\r]""")
"""What a web address must not hold; all else in it has its meaning."""


def link_photo(photos: Path, photo: str, folder: Path) -> str | None:
    """The way from a folder to a photo, by its name in the results; None where there is none.

    Args:
        photos: the folder of photos.
        photo: its path from ``photos``, or its URL.
        folder: that the link lies in.
    """
    return _escape(_SPACE, photo) if is_web_address(photo) and is_plain(photo) else link_file(photos / photo, folder)


def link_file(path: Path, folder: Path) -> str | None:
    """The way from a folder to a file, relative, percent-escaped, with forward slashes; None where there is none."""
    relative = name_file(path, folder)
    if relative is None or not is_plain(relative):
        return None
    escaped = _escape(_SPECIAL, relative)
    return escaped if escaped.startswith("../") else f"./{escaped}"


def name_file(path: Path, folder: Path) -> str | None:
    """The way from a folder to a file as people read it; None where it is on another drive of Windows."""
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:
        return None


def is_plain(text: str) -> bool:
    """Whether a cell shows the text as it is, so that a link with it leads somewhere."""
    return clean_text(text) == text


def _escape(special: re.Pattern[str], text: str) -> str:
    return special.sub(lambda match: f"%{ord(match[0]):02X}", text)
