"""Text as LabelImg and other programs write it: in several encodings, with numbers and names of several spellings."""

from __future__ import annotations

import codecs
import math
import re
import unicodedata
from pathlib import Path

from pipeline.errors import DataError

MAX_BYTES = 16 * 2**20
"""A larger label is no label; a file of LabelImg's with a thousand boxes has a third of a megabyte."""

_DECLARED = re.compile(rb"""\A\s*<\?xml[^>]{0,100}?encoding\s*=\s*["']([A-Za-z][\w.\-]{0,40})["']""")
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+")


def read_text(path: Path) -> str:
    """Text of a label or a list of classes, in whichever encoding it is.

    UTF-8, or UTF-16 where a mark at its beginning says so; else what an XML file declares; else what Windows writes
    where Korean is set, which LabelImg's classes.txt may be in.

    Raises:
        DataError: it cannot be read, is too large, or is no text.
    """
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror})", where=path) from error
    if len(data) > MAX_BYTES:
        found = f"larger than {MAX_BYTES // 2**20} MB, which no label is"
        raise DataError(found, where=path, remedy="remove it, or label the photo again")
    text = _decode(data)
    if text is None:
        raise DataError("neither UTF-8 nor Korean Windows text", where=path, remedy="save it as UTF-8")
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        found = "bytes of nought, as in a file whose copying was cut off"
        raise DataError(found, where=path, line=line, remedy="copy it again, or label the photo again")
    return text


def read_class_list(path: Path) -> tuple[str, ...]:
    """Class names from LabelImg's classes.txt, one a line, as ``plain_name`` spells them.

    Raises:
        DataError: it cannot be read.
    """
    return tuple(plain_name(line) for line in read_text(path).splitlines() if line.strip())


def plain_name(name: str) -> str:
    """A class name in the one spelling in which names are compared.

    A Mac writes Korean in another Unicode form than Windows, and LabelImg makes a tab of two blanks in Pascal VOC.
    """
    printable = name.encode("utf-8", "replace").decode("utf-8")  # JSON may hold halves of a letter
    return unicodedata.normalize("NFC", " ".join(printable.split()))


def read_number(text: str) -> float:
    """A finite number.

    Raises:
        ValueError: it is none; the message says why.
    """
    try:
        number = float(text)
    except ValueError as error:
        why = "has a decimal comma" if _DECIMAL_COMMA.fullmatch(text.strip()) else "is no number"
        raise ValueError(f"'{excerpt(text)}' {why}") from error
    if not math.isfinite(number):
        raise ValueError(f"'{excerpt(text)}' is no finite number")
    return number


def excerpt(text: str) -> str:
    """Text from a file, short enough for a line and without what a terminal would obey."""
    text = "".join(letter if letter.isprintable() else "\ufffd" for letter in " ".join(text[:1000].split()))
    return text if len(text) <= 60 else f"{text[:57]}..."


def _decode(data: bytes) -> str | None:
    marks = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    declared = _DECLARED.match(data[:300])
    encodings = ["utf-16"] if data.startswith(marks) else ["utf-8-sig"]
    if declared and not declared[1].lower().startswith((b"utf-16", b"utf-32")):  # else it could not be read so far
        encodings.append(declared[1].decode("ascii"))
    for encoding in [*encodings, "cp949"]:
        try:
            return data.decode(encoding)
        except (UnicodeDecodeError, LookupError):
            continue
    return None
