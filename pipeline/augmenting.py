"""What is done to training crops, so that a few hundred of them teach more than themselves."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from pipeline.settings import ClassifierSettings


@dataclass(frozen=True, slots=True)
class Augmentation:
    """How much crops are changed; see ``ClassifierSettings`` for each."""

    fliplr: float
    flipud: float
    degrees: float
    scale: float
    translate: float
    shear: float
    brightness: float
    color: float
    erasing: float
    cutmix: float
    mixup: float
    randaugment: int


PRESETS = {
    "light": Augmentation(0.5, 0.0, 10.0, 0.1, 0.05, 0.0, 0.2, 0.1, 0.0, 0.0, 0.0, 0),
    "photo": Augmentation(0.5, 0.0, 15.0, 0.2, 0.06, 5.0, 0.4, 0.4, 0.25, 0.0, 0.0, 0),
    "art": Augmentation(0.5, 0.0, 15.0, 0.2, 0.1, 6.0, 0.3, 0.1, 0.25, 0.5, 0.0, 0),
}


def choose_augmentation(settings: ClassifierSettings) -> Augmentation:
    """The preset that ``augment`` names, with what data.yaml says itself in its place."""
    own = {one.name: getattr(settings, one.name) for one in fields(Augmentation)}
    return replace(PRESETS[settings.augment], **{name: value for name, value in own.items() if value is not None})
