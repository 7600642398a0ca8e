"""Crops on their way to the network: in what order, in what batches, made ready ahead of time."""

from __future__ import annotations

import gc
import math
import os
import signal
import sys
import warnings
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Generic, TypeVar

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import BatchSampler, DataLoader, Sampler

from pipeline.crop_batches import CropBatches, Key, KeyBatches
from pipeline.errors import CropsortError
from pipeline.prepare import CropSource
from pipeline.sampling import count_shown, draw_order
from pipeline.settings import ClassifierSettings

Data = TypeVar("Data", bound=KeyBatches)


class EpochSampler(Sampler[Key]):
    """What an epoch shows, in an order drawn from (seed, epoch) where there is a seed.

    Args:
        count: how many subjects there are.
        seed: of the order; None for that of their numbers.
        targets: class of each, where ``balance`` asks for it.
        balance: see ``draw_order``.
    """

    def __init__(self, count: int, seed: int | None, *, targets: Sequence[int] = (), balance: str = "none") -> None:
        self.count = count
        self.seed = seed
        self.epoch = 0
        self._targets = np.array(targets or [0] * count, np.int32)
        self._balance = balance
        self._shown = sum(count_shown(np.bincount(self._targets).tolist(), balance))

    def set_epoch(self, epoch: int) -> None:
        """Lightning calls this before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self._shown

    def __iter__(self) -> Iterator[Key]:
        order = np.arange(self.count)
        if self.seed is not None:
            order = draw_order(self._targets, self._balance, np.random.default_rng((self.seed, self.epoch)))
        for number in order + self.count * _count_earlier(order):
            yield self.epoch, int(number)


class StepBatches(Sampler[list[Key]]):
    """An epoch in batches, as many for each step of the optimiser as it takes to show it ``batch * accumulate`` crops.

    So a smaller batch with a larger ``accumulate`` leaves the steps, and the crops of each, as they are. What does not
    fill a step is left out, another part of the crops in each epoch; where there are fewer crops than that in all, they
    are one step. A batch never has one crop alone, of which batch normalisation could learn nothing.

    Args:
        sampler: gives the order, of two crops or more.
        batch: most crops in a batch, at least 2.
        accumulate: batches that are gathered for a step, at least 1.

    Attributes:
        sizes: crops in each batch of a step.
        steps: of the optimiser in an epoch.
    """

    def __init__(self, sampler: EpochSampler, *, batch: int, accumulate: int = 1) -> None:
        self.sampler = sampler
        self._gathered = min(batch * accumulate, len(sampler))
        self.steps = len(sampler) // self._gathered
        parts = np.array_split(np.arange(self._gathered), math.ceil(self._gathered / batch))
        self.sizes = tuple(len(part) for part in parts if len(part) > 1)

    def __len__(self) -> int:
        return self.steps * len(self.sizes)

    def __iter__(self) -> Iterator[list[Key]]:
        keys = iter(self.sampler)
        for _ in range(self.steps):
            gathered = list(islice(keys, self._gathered))
            begin = 0
            for size in self.sizes:
                yield gathered[begin : begin + size]
                begin += size


class CropLoader(DataLoader[Any], Generic[Data]):
    """Batches that travel between processes as bytes, a fourth of the memory, and become floats where they are used.

    Args:
        data: makes them.
        batches: what each consists of.
        device: ``cpu``, ``mps`` or the number of a GPU, where they are put.
        workers: processes that make them ready ahead of time; 0 for none.

    Attributes:
        crops: ``data``.
        batches: as given.
    """

    def __init__(self, data: Data, batches: Sampler[list[Key]], device: str, workers: int) -> None:
        super().__init__(
            data,
            batch_sampler=batches,
            num_workers=workers,
            persistent_workers=workers > 0,
            multiprocessing_context=_pick_context() if workers else None,
            pin_memory=device.isdigit(),
            collate_fn=_as_made,
            worker_init_fn=_begin_worker,
        )
        self.crops = data
        self.batches = batches
        self._place = torch.device("cuda", int(device)) if device.isdigit() else torch.device(device)

    def __iter__(self) -> Any:
        """Images (batch, 3, side, side), 0 to 1, and targets, on the device."""
        with warnings.catch_warnings():  # that a fork takes no threads along: the workers need none
            warnings.simplefilter("ignore", DeprecationWarning)
            made = super().__iter__()
        for batch in made:
            if isinstance(batch, CropsortError):
                raise batch
            images, targets = batch
            there = images.to(self._place, non_blocking=True)
            yield there.float().div_(255), targets.to(self._place, non_blocking=True)


def make_train_loader(
    sources: tuple[CropSource, ...],
    class_names: tuple[str, ...],
    settings: ClassifierSettings,
    *,
    seed: int,
    accumulate: int,
    device: str,
) -> CropLoader[CropBatches]:
    """Batches to learn from, in steps as ``StepBatches`` makes them.

    Args:
        sources: the subjects.
        class_names: a class's number is its place here.
        settings: size, batch, balance and augmentation.
        seed: of order and augmentation.
        accumulate: batches that are gathered for a step.
        device: ``cpu``, ``mps`` or the number of a GPU.

    Returns:
        Batches of images (batch, 3, side, side), 0 to 1, on the device, and the numbers of their classes (batch,);
        where the settings have batches mixed, in all of them each class's share (batch, classes).
    """
    data = CropBatches(sources, class_names, settings, seed)
    targets = [class_names.index(source.class_name) for source in sources]
    sampler = EpochSampler(len(sources), seed, targets=targets, balance=settings.balance)
    batches = StepBatches(sampler, batch=settings.batch, accumulate=accumulate)
    return CropLoader(data, batches, device, count_workers(device))


def make_val_loader(
    sources: tuple[CropSource, ...], class_names: tuple[str, ...], settings: ClassifierSettings, *, device: str
) -> CropLoader[CropBatches]:
    """All subjects in order, in batches, unchanged, with the numbers of their classes; see ``make_train_loader``."""
    sampler = EpochSampler(len(sources), None)
    batches: Any = BatchSampler(sampler, settings.batch, drop_last=False)  # type: ignore[arg-type]  # not only numbers
    workers = 0 if device == "cpu" else count_workers(device)  # a second one would take more memory than it saves time
    return CropLoader(CropBatches(sources, class_names, settings, None), batches, device, workers)


def count_workers(device: str) -> int:
    """Processes that make batches ready ahead of time.

    A CPU is kept busy by one, a copy of the process that trains. Where a process cannot be copied, as on Windows and a
    Mac, that one would load torch anew, seconds and some 300 MB for the fifteenth part of an epoch: there is none.
    """
    if device == "cpu":
        return int(_can_fork())
    cores = os.cpu_count() or 1
    return max(1, min(4, cores - 1)) if _can_fork() else max(1, min(2, cores - 1))


def _can_fork() -> bool:
    return sys.platform == "linux"  # a Mac has it too, where the system's own libraries crash of it


def _pick_context() -> str:
    """Of Python 3.14 on a forked process is no longer what Linux begins with."""
    return "fork" if _can_fork() else "spawn"


def _count_earlier(order: NDArray[np.int64]) -> NDArray[np.int64]:
    """How often each number stood earlier in the order already."""
    by_number = np.argsort(order, kind="stable")
    grouped = order[by_number]
    earlier = np.empty_like(order)
    earlier[by_number] = np.arange(len(order)) - np.searchsorted(grouped, grouped)
    return earlier


def _as_made(batch: Any) -> Any:
    return batch


def _begin_worker(_number: int) -> None:
    """Ctrl-C is for the process that waits for this one; and OpenCV's threads did not come along into a copy of it."""
    gc.freeze()  # looking for garbage among what was copied would touch it all, and so take memory for it
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(0)
