"""Labels that networks doubt, from predictions that are made up: what is wrong is found, what is right is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.boxes import Box
from pipeline.doubting import find_suspects, list_unjudged
from pipeline.labels import Annotation, Subject
from pipeline.results import Detection, Prediction
from pipeline.scores import JudgedPhoto
from pipeline.suspects import Suspect

pytest.importorskip("cleanlab")

NAMES = ("만화", "fairy tale", "novel")
SIZE = (400, 300)
LEFT, RIGHT = Box(20, 40, 120, 200), Box(220, 60, 340, 220)


def predict(box: Box, name: str, *, sure: float = 0.94, confidence: float = 0.9) -> Prediction:
    others = {other: (1 - sure) / 2 for other in NAMES if other != name}
    return Prediction(Detection(box, confidence), {name: sure, **others})


def near(box: Box, by: float) -> Box:
    """The box as a detector sees it, off by a few pixels."""
    return Box(*(edge + by for edge in box.edges))


def usual(number: int) -> JudgedPhoto:
    """A photo with two labels that the networks agree with."""
    names = NAMES[number % 3], NAMES[(number + 1) % 3]
    truth = Subject(LEFT, names[0]), Subject(RIGHT, names[1])
    confidence = 0.8 + 0.01 * (number % 15)
    seen = tuple(predict(near(one.box, 1 + number % 4), one.class_name, confidence=confidence) for one in truth)
    crops = tuple(predict(one.box, one.class_name, sure=0.8 + 0.005 * number) for one in truth)
    return JudgedPhoto(truth, (), seen, crops, Path(f"photo-{number}.jpg"))


def look(judged: Sequence[JudgedPhoto], *, labelled: bool = True) -> list[Suspect]:
    annotations = {
        photo.photo: Annotation(photo.photo, SIZE, photo.truth, photo.photo.with_suffix(".txt"))
        for photo in judged
        if photo.photo is not None
    }
    return find_suspects(judged, annotations, NAMES, labelled=labelled)


@pytest.fixture
def judged() -> list[JudgedPhoto]:
    return [usual(number) for number in range(30)]


def test_labels_that_networks_agree_with_are_left_alone(judged: list[JudgedPhoto]) -> None:
    assert look(judged) == []
    assert look([]) == []


def test_swapped_class_is_found_with_what_speaks_against_it(judged: list[JudgedPhoto]) -> None:
    wrong = replace(judged[3].truth[0], class_name="novel")
    judged[3] = replace(judged[3], truth=(wrong, judged[3].truth[1]))
    (found,) = look(judged)
    assert (found.kind, found.label, found.given, found.box) == ("swapped", "novel", "만화", LEFT)
    assert (found.place, found.seen) == ("photo-3.txt", None)
    assert found.reason == "labelled novel; a classifier that has not seen it says 만화 (82%), and novel with 9%"
    assert found.score == pytest.approx((0.0925 - 0.815 + 1) / 2)
    (sorted_photo,) = look(judged, labelled=False)
    assert sorted_photo == found


def test_subject_without_a_box_is_found(judged: list[JudgedPhoto]) -> None:
    judged[4] = replace(judged[4], truth=judged[4].truth[:1], on_truth=judged[4].on_truth[:1])
    (found,) = look(judged)
    assert (found.kind, found.label, found.given, found.box) == ("overlooked", "", "novel", near(RIGHT, 1))
    assert found.score < 0.3
    assert "finds a subject (novel)" in found.reason
    assert look(judged, labelled=False) == []


def test_photo_without_any_box_is_looked_at_as_well(judged: list[JudgedPhoto]) -> None:
    judged[5] = replace(judged[5], truth=(), on_truth=())
    assert [one.kind for one in look(judged)] == ["overlooked", "overlooked"]


def test_box_beside_its_subject_is_found_with_where_the_subject_is(judged: list[JudgedPhoto]) -> None:
    moved = Subject(Box(55, 90, 155, 250), judged[6].truth[0].class_name)
    crops = predict(moved.box, "novel"), judged[6].on_truth[1]  # half a subject is taken for another class
    judged[6] = replace(judged[6], truth=(moved, judged[6].truth[1]), on_truth=crops)
    (found,) = look(judged)
    assert (found.kind, found.box, found.seen) == ("misplaced", moved.box, near(LEFT, 3))
    assert "the two boxes have 3" in found.reason


def test_what_is_seen_beside_a_label_is_not_its_subject(judged: list[JudgedPhoto]) -> None:
    overlapping = Subject(Box(80, 60, 230, 220), "novel")  # its own detection is missing, that of LEFT touches it
    truth, crops = (judged[7].truth[0], overlapping), (judged[7].on_truth[0], predict(overlapping.box, "novel"))
    judged[7] = replace(judged[7], truth=truth, on_truth=crops, predictions=judged[7].predictions[:1])
    assert look(judged) == []


def test_faint_detections_say_nothing(judged: list[JudgedPhoto]) -> None:
    faint = [predict(Box(130, 230, 200, 290), "novel", confidence=0.2 + 0.01 * number) for number in range(30)]
    judged = [replace(one, predictions=(*one.predictions, extra)) for one, extra in zip(judged, faint, strict=True)]
    assert look(judged) == []


def test_nothing_is_said_where_the_detector_finds_nothing(judged: list[JudgedPhoto]) -> None:
    assert look([replace(one, predictions=()) for one in judged]) == []


def test_class_of_a_single_photo_is_not_judged(judged: list[JudgedPhoto]) -> None:
    judged = [one for one in judged if "novel" not in {subject.class_name for subject in one.truth}]
    alone = Subject(LEFT, "novel")
    judged.append(JudgedPhoto((alone,), (), (predict(LEFT, "만화"),), (predict(LEFT, "만화"),), Path("alone.jpg")))
    assert list_unjudged(judged, NAMES) == ["novel"]
    assert look(judged) == []


def test_one_class_leaves_the_boxes_to_be_judged(judged: list[JudgedPhoto]) -> None:
    truth = tuple(tuple(replace(one, class_name="novel") for one in photo.truth) for photo in judged)
    judged = [replace(photo, truth=own) for photo, own in zip(judged, truth, strict=True)]
    judged[8] = replace(judged[8], truth=judged[8].truth[:1], on_truth=judged[8].on_truth[:1])
    assert [one.kind for one in look(judged)] == ["overlooked"]


def test_worst_come_first(judged: list[JudgedPhoto]) -> None:
    for number, sure in ((3, 0.7), (9, 0.99), (12, 0.85)):
        wrong = Subject(LEFT, "novel"), judged[number].truth[1]
        crops = predict(LEFT, "만화", sure=sure), judged[number].on_truth[1]
        judged[number] = replace(judged[number], truth=wrong, on_truth=crops)
    found = look(judged)
    assert [one.photo.stem for one in found] == ["photo-9", "photo-12", "photo-3"]
    assert [one.score for one in found] == sorted(one.score for one in found)
