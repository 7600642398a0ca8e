"""Networks of 8 bits: what stays in 32, and how far from 32 bits they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from networks import write_detector
from torch import Tensor, nn

from pipeline.engine.converting import Built, convert, save
from pipeline.engine.detecting import recipe_detector
from pipeline.engine.eight_bits import kept_names, quantise
from pipeline.engine.network import Network
from pipeline.images import Pixels

SIDE = 16
PHOTOS: list[Pixels] = list(np.random.default_rng(0).integers(0, 256, (8, SIDE, SIDE, 3), np.uint8))


class Small(nn.Module):
    """Two branches of convolutions, attention between them, a linear layer at the end."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.other = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(3, 4, 1)
        self.middle, self.linear = nn.Conv2d(8, 8, 3, padding=1), nn.Linear(8, 3)

    def forward(self, images: Tensor) -> Tensor:
        """Probabilities, shape (n, 3)."""
        mapped = nn.functional.silu(torch.cat([self.first(images), self.other(images)], 1))
        tokens = nn.functional.silu(self.middle(mapped)).flatten(2).transpose(1, 2)
        mixed = (tokens @ tokens.transpose(1, 2)).softmax(-1) @ tokens
        logits: Tensor = self.linear(mixed.mean(1))
        return logits.softmax(1)


def build_small() -> Built:
    return Built(Small().eval(), torch.zeros(1, 3, SIDE, SIDE))


def test_ends_and_attention_stay_in_32_bits() -> None:
    model = convert(build_small())
    kinds = {one.get_friendly_name(): one.get_type_name() for one in model.get_ordered_ops()}
    kept = kept_names(model)
    assert sorted(kinds[name] for name in kept) == ["Convolution"] * 2 + ["MatMul"] * 3 + ["Softmax"] * 2
    convolutions = {name for name, kind in kinds.items() if kind == "Convolution"}
    assert len(convolutions - {*kept}) == 1
    assert len({*kept}) == len(kept)


@pytest.mark.slow
def test_what_a_detector_does_after_its_convolutions_stays_in_32_bits(tmp_path: Path) -> None:
    model = convert(recipe_detector(write_detector(tmp_path / "detector.pt", "yolov5n")).build())
    kept = {*kept_names(model)}
    kinds = {one.get_friendly_name(): one.get_type_name() for one in model.get_ordered_ops()}
    convolutions = [name for name, kind in kinds.items() if kind == "Convolution"]
    assert {name for name, kind in kinds.items() if kind in {"Sigmoid", "Softmax"}} <= kept
    ends = {f"__module.model.24.cv{branch}.{level}.2" for branch in (2, 3) for level in range(3)}
    expected = {"__module.model.0.conv", "__module.model.24.dfl.conv", *ends}
    assert {name.split("/")[0] for name in convolutions if name in kept} == expected


@pytest.mark.slow
def test_network_of_8_bits_says_about_the_same(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    built = build_small()
    plain = convert(built)
    save(plain, tmp_path / "plain.xml", {})
    save(quantise(plain, PHOTOS), tmp_path / "eight.xml", {})
    assert capfd.readouterr() == ("", "")
    assert "FakeQuantize" in (tmp_path / "eight.xml").read_text(encoding="utf-8")
    outputs = [np.stack(Network(tmp_path / f"{name}.xml").run(PHOTOS)) for name in ("plain", "eight")]
    assert outputs[1] == pytest.approx(outputs[0], abs=0.02)
