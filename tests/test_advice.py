"""What does not go together is said, and nothing else."""

from __future__ import annotations

from pipeline.advice import notes
from pipeline.settings import ClassifierSettings


def test_patience_longer_than_the_training_is_said() -> None:
    (note,) = notes(ClassifierSettings(epochs=5, patience=6))
    assert note == "classifier.patience 6 is longer than the 5 epochs: training never stops early"


def test_few_epochs_alone_are_nothing_to_say() -> None:
    """The patience that is not in data.yaml is not the user's."""
    assert notes(ClassifierSettings(epochs=5)) == ()
    assert notes(ClassifierSettings(epochs=5, patience=5)) == ()


def test_head_of_a_network_that_knows_nothing_is_said() -> None:
    (note,) = notes(ClassifierSettings(layers="head", start="scratch"))
    assert note.startswith("classifier.layers is head, and classifier.start scratch: the layers below, which stay")
    assert notes(ClassifierSettings(layers="head")) == notes(ClassifierSettings(start="scratch")) == ()
