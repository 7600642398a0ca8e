"""Pairs of classes that are mixed up: how often, and whether that is more than chance would do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Literal

from pipeline.per_class import Counts, Tally

Verdict = Literal["alike", "often", "chance"]
"""``alike``: guessing between the two would do as well; ``often``: more often than the others; ``chance``: neither."""

_RARE = 0.05
"""Part that is mixed up of any two classes; of only two there are no others to compare with."""


@dataclass(frozen=True, slots=True)
class MixedPair:
    """Two classes, one of which is taken for the other.

    Args:
        names: the two, the one that is mixed up more often first.
        mixed: of each, how many are taken for the other.
        counts: of each, how many there are, at least one.
        even: part that would be mixed up if the mistakes made with the two were spread evenly over all other classes,
            0 to 1; None where there are no others.
    """

    names: tuple[str, str]
    mixed: tuple[int, int]
    counts: tuple[int, int]
    even: float | None

    @property
    def rate(self) -> float:
        """Part of both that is taken for the other, 0 to 1."""
        return sum(self.mixed) / sum(self.counts)

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the rate (Wilson 1927)."""
        return Tally(right=sum(self.mixed), given=sum(self.counts), true=sum(self.counts)).recall_interval

    @property
    def guessing(self) -> float:
        """Part that would be mixed up by guessing between the two, each as often as there is of it, 0 to 0.5."""
        first, second = (count / sum(self.counts) for count in self.counts)
        return 2 * first * second

    @property
    def verdict(self) -> Verdict:
        """What the rate says."""
        low, high = self.interval
        if low > (_RARE if self.even is None else self.even):
            return "alike" if high >= self.guessing else "often"
        return "chance"

    def __str__(self) -> str:
        (first, second), (low, high) = self.names, self.interval
        both = zip(self.names, reversed(self.names), self.mixed, self.counts, strict=True)
        each = ", ".join(f"{mixed} of {count} {name} taken for {other}" for name, other, mixed, count in both)
        judged = {
            "alike": f"guessing between the two would mix up {self.guessing:.0%}: they cannot be told apart",
            "often": "more than now and then"
            if self.even is None
            else f"with any two classes it would be {self.even:.0%}",
            "chance": "no more than may be chance",
        }
        return (
            f"{first} and {second} are mixed up in {sum(self.mixed)} of {sum(self.counts)} cases "
            f"({self.rate:.0%}, 95 % interval {low:.0%} to {high:.0%}; {each}): {judged[self.verdict]}"
        )

    def as_dict(self) -> dict[str, Any]:
        """As plain values, ready for JSON."""
        return {
            "names": list(self.names),
            "mixed": list(self.mixed),
            "counts": list(self.counts),
            "rate": round(self.rate, 4),
            "interval": [round(edge, 4) for edge in self.interval],
            "even": None if self.even is None else round(self.even, 4),
            "guessing": round(self.guessing, 4),
            "verdict": self.verdict,
        }


def find_pairs(class_names: tuple[str, ...], confusion: Counts) -> list[MixedPair]:
    """The pairs of which something is mixed up, those first where most certainly is.

    Args:
        class_names: all classes.
        confusion: shape (classes, classes), labels in the rows, see ``per_class.count_confusion``; of networks that
            have not seen what they judge.
    """
    return sorted(_pairs(class_names, confusion), key=lambda one: -one.interval[0])


def _pairs(class_names: tuple[str, ...], confusion: Counts) -> Iterator[MixedPair]:
    counts = confusion.sum(1)
    wrong = counts - confusion.diagonal()
    for pair in combinations(range(len(class_names)), 2):
        first, second = sorted(pair, key=lambda number: -confusion[number, sum(pair) - number])
        mixed = int(confusion[first, second]), int(confusion[second, first])
        if any(mixed) and counts[first] and counts[second]:
            spread = (wrong[first] + wrong[second]) / (counts[first] + counts[second]) / (len(class_names) - 1)
            yield MixedPair(
                names=(class_names[first], class_names[second]),
                mixed=mixed,
                counts=(int(counts[first]), int(counts[second])),
                even=float(spread) if len(class_names) > 2 else None,
            )
