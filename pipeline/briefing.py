"""What a training says before it begins: of the data, of what is done to it, and how the network will see it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console

from pipeline.advice import notes
from pipeline.augmenting import choose_augmentation, draw_augmented, mirror_note
from pipeline.config import Config
from pipeline.dataset import DataSet
from pipeline.ensemble import Material
from pipeline.finder import Cropper
from pipeline.runs import Run
from pipeline.sampling import describe_balance
from pipeline.starts import Start


def introduce(dataset: DataSet, config: Config, run: Run, device: str, console: Console) -> None:
    """Say what there is to learn from, and where."""
    parts = {"train": dataset.train, "val": dataset.val, "test": dataset.test}
    sizes = ", ".join(f"{len(photos)} {part}" for part, photos in parts.items() if photos)
    boxes = sum(len(annotation.subjects) for annotation in dataset.train)
    unit = "boxes" if config.classes_from == "labels" else "sorted photos"
    console.print(f"data set {dataset.name}: {sizes} photos, {len(dataset.class_names)} classes")
    console.print(f"{boxes} {unit} to learn from, on {_device_words(device)}")
    if run.continued:
        console.print(f"going on with {run.folder}, which was stopped")
    say_notes(console, dataset.notes)


def tell_starts(detector: Start | None, backbones: Iterable[Start], cropper: Cropper | None, console: Console) -> None:
    """Say what each network starts from, or where the boxes are from if no detector is trained."""
    told = (
        "no detector is trained: " + _crop_words(cropper) if detector is None else f"detector starts as {detector.told}"
    )
    console.print(told)
    for start in backbones:
        console.print(f"classifier starts as {start.told}")


def brief_classifier(config: Config, material: Material, folder: Path, console: Console) -> None:
    """Say what is odd about the classifier's settings and done about uneven classes; draw what the network will see.

    Args:
        config: with what was chosen in the place of what data.yaml leaves open.
        material: what the classifier learns from.
        folder: where ``augmented.jpg`` is drawn; one that is there is not drawn again.
        console: told.

    Raises:
        DataError: a subject is gone from the disk.
        OutputError: it cannot be written there.
    """
    settings, names = config.classifier, material.class_names
    counts = Counter(source.class_name for source in material.train)
    balance = describe_balance([counts[name] for name in names], settings.balance)
    said = (*notes(settings), mirror_note(names, choose_augmentation(settings)), balance)
    say_notes(console, (note for note in said if note))
    picture = folder / "augmented.jpg"
    if not picture.is_file():
        draw_augmented(picture, material.train, names, settings, config.seed)
    console.print(f"the crops as the network will see them: {picture}")


def say_notes(console: Console, notes: Iterable[str]) -> None:
    """Say notes, a line each."""
    for note in notes:
        console.print(f"note: {note}")


def _crop_words(cropper: Cropper | None) -> str:
    if cropper is not None:
        return f"{cropper.weights} crops the subject out"
    return "every photo is one subject, background and all (detector: weights: names a trained one to crop with)"


def _device_words(device: str) -> str:
    return f"GPU {device}" if device.isdigit() else {"cpu": "the CPU", "mps": "the Mac's GPU"}[device]
