"""``applied.jsonl``: what was corrected to what, so that a second time nothing more happens."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import DataError
from pipeline.files import write_durably

LEDGER = "applied.jsonl"
"""In the folder of corrections."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A correction that was applied.

    Args:
        key: of the box or the photo.
        to: what a box was corrected to; of a photo, that it was reviewed, and a hash of what it then showed.
        photo: what the results call the photo.
        folder: the folder of photos that this begins from.
        digest: SHA-256 of the photo's file: photos in different folders may have the same keys.
    """

    key: str
    to: str
    photo: str
    folder: str
    digest: str


class Ledger:
    """All corrections that were applied; of several of a box the last one counts.

    Args:
        entries: in the order in which they were applied.
    """

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self.entries = tuple(entries)
        self._by_digest = {(entry.key, entry.digest): entry.to for entry in self.entries}
        self._by_folder = {(entry.key, entry.folder): entry.to for entry in self.entries}

    def holds(self, entry: Entry) -> bool:
        """Whether this was applied; where the photo has gone (no digest), its folder tells it from others."""
        found = self._by_digest.get((entry.key, entry.digest)) if entry.digest else None
        if not entry.digest:
            found = self._by_folder.get((entry.key, entry.folder))
        return found == entry.to


def read_ledger(path: Path) -> Ledger:
    """Read what was applied; a missing file says nothing was.

    Raises:
        DataError: it cannot be understood.
    """
    try:
        text = path.read_text(encoding="utf-8")
        return Ledger(_entry_of(json.loads(line)) for line in text.splitlines() if line)
    except FileNotFoundError:
        return Ledger()
    except (OSError, ValueError, TypeError) as error:
        remedy = "move it away: corrections are then applied once more, which changes nothing that they have changed"
        raise DataError(f"cannot be understood ({error})", where=path, remedy=remedy) from error


def write_ledger(path: Path, ledger: Ledger, more: Iterable[Entry]) -> None:
    """Write what was applied before and now, whole or not at all; what was said before of the same key goes.

    Raises:
        OutputError: it cannot be written there.
    """
    kept = {(entry.key, entry.digest): entry for entry in (*ledger.entries, *more)}
    lines = (json.dumps(asdict(entry), ensure_ascii=False) + "\n" for entry in kept.values())
    write_durably(path, "".join(lines).encode(errors="surrogatepass"))


def _entry_of(record: dict[str, Any]) -> Entry:
    return Entry(**record)
