"""How well groups agree with classes that are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import DataError


@dataclass(frozen=True, slots=True)
class Agreement:
    """Groups beside the true classes; what is noise counts as a group.

    Args:
        adjusted_rand: pairs that both put together or both apart, 0 for what chance would do, 1 for the same
            (Hubert and Arabie 1985); a little below 0 where chance would do better.
        adjusted_mutual_information: how much the one says of the other, on the same scale (Vinh et al. 2010).
        purity: part of the subjects that are of the most frequent class of their group, 0 to 1; more and smaller groups
            have more of it.
        subjects: whose class is known.
        classes: different ones among them.
        groups: of these subjects, noise included.
    """

    adjusted_rand: float
    adjusted_mutual_information: float
    purity: float
    subjects: int
    classes: int
    groups: int


def agree(labels: NDArray[np.int64], truth: Sequence[str | None]) -> Agreement:
    """Compare groups with true classes.

    Args:
        labels: of each subject its group, shape (n,).
        truth: of each subject its class; None where that is not known.

    Raises:
        DataError: no class is known.
        ValueError: there are more of the one than of the other.
    """
    from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score
    from sklearn.metrics.cluster import contingency_matrix

    known = [(int(label), name) for label, name in zip(labels, truth, strict=True) if name is not None]
    if not known:
        raise DataError("the true class of none of the subjects is known", expected="of at least one")
    groups, classes = (np.array(one) for one in zip(*known, strict=True))
    counts = contingency_matrix(classes, groups)
    return Agreement(
        adjusted_rand=float(adjusted_rand_score(classes, groups)),
        adjusted_mutual_information=float(adjusted_mutual_info_score(classes, groups)),
        purity=float(counts.max(0).sum() / len(known)),
        subjects=len(known),
        classes=counts.shape[0],
        groups=counts.shape[1],
    )
