"""Prediction beside the plain chain of two Ultralytics models: speed, sameness, memory, and what kills leave behind.

    python benchmarks/predict.py                                          # drawn photos alone
    python benchmarks/predict.py --data data --weights weights/mine       # and real ones, with a trained pair
    python benchmarks/predict.py --only speed limit --photos 20 --rounds 3

``--data`` is a folder with ``phone``, ``broken`` and ``cards``; what is not there leaves its rows empty. ``--weights``
are folders of trained pairs; each serves the photos that have its classes. For photos without one a pair is trained
once: the sample's as data.yaml says, another with YOLOv5n at 640 px for what is timed, and the cards'. What is done is
not done again: the work folder keeps photos, pairs, and the figures of each run; its file there is deleted to repeat
it.

Cases: speed, limit, same, memory, kill, broken, and gpu, which wants ``--device 0``. Each prints its figures beside the
goals; all stand in one table at the end. Rates are steady ones, as somebody with 20,000 photos sees them: the photos
beyond the first few, over the time that they took beyond those. The time of a whole run stands beside it.
"""

from __future__ import annotations

import argparse
from pathlib import Path

NAMES = ("speed", "limit", "same", "memory", "kill", "broken", "gpu")
COUNTS = {
    "photos": (60, "photos of speed, limit and gpu"),
    "judged": (500, "drawn photos of same"),
    "links": (20_000, "photos of memory, beside a twentieth of them"),
    "rows": (2000, "photos of kill"),
    "kills": (50, "moments at which that run is killed"),
    "rounds": (5, "of speed, limit and gpu; medians are told"),
}
LEAST = {"photos": 4, "judged": 2, "links": 40, "rows": 20}


def main() -> None:
    """Run the cases that are not done yet, and print the figures of all."""
    given = parse_options()
    from prediction.cases import show  # not above: --help answers at once
    from prediction.options import Options

    show(given.only, Options(**{key: value for key, value in vars(given).items() if key != "only"}))


def parse_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder with phone, broken and cards; else drawn photos alone")
    parser.add_argument(
        "--weights", type=Path, nargs="+", default=[], help="folders of trained pairs; else trains them"
    )
    parser.add_argument("--work", type=Path, default=Path("runs") / "benchmarks" / "predict", help="where all is kept")
    parser.add_argument("--only", nargs="+", default=NAMES, choices=NAMES, metavar="CASE", help="some of the cases")
    parser.add_argument("--device", default="cpu", help="cpu, or the number of a GPU, which is what the case gpu wants")
    for name, (count, told) in COUNTS.items():
        parser.add_argument(f"--{name}", type=int, default=count, help=f"{told}; by default {count}")
    given = parser.parse_args()
    for path in (*given.weights, *([given.data] if given.data else [])):
        if not path.exists():
            parser.error(f"{path} - no such folder")
    if len({path.resolve().name for path in given.weights}) < len(given.weights):
        parser.error("--weights: two folders of the same name, by which their figures are kept")
    for name in COUNTS:
        if getattr(given, name) < LEAST.get(name, 1):
            parser.error(f"--{name} is at least {LEAST.get(name, 1)}")
    given.work, given.data = given.work.resolve(), given.data and given.data.resolve()
    given.weights = tuple(path.resolve() for path in given.weights)
    return given


if __name__ == "__main__":
    main()
