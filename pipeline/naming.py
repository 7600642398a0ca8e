"""Names of files made from what people, cameras and the web call things: every file system takes them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from pathlib import PurePosixPath

_ELSEWHERE = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f\ud800-\udfff]')
"""What Windows has no file names with, and the halves of characters in undecodable names."""

_PORTS = {f"{port}{number}" for port in ("com", "lpt") for number in range(1, 10)}
_DEVICES = frozenset({"con", "prn", "aux", "nul"} | _PORTS)
"""What Windows takes for a device, with any suffix."""

_LONGEST = 120
"""Bytes of a name; file systems have 255, and a number, a suffix and what a temporary file has are added to it."""

_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


def plain_name(text: str) -> str:
    """A name of a file or folder that is hidden nowhere; composed, since Macs and Windows write Korean differently."""
    name = _ELSEWHERE.sub("_", unicodedata.normalize("NFC", text)).strip(". ")
    name = name.encode(errors="replace")[:_LONGEST].decode(errors="ignore").rstrip(". ")
    return f"_{name}" if not name or name.split(".")[0].lower() in _DEVICES else name


def plain_parts(photo: str) -> tuple[str, ...]:
    """The folders and the name of a photo as they may be written below another folder.

    Args:
        photo: what the results call it: a path, or a URL.
    """
    path = PurePosixPath(_SCHEME.sub("", photo))
    parts = [part for part in path.parts if part not in ("/", "..")]
    return tuple(map(plain_name, parts)) or (plain_name(""),)


class Taken:
    """Names that are given away, each once: neither case nor Unicode form tells files apart everywhere."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._keys = {_key(name) for name in names}

    def claim(self, stem: str, suffix: str = "") -> str:
        """The name as it is, or with a number between stem and suffix where it is taken."""
        name, number = stem + suffix, 1
        while _key(name) in self._keys:
            number += 1
            name = f"{stem}-{number}{suffix}"
        self._keys.add(_key(name))
        return name


def _key(name: str) -> int:
    """Of a hundred thousand names only their hashes are kept; names that share one cost nothing but a number."""
    return hash(unicodedata.normalize("NFC", name).casefold())
