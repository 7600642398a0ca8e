"""Time and memory of a large report, and of its plain table beside what pandas does with the same rows.

    python benchmarks/report.py                         # 100,000 detections, the first 5,000 with thumbnails
    python benchmarks/report.py --detections 10000 --thumbnails 500 --rounds 5

Results are drawn up, thumbnails too. ``report`` is all that ``write_report`` writes, read from the record of a run:
the workbook with every sheet, and the CSVs. ``plain`` is a workbook of one table without thumbnails and links, its
rows in memory, and so they are for pandas. Each run is a process of its own; the ways take turns, round by round. Peak
memory is that process's, with Python and all that it imports. What is done is not done again; ``--work`` is deleted to
repeat it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from functools import partial
from io import BytesIO
from operator import itemgetter
from pathlib import Path
from statistics import median
from typing import Any

from prediction.options import Figures, empty, keep

from pipeline.boxes import Box
from pipeline.memory import MB
from pipeline.report import make_tables, write_report
from pipeline.results import Detection, PhotoResult, Prediction, RecordedResults, to_json
from pipeline.run_info import RunInfo
from pipeline.thumbnails import Thumbnails
from pipeline.workbook import write_workbook
from pipeline.workbook.tables import Column, Summary, Table

GOALS = {"report": "<= 90 s, <= 500 MB", "plain": "<= 25 s"}
PEERS = {"pandas-openpyxl": "openpyxl", "pandas-xlsxwriter": "xlsxwriter"}
CLASSES = ("고양이", "강아지", "까치", "너구리", "squirrel", "roe deer", "wild boar", "marten")
BOXES = 2
"""In each photo that has any."""


def main() -> None:
    """Run what is not done yet, and print all; or, in a process of its own, one of the ways."""
    options = parse_options()
    work = options.work.resolve() / f"{options.detections}-{options.thumbnails}"
    if options.one:
        print(json.dumps(measure(options.one, work)))
        return
    draw_up(work, options.detections, options.thumbnails)
    ways = ["report", "plain", *PEERS]
    rounds = [run_round(work, number, ways, options) for number in range(options.rounds)]
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"{options.detections:,} detections, {options.thumbnails:,} thumbnails, {options.rounds} rounds")
    print_table({way: [one[way] for one in rounds] for way in ways})


def parse_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--detections", type=int, default=100_000)
    parser.add_argument("--thumbnails", type=int, default=5_000, help="for the first so many detections")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--work", type=Path, default=Path("runs") / "benchmarks" / "report", help="where all is kept")
    parser.add_argument("--data", type=Path, help="not used: the results are drawn up")
    parser.add_argument("--one", choices=["report", "plain", *PEERS], help=argparse.SUPPRESS)
    return parser.parse_args()


def draw_up(work: Path, detections: int, pictures: int) -> None:
    """A record of a run, and thumbnails of its first detections."""
    record = work / "results.jsonl"
    if record.exists():
        return
    thumbnails = Thumbnails(empty(work) / "thumbnails")
    drawn = 0
    part = work / "results.part"
    with part.open("w", encoding="utf-8") as lines:
        for result in draw_results(detections):
            lines.write(to_json(result) + "\n")
            for index in range(min(len(result.predictions), pictures - drawn)):
                thumbnails.write(result.photo, index, draw_thumbnail(drawn))
                drawn += 1
    part.rename(record)


def draw_results(detections: int) -> Iterator[PhotoResult]:
    """Photos with two boxes each, and one in ten with none."""
    draw = random.Random(7)
    size, camera = (4032, 3024), "samsung SM-S918N"
    for number in range(-(-detections // BOXES)):
        captured = f"2025-{number % 12 + 1:02}-{number % 28 + 1:02} {number % 24:02}:30:15"
        boxes = min(BOXES, detections - number * BOXES)
        found = tuple(draw_prediction(draw) for _ in range(boxes))
        photo = f"숲길 {number // 500:03}/사진 {number:06}.jpg"
        yield PhotoResult(photo, "ok", size, captured, 0.06, found, camera=camera)
        if number % 10 == 0:
            yield PhotoResult(f"빈 숲/{number:06}.jpg", "empty", size, captured, 0.04, camera=camera)


def draw_prediction(draw: random.Random) -> Prediction:
    """A box with three classes."""
    left, top = draw.uniform(0, 3000), draw.uniform(0, 2000)
    box = Box(left, top, left + draw.uniform(50, 1000), top + draw.uniform(50, 1000))
    first = draw.uniform(0.4, 1)
    shares = (first, (1 - first) * 0.7, (1 - first) * 0.3)
    names = draw.sample(CLASSES, 3)
    return Prediction(Detection(box, draw.uniform(0.25, 1)), dict(zip(names, shares, strict=True)), sure=first > 0.6)


def draw_thumbnail(seed: int) -> bytes:
    """A picture of 96 x 72 pixels, of the size in bytes that a crop's thumbnail has."""
    from PIL import Image

    few = Image.frombytes("RGB", (24, 18), random.Random(seed).randbytes(24 * 18 * 3))
    buffer = BytesIO()
    few.resize((96, 72), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=85)
    return buffer.getvalue()


def run_round(work: Path, number: int, ways: list[str], options: argparse.Namespace) -> dict[str, Figures]:
    """Each of the ways once, beginning with another one each round."""
    turn = number % len(ways)
    return {
        way: keep(work / f"round-{number + 1}-{way}.json", partial(run_apart, way, options))
        for way in (*ways[turn:], *ways[:turn])
    }


def run_apart(way: str, options: argparse.Namespace) -> Figures:
    """One of the ways in a process of its own."""
    sizes = ["--detections", str(options.detections), "--thumbnails", str(options.thumbnails)]
    command = [sys.executable, __file__, "--one", way, "--work", str(options.work), *sizes]
    figures: Figures = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return figures


def measure(way: str, work: Path) -> Figures:
    """Seconds, those that a core was busy, and peak memory of one of the ways, and how large its workbook is."""
    run = RunInfo(work / "photos", work / "weights", CLASSES, 0.25, datetime(2025, 4, 30), 0, "0.1.0")
    results = RecordedResults(work / "results.jsonl", (work / "results.jsonl").read_bytes().count(b"\n"))
    out = empty(work / "out")
    write = partial(write_all, results, run, out) if way == "report" else prepare_plain(way, results, run, out)
    begin, busy = time.perf_counter(), time.process_time()
    workbook = write()
    seconds, busy = time.perf_counter() - begin, time.process_time() - busy
    return {"seconds": seconds, "busy": busy, "peak_bytes": peak_bytes(), "bytes": workbook.stat().st_size}


def write_all(results: RecordedResults, run: RunInfo, out: Path) -> Path:
    """What ``predict`` ends with."""
    thumbnails = Thumbnails(out.parent / "thumbnails")
    files = write_report(results, run, out, thumbnail=lambda result, index: thumbnails.read(result.photo, index))
    return files.workbook


def prepare_plain(way: str, results: RecordedResults, run: RunInfo, out: Path) -> partial[Path]:
    """What writes the rows of the detections, which are in memory by now."""
    table = make_tables(results, run, out)[0]
    rows = [tuple(column.value(row) for column in table.columns) for row in table.rows]
    if way == "plain":
        return partial(write_plain, table, rows, out / "plain.xlsx")
    import pandas as pd

    frame = pd.DataFrame(rows, columns=[column.header for column in table.columns])
    return partial(write_frame, frame, PEERS[way], out / "plain.xlsx")


def write_plain(table: Table[Any], rows: list[tuple[Any, ...]], path: Path) -> Path:
    """Our workbook of the rows, with all that helps reading them but thumbnails and links."""
    columns: list[Column[Any]] = [
        replace(column, value=itemgetter(place), link=None) for place, column in enumerate(table.columns)
    ]
    write_workbook(path, Summary("plain", "", [], [], []), [Table(table.name, columns, rows)])
    return path


def write_frame(frame: Any, engine: str, path: Path) -> Path:
    """The workbook of pandas."""
    frame.to_excel(path, index=False, engine=engine)
    return path


def peak_bytes() -> int:
    """Most memory that this process took."""
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def print_table(figures: dict[str, list[Figures]]) -> None:
    """Medians, and in brackets the least and the most; a ratio is that of each round."""
    print("\n| way | seconds | a core busy | peak memory | workbook | times the seconds of plain | goal |")
    print("|---|---|---|---|---|---|---|")
    for way, made in figures.items():
        seconds, busy = (spread([one[name] for one in made], ".1f") for name in ("seconds", "busy"))
        peak = spread([one["peak_bytes"] / MB for one in made], ".0f")
        size = median(one["bytes"] for one in made) / MB
        pairs = zip(made, figures["plain"], strict=True)
        ratio = spread([one["seconds"] / ours["seconds"] for one, ours in pairs], ".2f") if way in PEERS else ""
        print(f"| {way} | {seconds} | {busy} | {peak} MB | {size:.1f} MB | {ratio} | {GOALS.get(way, '')} |")


def spread(values: list[float], form: str) -> str:
    """The median, and between what the values lie."""
    return f"{median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


if __name__ == "__main__":
    main()
