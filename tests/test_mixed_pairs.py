"""Classes that are mixed up: how often, and what that says."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.mixed_pairs import MixedPair, find_pairs

NAMES = ("만화", "fairy tale", "novel", "science")


def test_pair_that_guessing_would_tell_as_well_is_alike() -> None:
    confusion = np.array([[20, 20, 0, 0], [18, 22, 0, 0], [0, 0, 40, 0], [0, 0, 1, 39]])
    first, second = find_pairs(NAMES, confusion)
    assert first.names == ("만화", "fairy tale")
    assert (first.mixed, first.counts, first.verdict) == ((20, 18), (40, 40), "alike")
    assert first.rate == pytest.approx(38 / 80)
    assert first.guessing == pytest.approx(0.5)
    assert str(first) == (
        "만화 and fairy tale are mixed up in 38 of 80 cases (48%, 95 % interval 37% to 58%; 20 of 40 만화 taken for "
        "fairy tale, 18 of 40 fairy tale taken for 만화): guessing between the two would mix up 50%: they cannot be "
        "told apart"
    )
    assert (second.names, second.verdict) == (("science", "novel"), "chance")


def test_pair_that_is_mixed_up_more_than_others_is_said_so() -> None:
    confusion = np.array([[85, 15, 0, 0], [10, 90, 0, 0], [1, 0, 98, 1], [0, 1, 1, 98]])
    first, *others = find_pairs(NAMES, confusion)
    assert (first.names, first.verdict) == (("만화", "fairy tale"), "often")
    assert first.even == pytest.approx(25 / 200 / 3)
    assert {one.verdict for one in others} == {"chance"}


def test_mistakes_that_are_spread_evenly_are_chance() -> None:
    confusion = np.full((4, 4), 4) + np.diag([28] * 4)
    assert {pair.verdict for pair in find_pairs(NAMES, confusion)} == {"chance"}


@pytest.mark.parametrize(("wrong", "verdict"), [(1, "chance"), (10, "often"), (20, "alike")])
def test_two_classes_have_no_others_to_compare_with(wrong: int, verdict: str) -> None:
    confusion = np.array([[40 - wrong, wrong], [wrong, 40 - wrong]])
    (pair,) = find_pairs(NAMES[:2], confusion)
    assert (pair.even, pair.verdict) == (None, verdict)
    assert pair.as_dict()["even"] is None


def test_nothing_mixed_up_is_no_pair() -> None:
    assert find_pairs(NAMES, np.diag([3, 4, 0, 5])) == []
    assert find_pairs(NAMES, np.array([[3, 0, 1, 0], [0] * 4, [0] * 4, [0] * 4])) == []  # no novel to mix it up with


def test_uneven_sizes_make_guessing_easier() -> None:
    pair = MixedPair(("만화", "novel"), (7, 7), (90, 10), even=0.01)
    assert pair.guessing == pytest.approx(0.18)
    assert pair.verdict == "alike"
