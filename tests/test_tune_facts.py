"""What annotations say about image size and batch."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.boxes import Box
from pipeline.config import read_config
from pipeline.dataset import load_dataset
from pipeline.errors import DataError
from pipeline.labels import Annotation, Subject
from pipeline.sorted_photos import annotate_sorted
from pipeline.tune.facts import read_facts, small_quantile
from pipeline.tune.sizes import choose_imgsz
from pipeline.tune.trials import Facts

PHOTO = Path("photo.jpg")


def annotate(size: tuple[int, int], *boxes: tuple[float, float, float, float]) -> Annotation:
    return Annotation(PHOTO, size, tuple(Subject(Box(*box), "ace") for box in boxes), None)


def test_facts_of_photos_are_their_sizes_and_boxes() -> None:
    annotations = [
        annotate((400, 300), (0, 0, 40, 100), (0, 0, 200, 200)),
        annotate((1000, 2000), (0, 0, 300, 100)),
        annotate((600, 800)),
    ]
    assert read_facts("detector", annotations, margin=0.05) == Facts(photos=3, side=800, smallest=0.05, boxes=2)


def test_facts_of_subjects_are_their_sizes_with_the_margin_inside_the_photo() -> None:
    annotations = [
        annotate((400, 400), (100, 100, 200, 150)),  # 100 wide, 110 with its margin
        annotate((400, 400), (0, 0, 200, 100), (0, 0, 400, 400)),  # 210 as far as there is a photo; 400
        annotate((400, 400)),
    ]
    assert read_facts("classifier", annotations, margin=0.05) == Facts(photos=3, side=210, smallest=1.0, boxes=1)


def test_sorted_photo_is_one_subject() -> None:
    annotations = [annotate_sorted(PHOTO, (width, 100), "ace") for width in (120, 150, 500)]
    assert read_facts("classifier", annotations, margin=0.3) == Facts(photos=3, side=150, smallest=1.0, boxes=1)


def test_one_box_in_twenty_may_be_smaller() -> None:
    boxes = [(0.0, 0.0, float(side), 90.0) for side in range(1, 41)]
    assert read_facts("detector", [annotate((100, 100), *boxes)], margin=0).smallest == 0.03
    assert small_quantile([7.0]) == 7.0


@settings(deadline=None)
@given(st.lists(st.floats(0.001, 1), min_size=1))
def test_quantile_is_a_value_with_at_most_one_in_twenty_below(values: list[float]) -> None:
    found = small_quantile(values)
    assert found in values
    assert sum(value < found for value in values) <= 0.05 * len(values)


def test_tiny_subject_is_at_least_a_pixel() -> None:
    assert read_facts("classifier", [annotate((40, 40), (1, 1, 1.1, 1.1))], margin=0).side == 1


@pytest.mark.parametrize("annotations", [[], [annotate((40, 40))]])
def test_without_a_box_there_is_nothing_to_say(annotations: list[Annotation]) -> None:
    with pytest.raises(DataError, match="no labelled box"):
        read_facts("detector", annotations, margin=0)


def test_photos_to_predict_say_nothing() -> None:
    with pytest.raises(ValueError, match="no labels"):
        read_facts("prediction", [annotate((40, 40), (0, 0, 9, 9))], margin=0)


def test_facts_of_a_real_data_set(home: Path) -> None:
    """Photos of 160 x 128 pixels: the network sees them as large as they are."""
    dataset = load_dataset(home / "data.yaml", read_config(home / "data.yaml"))
    facts = read_facts("detector", dataset.train, margin=0.05)
    assert (facts.photos, facts.side) == (8, 160)
    assert choose_imgsz("detector", facts, None)[0] == 160
    subjects = read_facts("classifier", dataset.train, margin=0.05)
    assert subjects.photos == sum(len(annotation.subjects) for annotation in dataset.train)
    assert choose_imgsz("classifier", subjects, None)[0] == 96
