"""Crops hold the whole subject, unstretched, the same in training and in prediction."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.boxes import Box, iou
from pipeline.crops import (
    JITTER,
    count_views,
    cut_crop,
    cut_scaled,
    cut_subject,
    cut_views,
    jitter_box,
    letterbox,
    letterbox_changed,
    needed_scale,
    useful_side,
)
from pipeline.images import GREY, Pixels, ScaledPhoto, open_photo
from pipeline.sample import draw_photos

RED, BLUE = (255, 0, 0), (0, 0, 255)


def draw_bar(width: int, height: int) -> Pixels:
    """White, with a red end and a blue end."""
    pixels = np.full((height, width, 3), 255, np.uint8)
    if width > height:
        pixels[:, : width // 10], pixels[:, -width // 10 :] = RED, BLUE
    else:
        pixels[: height // 10], pixels[-height // 10 :] = RED, BLUE
    return pixels


def is_near(pixels: Pixels, colour: tuple[int, int, int]) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    return np.asarray((np.abs(pixels.astype(int) - colour) < 40).all(axis=-1))


@pytest.mark.parametrize("size", [(800, 100), (100, 800), (40, 5)])
def test_long_subject_keeps_both_ends_and_its_proportions(size: tuple[int, int]) -> None:
    crop = letterbox(draw_bar(*size), 160)
    assert crop.shape == (160, 160, 3)
    drawn = ~is_near(crop, (GREY, GREY, GREY))
    assert (np.ptp(np.nonzero(drawn)[1]) + 1, np.ptp(np.nonzero(drawn)[0]) + 1) == pytest.approx(
        tuple(160 * side / max(size) for side in size), abs=1
    )
    for colour in (RED, BLUE):
        assert is_near(crop, colour).sum() == pytest.approx(drawn.sum() / 10, rel=0.15)


def test_what_is_left_of_the_square_is_grey_on_both_sides() -> None:
    crop = letterbox(np.full((50, 100, 3), 255, np.uint8), 64)
    assert (crop[:16] == GREY).all()
    assert (crop[16:48] == 255).all()
    assert (crop[48:] == GREY).all()


def test_margin_shows_what_surrounds_the_box_on_every_side() -> None:
    pixels = np.zeros((200, 200, 3), np.uint8)
    pixels[80:120, 60:140] = 255
    box = Box(60, 80, 140, 120)
    assert (cut_crop(pixels, box, side=80, margin=0)[20:60] == 255).all()
    crop = cut_crop(pixels, box, side=100, margin=0.125)  # 10 px of the surroundings: 100 x 60 px
    inside = crop[20:80]
    assert (inside[10:50, 10:90] == 255).all()
    assert (inside[:10] == 0).all()
    assert (inside[:, :10] == 0).all()
    assert (inside[:, 90:] == 0).all()
    assert (inside[50:] == 0).all()


@pytest.mark.parametrize(
    "box",
    [
        Box(-50, -50, 30, 30),
        Box(70, 40, 300, 300),
        Box(0, 0, 100, 60),
        Box(50.2, 30.2, 50.4, 30.4),
        Box(50, 30, 50, 30),
        Box(100, 60, 100, 60),
        Box(500, 500, 600, 600),
        Box(-9, 20, -5, 21),
    ],
)
def test_any_box_gives_a_full_crop_of_pixels_of_the_photo(box: Box) -> None:
    pixels = np.full((60, 100, 3), 200, np.uint8)
    assert min(cut_subject(pixels, box).shape) >= 1
    crop = cut_crop(pixels, box, side=32, margin=0.05)
    assert crop.shape == (32, 32, 3)
    assert set(np.unique(crop)) <= {GREY, 200}
    assert (crop == 200).any()


def test_subject_is_every_pixel_that_the_box_touches() -> None:
    pixels = np.arange(100 * 3, dtype=np.uint8).reshape(10, 10, 3)
    assert np.array_equal(cut_subject(pixels, Box(2.9, 3.1, 5.1, 4.0)), pixels[3:4, 2:6])


@pytest.mark.parametrize("size", [(90, 60), (60, 90), (64, 64), (30, 20)])
def test_unchanged_it_is_the_letterbox(size: tuple[int, int]) -> None:
    ramp = np.linspace(100, 140, size[0])[None, :, None] * np.ones((size[1], 1, 3))
    pixels = ramp.astype(np.uint8)
    same = letterbox_changed(pixels, np.eye(2, 3), 64).astype(int)
    inside = np.abs(same - letterbox(pixels, 64))[2:-2, 2:-2]
    assert inside.mean() < 1  # but for the blended edge


def test_change_turns_scales_and_moves_around_the_middle() -> None:
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[8:24, 40:56] = 255  # upper right
    quarter = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0]])
    assert np.array_equal(letterbox_changed(pixels, quarter, 64), np.rot90(pixels, -1))
    moved = letterbox_changed(pixels, np.array([[1.0, 0.0, 0.25], [0.0, 1.0, -0.125]]), 64)
    assert (moved[:16, 56:] == 255).all()
    assert (moved[56:] == GREY).all()
    assert (moved[:, :16] == GREY).all()
    halved = letterbox_changed(pixels, np.array([[0.5, 0.0, 0.0], [0.0, 0.5, 0.0]]), 64)
    assert is_near(halved, (255, 255, 255)).sum() == pytest.approx(64, abs=8)
    assert (halved[:15] == GREY).all()


def test_jitter_misses_as_a_detector_does() -> None:
    rng = np.random.default_rng(0)
    box = Box(100, 50, 300, 150)
    moved = np.array([jitter_box(box, rng=rng).edges for _ in range(4000)])
    shifts = (moved - box.edges) / (200, 100, 200, 100)
    assert np.abs(shifts.mean(0)).max() < 0.003
    assert shifts.std(0) == pytest.approx(np.full(4, JITTER), rel=0.06)
    assert np.abs(shifts).max() <= 3 * JITTER + 1e-9
    assert np.mean([iou(Box(*edges), box) for edges in moved]) == pytest.approx(0.88, abs=0.015)


def test_jitter_depends_on_the_seed_alone() -> None:
    box = Box(1, 2, 30, 40)
    once, again, other = (jitter_box(box, rng=np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert once == again
    assert once != other


def test_jitter_of_nothing_is_nothing() -> None:
    box = Box(5, 5, 5, 5)
    assert jitter_box(box, rng=np.random.default_rng(0)) == box


def test_a_whole_photo_is_looked_at_as_a_whole_and_at_its_middle() -> None:
    pixels = np.zeros((60, 100, 3), np.uint8)
    pixels[6:54, 26:74] = 200  # what four fifths of the shorter side show
    box = Box(0.0, 0.0, 100.0, 60.0)
    views = cut_views(pixels, box, side=32, margin=0.05, whole=True)
    assert len(views) == count_views(whole=True) == 3
    assert np.array_equal(views[0], cut_crop(pixels, box, side=32, margin=0.05))
    assert views[1].min() == 0  # nine tenths show a rim of what is around
    assert views[2].min() == views[2].max() == 200


def test_of_a_subject_that_is_cut_out_there_is_one_view() -> None:
    pixels = np.full((60, 100, 3), 7, np.uint8)
    box = Box(10.0, 10.0, 30.0, 20.0)
    (view,) = cut_views(pixels, box, side=32, margin=0.0, whole=False)
    assert np.array_equal(view, cut_crop(pixels, box, side=32, margin=0.0))
    assert count_views(whole=False) == 1


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drawn photo of 3 megapixels."""
    folder = tmp_path_factory.mktemp("large")
    draw_photos(folder / "images", folder / "labels", count=1, seed=6, size=(2016, 1512), first=1)
    return next((folder / "images").iterdir())


BOXES = [
    Box(1060.6, 502.4, 1515.1, 999.9),
    Box(0.0, 0.0, 650.0, 350.2),
    Box(1666.7, 1111.1, 2016.0, 1512.0),
    Box(500.2, 450.2, 600.3, 650.4),
    Box(50.1, 100.1, 2000.2, 1450.2),
]


@pytest.mark.parametrize("box", BOXES)
@pytest.mark.parametrize("whole", [False, True])
def test_crop_of_a_photo_decoded_small_is_that_of_the_full_one(large: Path, box: Box, whole: bool) -> None:
    """Of 255 grey levels one and a half at most, in the mean; cut to whole pixels it would be twice as many."""
    full, side = open_photo(large, side=10**6), 64
    wanted = cut_views(full.pixels, box, side=side, margin=0.05, whole=whole)
    scale = needed_scale(full.size, box, side=side, margin=0.05, whole=whole)
    photo = open_photo(large, side=1).at_scale(scale)
    assert photo.factor > 1
    crops = cut_scaled(photo, box, side=side, margin=0.05, whole=whole)
    for crop, other in zip(crops, wanted, strict=True):
        assert crop.shape == (side, side, 3)
        assert np.abs(crop.astype(int) - other).mean() < 1.5


def test_crop_of_a_turned_photo_is_cut_where_its_full_one_is(tmp_path: Path) -> None:
    """Its sides are no multiples of 8: a corner that is taken for the full photo's is up to 7 full pixels off."""
    ramp = np.broadcast_to((np.arange(633) // 3).astype(np.uint8)[None, :, None], (473, 633, 3))
    pixels, tags = np.ascontiguousarray(ramp), Image.Exif()
    tags[0x0112] = 3
    Image.fromarray(pixels[::-1, ::-1]).save(tmp_path / "a.jpg", quality=98, exif=tags)
    photo, box = open_photo(tmp_path / "a.jpg", side=1), Box(200, 100, 392, 292)
    assert photo.factor == 8
    (crop,) = cut_scaled(photo, box, side=24, margin=0.0, whole=False)
    (other,) = cut_views(pixels, box, side=24, margin=0.0, whole=False)
    assert np.abs(crop.astype(int) - other).mean() < 0.5


def test_full_photo_gives_the_same_crops_either_way(large: Path) -> None:
    full = open_photo(large, side=10**6)
    for whole in (False, True):
        for crop, other in zip(
            cut_scaled(full, BOXES[0], side=96, margin=0.1, whole=whole),
            cut_views(full.pixels, BOXES[0], side=96, margin=0.1, whole=whole),
            strict=True,
        ):
            assert np.array_equal(crop, other)


def shrink_by(pixels: Pixels, factor: int) -> ScaledPhoto:
    """The mean of each square of pixels: what a smaller photo is at its best."""
    height, width = pixels.shape[0] // factor, pixels.shape[1] // factor
    small = pixels.reshape(height, factor, width, factor, 3).mean((1, 3)).round().astype(np.uint8)
    full = ScaledPhoto.of(pixels)
    return ScaledPhoto(small, full.header, b"", float(factor))


def test_windows_are_those_of_the_full_photo_and_not_whole_pixels_of_the_small_one() -> None:
    """A ramp of one grey level each two pixels tells where a crop was cut: half a small pixel would be two levels."""
    ramp = np.repeat(np.arange(200, dtype=np.uint8), 2)
    pixels = np.ascontiguousarray(np.broadcast_to(ramp[None, :, None], (400, 400, 3)))
    photo = shrink_by(pixels, 8)
    for left in (101, 103, 106, 108):
        box = Box(left, 50, left + 192, 242)
        (crop,) = cut_scaled(photo, box, side=24, margin=0.0, whole=False)
        (other,) = cut_views(pixels, box, side=24, margin=0.0, whole=False)
        assert np.abs(crop.astype(int) - other).max() <= 1


@pytest.mark.parametrize(
    "box", [Box(-50, -50, 30, 30), Box(398, 399, 400, 400), Box(500, 500, 600, 600), Box(0, 0, 0, 0)]
)
def test_any_box_gives_a_full_crop_of_a_small_photo(box: Box) -> None:
    photo = shrink_by(np.full((400, 400, 3), 200, np.uint8), 8)
    (crop,) = cut_scaled(photo, box, side=32, margin=0.05, whole=False)
    assert crop.shape == (32, 32, 3)
    assert set(np.unique(crop)) <= {GREY, 200}
    assert (crop == 200).any()


@pytest.mark.parametrize(
    ("box", "whole", "scale"),
    [
        (Box(0, 0, 1000, 400), False, 0.12),
        (Box(1500, 1500, 1600, 1550), False, 1.0),
        (Box(1500, 1500, 1550, 1510), False, 1.0),
        (Box(-500, 0, 500, 100), False, 0.24),
        (Box(0, 0, 4000, 2000), True, 120 / 1600),
    ],
)
def test_scale_is_the_smallest_with_a_few_pixels_to_spare(box: Box, whole: bool, scale: float) -> None:
    assert needed_scale((4000, 2000), box, side=100, margin=0.0, whole=whole) == pytest.approx(scale)


def test_scale_counts_the_margin() -> None:
    assert needed_scale((4000, 2000), Box(100, 100, 900, 500), side=100, margin=0.125, whole=False) == 0.12


def test_useful_side_serves_a_third_of_a_photo_and_whole_ones() -> None:
    size = (4032, 3024)
    for box, whole in ((Box(0, 0, 1300, 900), False), (Box(0, 0, *size), True)):
        scale = needed_scale(size, box, side=224, margin=0.0, whole=whole)
        assert useful_side(224, whole=whole) >= scale * max(size) - 1
