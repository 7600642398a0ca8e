"""``cropsort check --model``: the labels that are most likely wrong, and the classes that cannot be told apart."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from pipeline.augmenting import suit_photos
from pipeline.check import check_before_training
from pipeline.config import Config, read_config
from pipeline.dataset import DataSet
from pipeline.device import pick_device
from pipeline.doubting import find_suspects, list_unjudged
from pipeline.errors import CropsortError, DataError
from pipeline.finder import crop_sorted, read_cropper, takes_whole_photos
from pipeline.images import read_header
from pipeline.jigsaw.starting import settle_start
from pipeline.labels import Annotation, Subject, parse_label
from pipeline.mixed_pairs import find_pairs
from pipeline.out_of_fold import Review, list_reviewed, one_network, predict_out_of_fold, take_fingerprint
from pipeline.per_class import count_confusion
from pipeline.reviewed import Reviewed
from pipeline.runs import claimed, open_run
from pipeline.scores import JudgedPhoto
from pipeline.suspects import Suspect
from pipeline.suspects_page import write_page


def review_labels(data_file: Path, folder: Path | None, console: Console, *, folds: int) -> tuple[Reviewed, Path]:
    """Have each photo of train and val judged by networks that have not seen it, and write the page of what they find.

    Args:
        data_file: the data.yaml.
        folder: where the page goes; by default ``runs/<data set>/check``. The trainings are kept in that one.
        console: told of the progress.
        folds: parts that the photos are shared out to, at least 2: so many detectors and classifiers are trained.

    Raises:
        CropsortError: cleanlab is missing, the data set cannot be trained on, or nothing can be written there.
        ExceptionGroup: of ``CropsortError``, where there is more than one reason.
    """
    check_installed()
    said = read_config(data_file)
    config = one_network(settle_start(said, data_file))
    # The labels of the data set are judged by themselves: new corrections would begin all these trainings anew.
    dataset = replace(check_before_training(data_file, config, console), corrected=())
    _check_classes(dataset, config)
    _note_start(said, console)  # what learnt puzzles has seen no labels
    home = Path("runs") / dataset.name / "check"
    with claimed(home / "model"):
        review = _open(config, dataset, folds, home / "model", console)
        judged = predict_out_of_fold(review)
    reviewed = _sum_up(review, judged)
    return reviewed, write_page(reviewed, folder or home)


def _open(config: Config, dataset: DataSet, folds: int, kept: Path, console: Console) -> Review:
    """The same review where it was stopped, else a new one."""
    device, cropper = pick_device(config.device), read_cropper(config)
    config = suit_photos(config, whole=takes_whole_photos(config, cropper))
    located = crop_sorted(dataset, cropper, device, console)
    run = open_run(kept, take_fingerprint(config, located, cropper, folds))
    return Review(config, located, folds, run, device, console, cropper)


def _sum_up(review: Review, judged: list[JudgedPhoto]) -> Reviewed:
    names, labelled = review.dataset.class_names, review.config.classes_from == "labels"
    annotations = {annotation.photo: annotation for annotation in review.annotations}
    confusion = count_confusion(judged, names)
    suspects = find_suspects(judged, annotations, names, labelled=labelled)
    return Reviewed(
        dataset=review.dataset,
        labelled=labelled,
        folds=review.folds,
        agreement=float(confusion.diagonal().sum() / max(1, confusion.sum())),
        suspects=tuple(_with_line(one, annotations[one.photo], names) for one in suspects),
        pairs=tuple(find_pairs(names, confusion)),
        margin=review.config.classifier.margin,
        notes=tuple(
            f"{name}: a single photo shows it, so that nothing can be said of its labels"
            for name in list_unjudged(judged, names)
        ),
    )


def check_installed() -> None:
    """Refuse where cleanlab is missing, before hours of training.

    Raises:
        CropsortError: it is.
    """
    if importlib.util.find_spec("cleanlab") is None:
        remedy = f"install it: {'python' if os.name == 'nt' else 'python3'} -m pip install cleanlab"
        raise CropsortError("cleanlab is not installed; it is an extra, for check --model alone", remedy=remedy)


def _check_classes(dataset: DataSet, config: Config) -> None:
    """Boxes can be reviewed with one class, sorted photos cannot."""
    shown = {subject.class_name for annotation in list_reviewed(dataset) for subject in annotation.subjects}
    if config.classes_from != "labels" and len(shown) < 2:
        found = f"all photos are of one class ({', '.join(shown)})"
        raise DataError(found, where=dataset.file, expected="at least two, to tell which of them a photo is")


def _note_start(config: Config, console: Console) -> None:
    for stage, start in (("detector", config.detector.start), ("classifier", config.classifier.start)):
        if Path(start).expanduser().is_file():
            console.print(
                f"note: {stage}.start is {start}: where it was trained on these photos it has seen their labels, and "
                "finds fewer of the wrong ones"
            )


def _with_line(suspect: Suspect, annotation: Annotation, class_names: tuple[str, ...]) -> Suspect:
    """With the line of the label that says it, where the label has lines."""
    if annotation.label is None or suspect.kind == "overlooked":
        return suspect
    header = read_header(annotation.photo)
    label = parse_label(annotation.photo, header.size, annotation.label, class_names, orientation=header.orientation)
    wanted = Subject(suspect.box, suspect.label)
    lines = (one.line for one in label.boxes if Subject(one.box.clipped(*header.size), one.class_name) == wanted)
    return replace(suspect, line=next(lines, None))
