"""``cropsort evaluate``: how good a trained pair is on labelled photos."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from pipeline.balance import count_boxes
from pipeline.batches import lacks_memory
from pipeline.config import Config, read_config
from pipeline.console import counting
from pipeline.contest import Contest
from pipeline.dataset import DataSet, dataset_name, list_parts, list_photos, load_dataset
from pipeline.errors import CropsortError, DataError, PhotoError
from pipeline.evaluate_page import find_run, write_page
from pipeline.evaluation import Evaluation, Trial, evaluate_judged
from pipeline.files import output_error, write_text
from pipeline.finder import locate_subjects
from pipeline.images import read_photo
from pipeline.jigsaw.starting import settle_start
from pipeline.labels import Annotation
from pipeline.problems import Kind, raise_errors, summarise
from pipeline.reading import read_parts
from pipeline.results import Detection
from pipeline.rivals import check_contest, measure_worth
from pipeline.scores import THRESHOLDS, JudgedPhoto
from pipeline.sorter import Sorter
from pipeline.weights import default_weights, read_cards

RECORD = "evaluate.json"

_FAINTEST = 0.001
_CHOSEN_ON = "note: scored on val, which epoch and threshold were chosen on"


@dataclass(frozen=True, slots=True)
class _Chosen:
    """Photos to score on.

    Args:
        part: ``val``, ``test``, or the name of a folder.
        annotations: the photos.
        dataset: what data.yaml names; None where that cannot be read, and a folder is scored.
        notes: what the user should know of it, a line each.
    """

    part: str
    annotations: tuple[Annotation, ...]
    dataset: DataSet | None
    notes: list[str]


def evaluate_pair(
    data_file: Path,
    *,
    on: str = "",
    weights: Path | None = None,
    folder: Path | None = None,
    cropping: bool = False,
    console: Console,
) -> tuple[Evaluation, Path]:
    """Score a trained pair at its own threshold, and write a page and a record of it.

    Args:
        data_file: the data.yaml.
        on: ``val``, ``test``, or a folder of labelled photos; empty for test if there is one, else val.
        weights: folder of the pair; by default that of the data set.
        folder: where page, pictures and record go; by default ``runs/<data set>/evaluate/<on>``.
        cropping: train the other ways to do it in ``runs/<data set>/worth``, and say what cropping is worth.
        console: told of the progress.

    Returns:
        What is said of the pair, and the page.

    Raises:
        CropsortError: something of it is missing or cannot be worked with, or nothing can be written there.
    """
    config, place = read_config(data_file), weights or default_weights(data_file)
    name = dataset_name(data_file, config)
    runs, cards = Path("runs") / name, read_cards(place)
    chosen = _choose_photos(data_file, config, on, cards.classifier.class_names)
    dataset = (chosen.dataset or load_dataset(data_file, config)) if cropping else None
    if dataset is not None:
        config = settle_start(config, data_file)
        check_contest(dataset, cards, place, chosen.annotations)
    target = folder or runs / "evaluate" / chosen.part
    _claim(target)
    for note in chosen.notes:
        console.print(note)
    judged, left_out = _judge_all(place, chosen.annotations, config, console)
    if not judged:
        raise DataError(f"none of the {len(chosen.annotations)} photos can be read", where=on or data_file)
    trial = Trial(
        dataset=name,
        part=chosen.part,
        weights=place,
        cards=cards,
        trained=None if chosen.dataset is None else count_boxes(chosen.dataset.train, cards.classifier.class_names),
        labelled=config.classes_from == "labels",
        notes=(*chosen.notes, *left_out),
    )
    evaluation, run = evaluate_judged(judged, trial), find_run(runs, place)
    if dataset is not None:
        worth = measure_worth(Contest(trial, judged, dataset, config, runs, run, console))
        evaluation = replace(evaluation, worth=worth)
    page = write_page(evaluation, target, run)
    write_text(target / RECORD, json.dumps(evaluation.as_dict(), ensure_ascii=False, indent=2) + "\n")
    return evaluation, page


def judge(
    sorter: Sorter,
    annotations: Iterable[Annotation],
    *,
    on_photo: Callable[[], None],
    on_unreadable: Callable[[PhotoError], None] | None = None,
) -> list[JudgedPhoto]:
    """Run a pair on labelled photos.

    Args:
        sorter: the pair.
        annotations: the photos.
        on_photo: called after each.
        on_unreadable: called for a photo that cannot be read, which then is left out.

    Raises:
        PhotoError: a photo cannot be read, and there is no ``on_unreadable``.
    """
    judged = []
    for annotation in annotations:
        try:
            judged.append(_judge_photo(sorter, annotation))
        except PhotoError as error:
            if on_unreadable is None or lacks_memory(error):
                raise
            on_unreadable(error)
        on_photo()
    return judged


def _judge_all(
    weights: Path, annotations: tuple[Annotation, ...], config: Config, console: Console
) -> tuple[list[JudgedPhoto], list[str]]:
    """What the pair makes of the photos, and a line on each that is left out, which is said too.

    The pair is loaded here and nowhere else: a training that comes after this has its memory again.
    """

    def leave_out(error: PhotoError) -> None:
        left_out.append(f"note: left out: {error}")
        console.print(left_out[-1])

    left_out: list[str] = []
    sorter = Sorter(weights, device=config.device)
    if config.classes_from != "labels" and sorter.cards.detector is not None:
        with counting(console, "finding the subjects", len(annotations)) as advance:
            annotations, _ = locate_subjects(annotations, sorter.finder, on_photo=advance)
    with counting(console, "scoring", len(annotations)) as advance:
        return judge(sorter, annotations, on_photo=advance, on_unreadable=leave_out), left_out


def _choose_photos(data_file: Path, config: Config, on: str, class_names: tuple[str, ...]) -> _Chosen:
    if on not in ("", "val", "test"):
        reading = read_parts({on: list_photos(Path(on))}, class_names, classes_from=config.classes_from)
        raise_errors(reading.problems)
        dataset_if_any = _load_if_possible(data_file, config)
        return _Chosen(Path(on).resolve().name, reading.parts[on], dataset_if_any, summarise(reading.problems))
    dataset = load_dataset(data_file, config)
    if on == "test" and not dataset.test:
        raise DataError("names no test photos", where=data_file, remedy="add a line 'test: folder'")
    if set(dataset.class_names) != set(class_names):
        expected = f"{', '.join(class_names)}, which the pair was trained for"
        raise DataError(f"names {', '.join(dataset.class_names)}", where=data_file, expected=expected)
    part = "test" if on != "val" and dataset.test else "val"
    named = list_parts(data_file, config)
    photos = set(named.get(part, named["train"]))  # without a val of its own, some of train are
    unreadable = (one for one in dataset.problems if one.kind is Kind.PHOTO_UNREADABLE and one.path in photos)
    notes = summarise(unreadable)
    if part == "test":
        return _Chosen(part, dataset.test, dataset, notes)
    return _Chosen(part, dataset.val, dataset, [*notes, _CHOSEN_ON])


def _load_if_possible(data_file: Path, config: Config) -> DataSet | None:
    """A folder of labelled photos can be scored on without what data.yaml names."""
    try:
        return load_dataset(data_file, config)
    except (CropsortError, ExceptionGroup):
        return None


def _claim(folder: Path) -> None:
    """Make the folder, and see whether it can be written to, before the minutes that scoring may take."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise output_error(error, folder) from error


def _judge_photo(sorter: Sorter, annotation: Annotation) -> JudgedPhoto:
    pixels = read_photo(annotation.photo).pixels
    detections = sorter.detect(pixels, conf=_FAINTEST)
    visible = [detection for detection in detections if detection.confidence >= THRESHOLDS[0]]
    true_crops = sorter.classify(pixels, [Detection(subject.box, 1.0) for subject in annotation.subjects])
    predictions = tuple(sorter.classify(pixels, visible))
    return JudgedPhoto(annotation.subjects, tuple(detections), predictions, tuple(true_crops), annotation.photo)
