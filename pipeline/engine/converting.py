"""From a network of torch's to one that OpenVINO reads: bytes of pixels in, what the network says out."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.engine.network import FACTS
from pipeline.engine.quiet import import_openvino, unseen, untold


@dataclass(frozen=True, slots=True)
class Built:
    """A network of torch's, ready to be converted.

    Args:
        module: takes images of shape (n, 3, height, width), 0 to 1, gives one tensor, the first axis n.
        example: images of a size that it takes.
        any_size: whether it takes images of other heights and widths than the example's.
        facts: what whoever uses it must know.
    """

    module: nn.Module
    example: Tensor
    any_size: bool = False
    facts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a stage's network is made of its weights.

    Args:
        stage: ``detector``, ``classifier``, or ``embedder``, which is a classifier that says more.
        traits: what beside the weights makes another network of it.
        build: makes it.
    """

    stage: str
    traits: tuple[object, ...]
    build: Callable[[], Built]


def convert(built: Built) -> Any:
    """OpenVINO's model of a network: for one image of shape (height, width, 3), RGB, 0 to 255, at a time.

    Raises:
        ImportError: OpenVINO is not installed.
        RuntimeError: it cannot convert such a network; also other errors, of torch's tracing.
    """
    openvino = import_openvino()
    # Traced here, since OpenVINO would trace twice and compare, and fail on what is only noise.
    with warnings.catch_warnings(), untold(), unseen(), torch.no_grad():
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(built.module, built.example, strict=False, check_trace=False)  # type: ignore[no-untyped-call]
        model = openvino.convert_model(traced, example_input=built.example)
    _take_pixels(openvino, model, built)
    steps = openvino.preprocess.PrePostProcessor(model)
    steps.input().tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
    steps.input().model().set_layout(openvino.Layout("NCHW"))
    steps.input().preprocess().convert_element_type(openvino.Type.f32).scale(255.0)
    return steps.build()


def save(model: Any, path: Path, facts: Mapping[str, int]) -> None:
    """Write a model as ``.xml`` and ``.bin``, in the precision that it has.

    Raises:
        OSError: it cannot be written there.
    """
    openvino = import_openvino()
    for name, value in facts.items():
        model.set_rt_info(str(value), [FACTS, name])
    openvino.save_model(model, path, compress_to_fp16=False)
    if not path.with_suffix(".bin").is_file():
        raise OSError(f"{path.with_suffix('.bin')} was not written")


def _take_pixels(openvino: Any, model: Any, built: Built) -> None:
    height, width = (-1, -1) if built.any_size else built.example.shape[2:]
    model.reshape(openvino.PartialShape([1, 3, height, width]))
