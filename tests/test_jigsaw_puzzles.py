"""Puzzles hold every tile of their picture once, and depend on seed, epoch and number alone."""

from __future__ import annotations

from itertools import permutations
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from pipeline.boxes import Box
from pipeline.errors import ConfigError, DataError
from pipeline.images import Pixels
from pipeline.jigsaw.arranging import PuzzleScores, arrange, score
from pipeline.jigsaw.puzzle_batches import (
    PuzzleBatches,
    PuzzleSettings,
    make_puzzle_train_loader,
    make_puzzle_val_loader,
)
from pipeline.jigsaw.puzzles import cut_tiles, make_puzzle, middle_square, put_back
from pipeline.prepare import CropSource

SMALL = PuzzleSettings(grid=2, imgsz=32, batch=4)


def draw(height: int, width: int, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def draw_ramp(side: int) -> Pixels:
    """Red says the column and green the row, so that of each pixel can be told where it was."""
    pixels = np.zeros((side, side, 3), np.uint8)
    pixels[..., 0], pixels[..., 1] = np.arange(side), np.arange(side)[:, None]
    return pixels


def draw_sources(folder: Path, count: int, size: tuple[int, int] = (32, 32)) -> tuple[CropSource, ...]:
    sources = []
    for number in range(count):
        path = folder / f"{number}.png"
        Image.fromarray(draw(size[1], size[0], number)).save(path)
        sources.append(CropSource(path, Box(0, 0, *size), ""))
    return tuple(sources)


@pytest.mark.parametrize("grid", [2, 3])
def test_tiles_put_back_are_the_picture(grid: int) -> None:
    picture = draw(48, 48)
    puzzle, places = make_puzzle(picture, grid=grid, side=48, rng=np.random.default_rng(5))
    assert sorted(places) == list(range(grid**2))
    assert not np.array_equal(puzzle, picture)
    assert np.array_equal(put_back(puzzle, places, grid), picture)


def test_tile_at_a_place_is_the_one_of_where_it_belongs() -> None:
    picture = draw(32, 32)
    puzzle, places = make_puzzle(picture, grid=2, side=32, rng=np.random.default_rng(5))
    shuffled, whole = cut_tiles(puzzle, 2), cut_tiles(picture, 2)
    for tile, place in zip(shuffled, places, strict=True):
        assert np.array_equal(tile, whole[place])


def test_puzzle_is_of_the_middle_square_and_leaves_out_what_does_not_divide() -> None:
    picture = draw(33, 90)
    puzzle, places = make_puzzle(picture, grid=2, side=32, rng=np.random.default_rng(1))
    assert np.array_equal(put_back(puzzle, places, 2), picture[:32, 29:61])


@pytest.mark.parametrize("size", [(3, 2), (200, 31), (1, 1)])
def test_size_is_what_was_asked_for_or_the_picture_is_too_small(size: tuple[int, int]) -> None:
    picture = draw(*size)
    if min(size) < 2:
        with pytest.raises(ValueError, match="fewer than 2 x 2 tiles"):
            make_puzzle(picture, grid=2, side=64, rng=np.random.default_rng(0))
    else:
        assert make_puzzle(picture, grid=2, side=64, rng=np.random.default_rng(0))[0].shape == (64, 64, 3)


def test_tiles_of_a_picture_that_is_enlarged_hold_nothing_of_their_neighbours() -> None:
    picture = np.zeros((10, 10, 3), np.uint8)
    picture[:, 5:] = 255
    puzzle, _ = make_puzzle(picture, grid=2, side=32, rng=np.random.default_rng(0))
    assert set(np.unique(puzzle)) == {0, 255}


def test_gap_is_cut_away_at_every_edge_at_a_place_of_its_own() -> None:
    seen = set()
    for seed in range(20):
        puzzle, places = make_puzzle(draw_ramp(128), grid=2, side=128, rng=np.random.default_rng(seed), gap=0.25)
        for tile, place in zip(cut_tiles(puzzle, 2), places.tolist(), strict=True):
            row, column = divmod(place, 2)
            columns, rows = tile[..., 0] - 64.0 * column, tile[..., 1] - 64.0 * row
            assert min(columns.min(), rows.min()) >= 4
            assert max(columns.max(), rows.max()) <= 63 - 4
            seen.add((columns.min(), rows.min()))
    assert len(seen) > 10


def test_colours_of_each_tile_are_changed_by_themselves() -> None:
    picture = np.full((32, 32, 3), 120, np.uint8)
    plain, _ = make_puzzle(picture, grid=2, side=32, rng=np.random.default_rng(0), colour=0.0)
    changed, _ = make_puzzle(picture, grid=2, side=32, rng=np.random.default_rng(0), colour=0.4)
    assert (plain == 120).all()
    means = {tuple(tile.mean((0, 1)).round().tolist()) for tile in cut_tiles(changed, 2)}
    assert len(means) == 4
    assert all(len(set(mean)) > 1 for mean in means)  # each channel by itself, too


@pytest.mark.parametrize("wrong", [{"gap": 1.0}, {"gap": -0.1}, {"colour": 1.1}, {"grid": 3}, {"side": 0}])
def test_numbers_out_of_their_range_are_refused(wrong: dict[str, float]) -> None:
    settings = {"grid": 2, "side": 32, "gap": 0.0, "colour": 0.0} | wrong
    with pytest.raises(ValueError, match="must"):
        make_puzzle(draw(32, 32), rng=np.random.default_rng(0), **settings)  # type: ignore[arg-type]


def test_picture_is_cut_only_where_the_grid_divides_it() -> None:
    with pytest.raises(ValueError, match="31 x 30 pixels cannot be cut into 3 x 3 tiles"):
        cut_tiles(draw(30, 31), 3)
    assert middle_square(draw(31, 64), 3).shape == (30, 30, 3)


@given(st.lists(st.floats(0, 1), min_size=16, max_size=16))
def test_arrangement_takes_every_place_once_and_is_the_most_probable(values: list[float]) -> None:
    table = np.array(values).reshape(4, 4)
    places = arrange(table)
    assert sorted(places) == [0, 1, 2, 3]

    def judge(order: tuple[int, ...]) -> float:
        return float(np.log(np.maximum(table[range(4), order], 1e-12)).sum())

    assert judge(tuple(places)) == pytest.approx(max(map(judge, permutations(range(4)))))


def test_two_tiles_do_not_get_the_same_place_though_both_like_it_best() -> None:
    table = np.full((4, 4), 0.01)
    table[:, 0] = (0.9, 0.6, 0.01, 0.01)
    table[1, 1] = 0.3
    table[2, 2] = table[3, 3] = 0.9
    assert arrange(table).tolist() == [0, 1, 2, 3]


def test_pictures_are_arranged_each_by_itself() -> None:
    tables = np.random.default_rng(0).random((2, 3, 9, 9))
    places = arrange(tables)
    assert places.shape == (2, 3, 9)
    assert np.array_equal(places[1, 2], arrange(tables[1, 2]))


@pytest.mark.parametrize("table", [np.ones((4, 3)), np.ones(4), np.full((2, 2), np.nan)])
def test_what_is_no_table_is_refused(table: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> None:
    with pytest.raises(ValueError, match=r"shape|no number"):
        arrange(table)


def test_scores_count_tiles_and_whole_pictures() -> None:
    truth = np.array([[0, 1, 2, 3], [3, 2, 1, 0]])
    made = score(np.array([[0, 1, 2, 3], [3, 2, 0, 1]]), truth)
    assert made == PuzzleScores(0.75, 0.5, 2)
    assert str(made) == "75.00% of the tiles and 50.00% of 2 pictures right"
    with pytest.raises(ValueError, match="shape"):
        score(truth[:0], truth[:0])


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"grid": 4}, "2 or 3"),
        ({"imgsz": 40}, "such as 32"),
        ({"grid": 3, "imgsz": 64}, "such as 48"),
        ({"imgsz": 0}, "such as 32"),
        ({"batch": 1}, "at least 2"),
        ({"gap": 0.6}, "0 to 0.5"),
        ({"lr0": 3.0}, "0 to 1"),
    ],
)
def test_settings_out_of_their_range_are_one_line(wrong: dict[str, int], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        PuzzleSettings(**wrong)


def test_puzzle_of_training_depends_on_seed_epoch_and_number_alone(tmp_path: Path) -> None:
    sources = draw_sources(tmp_path, 4)
    one, same, other = (PuzzleBatches(sources, SMALL, seed) for seed in (1, 1, 2))
    first, places = one.draw((0, 2))
    one.draw((5, 1))
    again, places_again = same.draw((0, 2))
    assert np.array_equal(first, again)
    assert np.array_equal(places, places_again)
    elsewhere = [other.draw((0, 2))[0], *(one.draw((epoch, 2))[0] for epoch in range(1, 6))]
    assert any(not np.array_equal(first, puzzle) for puzzle in elsewhere)


def test_puzzles_to_choose_the_epoch_on_are_the_same_in_every_epoch(tmp_path: Path) -> None:
    sources = draw_sources(tmp_path, 3)
    data = PuzzleBatches(sources, SMALL, None)
    for number in range(3):
        (first, places), (later, places_later) = data.draw((0, number)), data.draw((7, number))
        assert np.array_equal(first, later)
        assert np.array_equal(places, places_later)
        assert np.array_equal(put_back(first, places, 2), draw(32, 32, number))


def test_training_sees_mirror_images_and_every_part_of_a_long_photo(tmp_path: Path) -> None:
    ramp = np.zeros((32, 96, 3), np.uint8)
    ramp[..., 0] = np.arange(96) * 2
    Image.fromarray(ramp).save(tmp_path / "long.png")
    source = CropSource(tmp_path / "long.png", Box(0, 0, 96, 32), "")
    data = PuzzleBatches((source,), SMALL, 0)
    whole = [put_back(*data.draw((epoch, 0)), 2)[0, :, 0].astype(int) for epoch in range(30)]
    assert {int(np.sign(row[-1] - row[0])) for row in whole} == {-1, 1}
    assert len({int(row.min()) for row in whole}) > 10


def test_loaders_give_images_and_places_of_all_tiles(tmp_path: Path) -> None:
    sources = draw_sources(tmp_path, 10)
    train = make_puzzle_train_loader(sources, SMALL, seed=1, accumulate=1, device="cpu")
    val = make_puzzle_val_loader(sources, SMALL, device="cpu")
    for loader, counts in ((train, [4, 4]), (val, [4, 4, 2])):
        batches = list(loader)
        assert [len(images) for images, _ in batches] == counts
        for images, places in batches:
            assert images.shape[1:] == (3, 32, 32)
            assert 0 <= float(images.min()) <= float(images.max()) <= 1
            assert places.dtype == torch.int64
            assert places.view(-1, 4).sort(1).values.tolist() == [[0, 1, 2, 3]] * len(images)


def test_copy_that_is_gone_is_one_line(tmp_path: Path) -> None:
    sources = draw_sources(tmp_path, 4)
    for source in sources:
        source.file.unlink()
    with pytest.raises(DataError, match="gone or damaged"):
        list(make_puzzle_train_loader(sources, SMALL, seed=1, accumulate=1, device="cpu"))


def test_resizing_is_that_of_opencv_for_a_photo() -> None:
    picture = draw(64, 64)
    puzzle, places = make_puzzle(picture, grid=2, side=32, rng=np.random.default_rng(0))
    wanted = cv2.resize(picture, (32, 32), interpolation=cv2.INTER_AREA)
    assert np.array_equal(put_back(puzzle, places, 2), wanted)
