"""Geometry of boxes."""

from __future__ import annotations

import math

import pytest

from pipeline.boxes import Box, iou, match_boxes


def test_box_knows_its_size() -> None:
    box = Box(1, 2, 4, 8)
    assert (box.width, box.height, box.area, box.edges) == (3, 6, 18, (1, 2, 4, 8))


@pytest.mark.parametrize("edges", [(0, 0, math.nan, 1), (0, 0, math.inf, 1), (-math.inf, 0, 1, 1)])
def test_edges_that_are_not_finite_are_refused(edges: tuple[float, float, float, float]) -> None:
    with pytest.raises(ValueError, match="must be finite"):
        Box(*edges)


@pytest.mark.parametrize("edges", [(2, 0, 1, 1), (0, 2, 1, 1)])
def test_edges_in_the_wrong_order_are_refused(edges: tuple[float, float, float, float]) -> None:
    with pytest.raises(ValueError, match="must be ordered"):
        Box(*edges)


def test_scaled_box_keeps_its_place_in_the_picture() -> None:
    assert Box(1, 2, 3, 4).scaled(2.5) == Box(2.5, 5, 7.5, 10)


def test_grown_box_gets_the_same_margin_on_every_side_by_its_longer_one() -> None:
    assert Box(10, 10, 30, 20).grown(0.1) == Box(8, 8, 32, 22)


def test_clipped_box_ends_at_the_photo() -> None:
    assert Box(-5, -5, 20, 8).clipped(10, 10) == Box(0, 0, 10, 8)
    assert Box(20, 20, 30, 30).clipped(10, 10).area == 0
    assert Box(-9, -9, -1, -1).clipped(10, 10).area == 0


def test_iou_is_one_for_the_same_box_and_nought_for_none_in_common() -> None:
    assert iou(Box(0, 0, 4, 4), Box(0, 0, 4, 4)) == 1
    assert iou(Box(0, 0, 4, 4), Box(4, 0, 8, 4)) == 0
    assert iou(Box(0, 0, 4, 4), Box(5, 5, 8, 8)) == 0


def test_iou_is_the_common_part_of_both() -> None:
    assert iou(Box(0, 0, 4, 4), Box(2, 0, 6, 4)) == pytest.approx(8 / 24)


def test_iou_of_boxes_without_area_is_nought() -> None:
    assert iou(Box(1, 1, 1, 1), Box(1, 1, 1, 1)) == 0


def test_surer_box_takes_its_best_true_box_first() -> None:
    truth = [Box(0, 0, 10, 10), Box(100, 0, 110, 10)]
    found = [Box(1, 0, 11, 10), Box(0, 0, 10, 10), Box(100, 1, 110, 11)]
    assert match_boxes(found, truth, min_iou=0.5) == {0: 0, 2: 1}


def test_box_taken_leaves_the_next_best_to_the_second() -> None:
    truth = [Box(0, 0, 10, 10), Box(2, 0, 12, 10)]
    found = [Box(0, 0, 10, 10), Box(0, 0, 10, 10)]
    assert match_boxes(found, truth, min_iou=0.5) == {0: 0, 1: 1}


def test_boxes_at_the_limit_match_and_below_it_do_not() -> None:
    half = [Box(0, 0, 5, 10)]
    assert match_boxes(half, [Box(0, 0, 10, 10)], min_iou=0.5) == {0: 0}
    assert match_boxes(half, [Box(0, 0, 10, 10)], min_iou=0.51) == {}


def test_nothing_matches_nothing() -> None:
    assert match_boxes([], [Box(0, 0, 1, 1)], min_iou=0.5) == {}
    assert match_boxes([Box(0, 0, 1, 1)], [], min_iou=0.5) == {}
