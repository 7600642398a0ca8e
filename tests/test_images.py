"""Photos: upright RGB pixels or a PhotoError, whatever the file holds; the file itself is never changed."""

from __future__ import annotations

import hashlib
import os
import unicodedata
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pillow_heif
import pytest
from numpy.typing import NDArray
from photos import write_photo
from PIL import Image

from pipeline.boxes import Box
from pipeline.errors import DataError, PhotoError, TooLargeError, TruncatedError
from pipeline.images import (
    MAX_BYTES,
    MAX_PIXELS,
    ScaledPhoto,
    encode_jpeg,
    is_photo_inside,
    open_photo,
    read_header,
    read_photo,
    read_size,
    read_small,
    shrink,
    write_jpeg,
)
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
    return turned_back(Image.fromarray(UPRIGHT), orientation)


def turned_back(image: Image.Image, orientation: int) -> Image.Image:
    back = {
        3: Image.Transpose.ROTATE_180,
        6: Image.Transpose.ROTATE_90,
        8: Image.Transpose.ROTATE_270,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        7: Image.Transpose.TRANSVERSE,
    }
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


@pytest.mark.parametrize("size", [(64, 8), (1500, 1400)])
@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_12_bits_stored_in_16_are_not_all_but_black(tmp_path: Path, name: str, size: tuple[int, int]) -> None:
    """A part of a large photo that is dark by itself is no brighter for it."""
    ramp = np.tile(np.linspace(0, 4095, size[1]).astype(np.uint16)[:, None], (1, size[0]))
    pixels = read_photo(save(tmp_path / name, Image.fromarray(ramp))).pixels
    assert np.array_equal(pixels[..., 0], (ramp >> 4).astype(np.uint8))


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bit_colours_keep_their_shades(suffix: str) -> None:
    ramp = np.tile(np.linspace(0, 65535, 64).astype(np.uint16), (8, 1))
    image = np.dstack([ramp, ramp[:, ::-1], np.full_like(ramp, 30_000)])
    _, data = cv2.imencode(f".{suffix}", image)
    pixels = open_photo(data.tobytes(), side=64).pixels
    assert difference(pixels, (image[..., ::-1] >> 8).astype(np.uint8)) <= 1


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
    with pytest.raises(TruncatedError, match=r"its end is missing: [45]\d% of its pixels"):
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
    for read in (read_photo, read_size, lambda path: open_photo(path, side=64)):
        with pytest.raises(TooLargeError, match="million"):
            read(tmp_path / "a.bmp")


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
    assert all(is_photo(Path(name)) for name in ("a.JPG", "b.HeIC", "책.jpeg", "c.tiff", "DSC1.HIF"))
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


def photo_like(size: tuple[int, int]) -> NDArray[np.uint8]:
    """Edges, slopes and a little noise."""
    width, height = size
    rng = np.random.default_rng(5)
    coarse = rng.integers(0, 255, (height // 40 + 2, width // 40 + 2, 3), np.uint8)
    smooth = np.asarray(Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)).astype(int)
    smooth[height // 3 : height // 2, width // 4 : width // 2] = 230
    return np.clip(smooth + rng.integers(-5, 6, smooth.shape), 0, 255).astype(np.uint8)


@pytest.mark.parametrize(
    ("side", "factor"), [(1, 8), (101, 8), (102, 4), (202, 4), (203, 2), (403, 2), (404, 1), (5000, 1)]
)
def test_jpeg_is_decoded_at_the_smallest_scale_that_has_the_side(tmp_path: Path, side: int, factor: int) -> None:
    path = save(tmp_path / "a.jpg", Image.fromarray(photo_like((805, 301))), quality=90)
    photo = open_photo(path, side=side)
    assert (photo.factor, photo.size, photo.header.size) == (factor, (805, 301), (805, 301))
    assert photo.pixels.shape == (-(-301 // factor), -(-805 // factor), 3)
    assert photo.data == path.read_bytes()


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 0}, {"subsampling": 2}])
@pytest.mark.parametrize("side", [80, 160, 320, 640])
def test_scaled_jpeg_shows_what_shrinking_the_whole_shows(tmp_path: Path, side: int, options: dict[str, Any]) -> None:
    path = save(tmp_path / "a.jpg", Image.fromarray(photo_like((640, 480))), quality=90, **options)
    photo = open_photo(path, side=side)
    assert photo.factor == 640 / side
    assert difference(photo.pixels, shrink(read_photo(path).pixels, side)) < 1


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_grey_and_cmyk_jpegs_are_scaled_too(tmp_path: Path, mode: str) -> None:
    path = save(tmp_path / "a.jpg", Image.fromarray(photo_like((640, 480))).convert(mode), quality=90)
    photo = open_photo(path, side=160)
    assert photo.pixels.shape == (120, 160, 3)
    assert difference(photo.pixels, shrink(read_photo(path).pixels, 160)) < 1


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [(640, 480), (637, 475)])
def test_scaled_photo_of_any_orientation_stands_upright(
    tmp_path: Path, orientation: int, size: tuple[int, int]
) -> None:
    upright = Image.fromarray(photo_like(size))
    path = save(tmp_path / "a.jpg", turned_back(upright, orientation), quality=95, exif=exif(orientation))
    photo = open_photo(path, side=160)
    assert (photo.factor, photo.size) == (4, size)
    expected = upright.resize((photo.pixels.shape[1], photo.pixels.shape[0]), Image.Resampling.BOX)
    assert difference(photo.pixels, np.asarray(expected)) < (1.5 if size == (640, 480) else 6)


@real
@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("size", [(640, 480), (633, 479), (639, 473)])
def test_what_lies_in_a_scaled_photo_lies_there_in_the_full_one_however_it_was_held(
    tmp_path: Path, orientation: int, size: tuple[int, int]
) -> None:
    """Where its side is no multiple of the scale, a turned photo does not begin with its first full pixel."""
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    pixels[200:264, 280:376] = 255
    path = save(tmp_path / "a.jpg", turned_back(Image.fromarray(pixels), orientation), exif=exif(orientation))
    photo = open_photo(path, side=1)
    weights = photo.pixels.mean(2)
    y, x = (np.average(np.indices(weights.shape)[axis] + 0.5, weights=weights) for axis in (0, 1))
    there = photo.to_full(Box(x, y, x, y))
    assert (photo.factor, photo.size) == (8, size)
    assert there.edges == pytest.approx((328, 232, 328, 232), abs=0.5)
    assert photo.to_own(there).edges == pytest.approx((x, y, x, y))


@pytest.mark.parametrize("path", PHONES, ids=lambda path: path.stem)
def test_scaled_phone_photo_shows_the_same_picture_however_it_was_held(path: Path) -> None:
    first = open_photo(path.with_name(f"{path.stem.rpartition('_')[0]}_1.jpg"), side=640)
    photo = open_photo(path, side=640)
    assert (photo.factor, photo.size, photo.pixels.shape) == (first.factor, first.size, first.pixels.shape)
    assert difference(photo.pixels, first.pixels) < 6


def test_mpo_is_scaled_and_its_first_picture_is_shown(tmp_path: Path) -> None:
    first, second = Image.fromarray(photo_like((640, 480))), Image.new("RGB", (640, 480), "black")
    path = save(tmp_path / "a.mpo", first, save_all=True, append_images=[second], quality=90)
    photo = open_photo(path, side=160)
    assert (photo.header.format, photo.factor) == ("MPO", 4)
    assert difference(photo.pixels, shrink(photo_like((640, 480)), 160)) < 2


@pytest.mark.parametrize("suffix", ["png", "webp", "tif", "bmp", "gif", "avif", "heic"])
def test_other_formats_are_decoded_whole_whatever_their_name(tmp_path: Path, suffix: str) -> None:
    pillow_heif.register_heif_opener()
    image = Image.fromarray(photo_like((160, 120)))
    path = save(tmp_path / f"a.{suffix}", image)
    named_wrongly = path.rename(tmp_path / "IMG_1.JPG")
    photo = open_photo(named_wrongly, side=32)
    assert (photo.factor, photo.size, photo.pixels.shape) == (1, (160, 120), (120, 160, 3))
    assert difference(photo.pixels, np.asarray(image)) < 12


def test_very_large_photo_without_scales_is_averaged_down(tmp_path: Path) -> None:
    image = Image.new("1", (10_000, 6_500), 1)
    image.paste(0, (0, 0, 5_000, 6_500))
    photo = open_photo(save(tmp_path / "a.png", image), side=1000)
    assert (photo.factor, photo.size, photo.pixels.shape) == (8, (10_000, 6_500), (813, 1250, 3))
    assert photo.pixels[:, :625].max() == 0
    assert photo.pixels[:, 625:].min() == 255


def test_photo_is_decoded_again_only_where_a_larger_one_is_asked_for(tmp_path: Path) -> None:
    path = save(tmp_path / "a.jpg", Image.fromarray(photo_like((640, 480))), quality=90, exif=exif(6))
    small = open_photo(path, side=80)
    path.unlink()  # its bytes are kept
    assert small.factor == 8
    assert small.at_scale(0.01) is small
    assert small.at_scale(1 / 8) is small
    assert [small.at_scale(scale).factor for scale in (0.126, 0.25, 0.3, 0.5, 0.51, 1)] == [4, 4, 2, 2, 1, 1]
    assert small.at_scale(1).at_scale(0.25).factor == 1
    whole = small.at_scale(1)
    assert (whole.size, whole.header, whole.data) == (small.size, small.header, small.data)
    assert difference(small.pixels, shrink(whole.pixels, 80)) < 1


def test_array_is_a_photo_at_full_scale() -> None:
    photo = ScaledPhoto.of(UPRIGHT)
    assert (photo.pixels is UPRIGHT, photo.factor, photo.size, photo.data) == (True, 1, (60, 40), b"")
    assert photo.at_scale(1) is photo


def test_photos_are_opened_by_many_threads_at_once_with_warnings_as_before(tmp_path: Path) -> None:
    path = save(tmp_path / "a.jpg", Image.fromarray(photo_like((320, 240))), exif=b"Exif\0\0nonsense")
    before = list(warnings.filters)
    with ThreadPoolExecutor(8) as pool:
        opened = list(pool.map(lambda _: open_photo(path, side=80), range(64)))
    assert all(np.array_equal(one.pixels, opened[0].pixels) for one in opened)
    assert list(warnings.filters) == before


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tif", "bmp", "gif", "avif", "heic"])
@pytest.mark.parametrize("part", [0.5, 0.9])
def test_cut_off_photo_of_any_format_is_truncated(tmp_path: Path, suffix: str, part: float) -> None:
    pillow_heif.register_heif_opener()
    path = save(tmp_path / f"a.{suffix}", Image.fromarray(photo_like((320, 240))))
    data = path.read_bytes()
    with pytest.raises(TruncatedError, match=r"책 - its end is missing: (\d+%|[\d,]+ bytes|some) ") as caught:
        open_photo(data[: int(len(data) * part)], side=80, name="책")
    assert not isinstance(caught.value, TooLargeError)


@pytest.mark.parametrize("side", [80, 160, 640])
def test_jpeg_that_lacks_nothing_but_the_marker_of_its_end_is_whole(side: int) -> None:
    data = encode_jpeg(photo_like((640, 480)), quality=90)
    whole = open_photo(data, side=side)
    for cut in (data[:-1], data[:-2], data[:-2] + b"\0\0\0\x18ftypmp42" + bytes(500)):
        assert np.array_equal(open_photo(cut, side=side).pixels, whole.pixels)
    for missing in (40, 400):
        with pytest.raises(TruncatedError, match=r"[1-4]% of its pixels"):
            open_photo(data[:-missing], side=640)


def test_progressive_jpeg_without_its_last_scans_is_truncated(tmp_path: Path) -> None:
    path = save(tmp_path / "a.jpg", Image.fromarray(photo_like((320, 240))), progressive=True)
    data = path.read_bytes()
    for end in [place for place in range(len(data) - 1) if data[place : place + 2] == b"\xff\xda"][1:]:
        with pytest.raises(TruncatedError):
            open_photo(data[:end], side=80)


def test_jpeg_of_which_nothing_but_its_beginning_is_there_is_truncated() -> None:
    for length in (3, 30, 300):
        with pytest.raises(TruncatedError, match=r"its end is missing: \d+ bytes or more"):
            open_photo(encode_jpeg(UPRIGHT)[:length], side=80)


def test_photo_damaged_in_its_middle_is_not_truncated() -> None:
    data = bytearray(encode_jpeg(UPRIGHT))
    data[4:24] = bytes(20)
    with pytest.raises(PhotoError) as caught:
        open_photo(bytes(data), side=80)
    assert type(caught.value) is PhotoError


@pytest.mark.parametrize("form", ["PNG", "GIF", "TIFF", "HEIF"])
def test_bombs_in_other_formats_are_refused_undecoded(form: str) -> None:
    """A small photo whose header claims 30,000 x 30,000 pixels."""
    pillow_heif.register_heif_opener()
    buffer = BytesIO()
    Image.new("RGB", (64, 64)).save(buffer, form)
    data, side = buffer.getvalue(), 30_000
    claimed = {
        "PNG": lambda: _claim_png(data, side),
        "GIF": lambda: data[:6] + side.to_bytes(2, "little") * 2 + data[10:],
        "TIFF": lambda: data.replace(_tag(256, 64), _tag(256, side)).replace(_tag(257, 64), _tag(257, side)),
        "HEIF": lambda: data.replace(b"ispe" + bytes(4) + _big(64) * 2, b"ispe" + bytes(4) + _big(side) * 2),
    }[form]()
    assert claimed != data
    with pytest.raises(TooLargeError, match="million"):
        open_photo(claimed, side=64)


def test_webp_has_a_cap_of_its_own() -> None:
    """Its decoder takes twice the memory of others; the canvas stands in the header, here that of an animation."""
    buffer = BytesIO()
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("red", "blue")]
    frames[0].save(buffer, "WEBP", save_all=True, append_images=frames[1:])
    data = buffer.getvalue()
    begin = data.index(b"VP8X") + 12
    side = (12_000 - 1).to_bytes(3, "little")
    with pytest.raises(TooLargeError, match="12000 x 12000 pixels are more than 120 million"):
        open_photo(data[:begin] + side * 2 + data[begin + 6 :], side=64)


def test_file_that_is_no_ordinary_one_or_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "film.jpg").open("wb") as file:
        file.write(encode_jpeg(UPRIGHT))
        file.truncate(MAX_BYTES + 1)
    for read in (read_photo, read_header, lambda path: open_photo(path, side=80)):
        with pytest.raises(TooLargeError, match=r"1\.1 GB are more than 1\.1"):
            read(tmp_path / "film.jpg")
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.jpg")
        with pytest.raises(PhotoError, match="no ordinary file"):
            open_photo(tmp_path / "pipe.jpg", side=80)
        assert not is_photo_inside(tmp_path / "pipe.jpg")
    with pytest.raises(PhotoError, match="a folder"):
        open_photo(tmp_path, side=80)


def test_formats_that_start_programs_or_are_guessed_are_no_photos() -> None:
    for data in (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n", bytes(18) + b"\2"):
        with pytest.raises(PhotoError, match="not a photo in any known format"):
            open_photo(data, side=80)


def test_photos_are_told_by_their_content_where_the_name_does_not(tmp_path: Path) -> None:
    (tmp_path / "IMG_1").write_bytes(encode_jpeg(UPRIGHT))
    (tmp_path / "film.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(100))
    (tmp_path / "empty").touch()
    assert is_photo_inside(tmp_path / "IMG_1")
    assert not any(is_photo_inside(tmp_path / name) for name in ("film.mp4", "empty", "none", "."))


def test_exif_behind_the_pixels_of_a_png_counts(tmp_path: Path) -> None:
    data = save(tmp_path / "a.png", stored(6), exif=exif(6)).read_bytes()
    begin = data.index(b"eXIf") - 4
    end = begin + 12 + int.from_bytes(data[begin : begin + 4], "big")
    last = data.index(b"IEND") - 4
    moved = data[:begin] + data[end:last] + data[begin:end] + data[last:]
    photo = open_photo(moved, side=80)
    assert photo.size == (60, 40)
    assert difference(photo.pixels, UPRIGHT) < 1


def test_photo_read_small_has_both_sides(tmp_path: Path) -> None:
    path = save(tmp_path / "a.jpg", Image.fromarray(photo_like((640, 480))), exif=exif(8))
    header, pixels = read_small(path.read_bytes(), 50, where=path)
    assert (header.size, pixels.shape) == ((480, 640), (80, 60, 3))
    _, pixels = read_small(
        save(tmp_path / "a.png", Image.fromarray(photo_like((640, 480)))).read_bytes(), 50, where=path
    )
    assert pixels.shape == (54, 72, 3)


def _tag(number: int, value: int) -> bytes:
    return number.to_bytes(2, "little") + (4).to_bytes(2, "little") + _little(1) + _little(value)


def _little(value: int) -> bytes:
    return value.to_bytes(4, "little")


def _big(value: int) -> bytes:
    return value.to_bytes(4, "big")


def _claim_png(data: bytes, side: int) -> bytes:
    begin = b"IHDR" + _big(side) * 2 + data[24:29]
    return data[:12] + begin + _big(zlib.crc32(begin)) + data[33:]
