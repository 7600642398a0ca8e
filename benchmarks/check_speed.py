"""How long ``cropsort check`` takes, and how much memory, on many small photos: both must not run away.

    python benchmarks/check_speed.py                        # 1,000 and 5,000 drawn photos of 640 x 480
    python benchmarks/check_speed.py --photos 20000
    python benchmarks/check_speed.py --data data.yaml       # or a data set of your own, or a folder of labelled photos

The photos are drawn at random, all different, with noise so that they are as large as real ones, and two boxes each.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
GOAL_SECONDS, GOAL_PHOTOS = 60, 5000
WIDTH, HEIGHT = 640, 480
NAMES = ("ace", "king", "queen", "jack")


@dataclass(frozen=True, slots=True)
class Run:
    """One check: photos, seconds, and the most memory it had, in MiB."""

    photos: int
    seconds: float
    peak_mib: float
    problems: int


def main() -> None:
    """Check what is given, or draw photos and check a fifth of them and all."""
    options = parse_options()
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory() as temporary:
        work = Path(temporary)
        if options.data is not None:
            show(check(as_data_file(options.data.resolve(), work), work))
            return
        draw(work / "images", range(options.photos))
        some, all_of_them = (check(write_lists(work, count), work) for count in (options.photos // 5, options.photos))
    show(some)
    show(all_of_them)
    goal = GOAL_SECONDS * all_of_them.photos / GOAL_PHOTOS
    print(
        f"goal: {all_of_them.photos} photos within {goal:.0f} s: {'met' if all_of_them.seconds <= goal else 'missed'}"
    )
    print(f"memory: {all_of_them.peak_mib - some.peak_mib:+.0f} MiB for five times as many photos")


def parse_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, help="data.yaml, or a folder of labelled photos, to check instead")
    parser.add_argument("--photos", type=int, default=GOAL_PHOTOS, help="how many photos to draw")
    return parser.parse_args()


def as_data_file(data: Path, work: Path) -> Path:
    """The data.yaml itself; for a folder one that ``cropsort init`` writes."""
    if data.is_file():
        return data
    made = work / f"{data.name}.yaml"
    subprocess.run([sys.executable, "-m", "pipeline", "init", str(data), "--data", str(made)], cwd=ROOT, check=True)
    return made


def draw(folder: Path, numbers: Iterable[int]) -> None:
    """Photos and their labels."""
    folder.mkdir()
    noise = np.random.default_rng(0).normal(0, 9, (2 * HEIGHT, 2 * WIDTH, 3)).astype(np.int16)
    for number in numbers:
        generator = np.random.default_rng(number)
        coarse = generator.integers(0, 255, (6, 8, 3), np.uint8)
        smooth = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC).astype(np.int16)
        top, left = generator.integers(0, HEIGHT), generator.integers(0, WIDTH)
        pixels = np.clip(smooth + noise[top : top + HEIGHT, left : left + WIDTH], 0, 255).astype(np.uint8)
        cv2.imwrite(str(folder / f"{number:06}.jpg"), pixels)
        rows = (f"{generator.integers(len(NAMES))} {x:.6f} 0.500000 0.300000 0.400000\n" for x in (0.3, 0.7))
        (folder / f"{number:06}.txt").write_text("".join(rows), encoding="utf-8")


def write_lists(work: Path, count: int) -> Path:
    """A data.yaml of the first ``count`` photos, every fifth of them val."""
    photos = [f"images/{number:06}.jpg" for number in range(count)]
    for part, chosen in (("train", [p for i, p in enumerate(photos) if i % 5]), ("val", photos[::5])):
        (work / f"{count}.{part}.txt").write_text("\n".join(chosen), encoding="utf-8")
    file = work / f"{count}.yaml"
    file.write_text(f"train: {count}.train.txt\nval: {count}.val.txt\nnames: [{', '.join(NAMES)}]\n", encoding="utf-8")
    return file


def check(file: Path, work: Path) -> Run:
    """Run the command in a process of its own and measure it."""
    command = [sys.executable, "-m", "pipeline", "check", "--data", str(file), "--out", str(work / "page"), "--json"]
    answer = work / "answer.json"
    begin = time.perf_counter()
    with answer.open("w", encoding="utf-8") as out, subprocess.Popen(command, cwd=ROOT, stdout=out) as child:
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - begin
    if child.returncode not in (0, 1):
        sys.exit(f"cropsort check ended with {child.returncode}")
    record = json.loads(answer.read_text(encoding="utf-8"))
    photos = sum(part["photos"] for part in record["counts"].values())
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return Run(photos, seconds, usage.ru_maxrss / unit, len(record["problems"]))


def show(run: Run) -> None:
    """One line of figures."""
    print(
        f"{run.photos} photos: {run.seconds:.1f} s, {run.photos / run.seconds:.0f} photos/s, "
        f"at most {run.peak_mib:.0f} MiB, {run.problems} problems found"
    )


if __name__ == "__main__":
    main()
