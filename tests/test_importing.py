"""Copies stand upright and keep their names, the table tells their originals, and nothing else is ever touched."""

from __future__ import annotations

import csv
import hashlib
import os
import signal
import subprocess
import sys
import time
import unicodedata
from io import StringIO
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from conftest import MOTION, Run
from photos import hash_files, write_photo, write_text
from PIL import Image
from rich.console import Console

from pipeline.environment import ROOT
from pipeline.errors import CropsortError, DataError, OutputError
from pipeline.images import read_header, read_photo
from pipeline.importing import TABLE, ImportRun, default_folder, import_folder

DATA = Path(__file__).parents[2] / "shared" / "data"
real = pytest.mark.skipif(not DATA.is_dir(), reason=f"no real photos in {DATA}")
GPS_IFD, EXIF_IFD, ORIENTATION, CAPTURED = 0x8825, 0x8769, 0x0112, 0x9003


@pytest.fixture
def phone(tmp_path: Path) -> Path:
    folder = tmp_path / "phone"
    write_photo(folder / "apple" / "001.jpg", seed=1)
    write_photo(folder / "pear" / "001.png", seed=2)
    return folder


def run(folder: Path, out: Path) -> ImportRun:
    return import_folder(folder, out, console=Console(file=StringIO()))


def rows(out: Path) -> dict[str, dict[str, str]]:
    with (out / TABLE).open(encoding="utf-8-sig", newline="") as file:
        return {row["original"]: row for row in csv.DictReader(file)}


def copies(out: Path) -> list[str]:
    found = (path for path in out.rglob("*.jpg") if not path.name.startswith("."))  # what is being written is hidden
    return sorted(path.relative_to(out).as_posix() for path in found)


def save_heic(path: Path, seed: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (64, 96, 3), np.uint8)
    pillow_heif.from_pillow(Image.fromarray(pixels)).save(path)
    return path


def save_turned(path: Path) -> Path:
    """A phone's JPEG: white in its upper left corner once it is upright, with a place, a time, and a film behind it."""
    upright = np.zeros((40, 60, 3), np.uint8)
    upright[:20, :30] = 255
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    exif.get_ifd(EXIF_IFD)[CAPTURED] = "2024:05:06 07:08:09"
    exif.get_ifd(GPS_IFD)[1] = "N"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(upright).transpose(Image.Transpose.ROTATE_90).save(path, exif=exif, quality=95)
    path.write_bytes(path.read_bytes() + MOTION)
    return path


def test_a_phone_photo_becomes_upright_and_says_when_but_not_where(tmp_path: Path) -> None:
    original = save_turned(tmp_path / "phone" / "IMG 1.jpg")
    run(tmp_path / "phone", tmp_path / "out")
    with Image.open(tmp_path / "out" / "IMG 1.jpg") as copy:
        exif = copy.getexif()
        assert (copy.format, copy.size) == ("JPEG", (60, 40))
        assert dict(exif.get_ifd(EXIF_IFD)) == {CAPTURED: "2024:05:06 07:08:09"}
        assert ORIENTATION not in exif and not exif.get_ifd(GPS_IFD)
    there, back = (read_photo(path).pixels.astype(int) for path in (original, tmp_path / "out" / "IMG 1.jpg"))
    assert np.abs(there - back).mean() < 2
    header = read_header(tmp_path / "out" / "IMG 1.jpg")
    assert (header.orientation, header.captured) == (1, "2024-05-06 07:08:09")
    assert MOTION not in (tmp_path / "out" / "IMG 1.jpg").read_bytes()


def test_every_file_has_a_row_that_excel_can_read(phone: Path, tmp_path: Path) -> None:
    save_turned(phone / "apple" / "002.jpg")
    write_text(phone / "notes.txt", "note")
    write_text(phone / "film.mp4", "film")
    write_text(phone / "broken.heic", "no photo")
    write_text(phone / ".DS_Store", "hidden")
    made = run(phone, tmp_path / "out")
    assert made.counts == {"copied": 3, "unsupported": 2, "unreadable": 1}
    assert (made.hidden, made.refused, made.table) == (1, (), tmp_path / "out" / TABLE)
    assert made.table.read_bytes().startswith(b"\xef\xbb\xbfphoto,original,")
    found = rows(tmp_path / "out")
    assert {name: (row["photo"], row["status"]) for name, row in found.items()} == {
        "apple/001.jpg": ("apple/001.jpg", "copied"),
        "apple/002.jpg": ("apple/002.jpg", "copied"),
        "pear/001.png": ("pear/001.jpg", "copied"),
        "broken.heic": ("", "unreadable"),
        "film.mp4": ("", "unsupported"),
        "notes.txt": ("", "unsupported"),
    }
    assert found["broken.heic"]["reason"] == "not a photo in any known format"
    turned = found["apple/002.jpg"]
    assert (turned["width (px)"], turned["height (px)"], turned["captured"]) == ("60", "40", "2024-05-06 07:08:09")
    data = (phone / "apple" / "002.jpg").read_bytes()
    assert (turned["bytes"], turned["sha256"]) == (str(len(data)), hashlib.sha256(data).hexdigest())
    assert turned["folder"] == str(phone.resolve())


def test_originals_stay_as_they_were(phone: Path, tmp_path: Path) -> None:
    save_turned(phone / "turned.jpg")
    save_heic(phone / "new.heic")
    before = hash_files(phone)
    run(phone, tmp_path / "out")
    run(phone, tmp_path / "out")
    assert hash_files(phone) == before


def test_no_two_copies_share_the_name_that_labels_know_them_by(tmp_path: Path) -> None:
    folder = tmp_path / "phone"
    for seed, name in enumerate(("a.jpg", "a.png", "A.webp", "a-2.jpg", "classes.jpg", "a.jpg.png")):
        write_photo(folder / name, seed=seed)
    save_heic(folder / "a.heic")
    write_photo(folder / unicodedata.normalize("NFC", "동화책.jpg"))
    write_photo(folder / unicodedata.normalize("NFD", "동화책.png"))
    run(folder, tmp_path / "out")
    found = {name: row["photo"] for name, row in rows(tmp_path / "out").items()}
    assert len(found) == len(list(folder.iterdir())) == len(copies(tmp_path / "out"))
    stems = [unicodedata.normalize("NFC", photo.removesuffix(".jpg")).casefold() for photo in found.values()]
    assert len(set(stems)) == len(stems)
    assert "classes" not in stems
    assert sorted(found.values()) == copies(tmp_path / "out")
    run(folder, tmp_path / "again")
    assert {name: row["photo"] for name, row in rows(tmp_path / "again").items()} == found


@pytest.mark.skipif(sys.platform != "linux", reason="file systems elsewhere refuse these names")
def test_odd_names_make_plain_copies(tmp_path: Path) -> None:
    folder = tmp_path / "phone"
    for name in (
        "=1+1.jpg",
        "2024-01-02 10:20:30.jpg",
        "'quoted'.jpg",
        "-x.jpg",
        "@y.jpg",
        "a\nb.jpg",
        "긴" * 80 + ".jpg",
    ):
        write_photo(folder / name)
    write_photo(folder / os.fsdecode(b"old \xb0\xa1.jpg"))
    assert run(folder, tmp_path / "out").counts == {"copied": 8}
    found = rows(tmp_path / "out")
    assert "'=1+1.jpg" in found and "'-x.jpg" in found and "old \\xb0\\xa1.jpg" in found
    assert {"_=1+1.jpg", "_-x.jpg", "2024-01-02 10_20_30.jpg", "old __.jpg", "a_b.jpg"} <= set(copies(tmp_path / "out"))
    assert run(folder, tmp_path / "out").counts == {"kept": 8}


def test_running_again_keeps_what_is_there_and_adds_what_is_new(phone: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(phone, out)
    first = {path: path.stat().st_mtime_ns for path in out.rglob("*.jpg")}
    write_photo(phone / "apple" / "001.bmp")  # sorts before 001.jpg, whose copy is 001.jpg
    assert run(phone, out).counts == {"kept": 2, "copied": 1}
    assert {path: path.stat().st_mtime_ns for path in first} == first
    assert rows(out)["apple/001.bmp"]["photo"] == "apple/001-2.jpg"
    assert rows(out)["apple/001.jpg"]["photo"] == "apple/001.jpg"


def test_a_copy_that_was_deleted_comes_back(phone: Path, tmp_path: Path) -> None:
    run(phone, tmp_path / "out")
    (tmp_path / "out" / "apple" / "001.jpg").unlink()
    assert run(phone, tmp_path / "out").counts == {"kept": 1, "copied": 1}
    assert copies(tmp_path / "out") == ["apple/001.jpg", "pear/001.jpg"]


def test_an_original_that_changed_is_copied_anew(phone: Path, tmp_path: Path) -> None:
    run(phone, tmp_path / "out")
    before = hash_files(tmp_path / "out")
    write_photo(phone / "apple" / "001.jpg", seed=9)
    assert run(phone, tmp_path / "out").counts == {"copied": 1, "kept": 1}
    after = hash_files(tmp_path / "out")
    assert before["apple/001.jpg"] != after["apple/001.jpg"]
    assert before["pear/001.jpg"] == after["pear/001.jpg"]


def test_a_copy_that_the_user_changed_is_never_overwritten(phone: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(phone, out)
    edited = write_photo(out / "apple" / "001.jpg", seed=5).read_bytes()
    assert run(phone, out).counts == {"kept": 2}
    write_photo(phone / "apple" / "001.jpg", seed=6)
    for _ in range(2):
        made = run(phone, out)
        assert made.counts == {"refused": 1, "kept": 1}
        assert [error.where for error in made.refused] == [out / "apple" / "001.jpg"]
        assert (out / "apple" / "001.jpg").read_bytes() == edited
    (out / "apple" / "001.jpg").rename(out / "edited.jpg")
    assert run(phone, out).counts == {"copied": 1, "kept": 1}


def test_a_file_that_import_did_not_write_stays(phone: Path, tmp_path: Path, here: Run) -> None:
    foreign = write_text(tmp_path / "out" / "apple" / "001.jpg", "mine")
    (tmp_path / "out" / "pear" / "001.jpg").mkdir(parents=True)
    done = here("import", phone, "--out", tmp_path / "out")
    assert (done.returncode, foreign.read_text(encoding="utf-8")) == (1, "mine")
    told = done.stderr.splitlines()
    assert len(told) == 2
    assert told[0].startswith(f"cropsort: {foreign} - was not written by import")


def test_many_taken_places_are_not_all_told(tmp_path: Path) -> None:
    for number in range(30):
        write_photo(tmp_path / "phone" / f"{number}.bmp", size=(8, 8))
        write_text(tmp_path / "out" / f"{number}.jpg", "mine")
    made = run(tmp_path / "phone", tmp_path / "out")
    assert len(made.refused) == 21
    assert "10 more" in str(made.refused[-1])


def test_copies_of_photos_that_left_the_phone_keep_their_rows(phone: Path, tmp_path: Path) -> None:
    write_text(phone / "film.mp4", "film")
    run(phone, tmp_path / "out")
    (phone / "apple" / "001.jpg").unlink()
    (phone / "film.mp4").unlink()
    assert run(phone, tmp_path / "out").counts == {"kept": 1}
    found = rows(tmp_path / "out")
    assert list(found) == ["pear/001.png", "apple/001.jpg"]
    assert found["apple/001.jpg"]["reason"] == "the original is no longer there"
    write_photo(phone / "apple" / "001.jpg", seed=1)
    assert run(phone, tmp_path / "out").counts == {"kept": 2}
    assert rows(tmp_path / "out")["apple/001.jpg"]["reason"] == ""


def test_a_photo_that_broke_keeps_its_copy(phone: Path, tmp_path: Path) -> None:
    run(phone, tmp_path / "out")
    (phone / "apple" / "001.jpg").write_bytes(b"")
    for _ in range(2):
        assert run(phone, tmp_path / "out").counts == {"unreadable": 1, "kept": 1}
        row = rows(tmp_path / "out")["apple/001.jpg"]
        assert (row["photo"], row["reason"]) == ("apple/001.jpg", "the file is empty")
    write_photo(phone / "apple" / "001.jpg", seed=3)
    assert run(phone, tmp_path / "out").counts == {"copied": 1, "kept": 1}


def test_two_phones_share_a_folder_and_a_moved_one_is_known_again(phone: Path, tmp_path: Path) -> None:
    out, other = tmp_path / "out", tmp_path / "other"
    write_photo(other / "apple" / "001.jpg", seed=7)
    run(phone, out)
    run(other, out)
    assert copies(out) == ["apple/001-2.jpg", "apple/001.jpg", "pear/001.jpg"]
    assert len((out / TABLE).read_text(encoding="utf-8-sig").splitlines()) == 4
    before = hash_files(out)
    phone = phone.rename(tmp_path / "moved")
    assert run(phone, out).counts == {"kept": 2}
    assert run(other, out).counts == {"kept": 1}
    assert {name: hashed for name, hashed in hash_files(out).items() if name != TABLE} == {
        name: hashed for name, hashed in before.items() if name != TABLE
    }


def test_copies_among_the_photos_are_not_imported_again(phone: Path) -> None:
    out = phone / "copies"
    assert run(phone, out).counts == {"copied": 2}
    assert run(phone, out).counts == {"kept": 2}
    assert copies(out) == ["apple/001.jpg", "pear/001.jpg"]


@pytest.mark.parametrize("above", [".", ".."])
def test_the_photos_own_folder_is_refused(phone: Path, above: str) -> None:
    with pytest.raises(CropsortError, match="holds the photos themselves"):
        run(phone, phone / above)


def test_a_folder_without_photos_is_said_in_a_line(tmp_path: Path, here: Run) -> None:
    (tmp_path / "empty").mkdir()
    write_text(tmp_path / "films" / "a.mp4", "film")
    file = write_text(tmp_path / "a.txt", "text")
    for place, reason in (
        (tmp_path / "none", "no such folder"),
        (tmp_path / "empty", "the folder is empty"),
        (tmp_path / "films", "no photos in it, 1 other files"),
        (file, "not a folder"),
    ):
        done = here("import", place, "--out", tmp_path / "out")
        assert (done.returncode, done.stderr.count("\n")) == (1, 1)
        assert reason in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "text", ["", "my own table\n", "photo,original\na,b\n", "\x00", "\ud55c".encode("cp949").decode("latin-1")]
)
def test_a_table_of_somebody_else_is_not_overwritten(phone: Path, tmp_path: Path, text: str) -> None:
    table = tmp_path / "out" / TABLE
    table.parent.mkdir()
    table.write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError) as raised:
        run(phone, tmp_path / "out")
    assert raised.value.where == table
    assert table.read_bytes() == text.encode("latin-1")
    assert list(table.parent.iterdir()) == [table]


@pytest.mark.parametrize("photo", ["../phone/apple/001.jpg", "/etc/passwd", "C:\\a.jpg", "apple/../../a.jpg"])
def test_a_table_leads_nobody_out_of_its_folder(phone: Path, tmp_path: Path, photo: str) -> None:
    run(phone, tmp_path / "out")
    table = tmp_path / "out" / TABLE
    table.write_text(
        table.read_text(encoding="utf-8").replace("apple/001.jpg,apple", f"{photo},apple"), encoding="utf-8"
    )
    with pytest.raises(DataError, match="not a row that import wrote") as raised:
        run(phone, tmp_path / "out")
    assert raised.value.line == 2


def test_the_command_says_what_it_did_and_fails_for_unreadable_photos(
    phone: Path, tmp_path: Path, here: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = here("import", phone)
    assert (done.returncode, done.stderr) == (0, "")
    assert "2 files (2 copied" in done.stdout
    assert f'make init PHOTOS="{Path("images") / "phone"}"' in done.stdout
    assert copies(tmp_path / "images" / "phone") == ["apple/001.jpg", "pear/001.jpg"]
    write_text(phone / "broken.jpg", "")
    done = here("import", phone)
    assert done.returncode == 1
    assert done.stderr == "1 of the photos could not be read: originals.csv says why\n"
    assert default_folder(Path.cwd()).parent == Path("images")


def test_a_place_that_cannot_be_a_folder_is_said_first(phone: Path, tmp_path: Path, here: Run) -> None:
    file = write_text(tmp_path / "file", "text")
    done = here("import", phone, "--out", file / "out")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "cannot be written" in done.stderr


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="needs a user who may not write everywhere")
def test_a_folder_that_may_not_be_written_is_said_first(phone: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir(mode=0o500)
    with pytest.raises(OutputError, match="may not be written"):
        run(phone, tmp_path / "out")


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="stops as a POSIX shell does")
@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGKILL])
def test_a_stopped_run_goes_on(tmp_path: Path, signal_number: signal.Signals) -> None:
    folder, out = tmp_path / "phone", tmp_path / "out"
    for seed in range(30):
        write_photo(folder / f"{seed:02}.bmp", size=(1000, 800), seed=seed)
    words = [sys.executable, "-m", "pipeline", "import", str(folder), "--out", str(out)]
    stopped = subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not copies(out) and stopped.poll() is None:
        time.sleep(0.005)
    stopped.send_signal(signal_number)
    told = stopped.communicate(timeout=60)[1]
    if signal_number == signal.SIGINT:
        assert (stopped.returncode, told) == (130, "cropsort: stopped; what was finished stays\n")
    there = copies(out)
    assert 0 < len(there) < 30
    times = {name: (out / name).stat().st_mtime_ns for name in there}
    made = run(folder, out)
    assert made.counts == {"kept": len(there), "copied": 30 - len(there)}
    assert {name: (out / name).stat().st_mtime_ns for name in there} == times
    run(folder, tmp_path / "undisturbed")
    one, other = (
        {name: (place / name).read_bytes() for name in copies(place)} for place in (out, tmp_path / "undisturbed")
    )
    assert one == other


@real
def test_phone_photos_of_any_orientation_look_alike(tmp_path: Path) -> None:
    made = run(DATA / "phone" / "orientation", tmp_path)
    assert made.counts == {"copied": 18}
    for kind in ("Landscape", "Portrait"):
        small = [
            np.asarray(Image.open(path).convert("L").resize((32, 32)), int) for path in tmp_path.glob(f"{kind}_*.jpg")
        ]
        assert len(small) == 9
        assert max(np.abs(one - small[0]).mean() for one in small) < 6


@real
def test_heic_and_broken_photos_have_their_rows(tmp_path: Path) -> None:
    for name in ("heif/pug.heic", "heif/xiaomi.heic", "heif/corrupted.heic"):
        (tmp_path / "phone").mkdir(exist_ok=True)
        (tmp_path / "phone" / Path(name).name).write_bytes((DATA / "phone" / name).read_bytes())
    assert run(tmp_path / "phone", tmp_path / "out").counts == {"copied": 2, "unreadable": 1}
    assert rows(tmp_path / "out")["pug.heic"]["captured"] == "2023-02-21 14:33:08"
    broken = DATA / "broken"
    before = hash_files(broken)
    made = run(broken, tmp_path / "broken")
    assert made.counts.total() == len(before)
    for name in copies(tmp_path / "broken"):
        read_photo(tmp_path / "broken" / name)
    assert hash_files(broken) == before
