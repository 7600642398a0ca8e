"""A report's tables for programs: data frames, Parquet and JSON, with columns in English whatever language it is in."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

from pipeline.errors import CropsortError
from pipeline.files import replacing
from pipeline.json_lists import write_list
from pipeline.results import Results
from pipeline.run_info import RunInfo
from pipeline.workbook.tables import COUNT, DATE, TEXT, WHOLE, Column, Table, Value

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

Format = Literal["csv", "parquet", "json"]
"""What a report's tables are written as; CSV they always are."""

FORMATS: tuple[Format, ...] = get_args(Format)

TableName = Literal["detections", "photos"]
"""Tables that there is a data frame of: a row a subject, or a row a file."""

_Kind = Literal["text", "whole", "number", "date"]


class _Field(NamedTuple):
    name: str
    kind: _Kind
    value: Callable[[Any], Value]


def parse_formats(text: str) -> tuple[Format, ...]:
    """Formats from their names with commas between, each once.

    Raises:
        CropsortError: one is unknown.
    """
    names = [part.strip().lower() for part in text.split(",")]
    known = {form for form in FORMATS if form in names}
    if set(names) - known:
        expected = f"{', '.join(FORMATS)}, or several with commas between"
        raise CropsortError(f"'{text}'", where="--format", expected=expected)
    return tuple(form for form in FORMATS if form in known)


def make_frame(results: Results, run: RunInfo, name: TableName) -> pd.DataFrame:
    """A table of a report as a data frame: numbers are numbers, dates dates, and what is not known is missing.

    Args:
        results: those of a run.
        run: what was run.
        name: of the table.

    Raises:
        ValueError: there is no such table.
    """
    import pandas as pd

    table = next((one for one in _make_tables(results, run) if one.file_name == name), None)
    if table is None:
        raise ValueError(f"no table {name!r}, expected {' or '.join(map(repr, get_args(TableName)))}")
    dtypes = {"text": "string", "whole": "Int64", "number": "float64", "date": "datetime64[s]"}
    fields = _list_fields(table)
    columns = _read_columns(table, fields)
    return pd.DataFrame(
        {field.name: pd.Series(values, dtype=dtypes[field.kind]) for field, values in zip(fields, columns, strict=True)}
    )


def write_frames(results: Results, run: RunInfo, folder: Path, formats: Collection[Format]) -> tuple[Path, ...]:
    """Write every table of a report as ``<its name>.parquet`` and ``.json``, each whole or not at all.

    JSON is a list of records, dates in ISO 8601.

    Args:
        results: those of a run, gone through several times.
        run: what was run.
        folder: made where it is missing.
        formats: CSV, which ``write_report`` writes, is left out.

    Raises:
        OutputError: a file cannot be written there.
    """
    writers = {"parquet": _write_parquet, "json": _write_json}
    wanted = [form for form in FORMATS if form in formats and form in writers]
    made = []
    for table in _make_tables(results, run) if wanted else ():
        for form in wanted:
            path = folder / f"{table.file_name}.{form}"
            with replacing(path) as temporary:
                writers[form](temporary, table)
            made.append(path)
    return tuple(made)


def _make_tables(results: Results, run: RunInfo) -> list[Table[Any]]:
    from pipeline.report import make_tables

    return make_tables(results, replace(run, language="en"), run.photos)


def _write_json(path: Path, table: Table[Any]) -> None:
    """Record by record: they never are in memory all at once."""
    fields = _list_fields(table)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        write_list(file, (_as_record(row, fields) for row in table.rows))
        file.write("\n")


def _as_record(row: Any, fields: list[_Field]) -> dict[str, Value]:
    values = {field.name: _as_kind(field.value(row), field.kind) for field in fields}
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()}


def _write_parquet(path: Path, table: Table[Any]) -> None:
    import polars as pl  # Ultralytics needs it anyway; pandas would need pyarrow beside it

    types: dict[_Kind, pl.DataType] = {
        "text": pl.String(),
        "whole": pl.Int64(),
        "number": pl.Float64(),
        "date": pl.Datetime("us"),
    }
    fields = _list_fields(table)
    columns = _read_columns(table, fields)
    series = [pl.Series(field.name, values, types[field.kind]) for field, values in zip(fields, columns, strict=True)]
    pl.DataFrame(series).write_parquet(path)


def _read_columns(table: Table[Any], fields: list[_Field]) -> list[list[Value]]:
    """The values column by column."""
    columns: list[list[Value]] = [[] for _ in fields]
    for row in table.rows:
        for field, values in zip(fields, columns, strict=True):
            values.append(_as_kind(field.value(row), field.kind))
    return columns


def _list_fields(table: Table[Any]) -> list[_Field]:
    """All columns but those that a reader of the workbook is to fill in."""
    columns = [column for column in table.columns if not column.editable]
    names = _name_columns(column.header for column in columns)
    return [_Field(name, _kind_of(column), column.value) for name, column in zip(names, columns, strict=True)]


def _name_columns(headers: Iterator[str]) -> Iterator[str]:
    """``left (px)`` is ``left_px``; where two would be the same, the later one has a number."""
    taken = set[str]()
    for header in headers:
        stem = re.sub(r"\W+", "_", header.lower()).strip("_") or "column"
        name, number = stem, 1
        while name in taken:
            number += 1
            name = f"{stem}_{number}"
        taken.add(name)
        yield name


def _kind_of(column: Column[Any]) -> _Kind:
    kinds: dict[str, _Kind] = {TEXT: "text", WHOLE: "whole", COUNT: "whole", DATE: "date"}
    return kinds.get(column.number_format, "number")


def _as_kind(value: Value, kind: _Kind) -> Value:
    """The value, or None where a column of its kind cannot hold it."""
    if value is None:
        return None
    if kind == "date":
        return value if isinstance(value, datetime) else _as_date(str(value))
    if kind == "text":
        return str(value).encode(errors="backslashreplace").decode()  # halves of characters are none of UTF-8
    if not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return round(value) if kind == "whole" else float(value)


def _as_date(text: str) -> datetime | None:
    """Of what a cell of Excel has to hold as text: dates before 1900, and what a camera made up."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        return None
