"""Settings that do not go together, which a line says before a training takes its time."""

from __future__ import annotations

from pipeline.settings import ClassifierSettings


def notes(settings: ClassifierSettings) -> tuple[str, ...]:
    """What the user should know about the settings of a classifier before it is trained, a line each."""
    found = []
    if settings.patience > settings.epochs and settings.is_pinned("patience"):
        found.append(
            f"classifier.patience {settings.patience} is longer than the {settings.epochs} epochs: "
            "training never stops early"
        )
    if settings.layers == "head" and settings.start == "scratch":
        found.append(
            "classifier.layers is head, and classifier.start scratch: the layers below, which stay as they are, know "
            "nothing; start: auto or pretrained gives them something to know"
        )
    return tuple(found)
