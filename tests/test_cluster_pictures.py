"""The map and the dendrogram: every subject in its colour, none hiding another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from grouped import gather_drawn, group_by_hand
from PIL import Image

from pipeline.boxes import Box
from pipeline.cluster.canvas import group_colour
from pipeline.cluster.dendrogram import draw_dendrogram
from pipeline.cluster.grouping import Grouping
from pipeline.cluster.groups import Grouped, list_groups
from pipeline.cluster.layout import place_subjects, push_apart
from pipeline.cluster.pictures import choose_shown, draw_map
from pipeline.cluster.subjects import Gathered, Subject


def count_pixels(path: Path, colour: str) -> int:
    """Pixels that are nearly of a colour: JPEG changes it a little."""
    wanted = np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)])
    with Image.open(path) as image:
        pixels = np.asarray(image.convert("RGB")).astype(int)
    return int((np.abs(pixels - wanted).max(2) < 12).sum())


def make_many(photos: Path, count: int, groups: int) -> Grouped:
    """Few photos, each of them many subjects, in groups that lie apart."""
    drawn = gather_drawn(photos)
    subjects = tuple(drawn.subjects[at % len(drawn.subjects)] for at in range(count))
    features = np.random.default_rng(1).normal(size=(count, 16)).astype(np.float32)
    return group_by_hand(Gathered(subjects, features, (), 0), [at % groups for at in range(count)])


def test_each_group_is_framed_in_its_colour(tmp_path: Path) -> None:
    grouped = group_by_hand(gather_drawn(tmp_path / "photos"), (0, 0, 0, 1, 1, -1))
    draw_map(tmp_path / "map.jpg", grouped, title="사진")
    counts = [count_pixels(tmp_path / "map.jpg", group_colour(label)) for label in (0, 1, -1)]
    assert counts[0] > counts[1] > counts[2] > 500


def test_the_same_map_twice(tmp_path: Path) -> None:
    grouped = make_many(tmp_path / "photos", 40, 3)
    for name in ("one.jpg", "two.jpg"):
        draw_map(tmp_path / name, grouped, title="x")
    assert (tmp_path / "one.jpg").read_bytes() == (tmp_path / "two.jpg").read_bytes()


def test_the_dendrogram_has_a_row_for_each_group_but_noise(tmp_path: Path) -> None:
    drawn = gather_drawn(tmp_path / "photos")
    sizes = []
    for labels in ((0, 0, 0, 1, 1, -1), (0, 0, 1, 1, 2, 3), (0, 0, 0, 0, -1, -1)):
        draw_dendrogram(tmp_path / "tree.png", group_by_hand(drawn, labels), title="여왕")
        with Image.open(tmp_path / "tree.png") as image:
            sizes.append(image.height)
    step = (sizes[1] - sizes[0]) // 2
    assert sizes == [sizes[0], sizes[0] + 2 * step, sizes[0] - step] and step > 50


def test_of_many_groups_the_largest_are_drawn(tmp_path: Path) -> None:
    grouped = make_many(tmp_path / "photos", 140, 70)
    draw_dendrogram(tmp_path / "tree.png", grouped, title="x")
    with Image.open(tmp_path / "tree.png") as image:
        assert 60 * 80 < image.height < 70 * 80


@pytest.mark.parametrize("count", [1, 2, 3, 11, 12, 30])
@pytest.mark.parametrize("spread", [0.0, 1.0])
def test_subjects_are_placed_however_few_and_alike_they_are(count: int, spread: float) -> None:
    features = spread * np.random.default_rng(0).normal(size=(count, 5)).astype(np.float32)
    points = place_subjects(features, seed=0)
    assert points.shape == (count, 2) and points.min() >= 0 and points.max() <= 1


def test_features_of_one_number_are_placed() -> None:
    points = place_subjects(np.arange(20, dtype=np.float32)[:, None], seed=0)
    assert np.isfinite(points).all()


def test_like_subjects_lie_near_each_other() -> None:
    rng = np.random.default_rng(0)
    features = np.concatenate([rng.normal(8 * at, 1, (20, 6)) for at in range(3)]).astype(np.float32)
    points = place_subjects(features, seed=0).reshape(3, 20, 2)
    within = max(np.linalg.norm(some - some.mean(0), axis=1).mean() for some in points)
    middles = points.mean(1)
    between = min(np.linalg.norm(middles[one] - middles[other]) for one, other in ((0, 1), (0, 2), (1, 2)))
    assert between > 2 * within


@pytest.mark.parametrize("count", [1, 2, 50, 400])
def test_tiles_are_pushed_apart_and_stay_inside(count: int) -> None:
    points = np.random.default_rng(0).normal(500, 30, (count, 2))
    side = float(np.sqrt(0.45 * 1e6 / max(count, 50)))
    places = push_apart(points, (1000.0, 1000.0), (side, side))
    assert places.min() >= side / 2 - 1e-6 and places.max() <= 1000 - side / 2 + 1e-6
    gaps = np.abs(places[:, None] - places[None]).max(2) + 1e9 * np.eye(count)
    assert (gaps.min(1) > 0.6 * side).mean() > 0.98


def test_of_many_subjects_every_group_is_shown() -> None:
    labels = np.repeat([0, 1, 2], [900, 99, 1])
    features = np.zeros((1000, 2), np.float32)
    grouping = Grouping(labels, np.zeros((3, 2), np.float32), np.zeros(1000, np.float32), np.zeros((2, 4)), "")
    nobody = Subject("a.jpg", Path("a.jpg"), Box(0, 0, 1, 1), 0, {}, b"", "")
    groups = list_groups(Gathered((nobody,) * 1000, features, (), 0), grouping)
    shown = choose_shown(groups, 100, seed=0)
    counts = np.bincount(labels[shown])
    assert len(shown) <= 100 and counts[0] > 80 and counts[1] >= 8 and counts[2] == 1
    assert shown == sorted(set(shown)) and shown == choose_shown(groups, 100, seed=0)
    assert choose_shown(groups, 1000, seed=0) == list(range(1000))
