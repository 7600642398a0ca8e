"""Lists in JSON, written item by item: they never are in memory all at once."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TextIO


def write_list(out: TextIO, items: Iterable[object]) -> None:
    """Write a list of anything that JSON has, an item a line; Korean stays readable."""
    out.write("[")
    separator = "\n"
    for item in items:
        out.write(separator + dump(item))
        separator = ",\n"
    out.write("\n]")


def dump(value: object) -> str:
    """A value in one line; halves of characters, as undecodable names have, are escaped."""
    text = json.dumps(value, ensure_ascii=False)
    return text if _is_whole(text) else json.dumps(value)


def _is_whole(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
