"""Fingerprints: near duplicates and bursts are found, and pictures that are only alike are not."""

from __future__ import annotations

import shutil
import threading
import time
import unicodedata
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from photos import write_photo
from PIL import Image, ImageEnhance, ImageOps

from pipeline.bursts import burst_name
from pipeline.environment import ROOT
from pipeline.errors import PhotoError
from pipeline.fingerprints import (
    Fingerprint,
    Group,
    find_bursts,
    find_repeated,
    find_similar,
    group_photos,
    is_truncated,
    take_fingerprints,
)
from pipeline.listing import PHOTO_SUFFIXES
from pipeline.sample import draw_photos


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve drawn photos, for reading only."""
    folder = tmp_path_factory.mktemp("drawn")
    draw_photos(folder / "images", folder / "labels", count=12, seed=8, size=(320, 240), first=0)
    return folder / "images"


def take(*photos: Path) -> list[Fingerprint]:
    taken = [one for one in take_fingerprints(photos) if isinstance(one, Fingerprint)]
    assert len(taken) == len(photos)
    return taken


def names(groups: list[Group]) -> list[list[str]]:
    return [[one.photo.name for one in group] for group in groups]


def stamp(path: Path, captured: str, camera: str = "Phone", *, seed: int) -> Path:
    exif = Image.Exif()
    exif[0x0110] = camera
    exif[0x8769] = {0x9003: captured}
    pixels = np.random.default_rng(seed).integers(0, 255, (40, 60, 3), np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, exif=exif)
    return path


def test_fingerprints_come_in_the_order_of_the_photos_and_say_what_exif_says(tmp_path: Path) -> None:
    photos = [
        stamp(tmp_path / "책 [1].jpg", "2024:01:01 12:00:00", seed=1),
        write_photo(tmp_path / unicodedata.normalize("NFD", "동화.png"), seed=2),
        tmp_path / "gone.jpg",
        write_photo(tmp_path / "a.jpg", seed=3),
    ]
    seen: list[None] = []
    one, two, gone, three = take_fingerprints(photos, on_photo=lambda: seen.append(None))
    assert isinstance(one, Fingerprint)
    assert isinstance(two, Fingerprint)
    assert isinstance(gone, PhotoError)
    assert isinstance(three, Fingerprint)
    assert [one.photo, two.photo, three.photo] == [photos[0], photos[1], photos[3]]
    assert (one.captured, one.camera) == ("2024-01-01 12:00:00", "Phone")
    assert (two.captured, two.camera) == (None, None)
    assert str(gone) == f"{tmp_path / 'gone.jpg'} - cannot be read (No such file or directory)"
    assert len(seen) == 4


def test_truncated_is_told_apart_from_unreadable(tmp_path: Path, drawn: Path) -> None:
    data = next(iter(sorted(drawn.iterdir()))).read_bytes()
    contents = {"half.jpg": data[: len(data) // 2], "empty.jpg": b"", "text.jpg": b"no photo", "head.jpg": data[:30]}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    errors = take_fingerprints(tmp_path / name for name in contents)
    told = {}
    for name, error in zip(contents, errors, strict=True):
        assert isinstance(error, PhotoError), name
        told[name] = is_truncated(error)
    assert told == {"half.jpg": True, "empty.jpg": False, "text.jpg": False, "head.jpg": True}


def test_repeated_photos_are_found_wherever_they_lie_and_not_again_as_similar(tmp_path: Path, drawn: Path) -> None:
    photos = sorted(drawn.iterdir())
    copy = tmp_path / "copy.jpg"
    shutil.copyfile(photos[0], copy)
    taken = take(*photos, copy)
    assert [{one.photo for one in group} for group in find_repeated(taken)] == [{photos[0], copy}]
    assert find_similar(taken) == []


def save_again(image: Image.Image, quality: int = 90) -> Image.Image:
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda image: save_again(image, 60), id="quality"),
        pytest.param(lambda image: image.resize((160, 120)), id="half"),
        pytest.param(lambda image: ImageEnhance.Brightness(image).enhance(1.1), id="brighter"),
        pytest.param(lambda image: image.crop((3, 2, image.width - 3, image.height - 2)), id="cropped"),
        pytest.param(lambda image: image.transform(image.size, Image.Transform.AFFINE, (1, 0, 2, 0, 1, 1)), id="moved"),
    ],
)
def test_photo_saved_again_is_similar_to_itself_and_to_no_other(
    change: Callable[[Image.Image], Image.Image], drawn: Path, tmp_path: Path
) -> None:
    photos = sorted(drawn.iterdir())
    for photo in photos:
        with Image.open(photo) as image:
            change(ImageOps.exif_transpose(image).convert("RGB")).convert("RGB").save(
                tmp_path / f"{photo.stem}-again.jpg", quality=90
            )
    found = find_similar(take(*photos, *tmp_path.iterdir()))
    assert sorted(sorted(group) for group in names(found)) == [
        [f"{photo.stem}-again.jpg", photo.name] for photo in photos
    ]


def test_turned_by_exif_is_similar_to_its_upright_copy(drawn: Path, tmp_path: Path) -> None:
    photo = min(drawn.iterdir())
    exif = Image.Exif()
    exif[0x0112] = 6
    with Image.open(photo) as image:
        image.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.jpg", exif=exif)
    assert len(find_similar(take(photo, tmp_path / "turned.jpg"))) == 1


def test_another_object_in_the_same_place_is_no_near_duplicate(drawn: Path, tmp_path: Path) -> None:
    with Image.open(min(drawn.iterdir())) as image:
        for name, colour in (("red.png", "red"), ("white.png", "white"), ("blue.png", "blue")):
            changed = image.copy()
            changed.paste(Image.new("RGB", (60, 60), colour), (100, 80))
            changed.save(tmp_path / name)
    assert find_similar(take(*tmp_path.iterdir())) == []


def test_walls_and_darkness_are_no_near_duplicates(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for number, light in enumerate((0, 1, 2, 128, 200, 201, 250, 255)):
        noise = random.normal(light, 3, (120, 160, 3)).clip(0, 255).astype(np.uint8)
        Image.fromarray(noise).save(tmp_path / f"wall-{number:03}.png")
        Image.new("RGB", (160, 120), (light, light, light)).save(tmp_path / f"plain-{number:03}.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        taken = take(*tmp_path.iterdir())
        assert find_similar(taken) == find_bursts(taken) == []
        assert len(set(group_photos(taken).values())) == len(taken)


def test_sample_that_comes_with_cropsort_has_no_near_duplicates() -> None:
    taken = take(*sorted((ROOT / "images" / "sample").rglob("*.jpg")))
    assert find_repeated(taken) == find_similar(taken) == find_bursts(taken) == []


def test_groups_are_transitive_and_do_not_hang_on_the_order(drawn: Path, tmp_path: Path) -> None:
    photos = sorted(drawn.iterdir())
    shutil.copyfile(photos[0], tmp_path / "copy.jpg")
    with Image.open(photos[0]) as image:
        image.save(tmp_path / "again.jpg", quality=70)
    taken = take(*photos, tmp_path / "copy.jpg", tmp_path / "again.jpg")
    groups = group_photos(taken)
    assert groups == group_photos(taken[::-1])
    assert groups.keys() == {one.photo for one in taken}
    assert len({groups[photos[0]], groups[tmp_path / "copy.jpg"], groups[tmp_path / "again.jpg"]}) == 1
    assert len(set(groups.values())) == len(photos)
    assert group_photos([]) == {}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("IMG_20240101_120000_BURST001", "IMG_20240101_120000_BURST002_COVER"),
        ("00000IMG_00000_BURST20240101120000123_COVER", "00001IMG_00001_BURST20240101120000123"),
        ("IMG_20240101_120000_001", "IMG_20240101_120000_002"),
        ("20240101_120000", "20240101_120000(1)"),
        ("PXL_20240101_120000123.BURST-01.COVER", "PXL_20240101_120000123.BURST-02"),
        ("burst_01", "burst_02"),
        ("Burst2-01", "burst2-02"),
        ("책상 burst 1", "책상 burst 2"),
    ],
)
def test_names_of_a_burst_are_known(one: str, other: str) -> None:
    assert burst_name(one) == burst_name(other) is not None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("photo-0001", "photo-0002"),
        ("IMG_2663", "IMG_2664"),
        ("IMG_20240101_120000", "IMG_20240101_120500"),
        ("burst1_01", "burst2_01"),
        ("IMG-20240101-WA0001", "IMG-20240101-WA0002"),
        ("sunburst", "starburst"),
        ("20240101", "20240102"),
    ],
)
def test_names_of_different_moments_are_no_burst(one: str, other: str) -> None:
    assert burst_name(one) is None or burst_name(one) != burst_name(other)


def test_bursts_by_name_are_of_one_folder(tmp_path: Path) -> None:
    photos = [
        write_photo(tmp_path / f"{folder}/burst_{i}.jpg", seed=i + 7 * ord(folder)) for folder in "ab" for i in (1, 2)
    ]
    assert [{one.photo for one in group} for group in find_bursts(take(*photos))] == [set(photos[:2]), set(photos[2:])]


def test_bursts_by_time_are_of_one_camera_and_two_seconds_apart_at_most(tmp_path: Path) -> None:
    times = ("12:00:00", "12:00:02", "12:00:02", "12:00:05", "12:00:06", "12:10:00")
    photos = [stamp(tmp_path / f"{'abcdef'[i]}.jpg", f"2024:01:01 {at}", seed=i) for i, at in enumerate(times)]
    photos += [stamp(tmp_path / "z.jpg", "2024:01:01 12:00:00", "Other", seed=9)]
    photos += [stamp(tmp_path / "elsewhere" / "y.jpg", "2024:01:01 12:00:00", seed=10)]
    assert names(find_bursts(take(*photos))) == [["a.jpg", "b.jpg", "c.jpg"], ["d.jpg", "e.jpg"]]


def test_time_that_more_photos_have_than_a_camera_takes_is_no_capture_time(tmp_path: Path) -> None:
    one = take(stamp(tmp_path / "a.jpg", "2000:01:01 00:00:00", seed=0))[0]
    assert find_bursts([replace(one, photo=tmp_path / f"{i}x.jpg", bits=i) for i in range(31)]) == []


def test_consecutive_numbers_are_a_burst_only_where_they_look_alike(drawn: Path, tmp_path: Path) -> None:
    one, other = sorted(drawn.iterdir())[:2]
    with Image.open(one) as image:
        image.save(tmp_path / "IMG_0009.jpg")
        image.crop((8, 6, 318, 238)).save(tmp_path / "IMG_0010.jpg")
        image.crop((8, 6, 318, 238)).save(tmp_path / "IMG_0020.jpg")
    shutil.copyfile(other, tmp_path / "IMG_0011.jpg")
    assert names(find_bursts(take(*tmp_path.iterdir()))) == [["IMG_0009.jpg", "IMG_0010.jpg"]]


def test_thousands_of_photos_are_compared_at_once_even_where_all_are_the_same_view(drawn: Path) -> None:
    view = take(min(drawn.iterdir()))[0]
    alike = [replace(view, photo=Path(f"{i:05}x.jpg"), digest=str(i)) for i in range(3000)]
    begin = time.monotonic()
    assert len(set(group_photos(alike).values())) == 1
    random = np.random.default_rng(0).integers(0, 2**63, len(alike))
    others = [replace(one, bits=int(bits)) for one, bits in zip(alike, random, strict=True)]
    assert len(set(group_photos(others).values())) == len(alike)
    assert time.monotonic() - begin < 10


def test_few_photos_are_read_ahead() -> None:
    asked: list[Path] = []

    def photos() -> Iterator[Path]:
        for number in range(200):
            asked.append(Path(f"/nowhere/{number}.jpg"))
            yield asked[-1]

    seen: list[int] = []
    take_fingerprints(photos(), on_photo=lambda: seen.append(len(asked)))
    assert seen[0] < 100
    assert len(seen) == 200
    assert threading.active_count() < 50


def test_broken_photos_neither_stop_nor_hang_it(shared: Path, capfd: pytest.CaptureFixture[str]) -> None:
    photos = sorted(path for path in (shared / "data" / "broken").iterdir() if path.suffix in PHOTO_SUFFIXES)
    taken = dict(zip((photo.name for photo in photos), take_fingerprints(photos), strict=True))
    capfd.readouterr()  # libtiff's own words
    group_photos(one for one in taken.values() if isinstance(one, Fingerprint))
    told = {name: is_truncated(one) for name, one in taken.items() if isinstance(one, PhotoError)}
    assert {name for name in told if told[name]} >= {"half_upload.jpg", "truncated_image.png", "truncated_jpeg.jpg"}
    assert {name for name in told if not told[name]} >= {"empty.jpg", "text.jpg", "decompression_bomb_extents.gif"} - (
        taken.keys() - told.keys()
    )


def test_near_duplicates_and_bursts_among_real_cards_are_the_ones_that_people_see(shared: Path) -> None:
    photos = sorted(path for path in (shared / "data" / "cards").rglob("*.*") if path.suffix.lower() == ".jpg")
    taken = take(*photos)
    twice = [[f"IMG_{one}.JPG", f"IMG_{one + 1}.JPG"] for one in (2464, 2466, 2468, 2471, 2473)]
    assert names(find_similar(taken)) == [*twice, ["cam_image1.jpg", "cam_image54.jpg"]]
    assert names(find_bursts(taken)) == twice  # and not cam_image5 and 6: other cards laid in the same way
