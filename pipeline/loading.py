"""Crops as the classifier sees them while it learns: their order, their augmentation, ready as tensors."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler
from torchvision.transforms import v2

from pipeline.augmenting import choose_augmentation
from pipeline.crops import cut_crop, jitter_box
from pipeline.images import GREY, Pixels, read_photo
from pipeline.prepare import CropSource
from pipeline.settings import ClassifierSettings

_BILINEAR = v2.InterpolationMode.BILINEAR


class CropDataset(Dataset[tuple[Tensor, int]]):
    """Crops as the network sees them.

    Args:
        sources: the subjects.
        class_names: a class's number is its place here.
        settings: size, margin and augmentation.
        seed: of the augmentation; None for none.
    """

    def __init__(
        self,
        sources: tuple[CropSource, ...],
        class_names: tuple[str, ...],
        settings: ClassifierSettings,
        seed: int | None,
    ) -> None:
        self.sources = sources
        self.class_names = class_names
        self.settings = settings
        self.seed = seed
        self.augment = augmentation(settings)

    def __len__(self) -> int:
        return len(self.sources)

    def __getitem__(self, key: tuple[int, int]) -> tuple[Tensor, int]:
        """The crop (3, side, side), 0 to 1, and its class, for an epoch and the number of a subject."""
        epoch, index = key
        source = self.sources[index]
        pixels = read_photo(source.file).pixels
        target = self.class_names.index(source.class_name)
        box, side, margin = source.box, self.settings.imgsz, self.settings.margin
        if self.seed is None:
            return _to_tensor(cut_crop(pixels, box, side=side, margin=margin)), target
        rng = np.random.default_rng((self.seed, epoch, index))
        crop = cut_crop(pixels, jitter_box(box, rng=rng), side=side, margin=margin)
        with torch.random.fork_rng(devices=[]):  # what a crop becomes depends on (seed, epoch, index) alone
            torch.manual_seed(int(rng.integers(2**62)))
            return self.augment(_to_tensor(crop)), target


class EpochSampler(Sampler[tuple[int, int]]):
    """Pairs of the epoch and a number below ``count``, in an order drawn from (seed, epoch) where there is a seed."""

    def __init__(self, count: int, seed: int | None) -> None:
        self.count = count
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Lightning calls this before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[tuple[int, int]]:
        order = np.arange(self.count)
        if self.seed is not None:
            np.random.default_rng((self.seed, self.epoch)).shuffle(order)
        return iter([(self.epoch, int(index)) for index in order])


class StepBatches(Sampler[list[tuple[int, int]]]):
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

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        keys = list(self.sampler)
        for step in range(self.steps):
            begin = step * self._gathered
            for size in self.sizes:
                yield keys[begin : begin + size]
                begin += size


def augmentation(settings: ClassifierSettings) -> v2.Transform:
    """What is done to training crops (3, side, side), 0 to 1: light, colour, place and angle, hidden parts."""
    grey, chosen = GREY / 255, choose_augmentation(settings)
    return v2.Compose(
        [
            v2.RandomHorizontalFlip(chosen.fliplr),
            v2.RandomAffine(
                chosen.degrees, translate=(0.06, 0.06), scale=(0.8, 1.1), shear=5, fill=grey, interpolation=_BILINEAR
            ),
            v2.RandomApply([v2.ColorJitter(0.4, 0.4, 0.4, 0.03)], 0.8),
            v2.RandomGrayscale(0.05),
            v2.RandomApply([v2.GaussianBlur(5, (0.1, 1.5))], 0.2),
            v2.RandomErasing(0.25, scale=(0.02, 0.15), value=grey),
        ]
    )


def _to_tensor(crop: Pixels) -> Tensor:
    return torch.from_numpy(crop).permute(2, 0, 1).float() / 255
