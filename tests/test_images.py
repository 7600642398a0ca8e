"""Photos: upright RGB pixels or a PhotoError, whatever the file holds; the file itself is never changed."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pillow_heif
import pytest
from numpy.typing import NDArray
from photos import write_photo
from PIL import Image

from pipeline.errors import DataError, PhotoError
from pipeline.images import MAX_PIXELS, encode_jpeg, read_photo, read_size, shrink, write_jpeg
from pipeline.listing import is_hidden, is_photo, list_files

DATA = Path(__file__).parents[2] / "shared" / "data"
real = pytest.mark.skipif(not DATA.is_dir(), reason=f"no real photos in {DATA}")
BROKEN = sorted((DATA / "broken").glob("*")) if DATA.is_dir() else []
PHONES = sorted((DATA / "phone" / "orientation").glob("*.jpg")) if DATA.is_dir() else []
HEIC = ("alpha.heic", "arrow.heic", "bird_burst.heic", "pug.heic", "xiaomi.heic")

UPRIGHT = np.zeros((40, 60, 3), np.uint8)
UPRIGHT[:20, :30] = 255  # white in the upper left corner


def stored(orientation: int) -> Image.Image:
    """The upright picture as a camera held another way stores it."""
    back = {
        3: Image.Transpose.ROTATE_180,
        6: Image.Transpose.ROTATE_90,
        8: Image.Transpose.ROTATE_270,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        7: Image.Transpose.TRANSVERSE,
    }
    image = Image.fromarray(UPRIGHT)
    return image.transpose(back[orientation]) if orientation in back else image


def exif(orientation: int = 1, captured: str | None = None) -> Image.Exif:
    tags = Image.Exif()
    tags[0x0112] = orientation
    if captured is not None:
        tags.get_ifd(0x8769)[0x9003] = captured
    return tags


def save(path: Path, image: Image.Image, **options: Any) -> Path:
    image.save(path, **options)
    return path


def difference(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_photo_of_any_format_and_orientation_stands_upright(tmp_path: Path, suffix: str, orientation: int) -> None:
    path = save(tmp_path / f"a.{suffix}", stored(orientation), exif=exif(orientation))
    photo = read_photo(path)
    assert photo.size == read_size(path) == (60, 40)
    assert difference(photo.pixels, UPRIGHT) < 5


@real
@pytest.mark.parametrize("path", PHONES, ids=lambda path: path.stem)
def test_phone_photo_shows_the_same_picture_however_it_was_held(path: Path) -> None:
    first = read_photo(path.with_name(f"{path.stem.rpartition('_')[0]}_1.jpg"))
    photo = read_photo(path)
    assert photo.size == first.size == read_size(path)
    assert difference(photo.pixels, first.pixels) < 6


def test_heic_is_not_turned_twice_by_exif_that_only_repeats_what_its_decoder_did(tmp_path: Path) -> None:
    pillow_heif.register_heif_opener()
    path = save(tmp_path / "a.heic", Image.fromarray(UPRIGHT), exif=exif(6))
    photo = read_photo(path)
    assert photo.size == read_size(path) == (60, 40)
    assert difference(photo.pixels, UPRIGHT) < 5


@real
@pytest.mark.parametrize("name", HEIC)
def test_heic_of_phones_is_read_and_its_header_tells_its_size(name: str) -> None:
    path = DATA / "phone" / "heif" / name
    photo = read_photo(path)
    assert photo.size == read_size(path)
    assert 0 < photo.pixels.mean() < 255


@real
@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.name)
def test_broken_file_gives_pixels_or_a_photo_error_and_stays_as_it_was(path: Path) -> None:
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    try:
        photo = read_photo(path)
    except PhotoError as error:
        assert path.name in str(error)
        assert "\n" not in str(error)
    else:
        assert photo.pixels.dtype == np.uint8
        assert photo.pixels.shape == (photo.size[1], photo.size[0], 3)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == before


@real
@pytest.mark.parametrize("path", BROKEN, ids=lambda path: path.name)
def test_size_of_a_broken_file_is_told_or_a_photo_error(path: Path) -> None:
    try:
        size = read_size(path)
    except PhotoError as error:
        assert path.name in str(error)
    else:
        assert min(size) > 0


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.pgm"])
def test_16_bit_grey_keeps_its_shades(tmp_path: Path, name: str) -> None:
    ramp = np.tile(np.linspace(0, 65535, 64).astype(np.uint16), (8, 1))
    pixels = read_photo(save(tmp_path / name, Image.fromarray(ramp))).pixels
    assert difference(pixels[..., 0], (ramp >> 8).astype(np.uint8)) <= 1
    assert (pixels[..., 0] == pixels[..., 2]).all()


def test_cmyk_becomes_rgb(tmp_path: Path) -> None:
    pixels = read_photo(save(tmp_path / "a.jpg", Image.new("CMYK", (16, 16), (0, 255, 255, 0)))).pixels
    assert pixels[8, 8, 0] > 200
    assert max(pixels[8, 8, 1:]) < 60


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_what_is_transparent_becomes_white(tmp_path: Path, mode: str) -> None:
    image = Image.new("RGBA", (8, 8), (0, 0, 0, 0)).convert("RGBA" if mode == "PA" else mode)
    path = tmp_path / ("a.gif" if mode == "PA" else "a.png")
    assert (read_photo(save(path, image)).pixels == 255).all()


@pytest.mark.parametrize("mode", ["L", "P", "1", "YCbCr"])
def test_any_colour_mode_becomes_rgb(tmp_path: Path, mode: str) -> None:
    image = Image.fromarray(UPRIGHT).convert(mode)
    path = save(tmp_path / ("a.jpg" if mode == "YCbCr" else "a.png"), image)
    assert difference(read_photo(path).pixels, UPRIGHT) < 5


def test_truncated_photo_is_said_to_be(tmp_path: Path) -> None:
    data = write_photo(tmp_path / "a.jpg", size=(200, 200)).read_bytes()
    (tmp_path / "a.jpg").write_bytes(data[: len(data) // 2])
    with pytest.raises(PhotoError, match="truncated"):
        read_photo(tmp_path / "a.jpg")


@pytest.mark.parametrize(
    ("data", "reason"), [(b"", "the file is empty"), (b"I am no photo\n", "not a photo in any known format")]
)
def test_file_that_is_no_photo_is_named_with_the_reason(tmp_path: Path, data: bytes, reason: str) -> None:
    (tmp_path / "a.jpg").write_bytes(data)
    with pytest.raises(PhotoError) as caught:
        read_photo(tmp_path / "a.jpg")
    assert str(caught.value) == f"{tmp_path / 'a.jpg'} - {reason}"
    with pytest.raises(PhotoError, match="not a photo in any known format"):
        read_size(tmp_path / "a.jpg")


@pytest.mark.parametrize("side", [MAX_PIXELS // 10_000 + 1, MAX_PIXELS // 1_000])
def test_decompression_bomb_is_refused_before_it_fills_the_memory(tmp_path: Path, side: int) -> None:
    header = BytesIO()
    Image.new("1", (1, 1)).save(header, "BMP")
    data = bytearray(header.getvalue())
    data[18:22], data[22:26] = side.to_bytes(4, "little"), (10_000).to_bytes(4, "little")
    (tmp_path / "a.bmp").write_bytes(data)
    with pytest.raises(PhotoError, match="pixels"):
        read_photo(tmp_path / "a.bmp")


def test_missing_file_and_folder_are_photo_errors(tmp_path: Path) -> None:
    for path in (tmp_path / "none.jpg", tmp_path):
        with pytest.raises(PhotoError, match="cannot be"):
            read_photo(path)
        with pytest.raises(PhotoError, match="cannot be"):
            read_size(path)


def test_bytes_are_read_as_a_file_and_called_by_their_name() -> None:
    assert read_photo(encode_jpeg(UPRIGHT)).size == (60, 40)
    with pytest.raises(PhotoError, match=r"책\.jpg"):
        read_photo(b"", name="책.jpg")


@pytest.mark.parametrize(
    ("written", "captured"),
    [
        ("2024:02:29 23:59:58", "2024-02-29 23:59:58"),
        ("2024:02:29 23:59:58\0", "2024-02-29 23:59:58"),
        ("    :  :     :  :  ", None),
        ("0000:00:00 00:00:00", None),
        ("yesterday", None),
        (None, None),
    ],
)
def test_capture_time_is_that_of_exif_or_none(tmp_path: Path, written: str | None, captured: str | None) -> None:
    path = save(tmp_path / "a.jpg", Image.fromarray(UPRIGHT), exif=exif(captured=written))
    assert read_photo(path).captured == captured


def test_broken_exif_leaves_the_photo(tmp_path: Path) -> None:
    path = save(tmp_path / "a.jpg", Image.fromarray(UPRIGHT), exif=b"Exif\0\0nonsense that is no TIFF header")
    photo = read_photo(path)
    assert (photo.size, photo.captured, read_size(path)) == ((60, 40), None, (60, 40))


def test_names_of_photos_are_told_whatever_their_case() -> None:
    assert all(is_photo(Path(name)) for name in ("a.JPG", "b.HeIC", "책.jpeg", "c.tiff"))
    assert not any(is_photo(Path(name)) for name in ("a.mp4", "jpg", ".jpg", "a.jpg.txt", "a"))


def test_files_that_systems_leave_behind_are_hidden() -> None:
    assert all(is_hidden(Path(name)) for name in (".DS_Store", "._a.jpg", "Thumbs.db", "desktop.ini"))
    assert not is_hidden(Path(".hidden/a.jpg"))


def test_hidden_files_are_counted_and_hidden_folders_passed_over(tmp_path: Path) -> None:
    for name in ("b.jpg", "a.txt", "sub/c.png", "._b.jpg", ".DS_Store", "sub/Thumbs.db", ".trash/d.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    listing = list_files(tmp_path)
    assert listing.files == tuple(tmp_path / name for name in ("a.txt", "b.jpg", "sub/c.png"))
    assert listing.hidden == 3


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_with_korean_spaces_and_brackets_are_listed_and_read(tmp_path: Path, form: str) -> None:
    folder = tmp_path / unicodedata.normalize("NFD" if form == "NFD" else "NFC", "사진 [여름] (1)")
    path = write_photo(folder / unicodedata.normalize("NFD" if form == "NFD" else "NFC", "책 50% [a] #1.png"))
    assert list_files(folder).files == (path,)
    assert read_photo(path).size == read_size(path) == (60, 40)


def test_folder_that_is_missing_or_none_is_said(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder - check the spelling"):
        list_files(tmp_path / "none")
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="not a folder - expected a folder of photos"):
        list_files(tmp_path / "file")
    with pytest.raises(DataError, match="may not be read"):
        list_files(tmp_path / ("n" * 300))


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
@pytest.mark.parametrize("closed", ["photos", "photos/sub", "."])
def test_folder_that_may_not_be_read_is_said(tmp_path: Path, closed: str) -> None:
    (tmp_path / "photos" / "sub").mkdir(parents=True)
    tmp_path.chmod(0o755)
    (tmp_path / closed).chmod(0)
    user = os.geteuid()
    here = Path.cwd()
    os.chdir(tmp_path)  # what lies above tmp_path belongs to the user that runs the tests alone
    try:
        if user == 0:
            os.seteuid(65534)
        with pytest.raises(DataError, match=r"may not be read .* - give yourself the right"):
            list_files(Path("photos"))
    finally:
        os.seteuid(user)
        os.chdir(here)
        (tmp_path / closed).chmod(0o755)


def test_shrink_bounds_the_longer_side_and_leaves_small_images_alone() -> None:
    assert shrink(UPRIGHT, 30).shape == (20, 30, 3)
    assert shrink(np.zeros((400, 2, 3), np.uint8), 100).shape == (100, 1, 3)
    assert shrink(UPRIGHT, 60) is UPRIGHT


def test_written_jpeg_shows_the_same_pixels(tmp_path: Path) -> None:
    write_jpeg(tmp_path / "new" / "a.jpg", UPRIGHT)
    assert difference(read_photo(tmp_path / "new" / "a.jpg").pixels, UPRIGHT) < 2


def test_capture_time_is_all_that_a_written_jpeg_says() -> None:
    data = encode_jpeg(UPRIGHT, captured="2024-05-06 07:08:09")
    assert read_photo(data).captured == "2024-05-06 07:08:09"
    with Image.open(BytesIO(data)) as image:
        assert dict(image.getexif()).keys() == {0x8769}
    assert b"Exif" not in encode_jpeg(UPRIGHT)
