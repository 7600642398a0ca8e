"""Which class a subject is of, from what one set of weights or several say of it; nothing but arithmetic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Rule = Literal["one", "agreed", "majority", "mean"]
"""What decided; see ``decide``."""


@dataclass(frozen=True, slots=True)
class Opinion:
    """What a set of weights says of a subject.

    Args:
        probabilities: of each class by its name, calibrated, 0 to 1; at least one.
        sure_from: probability from which this set's predictions are sure, 0 to 1; chosen on its val photos.
    """

    probabilities: Mapping[str, float]
    sure_from: float

    def __post_init__(self) -> None:
        if not self.probabilities:
            raise ValueError("an opinion needs the probability of at least one class, got none")
        if not 0 <= self.sure_from <= 1:
            raise ValueError(f"sure_from must lie between 0 and 1, got {self.sure_from}")


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of the opinions.

    Args:
        probabilities: of each class by its name, in the order of the first opinion, 0 to 1.
        sure: whether the most probable class may be left unchecked.
        rule: what decided.
    """

    probabilities: dict[str, float]
    sure: bool
    rule: Rule


def decide(opinions: Sequence[Opinion]) -> Decision:
    """The class of a subject.

    The probabilities are the mean of all sets' calibrated ones, class by class (Lakshminarayanan et al. 2017, Simple
    and Scalable Predictive Uncertainty Estimation using Deep Ensembles); the most probable class is the one named.
    The first rule that applies says what decided, and whether the prediction is sure:

    1. ``one``: there is one set. Sure from the probability that was chosen for it.
    2. ``agreed``: every set has the same class first. Sure from the highest of the sets' probabilities on: what each
       promises was seen of itself alone, and the most careful is believed.
    3. ``majority``: more than half of the sets have the class first that the mean has. Sure as in 2.
    4. ``mean``: otherwise. Never sure: where the sets contradict each other somebody should look.

    Of classes that are as probable the earlier one comes first.

    Args:
        opinions: of each set, the same classes in any order; at least one.

    Raises:
        ValueError: there is none, or their classes differ.
    """
    if not opinions:
        raise ValueError("a decision needs at least one opinion, got none")
    names = tuple(opinions[0].probabilities)
    if any(set(one.probabilities) != set(names) for one in opinions):
        raise ValueError(
            f"opinions on the same classes are wanted, got {[tuple(one.probabilities) for one in opinions]}"
        )
    mean = {name: sum(one.probabilities[name] for one in opinions) / len(opinions) for name in names}
    named = _first(mean, names)
    rule = _find_rule([_first(one.probabilities, names) for one in opinions], named)
    reaches = mean[named] >= max(one.sure_from for one in opinions)
    return Decision(mean, reaches and rule != "mean", rule)


def _find_rule(firsts: Sequence[str], named: str) -> Rule:
    backers = firsts.count(named)
    if len(firsts) == 1:
        return "one"
    if backers == len(firsts):
        return "agreed"
    return "majority" if 2 * backers > len(firsts) else "mean"


def _first(probabilities: Mapping[str, float], names: Sequence[str]) -> str:
    """The most probable class, the earlier in ``names`` of several."""
    return max(names, key=probabilities.__getitem__)
