"""Sets of weights that decide together: what each needs to see of a subject, and what it says of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.boxes import Box
from pipeline.classifying import Classifier
from pipeline.crops import count_views, cut_scaled, cut_views, needed_scale, useful_side
from pipeline.deciding import Opinion
from pipeline.engine import Engine
from pipeline.images import Pixels, ScaledPhoto
from pipeline.weights import Cards, weights_file

Size = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Voter:
    """A classifier, and what it is shown of a subject.

    Args:
        classifier: gives calibrated probabilities.
        side: of its crops, pixels.
        margin: what is added around a box, as a part of its longer side.
        whole: whether it sorts whole photos.
        sure_from: probability from which its predictions are sure, 0 to 1.
    """

    classifier: Classifier
    side: int
    margin: float
    whole: bool
    sure_from: float

    @property
    def views(self) -> int:
        """How many crops it looks at to decide on a subject."""
        return count_views(whole=self.whole)

    @property
    def useful_side(self) -> int:
        """See ``crops.useful_side``."""
        return useful_side(self.side, whole=self.whole)

    def needed_scale(self, size: Size, box: Box) -> float:
        """See ``crops.needed_scale``."""
        return needed_scale(size, box, side=self.side, margin=self.margin, whole=self.whole)

    def cut(self, pixels: Pixels, box: Box) -> list[Pixels]:
        """What it looks at, from the full photo."""
        return cut_views(pixels, box, side=self.side, margin=self.margin, whole=self.whole)

    def cut_scaled(self, photo: ScaledPhoto, box: Box) -> list[Pixels]:
        """What it looks at, from a photo at ``needed_scale`` or larger."""
        return cut_scaled(photo, box, side=self.side, margin=self.margin, whole=self.whole)

    def judge(self, subjects: Sequence[Sequence[Pixels]]) -> list[Opinion]:
        """What it says of each subject, given its views."""
        rows = self.classifier.classify([view for views in subjects for view in views], views=self.views)
        return [Opinion(row, self.sure_from) for row in rows]

    def look(self, subjects: Sequence[Sequence[Pixels]]) -> tuple[list[Opinion], NDArray[np.float32]]:
        """What it says of each subject, at least one, and what it says that by; see ``Classifier.embed``."""
        rows, embeddings = self.classifier.look([view for views in subjects for view in views], views=self.views)
        return [Opinion(row, self.sure_from) for row in rows], embeddings


def load_voter(folder: Path, cards: Cards, *, device: str, engine: Engine) -> Voter:
    """The classifier of a folder of weights.

    Raises:
        WeightsError: it cannot be used.
    """
    card = cards.classifier
    assert card.margin is not None  # read_cards has checked it
    classifier = Classifier(
        weights_file(folder, "classifier"),
        card.class_names,
        device=device,
        imgsz=card.imgsz,
        temperature=card.temperature,
        test_flips=card.test_flips,
        engine=engine,
    )
    return Voter(classifier, card.imgsz, card.margin, card.whole_photo, card.sure_from)
