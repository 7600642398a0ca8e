"""What networks are shown while ranges are measured."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from pipeline.errors import DataError
from pipeline.images import Pixels
from pipeline.shown import Crops, choose_shown
from pipeline.sorter import Sorter


def crop(value: int) -> Pixels:
    return np.full((2, 2, 3), value, np.uint8)


def values(crops: Crops) -> list[int]:
    return [int(one[0, 0, 0]) for one in crops.chosen()]


def test_crops_of_each_class_fill_its_quota_with_shaken_ones_last() -> None:
    crops = Crops(3)
    crops.add("a", [crop(1)], iter([crop(11), crop(12), crop(13), crop(14)]))
    crops.add("b", [crop(2)], iter([]))
    crops.add("a", [crop(3)], iter([crop(31)]))
    assert values(crops) == [1, 3, 11, 2]
    for number in range(4, 8):
        crops.add("a", [crop(number)], iter([]))
    assert values(crops) == [1, 3, 4, 2]


def test_shaken_crops_that_there_is_no_room_for_are_not_cut() -> None:
    crops = Crops(2)
    left = iter([crop(1), crop(2), crop(3)])
    crops.add("a", [], left)
    assert [int(one[0, 0, 0]) for one in left] == [3]


def test_the_same_photos_and_crops_each_time(sorter: Sorter, home: Path) -> None:
    files = sorted((home / "images" / "train").iterdir())[:3]
    one, other = (choose_shown(sorter, files, Console(file=io.StringIO())) for _ in range(2))
    assert len(one.photos) == 3
    side = sorter.cards.classifier.imgsz
    assert {crop.shape for crop in one.crops} == {(side, side, 3)}
    assert len(one.crops) <= 300
    assert all((first == second).all() for first, second in zip(one.crops, other.crops, strict=True))


def test_photos_that_cannot_be_read_are_left_out(sorter: Sorter, home: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"no photo")
    photo = sorted((home / "images" / "train").iterdir())[0]
    assert len(choose_shown(sorter, [broken, photo], Console(file=io.StringIO())).photos) == 1
    with pytest.raises(DataError, match=r"--int8 - nothing is found in any photo - name others with --photos"):
        choose_shown(sorter, [broken], Console(file=io.StringIO()))
