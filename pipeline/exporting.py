"""``cropsort export``: a trained pair in the formats of other engines."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from pipeline import yolo
from pipeline.apart_child import is_out_of_memory
from pipeline.classifying import Together, read_networks, recipe_classifier
from pipeline.engine.converting import Recipe, convert, save
from pipeline.engine.detecting import recipe_detector
from pipeline.errors import CropsortError
from pipeline.files import output_error
from pipeline.weights import Card, Cards, read_cards, weights_file, write_card

Format = Literal["openvino", "onnx", "torchscript", "engine", "coreml"]

SUFFIXES: dict[Format, str] = {
    "openvino": ".xml",
    "onnx": ".onnx",
    "torchscript": ".torchscript",
    "engine": ".engine",
    "coreml": ".mlpackage",
}

_PACKAGES: dict[Format, tuple[str, ...]] = {
    "openvino": ("openvino",),
    "onnx": ("onnx",),
    "engine": ("onnx", "tensorrt"),
    "coreml": ("coremltools",),
}


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export made.

    Args:
        folder: where it lies, cards beside it.
        files: one a stage.
    """

    folder: Path
    files: tuple[Path, ...]


class Calibrated(nn.Module):
    """A classifier of one or several networks that gives what predictions show: calibrated probabilities.

    Args:
        together: gives the mean probability of the networks.
        temperature: what log probabilities are divided by, above 0.
    """

    def __init__(self, together: nn.Module, temperature: float) -> None:
        super().__init__()
        self.together = together
        self._temperature = temperature

    def forward(self, images: Tensor) -> Tensor:
        """Of images (n, 3, side, side), 0 to 1: probabilities, shape (n, classes)."""
        logs: Tensor = self.together(images).clamp_min(1e-12).log()
        return (logs / self._temperature).softmax(1)


def export_pair(weights: Path, form: Format, *, device: str) -> Exported:
    """Write both stages of a pair in another format, with their cards, to a folder of that name beside the weights.

    Detectors are written by Ultralytics, classifiers as one network from images (n, 3, side, side), 0 to 1, to
    calibrated probabilities, however many they are of. In OpenVINO's format both take bytes: (1, height, width, 3).
    The folder is for other programs: predictions here make and keep networks of their own.

    Args:
        weights: folder of the pair.
        form: the format.
        device: ``cpu``, ``mps`` or the number of a GPU; TensorRT takes a GPU.

    Raises:
        WeightsError: there is no pair.
        CropsortError: a package is missing, or the format cannot hold such a network.
        OutputError: it cannot be written there.
    """
    cards = read_cards(weights)
    _check_packages(form, device)
    folder = weights / form
    try:
        with tempfile.TemporaryDirectory(dir=weights, prefix=f".{form}-") as made:
            paths = [
                path for card in _cards(cards) for path in _export(weights, card, form, device, Path(made) / card.stage)
            ]
            folder.mkdir(exist_ok=True)
            files = tuple(_place(path, folder) for path in paths)
    except OSError as error:
        raise output_error(error, folder) from error
    for card in _cards(cards):
        write_card(folder, card)
    return Exported(folder, files)


def _cards(cards: Cards) -> list[Card]:
    return [card for card in (cards.detector, cards.classifier) if card is not None]


def _check_packages(form: Format, device: str) -> None:
    missing = [package for package in _PACKAGES.get(form, ()) if find_spec(package) is None]
    where = f"--format {form}"
    if missing:
        raise CropsortError(f"takes {' and '.join(missing)}", where=where, remedy=f"pip install {' '.join(missing)}")
    if form == "engine" and not device.isdecimal():
        raise CropsortError(f"device {device}", where=where, expected="an NVIDIA GPU, which the engine is made for")


def _export(weights: Path, card: Card, form: Format, device: str, folder: Path) -> list[Path]:
    file = weights_file(weights, card.stage)
    folder.mkdir()
    try:
        if form == "openvino":
            return _export_network(file, card, folder / f"{card.stage}{SUFFIXES[form]}")
        if card.stage == "detector":
            return [yolo.export_detector(file, form, folder, imgsz=card.imgsz, device=device)]
        return [_export_classifier(file, card, form, folder / f"classifier{SUFFIXES[form]}")]
    except (CropsortError, OSError):
        raise
    except Exception as error:  # what writes other formats raises anything on a network that they cannot hold
        if is_out_of_memory(error):
            raise
        said = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise CropsortError(f"{card.model_name} cannot be written in it ({said})", where=f"--format {form}") from error


def recipe_of(weights: Path, card: Card) -> Recipe:
    """How a stage's network is made of its weights file."""
    if card.stage == "detector":
        return recipe_detector(weights)
    return recipe_classifier(weights, class_count=len(card.class_names), imgsz=card.imgsz, test_flips=card.test_flips)


def _export_network(file: Path, card: Card, path: Path) -> list[Path]:
    built = recipe_of(file, card).build()
    if card.stage == "classifier":
        built = replace(built, module=Calibrated(built.module, card.temperature).eval())
    save(convert(built), path, built.facts)
    return [path, path.with_suffix(".bin")]


def _export_classifier(file: Path, card: Card, form: Format, path: Path) -> Path:
    networks = read_networks(file, len(card.class_names), card.imgsz)
    module = Calibrated(Together(networks, test_flips=card.test_flips), card.temperature).eval()
    example = torch.zeros(1, 3, card.imgsz, card.imgsz)
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        if form in {"onnx", "engine"}:
            return _write_onnx(module, example, path, form)
        traced = torch.jit.trace(module, example, check_trace=False)  # type: ignore[no-untyped-call]
        if form == "torchscript":
            traced.save(str(path))
            return path
        return _write_coreml(traced, example, card.class_names, path)


def _write_onnx(module: nn.Module, example: Tensor, path: Path, form: Format) -> Path:
    written = path.with_suffix(".onnx")
    batch = {0: "batch"}
    torch.onnx.export(
        module,
        (example,),
        str(written),
        input_names=["images"],
        output_names=["probabilities"],
        dynamic_axes={"images": batch, "probabilities": batch},
        opset_version=17,
        dynamo=False,
    )
    return yolo.build_engine(written, path, tuple(example.shape)) if form == "engine" else written


def _write_coreml(traced: object, example: Tensor, class_names: Sequence[str], path: Path) -> Path:
    coremltools: Any = import_module("coremltools")
    image = coremltools.ImageType("image", shape=tuple(example.shape), scale=1 / 255)
    classes = coremltools.ClassifierConfig(list(class_names))
    model = coremltools.convert(traced, inputs=[image], classifier_config=classes, convert_to="mlprogram")
    model.save(str(path))
    return path


def _place(made: Path, folder: Path) -> Path:
    target = folder / made.name
    if target.is_dir():
        shutil.rmtree(target)
    made.replace(target)
    return target
