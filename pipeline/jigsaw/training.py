"""``cropsort jigsaw train``: from pictures to a solver in ``weights/``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console

from pipeline import yolo
from pipeline.jigsaw.arranging import PuzzleScores
from pipeline.jigsaw.job import JigsawJob, train_jigsaw, train_jigsaw_apart
from pipeline.jigsaw.kept import SOLVER, jigsaw_weights, write_kept
from pipeline.jigsaw.puzzle_batches import PuzzleSettings
from pipeline.jigsaw.teaching import Bench, PuzzleLesson, judge, make_card, teach
from pipeline.prepare import CropSource
from pipeline.runs import claimed, open_run
from pipeline.weights import installed_versions

__all__ = [
    "JigsawJob",
    "Solver",
    "jigsaw_runs",
    "judge",
    "train_jigsaw",
    "train_jigsaw_apart",
    "train_solver",
]


@dataclass(frozen=True, slots=True)
class Solver:
    """A solver that was trained.

    Args:
        run: folder with checkpoints and what was written down.
        weights: folder with ``solver.pt`` and its card, for ``cropsort jigsaw solve``.
        scores: on val, as the answers are given: a permutation for each picture.
    """

    run: Path
    weights: Path
    scores: PuzzleScores


def jigsaw_runs(name: str) -> Path:
    """Where what learns puzzles from a folder of photos, or a data set, is trained: ``runs/<name>-jigsaw``."""
    return Path("runs") / f"{name}-jigsaw"


def train_solver(
    train: tuple[CropSource, ...],
    val: tuple[CropSource, ...],
    settings: PuzzleSettings,
    *,
    name: str,
    data: str,
    model_name: str,
    batch: int | None,
    seed: int,
    device: str,
    memory: str | None,
    console: Console,
) -> Solver:
    """All of ``cropsort jigsaw train``: choose the batch, train, judge on val, write ``weights/<name>-jigsaw``.

    A training that was stopped goes on where it was, as long as pictures and settings are the same. The folder
    ``runs/<name>-jigsaw`` is kept for this process meanwhile; copies of pictures may lie there, in a folder whose name
    is no number.

    Args:
        train: pictures to learn from: upright copies of our own, as ``read_kept`` reads them.
        val: pictures to choose the epoch on.
        settings: its batch is not looked at.
        name: what ``runs/`` and ``weights/`` call it.
        data: where the pictures are from, for the card.
        model_name: ``tiles``, or a backbone.
        batch: pictures a training step; None for the tuner to choose.
        seed: of the training.
        device: ``cpu``, ``mps`` or the number of a GPU.
        memory: limit, such as ``4GB``; None for what is free.
        console: told of the progress.

    Raises:
        OutOfMemoryError: not even the smallest batch fits.
        CropsortError: something cannot be read, trained or written, or another process trains there.
    """
    weights = jigsaw_weights(name)
    lesson = PuzzleLesson(train, val, settings, model_name, seed, batch=batch)
    with claimed(jigsaw_runs(name)):
        run = open_run(jigsaw_runs(name), _take_fingerprint(lesson))
        if run.continued:
            console.print(f"going on with {run.folder}, which was stopped")
        taught = teach(lesson, run, Bench(device, memory, console), title="solver")
        card = make_card(SOLVER, lesson, data=data, scores=taught.scores)
        write_kept(weights, card, yolo.read_checkpoint(taught.file))
        run.note(finished=True)
    return Solver(run.folder, weights, taught.scores)


def _take_fingerprint(lesson: PuzzleLesson) -> str:
    """Of all that the outcome depends on; where it runs, and in what memory, may change on the way."""
    settings = {name: value for name, value in asdict(lesson.settings).items() if name != "batch"}
    pictures = _digest(lesson.train), _digest(lesson.val)
    said = [settings, lesson.model_name, lesson.seed, lesson.batch, pictures, installed_versions()]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _digest(pictures: Iterable[CropSource]) -> str:
    lines = [f"{one.file.name} {one.file.stat().st_size} {one.box}" for one in pictures]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
