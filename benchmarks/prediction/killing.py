"""A run that is killed again and again, and one whose photos go away under it: what its tables say in the end."""

from __future__ import annotations

import csv
import json
import random
import subprocess
import time
from pathlib import Path
from typing import Any

from openpyxl import load_workbook

from prediction.commands import RESULTS, command, environment, predict, read_answer, start
from prediction.drawn import PHONE, SEED, SMALL, choose_crowded, draw, link
from prediction.endurance import FILES
from prediction.figures import Line, compare_rows, count_rises, latest_kill, without_seconds
from prediction.options import Figures, Options, Row, empty, keep
from prediction.pairs import Pair, pair_for_drawn

GOAL = "0, 0, equal"
TABLES = ("detections.csv", "photos.csv")
SHEETS = ("Detections", "Photos")

_SOME = 100
_DRAWN = 20
_SPREAD = 0.8
"""Part of the run that the kills are spread over: chance may bring it further, and it shall not end before the last."""

_TOO_LONG = 600.0


def show_kill(options: Options) -> list[Row]:
    """Both, each once."""
    pair, place = pair_for_drawn(options), options.work / "kill"
    killed = keep(place / f"{pair.name}-{options.rows}.json", lambda: kill_often(options, pair, place))
    gone = keep(place / f"{pair.name}-gone.json", lambda: take_away(options, pair, place))
    width, height = SMALL
    on = f"{options.rows} drawn photos of {width} x {height}, {pair.name}"
    tables = f"not equal: {', '.join(killed['unequal'])}" if killed["unequal"] else "equal"
    kills = f"{killed['kills']} kills, {killed['kills_at_work']} of them when it had added rows"
    told = f"{killed['lost']}, {killed['doubled']}, {tables}; {kills}"
    some = f"{_SOME} photos, the last removed and the last but one truncated while it runs"
    return [
        (on, f"rows lost and doubled, tables, after {options.kills} kills", told, GOAL),
        (some, "what their rows say", "; ".join(gone["said"]) + f"; {gone['rows']} rows", "two rows say so"),
    ]


def kill_often(options: Options, pair: Pair, place: Path) -> Figures:
    """An undisturbed run, and one that is killed at random moments and then left to end."""
    files = draw(options.work / "small", range(min(FILES, options.rows)), SMALL)
    photos = link(place / "photos", files, options.rows)
    one = link(place / "few", files, 1)
    for _ in range(2):  # in the first one what is exported and measured once is made
        few = predict(one, empty(place / "short") / "out", pair.folder, options)
    whole = predict(photos, empty(place / "whole") / "out", pair.folder, options)
    empty(place / "killed")
    latest = latest_kill(few.seconds, _SPREAD * (whole.seconds - few.seconds), options.kills)
    rng = random.Random(SEED)
    delays = [rng.uniform(0, latest) for _ in range(options.kills)]
    rows = [kill_once(options, pair, photos, place / "killed" / "out", delay) for delay in delays]
    predict(photos, place / "killed" / "out", pair.folder, options)
    outs = [place / folder / "out" for folder in ("whole", "killed")]
    lost, doubled = compare_rows(*(read_names(out) for out in outs))
    return {
        "kills": sum(count is not None for count in rows),
        "kills_at_work": count_rises([count for count in rows if count is not None]),
        "lost": lost,
        "doubled": doubled,
        "unequal": [name for name, tables in read_all(*outs).items() if tables[0] != tables[1]],
        "seconds": whole.seconds,
    }


def kill_once(options: Options, pair: Pair, photos: Path, out: Path, delay: float) -> int | None:
    """Start a run and kill it after some seconds; the rows that there are then, None where it had ended before."""
    with out.with_name("killed.log").open("a", encoding="utf-8") as log:
        process = start(command(photos, out, pair.folder), log.fileno(), environment(options))
        try:
            process.wait(delay)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            return count_rows(out)
    return None


def count_rows(out: Path) -> int:
    """Photos that there is a result of already."""
    return (out / RESULTS).read_bytes().count(b"\n") if (out / RESULTS).exists() else 0


def read_names(out: Path) -> list[str]:
    """The photo of each row."""
    return [json.loads(line)["photo"] for line in (out / RESULTS).read_text(encoding="utf-8").splitlines()]


def read_all(whole: Path, killed: Path) -> dict[str, tuple[list[Line], list[Line]]]:
    """Every table of both runs, without seconds."""
    return {name: (read_table(whole, name), read_table(killed, name)) for name in (*TABLES, *SHEETS, RESULTS)}


def read_table(out: Path, name: str) -> list[Line]:
    """A table, a sheet of the workbook, or the lines of the results."""
    if name in TABLES:
        return read_csv(out / name)
    return read_sheet(out / "report.xlsx", name) if name in SHEETS else read_lines(out / name)


def read_csv(path: Path) -> list[Line]:
    """A table as written."""
    with path.open(encoding="utf-8-sig", newline="") as lines:
        return without_seconds([tuple(line) for line in csv.reader(lines)])


def read_sheet(path: Path, sheet: str) -> list[Line]:
    """The values of a sheet of the workbook."""
    book: Any = load_workbook(path, read_only=True)
    try:
        return without_seconds([tuple(map(str, line)) for line in book[sheet].iter_rows(values_only=True)])
    finally:
        book.close()


def read_lines(path: Path) -> list[Line]:
    """The lines of the results."""
    records = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [(json.dumps({**record, "seconds": 0}, ensure_ascii=False),) for record in records]


def take_away(options: Options, pair: Pair, place: Path) -> Figures:
    """Remove one photo of a hundred and cut another short, as soon as the first are done."""
    files = draw(options.work / "phone", choose_crowded(min(_DRAWN, options.photos)), PHONE)
    photos = link(place / "some", files, _SOME, copies=True)
    truncated, removed = sorted(photos.iterdir())[-2:]
    out = empty(place / "gone") / "out"
    with out.with_name("gone.log").open("w", encoding="utf-8") as log:
        process = start(command(photos, out, pair.folder), log.fileno(), environment(options))
        begin = time.monotonic()
        while not count_rows(out) and process.poll() is None:
            time.sleep(0.01)
            if time.monotonic() - begin > _TOO_LONG:
                process.kill()
        removed.unlink()
        with truncated.open("r+b") as photo:
            photo.truncate(truncated.stat().st_size // 2)
        code = process.wait()
    answer = read_answer(out)
    said = [f"{answer[path.name].status} ({answer[path.name].error})" for path in (removed, truncated)]
    return {"said": said, "rows": len(answer), "code": code}
