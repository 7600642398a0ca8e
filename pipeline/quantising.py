"""``cropsort export --int8``: both stages in 8 bits for CPUs, and what that costs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from pipeline import yolo
from pipeline.config import read_config
from pipeline.console import counting
from pipeline.dataset import load_dataset
from pipeline.engine import Engine
from pipeline.engine.cached import keep_network, network_name
from pipeline.engine.converting import convert, save
from pipeline.engine.detecting import STRIDE
from pipeline.engine.eight_bits import quantise
from pipeline.engine.quiet import import_nncf
from pipeline.errors import DataError
from pipeline.evaluate import judge
from pipeline.exporting import recipe_of
from pipeline.finder import locate_subjects
from pipeline.images import Pixels
from pipeline.labels import Annotation
from pipeline.listing import is_photo, list_files
from pipeline.scores import Interval, JudgedPhoto, compare_f1, measure_f1, score
from pipeline.shown import choose_shown
from pipeline.sorter import Sorter
from pipeline.weights import Card, read_cards, weights_file


@dataclass(frozen=True, slots=True)
class Quantised:
    """What 8 bits cost, on val.

    Args:
        photos: how many photos were scored.
        figure: what was measured of them.
        before: in 32 bits, 0 to 1.
        after: in 8 bits.
        interval: 95 % interval of the difference, as a part of 1; None where there is none.
        calibrated_on: photos that ranges were measured on.
        seconds: that it took to make the networks.
    """

    photos: int
    figure: str
    before: float
    after: float
    interval: Interval | None
    calibrated_on: int
    seconds: float

    def __str__(self) -> str:
        lost = 100 * (self.before - self.after)
        change = f"{abs(lost):.1f} points {'less' if lost >= 0 else 'more'}"
        low, high = (100 * edge for edge in self.interval or (0.0, 0.0))
        spread = f", 95 % interval of the difference {low:+.1f} to {high:+.1f}" if self.interval else ""
        return (
            f"int8, calibrated on {self.calibrated_on} photos in {self.seconds:.0f} s\n"
            f"on {self.photos} val photos: {self.figure} {self.after:.3f}, in fp32 {self.before:.3f} ({change}{spread})"
        )


def quantise_pair(data_file: Path, weights: Path, *, photos: Path | None, console: Console) -> Quantised:
    """Make both networks of a pair in 8 bits, keep them beside the weights, and measure on val what that costs.

    Args:
        data_file: the data.yaml, whose val photos are scored.
        weights: folder of the pair.
        photos: a folder of photos to measure ranges on; None for the training photos.
        console: told of the progress.

    Raises:
        CropsortError: NNCF is not installed, or the pair, data.yaml or photos cannot be worked with.
        OutputError: the networks can be written nowhere.
    """
    cards = read_cards(weights)
    import_nncf()
    config = read_config(data_file)
    dataset = load_dataset(data_file, config)
    sorter = Sorter(weights, device="cpu", engine="openvino")
    files = _list_photos(photos) if photos else [one.photo for one in dataset.train]
    shown = choose_shown(sorter, files, console)
    begin = time.perf_counter()
    if cards.detector is not None:
        _quantise(weights, cards.detector, shown.photos, console)
    _quantise(weights, cards.classifier, shown.crops, console)
    seconds = time.perf_counter() - begin
    labelled = config.classes_from == "labels"
    before, after = (_judge(weights, engine, dataset.val, labelled, console) for engine in ("openvino", "int8"))
    cost = _compare(before, after, sorter.confidence, labelled=labelled)
    return Quantised(len(before), *cost, calibrated_on=len(shown.photos), seconds=seconds)


def _compare(
    before: Sequence[JudgedPhoto], after: Sequence[JudgedPhoto], confidence: float, *, labelled: bool
) -> tuple[str, float, float, Interval | None]:
    """What was measured, of both, and the interval of the difference."""
    if not labelled:
        first, then = (score(judged, confidence=confidence, labelled=False).top1_true for judged in (before, after))
        return "part with the right class", first, then, None
    _, interval = compare_f1((after, confidence), (before, confidence))
    return "F1", measure_f1(before, confidence)[0], measure_f1(after, confidence)[0], interval


def _list_photos(folder: Path) -> list[Path]:
    files = [path for path in list_files(folder).files if is_photo(path)]
    if not files:
        raise DataError("no photos in it", where=folder, expected="photos as they will be sorted")
    return files


def _quantise(weights: Path, card: Card, images: Sequence[Pixels], console: Console) -> None:
    file = weights_file(weights, card.stage)
    recipe = recipe_of(file, card)
    console.print(f"{card.stage}: measuring ranges on {len(images)} images ...")
    built = recipe.build()
    if card.stage == "detector":
        images = [*map(yolo.make_padding(card.imgsz, built.facts[STRIDE]), images)]
    model = quantise(convert(built), images)
    keep_network(file, network_name(file, recipe, "int8"), lambda path: save(model, path, built.facts), anew=True)


def _judge(
    weights: Path, engine: Engine, annotations: tuple[Annotation, ...], labelled: bool, console: Console
) -> list[JudgedPhoto]:
    sorter = Sorter(weights, device="cpu", engine=engine)
    if not labelled and sorter.cards.detector is not None:
        annotations, _ = locate_subjects(annotations, sorter.finder, on_photo=lambda: None)
    with counting(console, f"scoring {engine}", len(annotations)) as advance:
        return judge(sorter, annotations, on_photo=advance, on_unreadable=lambda _: None)
