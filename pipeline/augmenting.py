"""What is done to training crops, so that a few hundred of them teach more than themselves."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from pipeline.config import Config
from pipeline.images import GREY, Pixels
from pipeline.plots import make_figure, readable_names, shorten
from pipeline.settings import ClassifierSettings

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from torch import Tensor

    from pipeline.crop_batches import CropBatches
    from pipeline.loading import CropLoader
    from pipeline.prepare import CropSource

_LUMA = np.array([0.299, 0.587, 0.114])
_TO_YIQ = np.array([_LUMA, [0.595716, -0.274453, -0.321263], [0.211456, -0.522591, 0.311135]])
_FROM_YIQ = np.linalg.inv(_TO_YIQ)

_ERASED = (0.02, 0.15)
"""Least and most of a crop that is covered, as a part of its area."""

_MIXUP_ALPHA = 0.2
"""Of the beta distribution that a blend's share is drawn from: mostly nearly one of the two crops."""

_SIDED = frozenset(
    {"left", "right", "leftward", "rightward", "clockwise", "counterclockwise", "arrow", "arrows", "mirrored"}
    | {"왼쪽", "오른쪽", "좌측", "우측", "좌", "우", "왼손", "오른손", "좌회전", "우회전", "시계방향", "화살표"}
)
_ROWS, _COLUMNS, _TITLE = 8, 6, 40
_BATCHES = 8
"""That are looked through for a mixed one."""

_WORDS = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How much crops are changed; see ``ClassifierSettings`` for each."""

    fliplr: float = 0.0
    flipud: float = 0.0
    degrees: float = 0.0
    scale: float = 0.0
    shrink: float = 0.0
    stretch: float = 0.0
    translate: float = 0.0
    shear: float = 0.0
    brightness: float = 0.0
    color: float = 0.0
    erasing: float = 0.0
    cutmix: float = 0.0
    mixup: float = 0.0
    randaugment: int = 0


PRESETS = {
    "light": Augmentation(
        fliplr=0.5,
        degrees=10.0,
        scale=0.1,
        shrink=0.05,
        translate=0.05,
        brightness=0.2,
        color=0.1,
    ),
    "photo": Augmentation(
        fliplr=0.5,
        degrees=15.0,
        scale=0.15,
        shrink=0.15,
        stretch=0.1,
        translate=0.06,
        shear=5.0,
        brightness=0.4,
        color=0.4,
        erasing=0.25,
    ),
    "art": Augmentation(
        fliplr=0.5,
        degrees=15.0,
        scale=0.2,
        shrink=0.2,
        stretch=0.1,
        translate=0.1,
        shear=6.0,
        brightness=0.3,
        color=0.1,
        erasing=0.25,
        cutmix=0.5,
    ),
}
_WHOLE = {"scale": 0.7, "shrink": 0.0, "stretch": 0.33, "mixup": 1.0}


def choose_augmentation(settings: ClassifierSettings) -> Augmentation:
    """The preset that ``augment`` names, with what data.yaml says itself in its place."""
    own = {one.name: getattr(settings, one.name) for one in fields(Augmentation)}
    return replace(PRESETS[settings.augment], **{name: value for name, value in own.items() if value is not None})


def suit_photos(config: Config, *, whole: bool) -> Config:
    """The settings for crops, or for whole photos, which hold more than their subject: windows of them are shown.

    A network does better on subjects that are a little smaller than those it learnt from (Touvron et al. 2019).
    Blending two photos keeps it from learning their backgrounds.

    Args:
        config: data.yaml's settings; what they say themselves of the crops stays.
        whole: whether the photos themselves are the crops.
    """
    settings = config.classifier
    open_keys = {key: value for key, value in _WHOLE.items() if whole and getattr(settings, key) is None}
    return config.model_copy(update={"classifier": settings.model_copy(update=open_keys)})


def decides_on_mirrored(settings: ClassifierSettings) -> bool:
    """Whether the mean of a crop and its mirror image decides: not where training has seen none."""
    return settings.test_flips and choose_augmentation(settings).fliplr > 0


def draw_change(chosen: Augmentation, rng: Generator) -> NDArray[np.float64]:
    """How a crop is turned, sheared, stretched, scaled and moved, for ``crops.letterbox_changed``; shape (2, 3).

    The part of its area that is seen is drawn evenly (Szegedy et al. 2015); where that is not all, it is from anywhere.
    """
    angle = math.radians(rng.uniform(-chosen.degrees, chosen.degrees))
    lean = math.tan(math.radians(rng.uniform(-chosen.shear, chosen.shear)))
    size = rng.uniform((1 + chosen.scale) ** -2, (1 - chosen.shrink) ** -2) ** -0.5
    wider = (1 + chosen.stretch) ** rng.uniform(-0.5, 0.5)
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    reach = chosen.translate + max(0.0, size - 1) / 2
    shift = rng.uniform(-reach, reach, 2)
    return np.column_stack([size * turn @ [[wider, lean], [0.0, 1 / wider]], shift])


def change_colours(pixels: Pixels, chosen: Augmentation, rng: Generator) -> Pixels:
    """Another brightness, contrast, saturation and hue, in a single look at each pixel.

    What torchvision's ``ColorJitter`` does in four, of which the hue takes longer than all else that is done to a crop.
    """
    if not (chosen.brightness or chosen.color):
        return pixels
    light, contrast = rng.uniform(1 - chosen.brightness, 1 + chosen.brightness, 2)
    saturation = rng.uniform(1 - chosen.color, 1 + chosen.color)
    angle = math.pi * rng.uniform(-chosen.color, chosen.color) / 5
    cos, sin = saturation * math.cos(angle), saturation * math.sin(angle)
    matrix = light * contrast * (_FROM_YIQ @ [[1.0, 0.0, 0.0], [0.0, cos, -sin], [0.0, sin, cos]] @ _TO_YIQ)
    grey = light * float(_LUMA @ cv2.mean(pixels)[:3])
    moved = np.column_stack([matrix, np.full(3, (1 - contrast) * grey)])
    return np.asarray(cv2.transform(pixels, moved), np.uint8)


class Finish:
    """What torchvision does to a crop at the end: mirrored, changes drawn by RandAugment, a piece covered.

    Args:
        chosen: how much of each.
    """

    def __init__(self, chosen: Augmentation) -> None:
        from torchvision.transforms import v2

        bilinear = v2.InterpolationMode.BILINEAR
        steps = [
            (chosen.fliplr, v2.RandomHorizontalFlip(chosen.fliplr)),
            (chosen.flipud, v2.RandomVerticalFlip(chosen.flipud)),
            (chosen.randaugment, v2.RandAugment(chosen.randaugment, fill=GREY, interpolation=bilinear)),
            (chosen.erasing, v2.RandomErasing(chosen.erasing, scale=_ERASED, value=GREY)),
        ]
        self._steps = [step for wanted, step in steps if wanted]

    def __call__(self, crop: Pixels, rng: Generator) -> Pixels:
        """The crop, shape (side, side, 3), as the network shall see it."""
        import torch

        with torch_seeded(rng):
            image = torch.from_numpy(crop).permute(2, 0, 1)
            for step in self._steps:
                image = step(image)
            return np.asarray(image.permute(1, 2, 0).numpy(), np.uint8)


class Mixer:
    """Mixes the crops of some batches: CutMix (Yun et al. 2019) and MixUp (Zhang et al. 2018).

    Args:
        chosen: how many batches; where the two make more than all, they share them in proportion.
        class_count: how many classes there are.
    """

    def __init__(self, chosen: Augmentation, class_count: int) -> None:
        from torchvision.transforms import v2

        self._whole = max(1.0, chosen.cutmix + chosen.mixup)
        self._chosen = chosen
        self._class_count = class_count
        self._cutmix = v2.CutMix(num_classes=class_count)
        self._mixup = v2.MixUp(alpha=_MIXUP_ALPHA, num_classes=class_count)

    def mix(self, images: Tensor, targets: Tensor, rng: Generator) -> tuple[Tensor, Tensor]:
        """Mix a batch, or leave it as it is.

        Args:
            images: shape (batch, 3, side, side), 0 to 255.
            targets: numbers of their classes, shape (batch,).
            rng: what is done is drawn from it.

        Returns:
            The images, and each class's share in them, shape (batch, classes).
        """
        import torch
        from torch.nn.functional import one_hot

        drawn = rng.random() * self._whole
        with torch_seeded(rng):
            if drawn < self._chosen.cutmix:
                mixed, shares = self._cutmix(images, targets)
                return mixed, shares
            if drawn < self._chosen.cutmix + self._chosen.mixup:
                blended, shares = self._mixup(images.float(), targets)
                return blended.round().to(torch.uint8), shares
        return images, one_hot(targets, self._class_count).float()


@contextmanager
def torch_seeded(rng: Generator) -> Iterator[None]:
    """Have torch draw what ``rng`` says, and go on afterwards as if nothing had been drawn."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(int(rng.integers(2**62)))  # torch.manual_seed asks every device there is
        yield


def mirror_note(class_names: tuple[str, ...], augmentation: Augmentation) -> str:
    """A line for who mirrors crops of classes that tell left from right, by their names; empty where none seems to."""
    flips = [name for name in ("fliplr", "flipud") if getattr(augmentation, name)]
    sided = [name for name in class_names if _is_sided(name)]
    signs = [name for name in class_names if len(name) == 1 and name.isalnum()]
    found = sided + (signs if len(signs) > 1 else [])  # one letter alone is a grade or a shape
    if not flips or not found:
        return ""
    shown = ", ".join(found[:4]) + (", …" if len(found) > 4 else "")
    keys = " and ".join(f"{name}: 0" for name in flips)
    return f"crops are mirrored, and the mirror image may be of another class ({shown}): {keys} under classifier: if so"


def draw_augmented(
    path: Path, sources: tuple[CropSource, ...], class_names: tuple[str, ...], settings: ClassifierSettings, seed: int
) -> None:
    """Draw what the network will see in its first epoch: a row of crops for each class, and one of a mixed batch.

    Args:
        path: the picture; its ending says of what kind.
        sources: the subjects to learn from.
        class_names: a row for each of the first that there are subjects of.
        settings: size and augmentation.
        seed: of the augmentation.

    Raises:
        DataError: a subject is gone from the disk.
        OutputError: the picture cannot be written there.
    """
    from pipeline.loading import make_train_loader

    loader = make_train_loader(sources, class_names, settings, seed=seed, accumulate=1, device="cpu")
    readable = [shorten(name, _TITLE) for name in readable_names(class_names)]
    by_class = {name: [index for index, one in enumerate(sources) if one.class_name == name] for name in class_names}
    rows = [
        (title, [(loader.crops.draw((0, index))[0], "") for index in by_class[name][:_COLUMNS]])
        for name, title in zip(class_names, readable, strict=True)
        if by_class[name]
    ][:_ROWS]
    rows += [("in a mixed batch", mixed) for mixed in [_find_mixed(loader, readable)] if mixed]
    size = 1.3 * _COLUMNS, 1.5 * len(rows)
    with make_figure(path, size, rows=len(rows), names=class_names) as (_, axes):
        for place, (title, crops) in zip(axes[:, 0], rows, strict=True):
            _draw_row(place, title, crops[:_COLUMNS], settings.imgsz)


def _draw_row(place: Axes, title: str, crops: list[tuple[Pixels, str]], side: int) -> None:
    """Crops side by side in one picture: axes of their own would take a second for each dozen."""
    step = round(1.08 * side)
    strip = np.full((side, _COLUMNS * step, 3), 255, np.uint8)
    for column, (crop, text) in enumerate(crops):
        strip[:, column * step : column * step + side] = crop
        place.text(column * step + side / 2, 1.02 * side, text, ha="center", va="top", fontsize=6)
    place.imshow(strip)
    place.axis("off")
    place.set_title(title, loc="left")


def _find_mixed(loader: CropLoader[CropBatches], readable: list[str]) -> list[tuple[Pixels, str]]:
    """Crops of the first batch that is mixed, with what they show; none where the first few are not."""
    if not (loader.crops.chosen.cutmix or loader.crops.chosen.mixup):
        return []
    for keys in islice(loader.batches, _BATCHES):
        images, targets = loader.crops.make(keys)
        if float(targets.max(1).values.min()) < 1:
            crops = images.permute(0, 2, 3, 1).numpy()
            return [(crop, _describe_shares(shares, readable)) for crop, shares in zip(crops, targets, strict=True)]
    return []


def _describe_shares(shares: Tensor, readable: list[str]) -> str:
    parts = sorted(((float(share), name) for share, name in zip(shares, readable, strict=True) if share), reverse=True)
    return "\n".join(f"{share:.0%} {shorten(name, _TITLE // 2)}" for share, name in parts)


def _is_sided(class_name: str) -> bool:
    words = _WORDS.findall(unicodedata.normalize("NFC", class_name).casefold())
    return any(word in _SIDED for word in words)
