"""Whether a training that is killed and goes on ends with the weights of one that nobody disturbed."""

from __future__ import annotations

import multiprocessing
import random
import shutil
import time
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path

import torch

from pipeline import yolo
from pipeline.classifier import ClassifierJob, train_classifier

_SPAWN = multiprocessing.get_context("spawn")
_STOPS = 3


def measure_resuming(job: ClassifierJob, folder: Path, *, seed: int) -> dict[str, float]:
    """Train undisturbed, then with three SIGKILLs at moments drawn by ``seed``.

    Returns:
        Where it was killed, as parts of the training, and how many of the final tensors differ in any bit.
    """
    whole = folder / "whole.pt"
    _train(replace(job, folder=folder / "whole"), whole, None)
    stopped, rng = folder / "stopped.pt", random.Random(seed)
    moments = sorted(rng.uniform(0.05, 0.95) for _ in range(_STOPS))
    killed = [
        _train(replace(job, folder=folder / "stopped"), stopped, moment, delay=rng.uniform(0, 0.3))
        for moment in moments
    ]
    _train(replace(job, folder=folder / "stopped"), stopped, None)
    one, other = (yolo.read_checkpoint(path).tensors for path in (whole, stopped))
    differing = sum(not torch.equal(tensor, other[name]) for name, tensor in one.items())
    shutil.rmtree(folder)
    told = {f"killed_at_{number}": part for number, part in enumerate(killed, start=1)}
    return {"tensors": len(one), "differing": differing, **told}


def _train(job: ClassifierJob, weights: Path, moment: float | None, *, delay: float = 0.0) -> float:
    """Train in a process of its own, to the end or until it is killed; the last part of it that was heard of."""
    ours, theirs = _SPAWN.Pipe(duplex=False)
    process = _SPAWN.Process(target=_work, args=(job, weights, theirs))
    process.start()
    theirs.close()
    done = 0.0
    try:
        while moment is None or done < moment:
            done = ours.recv()
        time.sleep(delay)
        process.kill()
    except EOFError:  # it has ended
        pass
    process.join()
    if moment is None and process.exitcode:
        raise SystemExit(f"the training ended with exit code {process.exitcode}")
    return done


def _work(job: ClassifierJob, weights: Path, pipe: Connection) -> None:
    train_classifier(job, weights, on_step=pipe.send, on_epoch=lambda _: None)
