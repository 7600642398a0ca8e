"""Notes for programs in a workbook: properties of a document, which have room for little text each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import count, takewhile

from pipeline.workbook.tables import count_units

_MAX_UNITS = 255


def split_note(name: str, text: str) -> list[tuple[str, str]]:
    """A note as properties: names and values; what is too long for one goes on in "name (2)", "name (3)" ..."""
    return [(_part(name, number), piece) for number, piece in enumerate(_pieces(text), start=1)]


def read_note(properties: Mapping[str, str], name: str) -> str | None:
    """The note whole again; None where there is none.

    Args:
        properties: those of a document, by their names.
        name: of the note.
    """
    if name not in properties:
        return None
    parts = takewhile(properties.__contains__, (_part(name, number) for number in count(1)))
    return "".join(properties[part] for part in parts)


def _pieces(text: str) -> Iterator[str]:
    """The text in pieces that Excel has room for; at least one."""
    while count_units(text) > _MAX_UNITS:
        length = _MAX_UNITS
        while count_units(text[:length]) > _MAX_UNITS:
            length -= 1
        yield text[:length]
        text = text[length:]
    yield text


def _part(name: str, number: int) -> str:
    return name if number == 1 else f"{name} ({number})"
