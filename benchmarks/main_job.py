"""The figures of the main job: the sample and, where given, real photos, each trained once and scored once on test.

    python benchmarks/main_job.py                                      # the sample
    python benchmarks/main_job.py --data cards --weights starts        # and real photos

``--data`` is a folder of photos with LabelImg's files, ``train`` and ``test`` below it; ``--weights`` holds
``yolov5n-coco.pt`` and ``yolo11n-cls-ft-catdog.pt`` to start from. Epoch and threshold are chosen on val. A case that
is done is not done again; its folder below ``--work`` is deleted to repeat it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PHOTOS, SEEDS = 40, (31, 47, 83)
SAMPLE_GOALS = {"train_seconds": "<= 360", "found": ">= 0.95", "top1_detected": ">= 0.92"}
REAL_GOALS = {"train_seconds": "<= 720", "map50": ">= 0.97", "top1_true": ">= 0.94", "f1": ">= 0.90"}
REAL_SETTINGS = """
detector:
  start: {weights}/yolov5n-coco.pt
  imgsz: 320
  batch: 16
  epochs: 15
classifier:
  start: {weights}/yolo11n-cls-ft-catdog.pt
  epochs: 40
  patience: 40
  imgsz: 160
  batch: 32
  degrees: 180  # cards lie at any angle
"""

Figures = dict[str, float]


def main() -> None:
    """Run the cases that are not done yet, and print the figures of all."""
    options = parse_options()
    options.work = options.work.resolve()  # the commands below run in folders of their own
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print_figures("sample", run_once(options.work / "sample", run_sample), SAMPLE_GOALS)
    if options.data:
        real = run_once(
            options.work / options.data.name,
            lambda work: run_real(work, options.data.resolve(), options.weights.resolve()),
        )
        print_figures(options.data.name, real, REAL_GOALS)


def parse_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder of labelled photos with train and test below it")
    parser.add_argument("--weights", type=Path, default=ROOT / "weights" / "start", help="weights to start from")
    parser.add_argument("--work", type=Path, default=Path("runs") / "benchmarks", help="where the cases are run")
    return parser.parse_args()


def run_once(work: Path, run: Callable[[Path], Figures]) -> Figures:
    """The figures of a case, from disk where it is done."""
    done = work / "figures.json"
    if not done.exists():
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        done.write_text(json.dumps(run(work), indent=2), encoding="utf-8")
    figures: Figures = json.loads(done.read_text(encoding="utf-8"))
    return figures


def run_sample(work: Path) -> Figures:
    """Train on the sample as it comes; score on photos drawn with other seeds, each apart."""
    figures: Figures = {"train_seconds": train(work, ROOT / "data.yaml")}
    for seed in SEEDS:
        cropsort(work, "sample", f"drawn{seed}", "--photos", str(PHOTOS), "--seed", str(seed))
        scores = evaluate(work, ROOT / "data.yaml", f"drawn{seed}")
        figures |= {f"{name}, seed {seed}": scores[name] for name in ("found", "top1_detected", "f1", "map50")}
    return figures


def run_real(work: Path, data: Path, weights: Path) -> Figures:
    """Train on a folder of labelled photos, val carved out of train; score on its test photos."""
    file = work / "data.yaml"
    cropsort(work, "init", str(data), "--data", str(file))
    with file.open("a", encoding="utf-8") as settings:
        settings.write(REAL_SETTINGS.format(weights=weights.as_posix()))
    return {"train_seconds": train(work, file), **evaluate(work, file, "test")}


def train(work: Path, file: Path) -> int:
    """Seconds that the training took, imports and scoring on val included."""
    begin = time.monotonic()
    cropsort(work, "train", "--data", str(file))
    return round(time.monotonic() - begin)


def evaluate(work: Path, file: Path, on: str) -> Figures:
    """The scores on ``on``."""
    answer = cropsort(work, "evaluate", "--data", str(file), "--on", on, "--json", capture=True)
    figures: Figures = json.loads(answer)
    return figures


def cropsort(work: Path, *arguments: str, capture: bool = False) -> str:
    """Run a command in a folder of its own, as a user would."""
    command = [sys.executable, "-m", "pipeline", *arguments]
    return subprocess.run(command, cwd=work, check=True, text=True, stdout=subprocess.PIPE if capture else None).stdout


def print_figures(name: str, figures: Figures, goals: dict[str, str]) -> None:
    """A table of what was measured beside what is asked for."""
    print(f"\n| {name} | measured | goal |\n|---|---|---|")
    for key, value in figures.items():
        print(f"| {key} | {value:g} | {goals.get(key.partition(',')[0], '')} |")


if __name__ == "__main__":
    main()
