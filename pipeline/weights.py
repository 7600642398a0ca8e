"""Trained weights with their cards: what they were trained on, how they scored, what they need."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipeline import __version__
from pipeline.config import read_config
from pipeline.dataset import dataset_name
from pipeline.errors import WeightsError
from pipeline.files import replacing, write_text

SHIPPED = Path(__file__).resolve().parent.parent / "weights" / "start"
"""Starting points that come with cropsort, trained on drawn photos; never predicted with."""

TRAIN_FIRST = "train first: make train, or python -m pipeline train"

STAGES = ("detector", "classifier")
_SUFFIXES = (".pt", ".json")
_PACKAGES = ("ultralytics", "timm", "torch", "torchvision")


@dataclass(frozen=True, slots=True)
class Card:
    """What there is to know of a trained stage.

    Args:
        stage: ``detector`` or ``classifier``.
        model_name: its architecture.
        class_names: the classes, in the order of the classifier's output.
        imgsz: size of the image that it sees, pixels.
        seed: of the training.
        data: hash of the training photos and labels.
        val: hash of the photos and labels that epoch and threshold were chosen on.
        data_file: the data.yaml, relative to the folder that ``weights`` is in where that can be.
        metrics: scores on val, 0 to 1, by name.
        confidence: detector only: the threshold chosen on val, 0 to 1.
        iou: detector only: overlap above which two detections are one, 0 to 1.
        margin: classifier only: what is added around a box, as a part of its longer side.
        temperature: classifier only: what its log probabilities are divided by (Guo et al. 2017), chosen on val.
        sure_from: classifier only: probability from which a prediction is sure, 0 to 1; chosen on val.
        test_flips: classifier only: it decides on the mean of a crop and its mirror image.
        whole_photo: classifier only: it was trained on whole photos, and works without a detector.
        corrected: classifier only: hash of the corrected boxes that it learnt from as well; None where there were none.
        settings: what data.yaml said of the stage, and what was chosen in the place of what it left open.
        versions: of the packages it was trained with.
    """

    stage: str
    model_name: str
    class_names: tuple[str, ...]
    imgsz: int
    seed: int
    data: str
    val: str
    data_file: str
    metrics: dict[str, float] = field(default_factory=dict)
    confidence: float | None = None
    iou: float | None = None
    margin: float | None = None
    temperature: float = 1.0
    sure_from: float = 0.0
    test_flips: bool = False
    whole_photo: bool = False
    corrected: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0 < self.temperature < math.inf:
            raise ValueError(f"temperature must be above 0, got {self.temperature}")
        if not 0 <= self.sure_from <= 1:
            raise ValueError(f"sure_from must lie between 0 and 1, got {self.sure_from}")


@dataclass(frozen=True, slots=True)
class Cards:
    """The cards of a pair; a classifier of whole photos has no detector."""

    detector: Card | None
    classifier: Card


def installed_versions() -> dict[str, str]:
    """Versions of the packages that a training depends on."""
    return {"cropsort": __version__} | {package: version(package) for package in _PACKAGES}


def default_weights(data_file: Path) -> Path:
    """Where the trained pair of a data set lies: ``weights/<data set>``.

    Raises:
        CropsortError: the data.yaml cannot be understood.
    """
    return Path("weights") / dataset_name(data_file, read_config(data_file))


def weights_file(folder: Path, stage: str) -> Path:
    """Where a stage's weights lie in a folder of weights."""
    return folder / f"{stage}.pt"


def write_card(folder: Path, card: Card) -> None:
    """Write a stage's card beside its weights.

    Raises:
        OutputError: it cannot be written there.
    """
    record = {name: value for name, value in asdict(card).items() if value is not None}
    write_text(folder / f"{card.stage}.json", json.dumps(record, ensure_ascii=False, indent=2) + "\n")


def has_pair(folder: Path) -> bool:
    """Whether a trained pair lies there, or a classifier of whole photos, which needs no detector."""
    return _has_stage(folder, "classifier") and (_has_stage(folder, "detector") or _is_alone(folder))


def read_cards(folder: Path) -> Cards:
    """Read the cards of a trained pair.

    Raises:
        WeightsError: there is no pair, or its cards cannot be understood or do not belong together.
    """
    _put_back(folder)
    if folder.resolve() == SHIPPED:
        raise WeightsError("starting points, never predicted with", where=folder, remedy=TRAIN_FIRST)
    if not has_pair(folder):
        raise WeightsError("no trained detector and classifier here", where=folder, remedy=TRAIN_FIRST)
    classifier = read_card(folder / "classifier.json", "classifier")
    cards = Cards(None if classifier.whole_photo else read_card(folder / "detector.json", "detector"), classifier)
    if cards.detector is not None and cards.detector.class_names != classifier.class_names:
        raise WeightsError(
            "detector and classifier were trained for different classes", where=folder, remedy=TRAIN_FIRST
        )
    return cards


def read_matching_cards(folders: Sequence[Path]) -> list[Cards]:
    """The cards of sets of weights that are to decide together.

    Raises:
        WeightsError: one has no trained pair, is given twice, or does not go with the first: other classes, or whole
            photos.
    """
    for number, folder in enumerate(folders):
        if folder.resolve() in [earlier.resolve() for earlier in folders[:number]]:
            raise WeightsError("given twice", where=folder, remedy="give each set of weights once")
    read = [read_cards(folder) for folder in folders]
    for folder, cards in zip(folders[1:], read[1:], strict=True):
        _check_match(folder, cards, folders[0], read[0])
    return read


def _check_match(folder: Path, cards: Cards, leader: Path, leading: Cards) -> None:
    """Classes may be in another order: they are joined by their names."""
    own, wanted = cards.classifier, leading.classifier
    remedy = "give weights of the same data set, or predict with each by itself"
    if own.whole_photo != wanted.whole_photo:
        kinds = {True: "sorts whole photos", False: "sorts crops"}
        expected = f"one that {kinds[wanted.whole_photo]}, as {leader} does"
        raise WeightsError(kinds[own.whole_photo], where=folder, expected=expected, remedy=remedy)
    if set(own.class_names) != set(wanted.class_names):
        found, expected = (", ".join(card.class_names) for card in (own, wanted))
        raise WeightsError(f"classes {found}", where=folder, expected=f"{expected}, as {leader} has", remedy=remedy)


def _has_stage(folder: Path, stage: str) -> bool:
    return all((folder / f"{stage}{suffix}").is_file() for suffix in _SUFFIXES)


def _is_alone(folder: Path) -> bool:
    try:
        return read_card(folder / "classifier.json", "classifier").whole_photo
    except WeightsError:
        return False


def install_pair(source: Path, target: Path) -> None:
    """Put a pair in the place of another, which is moved aside first: at every moment one of them is whole.

    Raises:
        OutputError: it cannot be written there.
    """
    fresh = target.with_name(f".{target.name}.new")
    old = _aside(target)
    shutil.rmtree(fresh, ignore_errors=True)
    for stage in (stage for stage in STAGES if (source / f"{stage}.json").is_file()):
        for suffix in _SUFFIXES:
            with replacing(fresh / f"{stage}{suffix}") as temporary:
                shutil.copyfile(source / f"{stage}{suffix}", temporary)
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    fresh.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def _aside(folder: Path) -> Path:
    return folder.parent / f".{folder.name}.old"


def _put_back(folder: Path) -> None:
    """Where installing was cut off between its two moves, the pair moved aside is the one in use."""
    if _aside(folder).is_dir() and not folder.exists():
        _aside(folder).rename(folder)


def portable_path(file: Path) -> str:
    """A file's path relative to the current folder where it lies below it, so that the folder may be moved."""
    path = file.resolve()
    return path.relative_to(Path.cwd()).as_posix() if path.is_relative_to(Path.cwd()) else str(path)


def check_owner(folder: Path, data_file: Path) -> None:
    """Refuse to replace weights that another data.yaml trained, or that nobody can say where they are from.

    Raises:
        WeightsError: they belong to another data set that is still there, or their cards are damaged.
    """
    _put_back(folder)
    if not has_pair(folder):
        return
    try:
        owner = Path(read_cards(folder).classifier.data_file)
    except WeightsError as error:
        raise WeightsError(error.found, where=error.where, remedy=f"move {folder} away, then train again") from error
    if owner.exists() and not owner.samefile(data_file):
        remedy = f"give this one a name of its own: a line 'name: ...' in {data_file}"
        raise WeightsError(f"belongs to {owner}", where=folder, remedy=remedy)


def read_card(path: Path, stage: str) -> Card:
    """Read the card of a stage.

    Raises:
        WeightsError: it is missing, cannot be understood, or is another stage's.
    """
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        card = Card(**{**record, "class_names": tuple(record["class_names"])})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise WeightsError(f"not a card of weights ({error})", where=path, remedy=TRAIN_FIRST) from error
    needed = (card.confidence, card.iou) if stage == "detector" else (card.margin,)
    if card.stage != stage or None in needed:
        raise WeightsError(f"not the card of a {stage}", where=path, remedy=TRAIN_FIRST)
    return card
