"""What a training of the detector needs to go on after it was stopped, whenever that was.

Ultralytics' own checkpoints do not do: they are written in place, so that a process killed while writing leaves half a
file; they keep the averaged weights in half precision in place of those in training; and continuing from one takes the
settings from it, the paths of a folder that has moved since included. Ours holds tensors, numbers and texts only, is
exchanged whole after each epoch, and holds all that decides how training goes on: on a CPU, with the same batch and
a step for each batch, stopping changes no bit of the weights.
"""

from __future__ import annotations

import pickle
import random
import shutil
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, fields
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from pipeline.apart import is_out_of_memory
from pipeline.files import write_durably, write_text

_Random = tuple[Any, ...]

_DAMAGED = EOFError, RuntimeError, TypeError, pickle.UnpicklingError
"""What reading half a file raises, or one of another version."""


@dataclass(frozen=True, slots=True)
class Progress:
    """A training of the detector after an epoch.

    Args:
        model_name: an Ultralytics detection model.
        epoch: the last one that ended, counted from 0.
        stopped: whether that was the end: no epochs left, or none of the last ones was better.
        best_fitness: of the best epoch.
        stopper: what decides whether to stop early.
        model: weights and buffers by name.
        ema: the same, averaged over the steps.
        updates: how many steps they were averaged over.
        optimizer, scaler: their states.
        results: text of results.csv.
        randoms: states of the streams of Python, numpy and torch, and of the one that shuffles the photos.
        buffer: numbers of the photos that mosaics are put together from.
    """

    model_name: str
    epoch: int
    stopped: bool
    best_fitness: float
    stopper: Mapping[str, float]
    model: Mapping[str, Tensor]
    ema: Mapping[str, Tensor]
    updates: int
    optimizer: dict[str, Any]
    scaler: dict[str, Any]
    results: str
    randoms: _Random
    buffer: list[int]

    def is_over(self, epochs: int) -> bool:
        """Whether nothing is left to do of ``epochs`` but the last scoring."""
        return self.stopped or self.epoch + 1 >= epochs

    def as_checkpoint(self, model: nn.Module) -> dict[str, Any]:
        """What Ultralytics' trainer continues from.

        Args:
            model: of the same architecture; left as it is.
        """
        ema = deepcopy(model)
        ema.load_state_dict(self.ema)
        names = ("epoch", "best_fitness", "stopper", "updates", "optimizer", "scaler")
        return {name: getattr(self, name) for name in names} | {"ema": ema}


def read_progress(folder: Path, model_name: str) -> Progress | None:
    """Read how far a training came, and put its best weights back, which may have been cut off in the writing.

    Args:
        folder: of the training.
        model_name: the model to go on with.

    Returns:
        None where there is nothing to go on from: then nothing is left of what there was either.
    """
    progress = _read(_state_file(folder))
    weights = folder / "weights"
    shutil.rmtree(weights, ignore_errors=True)
    if progress is None or progress.model_name != model_name:
        shutil.rmtree(_state_file(folder).parent, ignore_errors=True)
        return None
    for half in _state_file(folder).parent.glob(".*.part.pt"):
        half.unlink()
    if _best_file(folder).exists():
        write_durably(weights / "best.pt", _best_file(folder).read_bytes())
    return progress


def keep_progress(trainer: Any, folder: Path, model_name: str) -> None:
    """Write what is needed to go on from here; ``trainer`` is Ultralytics', after it wrote its own checkpoints.

    Raises:
        OutputError: it cannot be written there.
    """
    if trainer.best_fitness == trainer.fitness:  # before the rest: who goes on from there must find its best weights
        write_durably(_best_file(folder), trainer.best.read_bytes())
    progress = Progress(
        model_name=model_name,
        epoch=trainer.epoch,
        stopped=bool(trainer.stop),
        best_fitness=float(trainer.best_fitness),
        stopper={"best_fitness": float(trainer.stopper.best_fitness), "best_epoch": trainer.stopper.best_epoch},
        model=trainer.model.state_dict(),
        ema=trainer.ema.ema.state_dict(),
        updates=trainer.ema.updates,
        optimizer=trainer.optimizer.state_dict(),
        scaler=trainer.scaler.state_dict(),
        results=trainer.csv.read_text(encoding="utf-8"),
        randoms=_randoms(trainer.train_loader),
        buffer=list(trainer.train_loader.dataset.buffer),
    )
    buffer = BytesIO()
    torch.save({field.name: getattr(progress, field.name) for field in fields(progress)}, buffer)
    write_durably(_state_file(folder), buffer.getbuffer())


def restore_data(trainer: Any, progress: Progress) -> None:
    """Have photos come as they would have: shuffled, turned and put together by the streams where they stood."""
    loader = trainer.train_loader
    if trainer.args.close_mosaic and progress.epoch >= trainer.epochs - trainer.args.close_mosaic:
        trainer._close_dataloader_mosaic()
        trainer.args.close_mosaic = 0  # done: doing it again would shuffle anew
    for photo in progress.buffer:
        loader.dataset.load_image(photo)
    if not loader.num_workers:
        _draw_an_epoch(loader)
    python, numpy, of_torch, of_loader = progress.randoms
    random.setstate(python)
    np.random.set_state(("MT19937", *numpy))
    torch.set_rng_state(of_torch)
    loader.generator.set_state(of_loader)


def finish(folder: Path) -> None:
    """Mark a training as finished, and remove what was only for going on with it.

    Raises:
        OutputError: it cannot be written there.
    """
    write_text(_mark(folder), "weights/best.pt is the best epoch\n")
    shutil.rmtree(_state_file(folder).parent, ignore_errors=True)


def is_finished(folder: Path) -> bool:
    """Whether a training in ``folder`` came to its end, and its best weights are there."""
    return _mark(folder).exists() and (folder / "weights" / "best.pt").exists()


def _draw_an_epoch(loader: Any) -> None:
    """Leave ``loader`` as it stands after an epoch: both its beginning and its end take numbers from the stream."""
    loader.iterator = loader._get_iterator()
    for _ in range(len(loader)):
        loader.iterator._next_index()


def _randoms(loader: Any) -> _Random:
    _, keys, *rest = np.random.get_state()
    numpy = (np.asarray(keys).tolist(), *rest)
    return random.getstate(), numpy, torch.get_rng_state(), loader.generator.get_state()


def _read(path: Path) -> Progress | None:
    try:
        return Progress(**torch.load(path, map_location="cpu", weights_only=True))
    except (FileNotFoundError, NotADirectoryError, *_DAMAGED) as error:
        if is_out_of_memory(error):
            raise
        return None


def _state_file(folder: Path) -> Path:
    return folder / "checkpoint" / "state.pt"


def _best_file(folder: Path) -> Path:
    return folder / "checkpoint" / "best.pt"


def _mark(folder: Path) -> Path:
    return folder / "finished.txt"
