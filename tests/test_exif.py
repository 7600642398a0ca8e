"""What EXIF says of camera and place, whatever phones and broken files write into it."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.exif import Header, read_tags, turn_upright
from pipeline.images import read_header

GPS_IFD = 0x8825
CARDIFF: dict[int, Any] = {1: "N", 2: (51.0, 28.0, 58.78), 3: "W", 4: (3.0, 11.0, 7.21)}


def header(gps: dict[int, Any] | None = None, **tags: str) -> Header:
    exif = Image.Exif()
    for name, value in tags.items():
        exif[{"make": 0x010F, "model": 0x0110, "changed": 0x0132}[name]] = value
    if gps is not None:
        exif.get_ifd(GPS_IFD).update(gps)
    buffer = BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "JPEG", exif=exif)
    with Image.open(buffer) as image:
        return read_tags(image)


@pytest.mark.parametrize(
    ("make", "model", "camera"),
    [
        ("Apple", "iPhone 6", "Apple iPhone 6"),
        ("Canon", "Canon EOS 80D", "Canon EOS 80D"),
        ("NIKON CORPORATION", "NIKON D90", "NIKON D90"),
        ("samsung", "SM-G935L\0\0", "samsung SM-G935L"),
        ("Panasonic ", "  DMC-LX7 \0rest", "Panasonic DMC-LX7"),
        ("LG\nElectronics", "Nexus 4", "LG Electronics Nexus 4"),
        ("삼성", "갤럭시", None),  # EXIF is ASCII: what else is in it need only not break anything
        ("", "Phone", "Phone"),
        ("Apple", "", "Apple"),
        (" \0", "\0", None),
    ],
)
def test_camera_is_make_and_model_without_repetition(make: str, model: str, camera: str | None) -> None:
    told = header(make=make, model=model).camera
    assert told == camera or not make.isascii()
    assert told is None or "\n" not in told


def test_photo_without_exif_says_nothing_of_camera_place_or_time() -> None:
    told = header()
    assert (told.camera, told.gps, told.captured) == (None, None, None)


def test_time_of_a_change_is_no_capture_time() -> None:
    assert header(changed="2024:05:06 07:08:09").captured is None


@pytest.mark.parametrize(
    ("change", "gps"),
    [
        ({}, (51.482994, -3.185336)),
        ({1: "S", 3: "E"}, (-51.482994, 3.185336)),
        ({1: "n\0", 3: "w\0"}, (51.482994, -3.185336)),
        ({2: (90.0, 0.0, 0.0), 4: (180.0, 0.0, 0.0)}, (90.0, -180.0)),
        ({2: (0.0, 0.0, 0.0), 4: (0.0, 0.0, 0.0)}, None),
        ({2: (91.0, 0.0, 0.0)}, None),
        ({4: (180.0, 0.0, 1.0)}, None),
        ({2: (51.0, 61.0, 0.0)}, None),
        ({2: (51.0, 28.0)}, None),
        ({1: ""}, None),
        ({1: "X"}, None),
        ({2: None}, None),
        ({3: None}, None),
    ],
)
def test_place_is_read_as_degrees_and_nonsense_is_none(change: dict[int, Any], gps: tuple[float, float] | None) -> None:
    tags = {tag: value for tag, value in (CARDIFF | change).items() if value is not None}
    assert header(tags).gps == gps


def test_division_by_zero_in_a_place_is_none() -> None:
    """As phones write that had no fix yet: 0/0."""
    data = bytearray(8)
    exif = Image.Exif()
    exif.get_ifd(GPS_IFD).update(CARDIFF)
    encoded = exif.tobytes()
    number = (51).to_bytes(4, "big") + (1).to_bytes(4, "big")
    swapped = (51).to_bytes(4, "little") + (1).to_bytes(4, "little")
    assert number in encoded or swapped in encoded
    broken = encoded.replace(number, bytes(data)).replace(swapped, bytes(data))
    buffer = BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "JPEG", exif=broken)
    with Image.open(buffer) as image:
        assert read_tags(image).gps is None


@pytest.mark.parametrize("orientation", [0, 9, 255, 65535])
def test_nonsense_for_an_orientation_leaves_the_photo_as_it_is(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (12, 8)).save(tmp_path / "a.jpg", exif=exif)
    assert (read_header(tmp_path / "a.jpg").orientation, read_header(tmp_path / "a.jpg").size) == (1, (12, 8))


def test_turns_are_those_of_pillow() -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (5, 7, 3), np.uint8)
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
    assert turn_upright(pixels, 1) is pixels
    for orientation, turn in turns.items():
        expected = np.asarray(Image.fromarray(pixels).transpose(turn))
        assert np.array_equal(turn_upright(pixels, orientation), expected), orientation


def test_real_phones_say_what_they_are_and_where(shared: Path) -> None:
    folder = shared / "data" / "phone" / "cameras"
    told = {path.stem: read_header(path) for path in sorted(folder.iterdir())}
    assert told["Apple iPhone 6 plus"].camera == "Apple iPhone 6 Plus"
    assert told["Apple iPhone 6 plus"].gps == (51.482995, -3.185337)
    assert told["Apple iPhone 5"].gps == (47.627167, -122.337333)
    assert told["Panasonic Lumix DMC-LX7"].format == "MPO"
    assert all(one.camera and one.captured for one in told.values())
