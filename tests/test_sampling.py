"""Uneven classes are evened out as data.yaml says, the same for the same seed, and a line says how."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.sampling import count_shown, describe_balance, draw_order, weigh_classes

TARGETS = [0] * 12 + [1] * 5 + [3] * 3


def draw(balance: str, seed: int = 0) -> list[int]:
    return [int(index) for index in draw_order(TARGETS, balance, np.random.default_rng(seed))]


def count(order: list[int]) -> list[int]:
    return [sum(TARGETS[index] == number for index in order) for number in range(4)]


@pytest.mark.parametrize("balance", ["none", "weights"])
def test_every_sample_is_shown_once_where_nothing_is_evened_out(balance: str) -> None:
    assert sorted(draw(balance)) == list(range(20))
    assert draw(balance) == draw("none") != draw("none", 1)


def test_undersampling_shows_another_part_of_the_large_classes_each_time() -> None:
    one, other = draw("undersample", 1), draw("undersample", 2)
    assert count(one) == count(other) == [3, 3, 0, 3]
    assert len(set(one)) == 9
    assert set(one) != set(other)
    assert {index for seed in range(30) for index in draw("undersample", seed)} == set(range(20))


def test_oversampling_shows_all_of_a_class_equally_often_but_for_once() -> None:
    order = draw("oversample")
    assert count(order) == [12, 12, 0, 12]
    shown = np.bincount(order, minlength=20)
    assert set(shown[:12]) == {1}
    assert set(shown[12:17]) == {2, 3}
    assert set(shown[17:]) == {4}


@pytest.mark.parametrize("balance", ["undersample", "oversample"])
def test_order_depends_on_the_seed_alone_and_is_mixed(balance: str) -> None:
    assert draw(balance, 5) == draw(balance, 5)
    classes = [TARGETS[index] for index in draw(balance)]
    assert classes != sorted(classes)


def test_a_class_of_one_does_not_leave_one_of_each() -> None:
    assert count_shown([9, 1, 0, 4], "undersample") == [2, 1, 0, 2]


@given(st.lists(st.integers(0, 40), min_size=1, max_size=8).filter(any), st.sampled_from(["undersample", "oversample"]))
def test_as_many_are_drawn_as_are_counted(counts: list[int], balance: str) -> None:
    targets = np.repeat(np.arange(len(counts)), counts)
    order = draw_order(targets, balance, np.random.default_rng(0))
    assert np.bincount(targets[order], minlength=len(counts)).tolist() == count_shown(counts, balance)


def test_weights_make_all_classes_count_the_same() -> None:
    weights = weigh_classes(TARGETS, 5)
    assert np.mean([weights[target] for target in TARGETS]) == pytest.approx(1)
    assert [weights[0] * 12, weights[1] * 5] == pytest.approx([weights[3] * 3] * 2)
    assert weights[2] == weights[4] == 0


@pytest.mark.parametrize(
    ("balance", "counts", "line"),
    [
        ("none", [12, 3], ""),
        ("oversample", [0, 0], ""),
        (
            "undersample",
            [12, 5, 0, 3],
            "undersample: the classes have 3 to 12 crops; an epoch shows 3 of each, another part of the large ones "
            "each time (9 instead of 20)",
        ),
        (
            "oversample",
            [12, 5, 0, 3],
            "oversample: the classes have 3 to 12 crops; an epoch shows 12 of each, those of the smallest 4 times",
        ),
        (
            "weights",
            [9, 3],
            "weights: the classes have 3 to 9 crops; a mistake counts 0.67 in the largest, 2.00 in the smallest",
        ),
        (
            "weights",
            [4, 4],
            "weights: each class has 4 crops; a mistake counts 1.00 in the largest, 1.00 in the smallest",
        ),
    ],
)
def test_a_line_says_what_is_done_to_the_classes(balance: str, counts: list[int], line: str) -> None:
    assert describe_balance(counts, balance) == line
