"""A trained detector in the engine that was chosen."""

from __future__ import annotations

from pathlib import Path

from pipeline import yolo
from pipeline.engine.cached import open_network
from pipeline.engine.choosing import Engine, compiled_precision
from pipeline.engine.converting import Built, Recipe

STRIDE = "stride"


def load_detector(weights: Path, *, device: str, engine: Engine) -> yolo.Detector | yolo.CompiledDetector:
    """Load a detector; in torch where OpenVINO cannot work with it.

    Args:
        weights: its checkpoint.
        device: ``cpu``, ``mps`` or the number of a GPU.
        engine: what its network shall run in.

    Raises:
        WeightsError: the file holds no detector, or there is none of 8 bits where that was asked for.
    """
    precision = compiled_precision(engine)
    network = open_network(weights, recipe_detector(weights), precision) if precision else None
    if network is None:
        return yolo.Detector(weights, device=device, half=engine == "half")
    return yolo.CompiledDetector(network.run, stride=network.facts[STRIDE])


def recipe_detector(weights: Path) -> Recipe:
    """How a detector's weights become one network, for photos of any shape."""

    def build() -> Built:
        module, stride = yolo.exportable_detector(weights)
        return Built(module, yolo.example_images(stride), any_size=True, facts={STRIDE: stride})

    return Recipe("detector", (), build)
