"""A copy of a photo is known by what it shows; another photo of the same thing is not."""

from __future__ import annotations

from pathlib import Path

import pytest
from corrections import draw, picture
from PIL import Image

from pipeline.corrections.sameness import find_same

ORIENTATION, EXIF_IFD, CAPTURED = 0x0112, 0x8769, 0x9003


def _taken(second: int, orientation: int = 1) -> Image.Exif:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    exif.get_ifd(EXIF_IFD)[CAPTURED] = f"2024:05:06 07:08:{second:02}"
    return exif


@pytest.fixture
def known(tmp_path: Path) -> list[Path]:
    return [draw(tmp_path / "known" / f"{seed}.png", seed, size=(320, 240)) for seed in range(6)]


def test_copies_are_found(known: list[Path], tmp_path: Path) -> None:
    image = picture(3, (320, 240))
    (tmp_path / "file.png").write_bytes(known[3].read_bytes())
    image.resize((161, 121)).save(tmp_path / "small.jpg", quality=70)
    image.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.jpg", exif=_taken(1, 6))
    asked = [tmp_path / name for name in ("file.png", "small.jpg", "turned.jpg")]
    assert find_same(asked, known) == dict.fromkeys(asked, known[3])


def test_other_photos_are_not(known: list[Path], tmp_path: Path) -> None:
    image = picture(3, (320, 240))
    image.crop((12, 9, 320, 240)).resize((320, 240)).save(tmp_path / "moved.png")
    image.resize((240, 240)).save(tmp_path / "squeezed.png")
    Image.new("RGB", (320, 240), "black").save(tmp_path / "dark.png")
    (tmp_path / "broken.png").write_bytes(b"no photo")
    draw(tmp_path / "new.png", 50, size=(320, 240))
    asked = [tmp_path / f"{name}.png" for name in ("moved", "squeezed", "dark", "broken", "new", "gone")]
    assert find_same(asked, known) == {}


def test_a_frame_of_another_second_is_another_photo(tmp_path: Path) -> None:
    image = picture(1, (320, 240))
    image.save(tmp_path / "known.jpg", exif=_taken(1), quality=95)
    image.save(tmp_path / "same.jpg", exif=_taken(1), quality=80)
    image.save(tmp_path / "next.jpg", exif=_taken(2), quality=80)
    asked = [tmp_path / "same.jpg", tmp_path / "next.jpg"]
    assert find_same(asked, [tmp_path / "known.jpg"]) == {asked[0]: tmp_path / "known.jpg"}


def test_photos_asked_for_are_compared_among_themselves(tmp_path: Path) -> None:
    first = draw(tmp_path / "b.jpg", 1, quality=95)
    again = draw(tmp_path / "a.jpg", 1, quality=70)
    assert find_same([first, again], []) == {again: first}
    assert find_same([first, again], [again]) == {again: again, first: again}
    assert find_same([], [first]) == {}
