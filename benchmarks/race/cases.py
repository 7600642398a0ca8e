"""The cases of the benchmark: each run once, and its figures printed beside the goals."""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

from pipeline.apart import run_apart
from pipeline.classifier import ClassifierJob
from pipeline.files import write_text
from race.afterwards import show_calibration, show_ensembles
from race.figures import Kept, compare, print_table, read_kept, say_ratio, score, write_kept
from race.material import Material, find_source, make_material
from race.ours import make_job, train_ours
from race.plain import train_plain
from race.stopping import measure_resuming
from race.waiting import measure_loading

BALANCE = "oversample"
SIDE, BATCH = 160, 16
RARE = 3
ARMS = {"plain": train_plain, "ours": train_ours}
MB = 2**20


@dataclass(frozen=True, slots=True)
class Case:
    """A race.

    Args:
        source: folder below ``--data``.
        settings: of cropsort's classifier, beyond what both have.
        rare: classes cut to a tenth.
        goals: by figure.
    """

    source: str
    settings: dict[str, Any] = field(default_factory=dict)
    rare: int = 0
    goals: dict[str, str] = field(default_factory=dict)


CASES = {
    "grocery": Case("grocery", goals={"top1": ">= +2.0, above 0", "seconds": "<= 1"}),
    "imbalanced": Case("grocery", {"balance": BALANCE}, RARE, goals={"recall": ">= +5.0"}),
    "cards": Case("cards"),
}


@dataclass(frozen=True, slots=True)
class Options:
    """The command line.

    Args:
        data: folder of real photos; None for the sample.
        start: weights to start from.
        work: where the trainings are run and their figures are kept.
        threads: of torch, in both ways.
        seeds: how many.
        epochs: of each training.
    """

    data: Path | None
    start: Path
    work: Path
    threads: int
    seeds: int
    epochs: int


def show(names: Sequence[str], options: Options) -> None:
    """Run the cases that are not done yet, and print the figures of all that are named."""
    os.environ["OMP_NUM_THREADS"] = str(options.threads)  # of the processes that train
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"{options.threads} threads, {options.epochs} epochs, batch {BATCH}, {SIDE} px, start {options.start.name}")
    prepare_work(options)
    shows: dict[str, Callable[[Options], None]] = {
        **{name: partial(show_race, name) for name in CASES},
        "ensemble": lambda options: show_ensembles(comparable_runs(options)),
        "calibration": lambda options: show_calibration(done_runs(options)),
        "loading": show_loading,
        "resume": show_resume,
    }
    for name in names:
        shows[name](options)


def prepare_work(options: Options) -> None:
    """Refuse a folder with figures that were made with other options."""
    note = options.work / "options.json"
    data = str(options.data.resolve()) if options.data else ""
    said = {"data": data, "start": str(options.start), "threads": options.threads, "epochs": options.epochs}
    options.work.mkdir(parents=True, exist_ok=True)
    if not note.exists():
        note.write_text(json.dumps(said, indent=2), encoding="utf-8")
    if json.loads(note.read_text(encoding="utf-8")) != said:
        sys.exit(f"{note} - made with other options - choose another --work, or delete that one")


def race(name: str, arm: str, seed: int, options: Options) -> Kept:
    """A training's time and probabilities, from disk where it is done."""
    done = options.work / name / f"{seed}-{arm}.npz"
    if not done.exists():
        folder = done.with_suffix("")
        shutil.rmtree(folder, ignore_errors=True)
        material = open_material(name, seed, options, folder)
        job = material, options.start, folder, options.threads
        answer = run_apart(ARMS[arm], *job, name=f"{name}, seed {seed}, {arm}").result
        write_kept(done, answer, material)
        shutil.rmtree(folder)
        print(f"  {name}, seed {seed}, {arm}: {answer.seconds:.0f} s", file=sys.stderr, flush=True)
    return read_kept(done)


def open_material(name: str, seed: int, options: Options, folder: Path) -> Material:
    """The crops of a case, split with a seed."""
    case = CASES[name]
    shared = {"imgsz": SIDE, "batch": BATCH, "epochs": options.epochs, "patience": options.epochs}
    source = find_source(case.source, options.data)
    return make_material(source, {**case.settings, **shared}, folder, seed=seed, rare=case.rare)


def show_race(name: str, options: Options) -> None:
    """Both ways, seed by seed, the one to begin with in turns."""
    runs: dict[str, list[Kept]] = {arm: [] for arm in ARMS}
    for seed in range(options.seeds):
        order = list(ARMS) if seed % 2 == 0 else list(ARMS)[::-1]
        for arm in order:
            runs[arm].append(race(name, arm, seed, options))
    figures = {
        arm: [
            {"seconds": one.seconds, "preparing": one.preparing, **score(one.test, one.test_targets)}
            for one in runs[arm]
        ]
        for arm in ARMS
    }
    print(f"\n**{name}** ({describe_source(CASES[name], options)}, {len(runs['ours'][0].test_targets)} test crops)\n")
    print_table(
        ("seed", *(f"{what}, {arm}" for what in ("top-1", "recall", "log loss", "time") for arm in ARMS)),
        [
            (
                str(seed),
                *(
                    say(key, figures[arm][seed][key])
                    for key in ("top1", "recall", "log_loss", "seconds")
                    for arm in ARMS
                ),
            )
            for seed in range(options.seeds)
        ],
    )
    print()
    show_summary(figures, CASES[name].goals)


def say(key: str, value: float) -> str:
    """A figure as it stands in a table."""
    return f"{value:.0f} s" if key == "seconds" else f"{value:.3f}"


def describe_source(case: Case, options: Options) -> str:
    """Where the crops come from, and what was done to them."""
    real = options.data is not None and (options.data / case.source).is_dir()
    rare = f", {case.rare} classes cut to a tenth" if case.rare else ""
    return (case.source if real else "the sample's crops") + rare


def show_summary(figures: dict[str, list[dict[str, float]]], goals: dict[str, str]) -> None:
    """Means, mean differences with their intervals, and the ratio of the times."""
    rows = []
    for key, told in (("top1", "top-1, points"), ("recall", "mean recall, points"), ("log_loss", "log loss")):
        plain, ours = ([one[key] for one in figures[arm]] for arm in ("plain", "ours"))
        factor, digits = (1.0, 3) if key == "log_loss" else (100.0, 1)
        means = (f"{fmean(values) * factor:.{digits}f}" for values in (plain, ours))
        rows.append((told, *means, compare(ours, plain).say(digits, factor=factor), goals.get(key, "")))
    plain, ours = ([one["seconds"] for one in figures[arm]] for arm in ("plain", "ours"))
    preparing = fmean(one["preparing"] for one in figures["ours"])
    times = f"{fmean(plain):.0f} s", f"{fmean(ours):.0f} s, {preparing:.0f} s of it preparing the crops"
    rows.append(("time", *times, f"x {say_ratio(ours, plain)}", goals.get("seconds", "")))
    print_table(("mean", "plain", "ours", "difference (95 %) or ratio (spread)", "goal"), rows)


def done_runs(options: Options) -> dict[str, list[Kept]]:
    """Our trainings that are on disk, by case."""
    files = {name: [options.work / name / f"{seed}-ours.npz" for seed in range(options.seeds)] for name in CASES}
    return {name: [read_kept(path) for path in paths if path.exists()] for name, paths in files.items()}


def comparable_runs(options: Options) -> dict[str, list[Kept]]:
    """Those of cases whose trainings lack nothing that another one has: each seed cuts other classes to a tenth."""
    return {name: done for name, done in done_runs(options).items() if not CASES[name].rare}


def show_loading(options: Options) -> None:
    """Waiting and peak memory on 300 crops and on 3,000."""
    print("\n**loading** (two epochs; memory is the peak PSS of the processes that train)\n")
    rows = []
    for crops in (300, 3000):
        done = options.work / "loading" / f"{crops}.json"
        rows.append(run_once(done, partial(load_crops, options, crops)))
    print_table(
        ("crops", "waiting, part of step time (goal <= 0.05)", "of the worst epoch", "an epoch", "peak memory"),
        [
            (
                f"{row['crops']:g}",
                f"{row['waited']:.3f}",
                f"{row['waited_most']:.3f}",
                f"{row['epoch_seconds']:.1f} s",
                f"{row['peak_bytes'] / MB:.0f} MB",
            )
            for row in rows
        ],
    )
    print(f"\npeak memory on 10 times the crops: x {rows[1]['peak_bytes'] / rows[0]['peak_bytes']:.3f} (goal: <= 1.1)")


def load_crops(options: Options, crops: int, folder: Path) -> dict[str, float]:
    """Two epochs on so many crops."""
    return measure_loading(make_small(folder, options, 2), folder / "run", crops)


def show_resume(options: Options) -> None:
    """Three kills at random moments."""
    print("\n**resume** (SIGKILL at three random moments, gone on with; against an undisturbed training)\n")
    done = options.work / "resume" / "figures.json"
    row = run_once(done, lambda folder: measure_resuming(make_small(folder, options, 6), folder / "run", seed=0))
    moments = ", ".join(f"{value:.0%}" for key, value in row.items() if key.startswith("killed"))
    print(f"killed at {moments} of the training: {row['differing']:g} of {row['tensors']:g} tensors differ (goal: 0)")


def make_small(folder: Path, options: Options, epochs: int) -> ClassifierJob:
    """A training of a few epochs on the first case's crops."""
    few = Options(options.data, options.start, options.work, options.threads, options.seeds, epochs)
    return make_job(open_material("grocery", 0, few, folder), options.start, folder)


def run_once(done: Path, run: Callable[[Path], dict[str, float]]) -> dict[str, float]:
    """Figures, from disk where they are there."""
    if not done.exists():
        folder = done.with_suffix("")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        write_text(done, json.dumps(run(folder), indent=2))
        shutil.rmtree(folder)
    figures: dict[str, float] = json.loads(done.read_text(encoding="utf-8"))
    return figures
