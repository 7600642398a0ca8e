"""From pictures to a network that puts tiles back: the batch chosen, trained in a process apart, judged on val."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from rich.console import Console
from torch import nn

from pipeline import yolo
from pipeline.jigsaw.arranging import PuzzleScores, arrange, score
from pipeline.jigsaw.job import JigsawJob, train_jigsaw_apart
from pipeline.jigsaw.kept import PuzzleCard, load_network
from pipeline.jigsaw.network import PuzzleNetwork
from pipeline.jigsaw.puzzle_batches import PuzzleSettings, make_puzzle_val_loader
from pipeline.memory import choose_limit, measure_room
from pipeline.planning import describe_fit
from pipeline.prepare import CropSource
from pipeline.runs import Run
from pipeline.stages import Site, Spot, train_network
from pipeline.starts import Start
from pipeline.tune.trials import Facts, Fit, Pins
from pipeline.tune.tuning import Request, tune
from pipeline.weights import installed_versions


@dataclass(frozen=True, slots=True)
class PuzzleLesson:
    """What a network is taught.

    Args:
        train: pictures to learn from: upright copies of our own, as ``read_kept`` reads them.
        val: pictures to choose the epoch on.
        settings: of the puzzles and the training; its batch is chosen by the tuner, unless ``batch`` says it.
        model_name: what looks at a tile: ``tiles``, or a backbone of the classifier.
        seed: of the training.
        start: what that begins with; None for random weights.
        batch: pictures a training step; None for the tuner to choose.
    """

    train: tuple[CropSource, ...]
    val: tuple[CropSource, ...]
    settings: PuzzleSettings
    model_name: str
    seed: int
    start: Start | None = None
    batch: int | None = None


@dataclass(frozen=True, slots=True)
class Bench:
    """Where it is taught.

    Args:
        device: ``cpu``, ``mps`` or the number of a GPU.
        memory: limit, such as ``4GB``; None for what is free.
        console: told of the progress.
    """

    device: str
    memory: str | None
    console: Console


@dataclass(frozen=True, slots=True)
class Taught:
    """What came of it.

    Args:
        file: the network's weights.
        network: the same, loaded.
        scores: on val, as answers are given: a permutation for each picture.
    """

    file: Path
    network: PuzzleNetwork
    scores: PuzzleScores


def teach(lesson: PuzzleLesson, run: Run, bench: Bench, *, title: str) -> Taught:
    """Train to the end, in the folder of a run; what was done before a stop is not done again.

    Args:
        lesson: what is taught.
        run: its folder, and what was written down of it.
        bench: where.
        title: what the user is told is trained.

    Raises:
        OutOfMemoryError: not even the smallest batch fits.
        CropsortError: it could not be trained, or nothing can be written there.
    """
    fit = _choose(lesson, run, bench)
    spot = Spot("jigsaw", run.folder / "jigsaw", run.folder / "trained.pt", title)
    start = _write_start(lesson, spot)

    def make_job(chosen: Fit) -> JigsawJob:
        return JigsawJob(
            model_name=lesson.model_name,
            start=start,
            train=lesson.train,
            val=lesson.val,
            settings=replace(lesson.settings, batch=chosen.batch),
            folder=spot.folder,
            seed=lesson.seed,
            device=bench.device,
            accumulate=chosen.accumulate,
        )

    site = Site(
        bench.device,
        bench.memory is not None,
        bench.console,
        run.note,
        on_smaller=lambda smaller: run.note(fit=smaller.as_record()),
    )
    _, fit = train_network(site, fit, spot, make_job, train_jigsaw_apart)
    settings = replace(lesson.settings, batch=fit.batch)
    network = load_network(spot.weights, lesson.model_name, settings.grid, settings.imgsz, bench.device)
    return Taught(spot.weights, network, judge(network, lesson.val, settings, bench.device))


def make_card(kind: str, lesson: PuzzleLesson, *, data: str, scores: PuzzleScores) -> PuzzleCard:
    """What there is to know of a network that was taught; see ``PuzzleCard``."""
    settings = lesson.settings
    return PuzzleCard(
        kind=kind,
        model_name=lesson.model_name,
        grid=settings.grid,
        imgsz=settings.imgsz,
        gap=settings.gap,
        colour=settings.colour,
        seed=lesson.seed,
        photos=len(lesson.train),
        data=data,
        metrics=scores.as_dict(),
        versions=installed_versions(),
    )


def judge(network: nn.Module, pictures: tuple[CropSource, ...], settings: PuzzleSettings, device: str) -> PuzzleScores:
    """How well a network puts pictures together, the same puzzles every time.

    Args:
        network: as ``load_network`` gives it.
        pictures: one puzzle is made of each.
        settings: of the puzzles.
        device: where the network is.
    """
    given, true = [], []
    with torch.inference_mode():
        for images, places in make_puzzle_val_loader(pictures, settings, device=device):
            tables = network(images).float().softmax(1).view(len(images), settings.tiles, settings.tiles)
            given.append(arrange(tables.cpu().numpy()))
            true.append(places.cpu().numpy().reshape(len(images), settings.tiles))
    return score(np.concatenate(given), np.concatenate(true))


def _choose(lesson: PuzzleLesson, run: Run, bench: Bench) -> Fit:
    """What was chosen before a stop, else what is chosen now; on another device or limit, once more."""
    state, machine = run.state, [bench.device, bench.memory]
    if "fit" in state and state.get("machine") == machine:
        fit = Fit.from_record(state["fit"])
    else:
        room = measure_room(bench.device)
        limit, note = choose_limit(bench.memory, room)
        if note:
            bench.console.print(f"note: {note}")
        fit = tune(_ask(lesson, bench.device), room=room, limit_bytes=limit, console=bench.console).fit
        run.note(fit=fit.as_record(), machine=machine)
    bench.console.print(f"puzzles of {lesson.settings.grid} x {lesson.settings.grid} tiles: {describe_fit(fit)}")
    return fit


def _ask(lesson: PuzzleLesson, device: str) -> Request:
    settings = lesson.settings
    return Request(
        stage="jigsaw",
        facts=Facts(photos=max(1, len(lesson.train)), side=settings.imgsz, smallest=1.0, boxes=settings.tiles),
        pins=Pins(model=lesson.model_name, imgsz=settings.imgsz, batch=lesson.batch),
        candidates=(lesson.model_name,),
        epochs=settings.epochs,
        seconds=None,
        class_count=settings.tiles,
        device=device,
    )


def _write_start(lesson: PuzzleLesson, spot: Spot) -> Path | None:
    """The weights to start from, for the process that trains."""
    if lesson.start is None or not lesson.start.tensors or spot.weights.is_file():
        return None
    path = spot.folder / "start.pt"
    yolo.write_checkpoint(path, yolo.Checkpoint(lesson.start.model_name, yolo.CLASSIFY, lesson.start.tensors))
    return path
