"""Which class several sets of weights come to, by which rule, and whether it is sure."""

from __future__ import annotations

import pytest

from pipeline.deciding import Decision, Opinion, decide


def opinion(first: float, second: float, sure_from: float = 0.5) -> Opinion:
    return Opinion({"a": first, "b": second, "c": 1 - first - second}, sure_from)


def decide_on(*opinions: Opinion) -> tuple[str, bool, str]:
    made = decide(opinions)
    return max(made.probabilities, key=made.probabilities.__getitem__), made.sure, made.rule


def test_one_set_is_taken_at_its_word() -> None:
    row = {"b": 0.7, "a": 0.3}
    assert decide([Opinion(row, 0.7)]) == Decision(row, sure=True, rule="one")
    assert decide([Opinion(row, 0.71)]) == Decision(row, sure=False, rule="one")
    assert list(decide([Opinion(row, 0.7)]).probabilities) == ["b", "a"]


@pytest.mark.parametrize(
    ("opinions", "expected"),
    [
        ((opinion(0.8, 0.1), opinion(0.6, 0.3)), ("a", True, "agreed")),
        ((opinion(0.8, 0.1), opinion(0.6, 0.3, sure_from=0.75)), ("a", False, "agreed")),
        ((opinion(0.9, 0.1), opinion(0.9, 0.1), opinion(0.4, 0.6)), ("a", True, "majority")),
        ((opinion(0.9, 0.1), opinion(0.9, 0.1), opinion(0.4, 0.6, sure_from=0.9)), ("a", False, "majority")),
        ((opinion(0.9, 0.1, 0.0), opinion(0.2, 0.8, 0.0)), ("a", False, "mean")),
        ((opinion(0.4, 0.3), opinion(0.4, 0.3), opinion(0.0, 1.0)), ("b", False, "mean")),
        ((opinion(0.9, 0.1), opinion(0.9, 0.1), opinion(0.1, 0.9), opinion(0.2, 0.8)), ("a", False, "mean")),
    ],
)
def test_rule_by_rule(opinions: tuple[Opinion, ...], expected: tuple[str, bool, str]) -> None:
    assert decide_on(*opinions) == expected


def test_probabilities_are_the_mean_by_name_whatever_the_order() -> None:
    made = decide([Opinion({"a": 0.9, "b": 0.1}, 0.0), Opinion({"b": 0.5, "a": 0.5}, 0.0)])
    assert made.probabilities == pytest.approx({"a": 0.7, "b": 0.3})
    assert made.rule == "agreed"  # of classes as probable the first one counts
    assert list(made.probabilities) == ["a", "b"]


@pytest.mark.parametrize(
    "opinions",
    [[], [Opinion({"a": 1.0}, 0.0), Opinion({"b": 1.0}, 0.0)], [opinion(0.5, 0.5), Opinion({"a": 1.0}, 0.0)]],
)
def test_nothing_and_other_classes_are_refused(opinions: list[Opinion]) -> None:
    with pytest.raises(ValueError, match="opinion"):
        decide(opinions)


def test_opinion_is_checked_when_made() -> None:
    with pytest.raises(ValueError, match="at least one class"):
        Opinion({}, 0.5)
    with pytest.raises(ValueError, match="between 0 and 1"):
        Opinion({"a": 1.0}, 1.5)
