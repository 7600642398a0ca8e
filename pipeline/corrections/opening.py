"""A workbook that its reader saved, in Excel, LibreOffice or another program: opened, and its cells as text."""

from __future__ import annotations

import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

from pipeline.errors import DataError

_OLD = b"\xd0\xcf\x11\xe0"
"""What .xls begins with, and .xlsx with a password."""

_DAMAGE = (BadZipFile, zlib.error, EOFError, KeyError, ValueError, TypeError, AttributeError, IndexError, SyntaxError)
"""What openpyxl raises of files that are no workbooks; XML that cannot be parsed is a SyntaxError."""


@contextmanager
def opened(workbook: Path, usual: str) -> Iterator[Any]:
    """The workbook, read only as far as is asked for; what is damaged in it is said wherever it is met in the block.

    Args:
        workbook: its file; only read.
        usual: what it is called as a rule, for the remedies.

    Raises:
        DataError: it is missing, may not be read, or is no .xlsx; and those that the block raises.
    """
    import openpyxl

    data = _read_bytes(workbook, usual)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of charts and drop-downs, which openpyxl does not keep
            yield openpyxl.load_workbook(BytesIO(data), read_only=True, data_only=True)
    except DataError:
        raise
    except _DAMAGE as error:
        raise _no_workbook(data, workbook, usual) from error


def read_properties(book: Any) -> dict[str, str]:
    """What an opened workbook says of itself to programs, by name."""
    return {one.name: str(one.value) for one in book.custom_doc_props.props}


def cell_text(value: Any) -> str:
    """A cell as text: Excel makes a number of a class that is called 7."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return " ".join(str(value).split())


def _read_bytes(workbook: Path, usual: str) -> bytes:
    try:
        return workbook.read_bytes()
    except FileNotFoundError as error:
        raise DataError("no such file", where=workbook, remedy=f"name the {usual} that you corrected") from error
    except IsADirectoryError as error:
        remedy = f"name {workbook / usual}"
        raise DataError("this is a folder", where=workbook, expected="a workbook", remedy=remedy) from error
    except OSError as error:
        remedy = "save and close it in the program that has it open"
        raise DataError(f"cannot be read ({error.strerror or error})", where=workbook, remedy=remedy) from error


def _no_workbook(data: bytes, workbook: Path, usual: str) -> DataError:
    remedy = "save it as .xlsx in the program that you corrected it in"
    if data.startswith(_OLD):
        found = "has a password, or is an .xls of Excel 2003"
        return DataError(found, where=workbook, expected="an .xlsx without a password", remedy=remedy)
    if not data.startswith(b"PK"):
        return DataError("not an .xlsx workbook", where=workbook, expected=f"the {usual}", remedy=remedy)
    return DataError("another format than .xlsx, or damaged", where=workbook, expected="a workbook", remedy=remedy)
