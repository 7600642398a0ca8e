"""The classifier beside plain Ultralytics: the same start, image size, epochs, batch and crops, turn by turn.

    python benchmarks/classifier.py                                   # the sample's crops
    python benchmarks/classifier.py --data data --weights starts      # and real photos
    python benchmarks/classifier.py --only grocery ensemble --seeds 3

``--data`` is a folder with ``grocery`` (class folders below ``train`` and ``test``) and ``cards`` (the same, of photos
with LabelImg's files); the sample stands in for what is not there. ``--weights`` is the file to start from, or the
folder of ``yolo11n-cls-ft-catdog.pt``. Val is carved out of train, anew for each seed; both choose their epoch on it,
and test is scored once. A training that is done is not done again; its file below ``--work`` is deleted to repeat it.

Cases: grocery, imbalanced and cards, five seeds each; ensemble and calibration, of what these have left (no ensemble of
imbalanced: each seed cuts other classes); loading; resume. Ultralytics' time is that from its first epoch to the end of
its last, ours begins before crops are prepared.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
START = "yolo11n-cls-ft-catdog.pt"
SEEDS, EPOCHS = 5, 15
NAMES = ("grocery", "imbalanced", "cards", "ensemble", "calibration", "loading", "resume")


def main() -> None:
    """Run the cases that are not done yet, and print the figures of all."""
    given = parse_options()
    from race.cases import Options, show  # not above: the processes that train load this file as well

    options = Options(
        data=given.data,
        start=given.weights.resolve(),
        work=given.work.resolve(),
        threads=given.threads,
        seeds=given.seeds,
        epochs=given.epochs,
    )
    show(given.only, options)


def parse_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder with grocery and cards; else the sample's crops")
    parser.add_argument("--weights", type=Path, help="file or folder to start from; else what is shipped")
    parser.add_argument("--work", type=Path, default=Path("runs") / "benchmarks" / "classifier", help="where to train")
    parser.add_argument("--only", nargs="+", default=NAMES, choices=NAMES, metavar="CASE", help="some of the cases")
    parser.add_argument("--seeds", type=int, default=SEEDS, help="how many")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="of each training")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="of torch, in both ways")
    given = parser.parse_args()
    start = given.weights or ROOT / "weights" / "start" / "yolo11n-cls-drawn.pt"
    start = start / START if start.is_dir() else start
    for path in (start, *([given.data] if given.data else [])):
        if not path.exists():
            parser.error(f"{path} - no such file or folder")
    if min(given.seeds, given.epochs, given.threads) < 1:
        parser.error("--seeds, --epochs and --threads are at least 1")
    given.weights = start
    return given


if __name__ == "__main__":
    main()
