"""Boxes in pixels of the full photo, whatever scale it was decoded at."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.finder import DetectorFinder, WholePhoto
from pipeline.images import Pixels, ScaledPhoto, encode_jpeg, open_photo, shrink, shrink_scaled
from pipeline.sample.files import draw_photos
from pipeline.sorter import Sorter
from pipeline.weights import read_cards, weights_file

LARGE = (1600, 1200)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("large")
    draw_photos(folder, folder / "labels", count=1, seed=5, size=LARGE)
    return next(folder.glob("*.jpg"))


def test_boxes_of_a_photo_at_a_fraction_are_in_pixels_of_the_full_one(sorter: Sorter, large: Path) -> None:
    full, part = open_photo(large, side=LARGE[0]), open_photo(large, side=sorter.finder.side)
    assert (full.factor, part.factor) == (1, 8)
    for one in (full, part):
        (found,) = sorter.finder.find_scaled([one], conf=0.0)
        right, bottom = (max(edge) for edge in zip(*(box.box.edges[2:] for box in found), strict=True))
        width, height = one.size
        assert right <= width
        assert bottom <= height
        assert max(right / width, bottom / height) > 0.5


def test_boxes_of_a_turned_photo_are_where_its_pixels_lie_in_the_full_one(sorter: Sorter, large: Path) -> None:
    """Its sides are no multiples of 8: what is found in its pixels lies up to 7 full ones further left and up."""
    tags = Image.Exif()
    tags[0x0112] = 3
    data = BytesIO()
    with Image.open(large) as image:
        image.crop((0, 0, 1593, 1195)).save(data, "JPEG", exif=tags)
    photo = open_photo(data.getvalue(), side=sorter.finder.side)
    assert (photo.factor, photo.origin) == (8, (-7, -5))
    (found,), own = sorter.finder.find_scaled([photo], conf=0.0), sorter.finder.find(photo.pixels, conf=0.0)
    wanted = [photo.to_full(one.box).clipped(*photo.size).edges for one in own]
    assert [one.box.edges for one in found] == [pytest.approx(edges) for edges in wanted]


def test_photo_at_full_scale_gives_what_its_pixels_give(sorter: Sorter) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)
    assert sorter.finder.find_scaled([ScaledPhoto.of(pixels)], conf=0.0) == [sorter.finder.find(pixels, conf=0.0)]


@pytest.mark.parametrize("side", [140, 150, 160])
def test_detector_sees_of_a_fraction_nearly_what_it_sees_of_the_full_photo(large: Path, side: int) -> None:
    full, part = shrink(open_photo(large, side=LARGE[0]).pixels, side), open_photo(large, side=side)
    assert part.factor == 8

    def differ(seen: Pixels) -> float:
        return float(np.sqrt(np.square(seen.astype(float) - full).mean()))

    assert differ(shrink_scaled(part, side)) < 0.97 * differ(shrink(part.pixels, side))


def test_nothing_is_passed_over_where_a_fraction_is_much_larger_than_what_the_detector_sees(large: Path) -> None:
    part = open_photo(large, side=200)
    for side in (64, 110):
        assert np.array_equal(shrink_scaled(part, side), shrink(part.pixels, side))
    whole = ScaledPhoto.of(part.pixels)
    assert np.array_equal(shrink_scaled(whole, 150), shrink(part.pixels, 150))


def test_whole_photo_is_the_full_one() -> None:
    data = encode_jpeg(np.zeros((600, 800, 3), np.uint8))
    photo = open_photo(data, side=100)
    assert photo.pixels.shape == (75, 100, 3)
    ((found,),) = WholePhoto().find_scaled([photo], conf=0.0)
    assert found.box.edges == (0, 0, 800, 600)
    assert WholePhoto().find_scaled([photo], conf=1.1) == [[]]


def test_finder_wants_photos_as_large_as_its_network_sees_them(eager: Path) -> None:
    card = read_cards(eager).detector
    assert card is not None
    finder = DetectorFinder(weights_file(eager, "detector"), card, device="cpu")
    assert finder.side == card.imgsz
