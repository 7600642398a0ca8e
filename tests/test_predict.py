"""Every file gets a row, whatever is wrong with it, and nothing that was there is lost."""

from __future__ import annotations

import io
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from conftest import Run, hash_files
from PIL import Image, ImageDraw
from rich.console import Console

from pipeline.environment import ROOT
from pipeline.errors import CropsortError, DataError, OutputError, WeightsError
from pipeline.predict import PredictRun, predict_folder, predict_photos
from pipeline.results import PhotoResult, read_results
from pipeline.road import Road
from pipeline.run_info import read_info
from pipeline.sorter import Sorter
from pipeline.sources import Sources, default_folder, find_sources
from pipeline.thumbnails import Thumbnails
from pipeline.training import Training

OUT = "report"


@pytest.fixture
def photos(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as phones and people make them; the current folder is the one above it."""
    folder = tmp_path / "내 사진 (1)"
    (folder / "b" / "밤").mkdir(parents=True)
    drawn = sorted((home / "images" / "val").iterdir())
    shutil.copyfile(home / "images" / "train" / "photo-0001.jpg", folder / "motion [1].jpg")
    shutil.copyfile(drawn[1], folder / "b" / "밤" / "둘째 & #2.JPG")
    (folder / "b" / "cut.jpg").write_bytes(drawn[2].read_bytes()[:900])
    (folder / "notes.txt").write_text("no photo")
    (folder / ".hidden.jpg").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    return folder


def predict(
    photos: Path,
    sorter: Sorter,
    out: str | Path = OUT,
    batch: int = 1,
    *,
    weights: Path = Path("weights"),
    told: io.StringIO | None = None,
) -> PredictRun:
    console = Console(file=told or io.StringIO(), soft_wrap=True)
    return predict_folder(photos, sorter, weights=weights, folder=Path(out), console=console, batch=batch)


LITTLE_MEMORY = """
import resource, sys
from pathlib import Path
weights, out, photo, room, batch, photos = sys.argv[1:]
import pipeline.cli, pipeline.predict
from pipeline.sorter import Sorter
sorter = Sorter(Path(weights), device="cpu")
sorter(photo)
taken = Path("/proc/self/status").read_text().split("VmData:")[1].split()[0]
resource.setrlimit(resource.RLIMIT_DATA, (int(taken) * 1024 + int(room) * 2**20, -1))
from rich.console import Console
made = pipeline.predict.predict_folder(
    Path(photos), sorter, weights=Path(weights), folder=Path(out), console=Console(width=1000), batch=int(batch)
)
"""
"""Predicts with ``room`` MiB more than the process has when the pair is loaded and warm."""


def sheet(name: str, folder: str | Path = OUT) -> list[tuple[Any, ...]]:
    """The rows of a sheet, without its heading."""
    book = openpyxl.load_workbook(Path(folder) / "report.xlsx")
    return list(book[name].iter_rows(min_row=2, values_only=True))


def test_every_file_has_one_line_and_one_row(photos: Path, eager: Path, cropsort: Run) -> None:
    before = hash_files(photos)
    answer = cropsort("predict", photos, "--weights", eager, "--out", OUT, cwd=Path.cwd())
    assert answer.returncode == 1
    assert answer.stderr == "1 of the photos could not be read: the Problems sheet says why\n"
    assert "in 4 files (" in answer.stdout
    lines = [json.loads(line) for line in Path(OUT, "results.jsonl").read_text(encoding="utf-8").splitlines()]
    status = {line["photo"]: line["status"] for line in lines}
    assert len(lines) == 4
    assert status == {
        "b/cut.jpg": "truncated",
        "b/밤/둘째 & #2.JPG": "ok",
        "motion [1].jpg": "ok",
        "notes.txt": "unsupported",
    }
    assert {line["photo"]: bool(line["error"]) for line in lines} == {
        name: kind in ("truncated", "unsupported") for name, kind in status.items()
    }
    named = [next(cell for cell in row if cell in status) for row in sheet("Photos") if set(row) & set(status)]
    assert sorted(named) == sorted(status)
    boxes = sum(len(line["predictions"]) for line in lines)
    assert boxes > 0
    assert len([row for row in sheet("Detections") if set(row) & set(status)]) == boxes
    assert hash_files(photos) == before


def test_all_photos_readable_is_success(photos: Path, eager: Path, here: Run) -> None:
    (photos / "b" / "cut.jpg").unlink()
    answer = here("predict", photos, "--weights", eager)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert (Path("reports") / photos.name / "report.xlsx").is_file()


def test_results_say_what_the_sorter_says(photos: Path, sorter: Sorter) -> None:
    made = predict(photos, sorter)
    results = {result.photo: result for result in read_results(Path(OUT, "results.jsonl"))}
    wanted = sorter(photos / "motion [1].jpg")
    found = results["motion [1].jpg"].predictions
    assert [one.class_name for one in found] == [one.class_name for one in wanted]
    assert [one.detection.box.edges for one in found] == [
        pytest.approx(one.detection.box.edges, abs=0.06) for one in wanted
    ]
    assert results["motion [1].jpg"].captured is not None
    assert made.counts == {"ok": 2, "truncated": 1, "unsupported": 1}
    assert made.subjects == sum(len(result.predictions) for result in results.values())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux takes names of any bytes")
def test_name_that_is_no_utf8_is_a_row_like_any_other(photos: Path, sorter: Sorter) -> None:
    (photos / "notes.txt").rename(os.fsdecode(bytes(photos / "old") + b"\xb0\xa1.txt"))
    predict(photos, sorter)
    assert r"old\xb0\xa1.txt" in [row[0] for row in sheet("Photos")]


def test_same_photos_give_the_same_results(photos: Path, sorter: Sorter) -> None:
    taken = []
    for name in ("one", "two"):
        predict(photos, sorter, name)
        lines = Path(name, "results.jsonl").read_text(encoding="utf-8").splitlines()
        taken.append([{**json.loads(line), "seconds": 0} for line in lines])
    assert taken[0] == taken[1]


def test_earlier_workbook_is_kept_under_another_name(photos: Path, sorter: Sorter) -> None:
    predict(photos, sorter)
    workbook = Path(OUT, "report.xlsx")
    book = openpyxl.load_workbook(workbook)
    book["Photos"]["Z99"] = "my notes"
    book.save(workbook)
    shutil.copyfile(photos / "motion [1].jpg", photos / "new.jpg")
    told = io.StringIO()
    predict(photos, sorter, told=told)
    kept = list(Path(OUT).glob("report-*.xlsx"))
    assert len(kept) == 1
    assert f"report.xlsx from before is {kept[0].name} now, with all that was written into it\n" in told.getvalue()
    assert openpyxl.load_workbook(kept[0])["Photos"]["Z99"].value == "my notes"
    assert openpyxl.load_workbook(workbook)["Photos"]["Z99"].value is None


def test_two_runs_within_a_second_lose_nothing(photos: Path, sorter: Sorter) -> None:
    predict(photos, sorter)
    workbook = Path(OUT, "report.xlsx")
    for note in (b"first", b"second"):
        workbook.write_bytes(note)
        os.utime(workbook, (1_700_000_000, 1_700_000_000))
        shutil.copyfile(photos / "motion [1].jpg", photos / f"{note.decode()}.jpg")
        predict(photos, sorter)
    assert {path.read_bytes() for path in Path(OUT).glob("report-*.xlsx")} >= {b"first", b"second"}


def test_fewer_photos_leave_no_rows_behind(photos: Path, sorter: Sorter) -> None:
    predict(photos, sorter)
    (photos / "motion [1].jpg").unlink()
    predict(photos, sorter)
    assert len(list(read_results(Path(OUT, "results.jsonl")))) == 3
    assert not any("motion [1].jpg" in row for row in sheet("Photos") + sheet("Detections"))


def test_report_of_other_photos_is_not_replaced(photos: Path, eager: Path, sorter: Sorter, here: Run) -> None:
    predict(photos, sorter)
    before = hash_files(Path(OUT).resolve())
    answer = here("predict", photos / "b", "--weights", eager, "--out", OUT)
    assert (answer.returncode, answer.stderr.count("\n")) == (2, 1)
    assert f"{OUT} - holds the report of {photos} - choose another one: OUT=folder, or --out folder" in answer.stderr
    assert hash_files(Path(OUT).resolve()) == before


@pytest.mark.parametrize("damage", ["", "{", "[]", "3", "null", '"text"'])
def test_damaged_note_keeps_nobody_from_his_report(photos: Path, sorter: Sorter, damage: str) -> None:
    Path(OUT).mkdir()
    Path(OUT, "run.json").write_text(damage)
    predict(photos, sorter)
    assert Path(OUT, "report.xlsx").is_file()


@pytest.mark.parametrize(
    ("files", "told"),
    [
        (None, "no such folder"),
        ([], "the folder is empty"),
        (["notes.txt", "clip.mp4"], "no photos in it, 2 other files"),
        ([".hidden.jpg"], "the folder is empty"),
    ],
)
def test_folder_without_photos_is_said_and_nothing_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, eager: Path, here: Run, files: list[str] | None, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    if files is not None:
        (tmp_path / "photos").mkdir()
        for name in files:
            (tmp_path / "photos" / name).write_text("")
    answer = here("predict", "photos", "--weights", eager)
    assert (answer.returncode, answer.stderr.count("\n")) == (1, 1)
    assert answer.stderr.startswith(f"cropsort: photos - {told} - ")
    assert not Path("reports").exists()


def test_file_instead_of_a_folder_is_said(photos: Path, sorter: Sorter) -> None:
    with pytest.raises(DataError, match=r"notes\.txt - no photos in it, 1 other files"):
        predict(photos / "notes.txt", sorter)


def test_report_is_named_after_the_photos(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert default_folder(find_sources(photos)) == Path("reports") / photos.name
    monkeypatch.chdir(photos)
    assert default_folder(find_sources(Path())) == Path("reports") / photos.name
    assert default_folder(Sources("/", "", Path("/"), ())) == Path("reports") / "photos"


def test_report_inside_the_photos_is_not_sorted_again(photos: Path, sorter: Sorter) -> None:
    """Thumbnails lie in it: they are no photos of the user's."""
    (photos / "b" / "cut.jpg").unlink()
    for _ in range(2):
        made = predict(photos, sorter, photos / "report")
        assert made.counts == {"ok": 2, "unsupported": 1}


def test_report_is_not_mixed_with_the_photos(photos: Path, sorter: Sorter) -> None:
    before = hash_files(photos)
    with pytest.raises(CropsortError, match="is the folder of photos itself - choose another one"):
        predict(photos, sorter, photos)
    assert hash_files(photos) == before


@pytest.mark.slow
def test_full_disk_in_mid_run_is_one_line_and_leaves_the_earlier_results(
    photos: Path, sorter: Sorter, eager: Path, tmp_path: Path
) -> None:
    if sys.platform != "linux" or not shutil.which("unshare"):
        pytest.skip("needs Linux's unshare, to make a small disk")
    if subprocess.run(["unshare", "--user", "--map-root-user", "--mount", "true"], check=False).returncode:
        pytest.skip("may not make a small disk here")
    predict(photos, sorter, weights=eager)
    earlier = hash_files(Path(OUT).resolve())
    for number in range(40):
        shutil.copyfile(photos / "motion [1].jpg", photos / f"more-{number}.jpg")
    size = sum(path.stat().st_size for path in Path(OUT).rglob("*") if path.is_file()) // 1024 + 130
    script = f"""
        set -e
        mkdir disk kept && mount -t tmpfs -o size={size}k tmpfs disk && cp -r {OUT} disk/{OUT}
        code=0; "{sys.executable}" -m pipeline predict "{photos}" --weights "{eager}" --out disk/{OUT} || code=$?
        cp -r disk/{OUT} kept; exit $code
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    inside = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script]
    answer = subprocess.run(inside, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert answer.returncode == 1, answer.stderr
    assert answer.stderr.count("\n") == 1
    assert "the disk is full - free some space and run the same command again" in answer.stderr
    after = hash_files(tmp_path / "kept" / OUT)
    tables = [f"{OUT}/{name}" for name in ("report.xlsx", "detections.csv", "photos.csv")]
    assert {name: after[name] for name in tables} == {name: earlier[name] for name in tables}
    assert not any(".part" in name for name in after)
    kept = Path(OUT).rename(tmp_path / "before") and (tmp_path / "kept" / OUT).rename(Path(OUT))
    done = {one.photo for one in read_results(kept / "results.jsonl")}
    assert done >= {"motion [1].jpg", "notes.txt"}
    made = predict(photos, sorter, weights=eager)
    assert made.fresh < made.counts.total() == 44
    assert {one.photo for one in read_results(kept / "results.jsonl")} > done


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows sends no SIGINT to another process")
def test_ctrl_c_stops_with_130_and_leaves_nothing_half_written(photos: Path, sorter: Sorter, eager: Path) -> None:
    for number in range(900):
        (photos / f"more-{number}.jpg").hardlink_to(photos / "motion [1].jpg")
    results = Path(OUT, "results.jsonl")
    with start(photos, eager) as run:
        wait_for_rows(results, 100)
        run.send_signal(signal.SIGINT)
        _, told = run.communicate(timeout=60)
    assert run.returncode == 130
    assert told.strip() == "cropsort: stopped; what was finished stays"
    done = list(read_results(results))
    assert 100 <= len({one.photo for one in done}) == len(done) < 904
    made = predict(photos, sorter, weights=eager)
    assert (made.fresh, made.counts.total()) == (904 - len(done) + 1, 904)  # the cut one is tried again


def start(photos: Path, weights: Path) -> subprocess.Popen[str]:
    """Predict in a process of its own."""
    command = [sys.executable, "-m", "pipeline", "predict", str(photos), "--weights", str(weights), "--out", OUT]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_rows(results: Path, count: int) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and (not results.exists() or results.read_bytes().count(b"\n") < count):
        time.sleep(0.01)


def rows_of(folder: str | Path) -> list[PhotoResult]:
    """What the results say, but for the time that it took."""
    return [replace(one, seconds=0.0) for one in read_results(Path(folder, "results.jsonl"))]


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
def test_run_that_is_killed_time_and_again_ends_as_one_that_was_not(photos: Path, eager: Path) -> None:
    for number in range(60):
        shutil.copyfile(photos / "motion [1].jpg", photos / f"more-{number}.jpg")
    results, chance, kills = Path(OUT, "results.jsonl"), random.Random(1), 0
    for kill in range(4):
        with start(photos, eager) as run:
            wait_for_rows(results, 5 + 14 * kill)
            time.sleep(chance.uniform(0, 0.03))
            kills += run.poll() is None
            run.kill()
            run.communicate(timeout=60)
        results.write_bytes(results.read_bytes()[: -chance.randrange(1, 40)])  # as a power cut would leave it
    assert kills == 4
    with start(photos, eager) as run:
        told, errors = run.communicate(timeout=120)
    assert run.returncode == 1, errors
    assert "files are done: going on with" in told
    predict(photos, Sorter(eager, device="cpu", engine="openvino"), "undisturbed")
    assert rows_of(OUT) == rows_of("undisturbed")
    assert hash_files(Path(OUT, "thumbnails")) == hash_files(Path("undisturbed", "thumbnails"))
    for name in ("Photos", "Detections"):
        assert len(sheet(name)) == len(sheet(name, "undisturbed"))


@pytest.mark.parametrize("batch", [2, 3, 50])
def test_photos_together_give_what_each_gives_alone(photos: Path, home: Path, sorter: Sorter, batch: int) -> None:
    for number, photo in enumerate(sorted((home / "images" / "train").iterdir())):
        shutil.copyfile(photo, photos / f"{number}.jpg")
    taken, thumbnails = [], []
    for size in (1, batch):
        predict(photos, sorter, f"by {size}", size)
        results = list(read_results(Path(f"by {size}", "results.jsonl")))
        names = [[prediction.class_name for prediction in one.predictions] for one in results]
        rows = [(one.photo, one.status, one.size, one.captured, one.error) for one in results]
        taken.append(list(zip(rows, names, strict=True)))
        thumbnails.append(hash_files(Path(f"by {size}", "thumbnails")))
    assert taken[0] == taken[1]
    assert thumbnails[0] == thumbnails[1]
    assert len(taken[0]) == 12


def draw_large(path: Path, size: tuple[int, int]) -> None:
    """A photo of a few kilobytes that takes its megabytes when it is opened."""
    image = Image.new("1", size, 1)
    ImageDraw.Draw(image).rectangle((size[0] // 4, size[1] // 4, size[0] // 2, size[1] // 2), fill=0)
    image.save(path)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the memory of a process so")
def test_memory_that_runs_out_costs_only_the_photo_that_does_not_fit_alone(
    tmp_path: Path, home: Path, eager: Path, cropsort: Run
) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in "abcd":
        draw_large(folder / f"{name}.png", (6000, 4000))
    draw_large(folder / "huge.png", (15_000, 15_000))
    draw_large(folder / "z.png", (640, 480))
    warm = home / "images" / "val" / "photo-0009.jpg"
    told = cropsort(eager, tmp_path / "out", warm, 280, 8, folder, code=LITTLE_MEMORY, OMP_NUM_THREADS="1")
    assert told.returncode == 0, told.stderr
    results = list(read_results(tmp_path / "out" / "results.jsonl"))
    statuses = {one.photo: one.status for one in results}
    assert list(statuses) == ["a.png", "b.png", "c.png", "d.png", "huge.png", "z.png"]
    assert statuses.pop("huge.png") == "too large"
    assert set(statuses.values()) == {"ok"}
    assert (results[4].size, results[4].error) == ((15_000, 15_000), "does not fit into memory alone")
    assert all(one.predictions for one in results if one.status == "ok")


def test_second_run_does_only_what_is_new_changed_or_failed(photos: Path, sorter: Sorter) -> None:
    assert predict(photos, sorter).fresh == 4
    again = predict(photos, sorter)
    assert (again.fresh, again.counts.total()) == (1, 4)  # the one that is cut is tried again
    shutil.copyfile(photos / "motion [1].jpg", photos / "b" / "cut.jpg")  # sent once more, whole this time
    shutil.copyfile(photos / "motion [1].jpg", photos / "new.jpg")
    os.utime(photos / "notes.txt", ns=(1, 1))
    assert predict(photos, sorter).fresh == 3
    assert {one.photo: one.status for one in rows_of(OUT)} == {
        "b/cut.jpg": "ok",
        "b/밤/둘째 & #2.JPG": "ok",
        "motion [1].jpg": "ok",
        "new.jpg": "ok",
        "notes.txt": "unsupported",
    }
    assert predict(photos, sorter).fresh == 0


def test_report_stays_as_it_is_where_nothing_is_new(photos: Path, sorter: Sorter) -> None:
    predict(photos, sorter)
    before = hash_files(Path(OUT).resolve())
    predict(photos, sorter)
    assert hash_files(Path(OUT).resolve()) == before
    Path(OUT, "report.xlsx").unlink()
    predict(photos, sorter)
    assert len(sheet("Photos")) == 4


def test_thumbnails_keep_to_their_photo_and_go_with_it(photos: Path, sorter: Sorter) -> None:
    predict(photos, sorter)
    before = hash_files(Path(OUT, "thumbnails"))
    (photos / "a first one.jpg").write_bytes((photos / "motion [1].jpg").read_bytes())
    predict(photos, sorter)
    after = hash_files(Path(OUT, "thumbnails"))
    assert before.items() < after.items()
    (photos / "a first one.jpg").unlink()
    predict(photos, sorter)
    assert hash_files(Path(OUT, "thumbnails")) == before


def test_photo_whose_thumbnail_a_power_cut_emptied_is_done_again(photos: Path, sorter: Sorter) -> None:
    predict(photos, sorter)
    before = hash_files(Path(OUT, "thumbnails"))
    next(Path(OUT, "thumbnails").rglob("*.jpg")).write_bytes(b"")
    assert predict(photos, sorter).fresh == 2
    assert hash_files(Path(OUT, "thumbnails")) == before


def test_photos_that_go_or_are_cut_while_it_runs_are_rows_that_say_so(photos: Path, sorter: Sorter) -> None:
    for number in range(30):
        shutil.copyfile(photos / "motion [1].jpg", photos / f"z-{number}.jpg")
    sources = find_sources(photos)
    (photos / "z-11.jpg").unlink()
    (photos / "z-22.jpg").write_bytes((photos / "z-22.jpg").read_bytes()[:2000])
    road = Road(sorter, Thumbnails(Path(OUT)))
    rows = {one.photo: one for one in road.sort(sources.files)}
    assert len(rows) == 34
    assert (rows["z-11.jpg"].status, rows["z-22.jpg"].status) == ("unreadable", "truncated")
    assert "No such file" in rows["z-11.jpg"].error
    assert all(rows[name].error for name in ("z-11.jpg", "z-22.jpg"))


def test_damaged_tiff_is_a_row_and_libtiff_says_nothing_beside_it(
    photos: Path, sorter: Sorter, capfd: pytest.CaptureFixture[str]
) -> None:
    Image.effect_noise((64, 48), 90).save(photos / "bad.tif", compression="tiff_lzw")
    whole = (photos / "bad.tif").read_bytes()
    (photos / "bad.tif").write_bytes(whole[:100] + bytes(500) + whole[600:])
    predict(photos, sorter)
    assert {one.photo: one.status for one in rows_of(OUT)}["bad.tif"] in ("unreadable", "truncated")
    assert capfd.readouterr().err == ""


def test_workbook_made_again_has_the_pictures_that_were_lost(photos: Path, sorter: Sorter) -> None:
    predict(photos, sorter)
    before = hash_files(Path(OUT, "thumbnails"))
    shutil.rmtree(Path(OUT, "thumbnails"))
    Path(OUT, "report.xlsx").unlink()
    predict(photos, sorter)
    assert hash_files(Path(OUT, "thumbnails")) == before


def test_report_may_lie_in_the_folder_above_the_photos(photos: Path, sorter: Sorter) -> None:
    assert predict(photos, sorter, photos.parent).counts.total() == 4
    assert predict(photos, sorter, photos.parent).counts.total() == 4


def test_where_photos_were_taken_is_told_only_if_asked(photos: Path, sorter: Sorter) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8825).update({1: "N", 2: (37.0, 30.0, 0.0), 3: "E", 4: (127.0, 0.0, 0.0)})
    Image.new("RGB", (64, 48), "red").save(photos / "here.jpg", exif=exif)
    console = Console(file=io.StringIO())
    for name, gps in (("with", True), ("without", False)):
        predict_folder(photos, sorter, weights=Path("weights"), folder=Path(name), console=console, gps=gps)
    told = {name: {one.photo: one.gps for one in rows_of(name)}["here.jpg"] for name in ("with", "without")}
    assert told == {"with": (37.5, 127.0), "without": None}
    assert "37.5" not in Path("without", "results.jsonl").read_text(encoding="utf-8")
    with pytest.raises(CropsortError, match=r"was made with --gps - .*OUT=folder.*--restart"):
        predict_folder(photos, sorter, weights=Path("weights"), folder=Path("with"), console=console)
    predict_folder(photos, sorter, weights=Path("weights"), folder=Path("with"), console=console, restart=True)
    assert all(one.gps is None for one in rows_of("with"))


def test_files_are_known_by_what_is_in_them_where_the_name_does_not_say(photos: Path, sorter: Sorter) -> None:
    for name in ("no suffix", "photo.mp4", "photo.jpg_original"):
        shutil.copyfile(photos / "motion [1].jpg", photos / name)
    (photos / "clip.mov").write_bytes(b"\0\0\0\x18ftypqt  " + bytes(500))
    (photos / "clip.jpg").write_bytes(b"\0\0\0\x18ftypmp42" + bytes(500))
    (photos / "empty.jpg").write_bytes(b"")
    predict(photos, sorter)
    status = {one.photo: one.status for one in rows_of(OUT)}
    assert [status[name] for name in ("no suffix", "photo.mp4", "photo.jpg_original")] == ["ok"] * 3
    assert [status[name] for name in ("clip.mov", "clip.jpg", "empty.jpg")] == ["unsupported", *["unreadable"] * 2]
    assert all(one.error for one in rows_of(OUT) if one.status not in ("ok", "empty"))


def test_list_of_paths_and_urls_is_sorted_like_a_folder(
    photos: Path, sorter: Sorter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", "*")
    listed = photos / "list.txt"
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/a.jpg"
        listed.write_text(f"motion [1].jpg\ngone.jpg\n{url}\n", encoding="utf-8")
        made = predict(listed, sorter)
    assert made.counts == {"ok": 1, "unreadable": 2}
    (row,) = (one for one in rows_of(OUT) if one.photo == url)
    assert (row.status, row.file_bytes, row.error.startswith("cannot be fetched (")) == ("unreadable", None, True)


def test_heavy_photos_take_turns_and_give_the_same(
    photos: Path, sorter: Sorter, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(8):
        shutil.copyfile(photos / "motion [1].jpg", photos / f"{number}")
    predict(photos, sorter)
    monkeypatch.setattr("pipeline.decoding._LARGE_PIXELS", 1)
    monkeypatch.setattr("pipeline.road.count_cores", lambda: 4)
    predict(photos, sorter, "in turn")
    assert rows_of(OUT) == rows_of("in turn")


def test_weights_that_do_not_go_together_leave_no_report_behind(photos: Path, eager: Path) -> None:
    with pytest.raises(WeightsError, match="given twice"):
        predict_photos(photos, Path("data.yaml"), weights=[eager, eager], folder=Path(OUT), console=Console())
    assert not Path(OUT).exists()


def test_what_was_run_is_kept_beside_its_results(photos: Path, eager: Path, here: Run) -> None:
    (photos / "b" / "cut.jpg").unlink()
    answer = here("predict", photos, "--weights", eager, "--out", OUT, "--format", "json")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert Path(OUT, "detections.json").is_file()
    assert answer.stdout.endswith(f"to look at in a browser: {Path(OUT, 'report.html')}\n")
    run = read_info(Path(OUT))
    assert run is not None
    assert (run.photos, run.weights, run.hidden_files, run.language) == (photos.resolve(), eager, 1, "en")
    assert run.finished is not None
    card = json.loads((eager / "classifier.json").read_text(encoding="utf-8"))
    assert run.trained_on == card["data_file"]
    assert run.scores["top1_true"] == card["metrics"]["top1_true"]
    assert not {"photos", "subjects", "confidence"} & set(run.scores)
    assert {"device": "cpu", "engine": "openvino", "int8": "no", "iou": "0.6"}.items() <= run.settings.items()
    assert run.settings["detector"] == "yolov5n, 64 px"
    assert run.settings["batch"].isdecimal()
    assert run.settings["sure_from"] == f"{card['sure_from']:.4g}"


def test_run_that_breaks_off_is_described_as_one_that_was_stopped(photos: Path, sorter: Sorter, here: Run) -> None:
    predict(photos, sorter)
    shutil.rmtree(Path(OUT, "thumbnails"))
    Path(OUT, "thumbnails").touch()  # no thumbnail can be written
    shutil.copyfile(photos / "motion [1].jpg", photos / "new.jpg")
    with pytest.raises(OutputError):
        predict(photos, sorter)
    run = read_info(Path(OUT))
    assert run is not None
    assert run.finished is None
    Path(OUT, "thumbnails").unlink()
    answer = here("report", OUT)
    assert (answer.returncode, answer.stderr) == (0, "")
    assert "the run was stopped before its end" in answer.stdout
    predict(photos, sorter)
    run = read_info(Path(OUT))
    assert run is not None
    assert run.finished is not None
    assert len(sheet("Photos")) == 5


def test_report_that_is_made_anew_keeps_when_the_results_were_made(photos: Path, sorter: Sorter) -> None:
    (photos / "b" / "cut.jpg").unlink()
    predict(photos, sorter)
    before = read_info(Path(OUT))
    Path(OUT, "report.xlsx").unlink()
    predict(photos, sorter)
    assert read_info(Path(OUT)) == before
    assert Path(OUT, "report.xlsx").is_file()


def test_photos_with_boxes_are_there_before_the_report_that_links_to_them(photos: Path, sorter: Sorter) -> None:
    console = Console(file=io.StringIO())
    predict(photos, sorter)
    made = predict_folder(
        photos, sorter, weights=Path("weights"), folder=Path(OUT), console=console, extras=["coco", "boxes"]
    )
    assert [line.split()[0] for line in made.extras] == ["COCO's", "boxes"]
    book = openpyxl.load_workbook(Path(OUT, "report.xlsx"))
    links = [cell.hyperlink.target for row in book["Photos"].iter_rows() for cell in row if cell.hyperlink]
    assert sum("boxes" in link for link in links) == 2
    before = hash_files(Path(OUT).resolve())
    predict(photos, sorter)
    assert hash_files(Path(OUT).resolve()) == before


@pytest.mark.slow
def test_report_is_in_the_language_of_data_yaml(
    home: Path, trained: Training, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = photos.parent / "data.yaml"
    text = (home / "data.yaml").read_text(encoding="utf-8")
    out, console = photos.parent / OUT, Console(file=io.StringIO())
    (photos / "b" / "cut.jpg").unlink()
    assert trained.weights == home / "weights" / "tiny"
    monkeypatch.chdir(home)
    for language in ("en", "ko"):
        data.write_text(f"{text}report: {{language: {language}}}\n", encoding="utf-8")
        made = predict_photos(photos, data, weights=[], folder=out, console=console)
        sheets = openpyxl.load_workbook(out / "report.xlsx").sheetnames
        assert ("Detections" in sheets) is (language == "en")
        assert made.fresh == (3 if language == "en" else 0)
