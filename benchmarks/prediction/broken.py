"""Files that break careless readers, as they are, where they are: a row for each, and none of them changed."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path

from pipeline.listing import list_files
from pipeline.memory import format_bytes
from prediction.commands import predict, read_answer
from prediction.figures import compare_rows
from prediction.options import Figures, Options, Row, empty, keep, not_measured
from prediction.pairs import Pair, pair_for_drawn

FOLDERS = ("broken", "phone")
GOAL = "all; none; < 2.5 GB"


def show_broken(options: Options) -> list[Row]:
    """Each folder of ``--data`` by itself."""
    pair = pair_for_drawn(options)
    rows: list[Row] = []
    for name in FOLDERS:
        folder = options.real(name)
        told = not_measured("broken", "--data DIR")
        if folder is not None:
            place = options.work / "broken" / name
            told = tell(keep(place / f"{pair.name}.json", partial(read, options, pair, folder, place)))
        rows.append((name, "files with a row; changed; peak memory", told, GOAL))
    return rows


def read(options: Options, pair: Pair, folder: Path, place: Path) -> Figures:
    """Sort a folder, and compare its files before and after."""
    before, files = hash_files(folder), list_files(folder).files
    made = predict(folder, empty(place) / "out", pair.folder, options)
    after, answer = hash_files(folder), read_answer(place / "out")
    expected = [path.relative_to(folder).as_posix() for path in files]
    lines = (place / "out" / "results.jsonl").read_text(encoding="utf-8").count("\n")
    lost, doubled = compare_rows(expected, list(answer))
    return {
        "files": len(files),
        "lost": lost,
        "doubled": doubled + lines - len(answer),
        "changed": sum(before.get(name) != after.get(name) for name in before | after),
        "peak_bytes": made.peak_bytes,
        "seconds": made.seconds,
        "code": made.code,
        "traceback": "Traceback" in made.output,
    }


def tell(made: Figures) -> str:
    """The figures of a folder in a line."""
    rows = made["files"] - made["lost"]
    more = f", {made['doubled']} too many" if made["doubled"] else ""
    crashed = ", with a traceback" if made["traceback"] else ""
    return (
        f"{rows} of {made['files']}{more}; {made['changed']}; {format_bytes(made['peak_bytes'])}; "
        f"{made['seconds']:.0f} s, exit code {made['code']}{crashed}"
    )


def hash_files(folder: Path) -> dict[str, str]:
    """Hashes of all files in a folder and below, by their paths."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
