"""The network answers for each tile, whatever place it lies at, and learns."""

from __future__ import annotations

import pytest
import torch
from networks import settle
from torch import Tensor, nn

from pipeline.backbones import head_parameters
from pipeline.errors import ConfigError
from pipeline.jigsaw.network import PuzzleNetwork, build_puzzle_network, split_tiles
from pipeline.jigsaw.seams import Seams, cut_strips

SIDE = 32


def build(model_name: str = "tiles", grid: int = 2, side: int = SIDE) -> PuzzleNetwork:
    torch.manual_seed(0)
    network = build_puzzle_network(model_name, grid=grid, side=side)
    settle(network, side)
    return network.eval()


def join(tiles: Tensor, grid: int) -> Tensor:
    """Pictures of tiles (pictures, n, 3, tile, tile)."""
    pictures, _, channels, tile, _ = tiles.shape
    laid = tiles.view(pictures, grid, grid, channels, tile, tile).permute(0, 3, 1, 4, 2, 5)
    return laid.reshape(pictures, channels, grid * tile, grid * tile)


@pytest.mark.parametrize(("grid", "side"), [(2, 32), (3, 48), (2, 96)])
def test_row_for_each_tile_and_column_for_each_place(grid: int, side: int) -> None:
    network = build_puzzle_network("tiles", grid=grid, side=side)
    with torch.no_grad():
        assert network.eval()(torch.rand(2, 3, side, side)).shape == (2 * grid**2, grid**2)


def test_tiles_are_cut_row_by_row() -> None:
    images = torch.rand(2, 3, 6, 6)
    tiles = split_tiles(images, 3)
    assert torch.equal(tiles[9 + 5], images[1, :, 2:4, 4:6])
    assert torch.equal(join(tiles.view(2, 9, 3, 2, 2), 3), images)


def test_answer_for_a_tile_is_the_same_wherever_it_lies() -> None:
    network, order = build(), [2, 0, 3, 1]
    tiles = torch.rand(3, 4, 3, SIDE // 2, SIDE // 2)
    with torch.no_grad():
        first = network(join(tiles, 2)).view(3, 4, 4)
        other = network(join(tiles[:, order], 2)).view(3, 4, 4)
    assert torch.allclose(first[:, order], other, atol=1e-4)
    assert not torch.allclose(first, other, atol=1e-2)


def test_pictures_of_a_batch_do_not_know_of_each_other() -> None:
    network, images = build(), torch.rand(3, 3, SIDE, SIDE)
    with torch.no_grad():
        together, alone = network(images).view(3, 4, 4), network(images[1:2]).view(4, 4)
    assert torch.allclose(together[1], alone, atol=1e-4)


def test_backbone_of_the_classifier_is_the_encoder_and_sees_no_seams() -> None:
    network = build("yolo11n-cls", side=64)
    assert network.seams is None
    head = head_parameters(network.encoder)
    assert [tuple(parameter.shape) for parameter in head] == [(256, 1280), (256,)]
    with torch.no_grad():
        assert network(torch.rand(2, 3, 64, 64)).shape == (8, 4)


def test_unknown_encoder_is_one_line() -> None:
    with pytest.raises(ConfigError, match="neither Ultralytics nor timm"):
        build_puzzle_network("tilse", grid=2, side=32)


def test_edges_are_laid_the_same_way_round() -> None:
    tile = torch.arange(3 * 16 * 16, dtype=torch.float32).view(1, 3, 16, 16)
    right, left, bottom, top = cut_strips(tile)
    assert torch.equal(right[:, -1], tile[0, :, :, -1])
    assert torch.equal(left[:, -1], tile[0, :, :, 0])
    assert torch.equal(bottom[:, -1], tile[0, :, -1])
    assert torch.equal(top[:, -1], tile[0, :, 0])
    assert torch.equal(left[:, 0], tile[0, :, :, 3])  # inwards from the edge


def test_seam_of_a_pair_is_of_these_two_tiles_alone() -> None:
    torch.manual_seed(0)
    seams, tiles = Seams().eval(), torch.rand(4, 3, 16, 16)
    changed = tiles.clone()
    changed[2] = 0
    with torch.no_grad():
        before, after = seams(tiles, 4)[0], seams(changed, 4)[0]
    assert before.shape == (4, 4, seams.width)
    same = (before == after).all(2).tolist()
    assert same == [[2 not in (one, other) for other in range(4)] for one in range(4)]


@pytest.mark.slow
def test_network_learns_where_corners_belong() -> None:
    torch.manual_seed(0)
    corners = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0]])[:, :, None, None]
    network = build_puzzle_network("tiles", grid=2, side=SIDE)
    optimiser = torch.optim.AdamW(network.parameters(), 1e-3)
    losses = []
    for _ in range(12):
        places = torch.stack([torch.randperm(4) for _ in range(8)])
        tiles = corners[places].expand(-1, -1, -1, 16, 16) * torch.rand(8, 4, 1, 1, 1)
        loss = nn.functional.cross_entropy(network(join(tiles, 2)), places.flatten())
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 3
