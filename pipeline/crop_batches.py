"""Training crops as the network sees them: read, cut out, changed, and put together in batches that may be mixed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from pipeline.augmenting import Finish, Mixer, change_colours, choose_augmentation, draw_change
from pipeline.crops import cut_crop, cut_subject, jitter_box, letterbox_changed
from pipeline.errors import CropsortError, DataError
from pipeline.images import Pixels
from pipeline.prepare import CropSource
from pipeline.settings import ClassifierSettings

Key = tuple[int, int]
"""An epoch, and the number of a subject; from the second time on that it is shown, as many more as there are."""

Batch = tuple[Tensor, Tensor]

_AGAIN = "the same command prepares the photos again and goes on"


class KeyBatches(Dataset[Batch]):
    """What a ``CropLoader`` loads: whole batches, made of nothing but their keys.

    Args:
        sources: the subjects.
    """

    def __init__(self, sources: tuple[CropSource, ...]) -> None:
        self.sources = sources

    def __len__(self) -> int:
        return len(self.sources)

    def __getitems__(self, keys: Sequence[Key]) -> Batch | CropsortError:
        """A batch, or what is wrong with it: of an error that is raised in a worker only the text would arrive."""
        try:
            return self.make(keys)
        except CropsortError as error:
            return error

    def draw(self, key: Key) -> tuple[Pixels, Any]:
        """One image as pixels (side, side, 3), and what there is to learn of it."""
        raise NotImplementedError

    def make(self, keys: Sequence[Key]) -> Batch:
        """Images (batch, 3, side, side), 0 to 255, channels last, and what there is to learn of them."""
        raise NotImplementedError


class CropBatches(KeyBatches):
    """Crops as the network sees them, in whole batches; what is in one depends on its keys and the seed alone.

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
        super().__init__(sources)
        self.class_names = class_names
        self.settings = settings
        self.seed = seed
        self.chosen = choose_augmentation(settings)
        self._finish = Finish(self.chosen)
        self._mixer = Mixer(self.chosen, len(class_names)) if self.chosen.cutmix or self.chosen.mixup else None

    def draw(self, key: Key) -> tuple[Pixels, int]:
        """The crop as pixels (side, side, 3), and its class; it depends on (seed, epoch, number) alone."""
        epoch, number = key
        source = self.sources[number % len(self.sources)]
        pixels, target = read_kept(source.file), self.class_names.index(source.class_name)
        side, margin = self.settings.imgsz, self.settings.margin
        if self.seed is None:
            return cut_crop(pixels, source.box, side=side, margin=margin), target
        rng = np.random.default_rng((self.seed, epoch, number))
        part = cut_subject(pixels, jitter_box(source.box, rng=rng).grown(margin))
        coloured = change_colours(part, self.chosen, rng)  # before the padding, which is as grey as in prediction
        return self._finish(letterbox_changed(coloured, draw_change(self.chosen, rng), side), rng), target

    def make(self, keys: Sequence[Key]) -> Batch:
        """Images (batch, 3, side, side), 0 to 255, channels last, and what ``make_train_loader`` says of targets."""
        crops, numbers = zip(*(self.draw(key) for key in keys), strict=True)
        images, targets = torch.from_numpy(np.stack(crops)).permute(0, 3, 1, 2), torch.tensor(numbers)
        if self.seed is None or self._mixer is None:
            return images, targets
        epoch, number = keys[0]  # which no other batch of the epoch begins with
        rng = np.random.default_rng((self.seed, epoch, number, 1))
        return self._mixer.mix(images, targets, rng)


def read_kept(file: Path) -> Pixels:
    """One of our own copies: upright, RGB, of a known kind; ``read_photo`` asks first, and takes twice as long.

    Raises:
        DataError: it is gone or damaged.
    """
    try:
        decoded = cv2.imdecode(np.fromfile(file, np.uint8), cv2.IMREAD_COLOR)
    except (OSError, cv2.error):  # gone, or empty
        decoded = None
    if decoded is None:
        raise DataError("a crop that was kept here is gone or damaged", where=file, remedy=_AGAIN)
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB, decoded), np.uint8)
