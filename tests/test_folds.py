"""Folds: everything is held out once, what belongs together is held out together."""

from __future__ import annotations

import io
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from photos import write_photo
from rich.console import Console

from pipeline.errors import DataError
from pipeline.folds import Folds, group_near, make_folds, note_rare


def name(numbers: list[int], folder: str = "photos") -> list[Path]:
    return [Path(folder, f"사진-{number}.jpg") for number in numbers]


def as_lists(folds: Folds) -> list[list[int]]:
    return [held.tolist() for held in folds]


@given(
    shown=st.lists(st.tuples(st.integers(0, 30), st.sampled_from("abc")), min_size=1, max_size=60),
    count=st.integers(2, 5),
    joined=st.dictionaries(st.integers(0, 30), st.integers(0, 5)),
)
def test_each_subject_is_held_out_once_with_all_that_belongs_to_it(
    shown: list[tuple[int, str]], count: int, joined: dict[int, int]
) -> None:
    photos, classes = name([photo for photo, _ in shown]), [kind for _, kind in shown]
    groups = dict(zip(name(list(joined)), joined.values(), strict=True))
    try:
        folds = make_folds(photos, classes, count=count, seed=0, groups=groups)
    except DataError:
        assert min(len({groups.get(photo, photo) for photo in photos}), max(Counter(classes).values())) < count
        return
    assert len(folds) == count
    assert sorted(index for held in as_lists(folds) for index in held) == list(range(len(shown)))
    held_out = [{groups.get(photos[index], photos[index]) for index in held} for held in as_lists(folds)]
    assert all(held_out)
    assert sum(len(units) for units in held_out) == len(set().union(*held_out))


def test_every_fold_has_its_part_of_each_class() -> None:
    classes = ["many"] * 30 + ["some"] * 9 + ["few"] * 3
    folds = make_folds(name(list(range(42))), classes, count=3, seed=1, groups={})
    held = [Counter(classes[index] for index in fold) for fold in as_lists(folds)]
    assert held == [{"many": 10, "some": 3, "few": 1}] * 3


def test_same_seed_gives_the_same_folds_wherever_the_photos_lie() -> None:
    numbers, classes = [9, 1, 1, 5, 7, 3, 2, 8], list("aababbab")
    groups = {Path("photos/사진-9.jpg"): 40, Path("photos/사진-5.jpg"): 40}
    moved = {Path("z/사진-9.jpg"): 3, Path("z/사진-5.jpg"): 3}
    folds = [make_folds(name(numbers), classes, count=2, seed=seed, groups=groups) for seed in (4, 4, *range(5, 25))]
    assert as_lists(folds[0]) == as_lists(folds[1])
    assert as_lists(folds[0]) == as_lists(make_folds(name(numbers, "z"), classes, count=2, seed=4, groups=moved))
    assert len({str(as_lists(one)) for one in folds}) > 1


def test_class_with_fewer_groups_than_folds_is_a_note() -> None:
    photos, classes = name([1, 2, 3, 4, 5, 6, 6, 7]), ["a", "a", "a", "b", "b", "c", "c", "a"]
    folds = make_folds(photos, classes, count=3, seed=0, groups={})
    assert all(held.size for held in folds)
    assert note_rare(photos, classes, count=3, groups={}) == (
        "classes with fewer groups of photos than the 3 folds, which not every fold holds out: b (2)",
        "classes of a single photo or group, of which one of the 3 networks learns nothing: c",
    )
    assert note_rare(photos[:3], classes[:3], count=3, groups={}) == ()


@pytest.mark.parametrize(
    ("photos", "classes", "found"),
    [
        ([1, 1, 1, 2], "aaab", "4 subjects in 2 groups of photos, at most 3 subjects of one class"),
        ([1, 2, 3, 4], "aabb", "4 subjects in 4 groups of photos, at most 2 subjects of one class"),
        ([], "", "0 subjects in 0 groups of photos, at most 0 subjects of one class"),
    ],
)
def test_too_few_for_so_many_folds_is_one_line(photos: list[int], classes: str, found: str) -> None:
    with pytest.raises(DataError) as caught:
        make_folds(name(photos), list(classes), count=3, seed=0, groups={})
    expected = "expected at least 3 of both, one for each fold - fewer folds, or more photos"
    assert str(caught.value) == f"{found} - {expected}"


def test_one_class_is_shared_out_as_well() -> None:
    folds = make_folds(name([1, 2, 3, 4]), ["a"] * 4, count=2, seed=0, groups={})
    assert [held.size for held in folds] == [2, 2]
    assert all(held.dtype == np.intp for held in folds)


def test_photos_that_are_nearly_the_same_get_one_number(tmp_path: Path) -> None:
    one, other = (write_photo(tmp_path / f"{word}.jpg", seed=seed) for seed, word in enumerate(("one", "other")))
    again, damaged = tmp_path / "again.jpg", tmp_path / "damaged.jpg"
    shutil.copyfile(one, again)
    damaged.write_bytes(b"no photo")
    groups = group_near([one, other, one, again, damaged], Console(file=io.StringIO()))
    assert groups[one] == groups[again] != groups[other]
    assert damaged not in groups
