"""How many tiles of shuffled pictures come back to their places, on pictures that nothing has learnt from.

    python benchmarks/jigsaw.py                        # photos drawn for it
    python benchmarks/jigsaw.py --data data            # and CIFAR-10's, from data/cifar10/cifar10-images.zip
    python benchmarks/jigsaw.py --data data --seeds 3

``cifar`` learns from the archive's ``test/`` (10,000 pictures of 32 x 32, a tenth of which the epoch is chosen on) as
``cropsort jigsaw train`` does, and puts one puzzle of each picture in its ``train/`` (5,000) together, once. ``drawn``
does the same with drawn photos of 96 px. Both cut 2 x 2. A training that was stopped goes on; one that is done is not
done again: its folder below ``--work`` is deleted to repeat it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
import zipfile
from contextlib import chdir
from pathlib import Path

ARCHIVE = Path("cifar10") / "cifar10-images.zip"
GRID, EPOCHS = 2, 20
SIDES = {"cifar": 32, "drawn": 96}
DRAWN = {"test": 1, "train": 2}
"""The seed that photos are drawn with, by the part of CIFAR-10 that they stand for."""
GOALS = {"tiles": ">= 0.95", "minutes": "<= 20"}

Figures = dict[str, float]


def main() -> None:
    """Run what is not done yet, and print the figures."""
    options = parse_options()
    import torch

    torch.set_num_threads(options.threads)
    os.environ["OMP_NUM_THREADS"] = str(options.threads)  # for the process that trains
    print(
        f"{platform.processor() or platform.machine()}, {options.threads} threads, Python {platform.python_version()}"
    )
    case = "cifar" if options.data else "drawn"
    pictures = make_pictures(options)
    figures = [run_once(case, pictures, seed, options) for seed in range(options.seeds)]
    print_figures(case, figures)


def parse_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, help=f"folder with {ARCHIVE.as_posix()}; else drawn photos")
    parser.add_argument("--work", type=Path, default=Path("runs") / "benchmarks" / "jigsaw", help="where all is kept")
    parser.add_argument("--seeds", type=int, default=1, help="how many")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="of each training, at most")
    parser.add_argument("--photos", type=int, default=400, help="drawn to learn from; half as many more are held out")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="of torch")
    given = parser.parse_args()
    if given.data and not (given.data / ARCHIVE).is_file():
        parser.error(f"{given.data / ARCHIVE} - no such file")
    if min(given.seeds, given.epochs, given.threads) < 1 or given.photos < 4:
        parser.error("--seeds, --epochs and --threads are at least 1, --photos at least 4")
    given.work = given.work.resolve()
    return given


def make_pictures(options: argparse.Namespace) -> Path:
    """The folder with ``test``, to learn from, and ``train``, which is held out."""
    folder: Path = options.work / ("cifar" if options.data else f"drawn-{options.photos}")
    done = folder / "done"
    if not done.exists():
        if options.data:
            with zipfile.ZipFile(options.data / ARCHIVE) as archive:
                archive.extractall(folder)
        else:
            draw_pictures(folder, options.photos)
        done.touch()
    return folder


def draw_pictures(folder: Path, photos: int) -> None:
    """Photos of books on desks, each part with a seed of its own."""
    from pipeline.sample import draw_photos

    side = SIDES["drawn"]
    for part, seed in DRAWN.items():
        count = photos if part == "test" else photos // 2
        draw_photos(folder / part, folder / "labels" / part, count=count, seed=seed, size=(side * 4 // 3, side))


def run_once(case: str, pictures: Path, seed: int, options: argparse.Namespace) -> Figures:
    """The figures of a seed, from the disk where it is done."""
    work = options.work / f"{pictures.name}-{options.epochs}-epochs-seed-{seed}"
    file = work / "figures.json"
    if not file.exists():
        work.mkdir(parents=True, exist_ok=True)
        with chdir(work):
            figures = train_and_judge(case, pictures, seed, options.epochs)
        file.write_text(json.dumps(figures, indent=2), encoding="utf-8")
    made: Figures = json.loads(file.read_text(encoding="utf-8"))
    return made


def train_and_judge(case: str, pictures: Path, seed: int, epochs: int) -> Figures:
    """Train in the current folder, as the command does, and judge what came of it on what was held out."""
    from pipeline.console import make_console
    from pipeline.jigsaw.collecting import collect, find_pictures
    from pipeline.jigsaw.kept import open_solver
    from pipeline.jigsaw.lesson import train_on_photos
    from pipeline.jigsaw.puzzle_batches import PuzzleSettings
    from pipeline.jigsaw.teaching import judge
    from pipeline.runs import read_epochs

    console, side, begin = make_console(), SIDES[case], time.monotonic()
    solver = train_on_photos(
        pictures / "test",
        grid=GRID,
        imgsz=side,
        epochs=epochs,
        batch=None,
        model_name="tiles",
        seed=seed,
        memory=None,
        console=console,
    )
    wall = time.monotonic() - begin
    held_out = collect(find_pictures(pictures / "train"), Path("held-out"), side=side, grid=GRID, console=console)
    network, _ = open_solver(solver.weights, device="cpu")
    scores = judge(network, held_out.sources, PuzzleSettings(grid=GRID, imgsz=side), "cpu")
    done = read_epochs(solver.run / "jigsaw")
    return {
        "seed": seed,
        "tiles": scores.tiles_right,
        "pictures": scores.pictures_right,
        "held_out": scores.count,
        "tiles_val": solver.scores.tiles_right,
        "pictures_val": solver.scores.pictures_right,
        "epochs": len(done),
        "minutes": sum(epoch.seconds for epoch in done) / 60,
        "minutes_of_last_call": wall / 60,
    }


def print_figures(case: str, figures: list[Figures]) -> None:
    """A table of what was measured beside what is asked for."""
    seeds = [f"{one['seed']:g}" for one in figures]
    print(f"\n| {case}, 2 x 2 | {' | '.join(f'seed {seed}' for seed in seeds)} | goal |")
    print(f"|---|{'---|' * len(seeds)}---|")
    goals = GOALS if case == "cifar" else {}
    for name in figures[0]:
        if name != "seed":
            print(f"| {name} | {' | '.join(f'{one[name]:.4g}' for one in figures)} | {goals.get(name, '')} |")


if __name__ == "__main__":
    main()
