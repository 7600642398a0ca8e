"""The other ways beside two stages, tried for comparison: a classifier of whole photos, a detector of classes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.augmenting import decides_on_mirrored, suit_photos
from pipeline.batches import lacks_memory
from pipeline.classifying import Classifier
from pipeline.console import counting
from pipeline.contest import Contest, Room, as_trained, count_seconds, open_room, train_in
from pipeline.crops import count_views, cut_views
from pipeline.dataset import DataSet, digest
from pipeline.ensemble import make_material, read_starts, train_members
from pipeline.errors import CropsortError, DataError, PhotoError
from pipeline.finder import WholePhoto
from pipeline.images import read_photo, shrink
from pipeline.labels import Annotation, Subject
from pipeline.prepare import Prepared
from pipeline.results import Detection, Prediction
from pipeline.runs import claimed
from pipeline.scores import THRESHOLDS, JudgedPhoto, choose_confidence
from pipeline.sorted_photos import annotate_sorted
from pipeline.stages import Spot, StageRoom, train_detector_stage
from pipeline.starts import read_stage_start
from pipeline.weights import Cards, weights_file
from pipeline.worth import (
    ONE_STAGE,
    TWO_STAGES,
    WHOLE_PHOTO,
    Rival,
    Row,
    Worth,
    answer,
    answer_surest,
    compare,
    find_single,
)
from pipeline.yolo import Detector

_OTHER_PHOTOS = "note: the pair was trained on other photos or labels than data.yaml names now"
_CORRECTED = "note: the two stages have also learnt from corrected boxes, from which the other ways cannot"


def check_contest(dataset: DataSet, cards: Cards, weights: Path, scored: Sequence[Annotation]) -> None:
    """See whether there is anything to compare, before the minutes that scoring may take.

    Args:
        dataset: what there is to learn from.
        cards: of the pair.
        weights: its folder.
        scored: the photos to score on.

    Raises:
        CropsortError: the pair crops nothing.
        DataError: it was trained for other classes, there is one class only, or nothing is labelled.
    """
    names = cards.classifier.class_names
    if cards.detector is None:
        remedy = "name a trained detector as weights: under detector: in data.yaml, and train again"
        raise CropsortError("takes photos whole: there is no cropping to compare", where=weights, remedy=remedy)
    if set(dataset.class_names) != set(names):
        expected = f"{', '.join(names)}, which the pair was trained for"
        raise DataError(f"names {', '.join(dataset.class_names)}", where=dataset.file, expected=expected)
    if len(names) < 2:
        raise DataError(f"'{names[0]}' is the only class", where=dataset.file, expected="two or more to tell apart")
    if not any(annotation.subjects for annotation in scored):
        remedy = "label some of them, with make label"
        raise DataError(f"no labelled box in the {len(scored)} photos to score", where=dataset.file, remedy=remedy)


def measure_worth(contest: Contest) -> Worth:
    """Train the two other ways with what the pair was trained with, and score all on the same photos.

    Stopped, the same command goes on; what is trained is not trained again while data, settings and versions stay.

    Raises:
        CropsortError: one could not be trained, or nothing can be written there.
    """
    trial, judged, dataset = contest.trial, contest.judged, contest.dataset
    row = Row(TWO_STAGES, len(dataset.train), count_seconds(contest.run), confidence=trial.confidence)
    own = Rival(row, [answer(photo, trial.confidence) for photo in judged], judged if trial.labelled else None)
    card = trial.cards.classifier
    changed = trial.labelled and digest(dataset.train) != card.data
    notes = [note for note, said in ((_OTHER_PHOTOS, changed), (_CORRECTED, card.corrected is not None)) if said]
    with claimed(contest.runs / "worth"):
        rivals = _attempt(WHOLE_PHOTO, _try_whole, contest), _attempt(ONE_STAGE, _try_one_stage, contest)
    return compare(own, rivals, [photo.truth for photo in judged], tuple(notes))


def _attempt(name: str, work: Callable[[Contest], Rival], contest: Contest) -> Rival:
    """Photos that do not suffice for one way say nothing against the others."""
    try:
        return work(contest)
    except PhotoError:
        raise
    except DataError as error:
        return Rival(Row(name, why=f"not tried: {error}"))


def _try_whole(contest: Contest) -> Rival:
    """The classifier, all its networks, on whole photos: of those that show one class, as others have no answer.

    It is trained as ``cropsort train`` would where photos are sorted and not labelled.
    """
    parts = contest.dataset.train, contest.dataset.val
    train, val = (tuple(whole for one in part if (whole := _as_whole(one))) for part in parts)
    flaw = _find_flaw(train, val, contest.judged)
    if flaw:
        return Rival(Row(WHOLE_PHOTO, why=flaw))
    config = as_trained(contest.config, contest.trial.cards)
    config = suit_photos(config.model_copy(update={"classes_from": "folders"}), whole=True)
    room = open_room(contest, "whole", config, replace(contest.dataset, train=train, val=val), config.classifier)
    weights = weights_file(room.run.folder / "weights", "classifier")
    if not weights.is_file():
        contest.console.print(f"{WHOLE_PHOTO}: training the classifier on {len(train)} photos as they are")
        train_in(room, _train_whole)
    with counting(contest.console, f"scoring: {WHOLE_PHOTO}", len(contest.judged)) as advance:
        answers = _classify_whole(room, weights, contest.judged, advance)
    row = Row(WHOLE_PHOTO, len(train), count_seconds(room.run.folder), why=_tell_missing(contest.dataset, train))
    return Rival(row, answers)


def _try_one_stage(contest: Contest) -> Rival:
    """The detector with the classes themselves; its threshold is chosen on val as the pair's was."""
    if contest.config.classes_from != "labels":
        return Rival(Row(ONE_STAGE, why="not tried: the photos are sorted, and nobody has drawn boxes to learn from"))
    config = as_trained(contest.config, contest.trial.cards)
    config = config.model_copy(update={"detector": config.detector.model_copy(update={"single_cls": False})})
    room = open_room(contest, "one-stage", config, contest.dataset, config.detector)
    weights = weights_file(room.run.folder / "weights", "detector")
    if not weights.is_file():
        contest.console.print(f"{ONE_STAGE}: training a detector of {len(contest.dataset.class_names)} classes")
        train_in(room, _train_one_stage)
    detector = Detector(weights, device=room.device)
    with counting(contest.console, f"scoring: {ONE_STAGE}", len(contest.judged)) as advance:
        judged = [_judge(room, detector, _file(photo), photo.truth, advance) for photo in contest.judged]
    confidence = _find_confidence(room, detector)
    row = Row(ONE_STAGE, len(contest.dataset.train), count_seconds(room.run.folder), confidence=confidence)
    return Rival(row, [answer_surest(photo, confidence) for photo in judged], judged)


def _as_whole(annotation: Annotation) -> Annotation | None:
    """A photo that shows one class as a sorted one; None for any other."""
    name = find_single(annotation.subjects)
    return None if name is None else annotate_sorted(annotation.photo, annotation.size, name)


def _find_flaw(train: Sequence[Annotation], val: Sequence[Annotation], judged: Sequence[JudgedPhoto]) -> str:
    """Why a classifier of whole photos cannot be trained and scored; empty where it can."""
    classes = {one.subjects[0].class_name for one in train}
    scored = sum(find_single(photo.truth) is not None for photo in judged)
    if len(classes) > 1 and val and scored:
        return ""
    shown = f"{len(train)} photos of {len(classes)} classes to learn from, {len(val)} of val, {scored} to score"
    return f"not tried: too few photos show a single class ({shown}): a whole photo has no right class"


def _tell_missing(dataset: DataSet, train: Sequence[Annotation]) -> str:
    told = ""
    if len(train) < len(dataset.train):
        shares = f"{len(train)} of {len(dataset.train)} training photos"
        told = f"learnt from the {shares} that show one class, so in fewer steps an epoch"
    shown = {one.subjects[0].class_name for one in train}
    missing = [name for name in dataset.class_names if name not in shown]
    none = f"no such photo to learn from shows {', '.join(missing)}" if missing else ""
    return "; ".join(part for part in (told, none) if part)


def _train_whole(room: Room, stages: StageRoom, prepared: Prepared) -> None:
    settings, folder = stages.plan.config.classifier, room.run.folder
    material = make_material(prepared, room.dataset.class_names, settings, room.config.seed, room.console)
    train_members(stages, read_starts(settings), material, folder, folder / "weights")


def _train_one_stage(room: Room, stages: StageRoom, prepared: Prepared) -> None:
    folder = room.run.folder
    # Its head has classes to learn that no start knows: at the gentle rate for complete weights it would learn few.
    start = replace(read_stage_start("detector", stages.plan.config.detector), complete=False)
    assert prepared.detector is not None  # the photos are labelled
    spot = Spot("detector", folder / "detector", weights_file(folder / "weights", "detector"), "one stage")
    train_detector_stage(stages, start, prepared.detector, spot)


def _classify_whole(
    room: Room, weights: Path, judged: Sequence[JudgedPhoto], on_photo: Callable[[], None]
) -> list[str | None]:
    """The class of each photo that shows one class."""
    settings, names = room.config.classifier, room.dataset.class_names
    side, margin, flips = settings.imgsz, settings.margin, decides_on_mirrored(settings)
    classifier = Classifier(weights, names, device=room.device, imgsz=side, test_flips=flips)
    answers: list[str | None] = []
    for photo in judged:
        if find_single(photo.truth) is None:
            answers.append(None)
        else:
            pixels = read_photo(_file(photo)).pixels
            (whole,) = WholePhoto().find(pixels, conf=0.0)
            views = cut_views(pixels, whole.box, side=side, margin=margin, whole=True)
            (row,) = classifier.classify(views, views=count_views(whole=True))
            answers.append(max(row, key=row.__getitem__))
        on_photo()
    return answers


def _find_confidence(room: Room, detector: Detector) -> float:
    """The threshold, chosen once on val."""
    if "confidence" in room.run.state:
        return float(room.run.state["confidence"])
    judged = []
    with counting(room.console, f"choosing the threshold: {ONE_STAGE}", len(room.dataset.val)) as advance:
        for annotation in room.dataset.val:
            try:
                judged.append(_judge(room, detector, annotation.photo, annotation.subjects, advance))
            except PhotoError as error:  # preparing has said so
                if lacks_memory(error):
                    raise
    confidence = choose_confidence(judged)
    room.run.note(confidence=confidence)
    return confidence


def _judge(
    room: Room, detector: Detector, photo: Path, truth: tuple[Subject, ...], on_photo: Callable[[], None]
) -> JudgedPhoto:
    """The boxes with classes that are found in a photo."""
    settings, names = room.config.detector, room.dataset.class_names
    pixels = read_photo(photo).pixels
    height, width = pixels.shape[:2]
    small = shrink(pixels, settings.imgsz)
    factor = max(height, width) / max(small.shape[:2])
    (found,) = detector.detect_classes([small], imgsz=settings.imgsz, conf=THRESHOLDS[0], iou=settings.iou)
    made = [
        Prediction(Detection(one.box.scaled(factor).clipped(width, height), one.confidence), {names[number]: 1.0})
        for one, number in found
    ]
    on_photo()
    return JudgedPhoto(truth, tuple(one.detection for one in made), tuple(made), (), photo)


def _file(photo: JudgedPhoto) -> Path:
    assert photo.photo is not None  # evaluate has set it
    return photo.photo
