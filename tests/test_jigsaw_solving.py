"""Photos are put together again: every file has a row, every mended photo its pictures."""

from __future__ import annotations

import csv
import io
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from photos import hash_files
from PIL import Image
from puzzles import draw_corners, write_corners, write_solver
from rich.console import Console

from pipeline.errors import CropsortError, DataError, WeightsError
from pipeline.jigsaw.mended import BEFORE_AFTER, MENDED, name_places
from pipeline.jigsaw.mending import TABLE, Mended, solve_photos
from pipeline.jigsaw.puzzles import make_puzzle
from pipeline.jigsaw.solving import list_failed


@pytest.fixture(scope="module")
def solver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_solver(tmp_path_factory.mktemp("weights") / "corners-jigsaw")


def run(photos: Path | str, weights: Path, folder: Path, *, shuffled: bool = False, seed: int = 0) -> Mended:
    quiet = Console(file=io.StringIO())
    return solve_photos(photos, weights, shuffled=shuffled, seed=seed, folder=folder, console=quiet)


def read(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def test_intact_photos_are_shuffled_mended_and_scored(solver: Path, tmp_path: Path) -> None:
    for number, size in enumerate(((32, 32), (61, 40), (40, 90))):
        write_corners(tmp_path / "photos" / f"{number}.png", *size, seed=number)
    before = hash_files(tmp_path / "photos")
    made = run(tmp_path / "photos", solver, tmp_path / "out")
    assert made.scores is not None
    assert (made.scores.tiles_right, made.scores.pictures_right, made.scores.count) == (1.0, 1.0, 3)
    assert [row.status for row in made.rows] == ["mended"] * 3
    assert np.array_equal(read(tmp_path / "out" / MENDED / "0.png"), draw_corners(32, 32, 0))
    assert np.array_equal(read(tmp_path / "out" / MENDED / "1.png"), draw_corners(61, 40, 1)[10:50])
    assert hash_files(tmp_path / "photos") == before


def test_another_seed_shuffles_otherwise_and_the_same_one_alike(solver: Path, tmp_path: Path) -> None:
    for number in range(4):
        write_corners(tmp_path / "photos" / f"{number}.png", 32, 32, seed=number)
    orders = [
        [row.truth for row in run(tmp_path / "photos", solver, tmp_path / "out", seed=seed).rows] for seed in (0, 0, 1)
    ]
    assert orders[0] == orders[1] != orders[2]


@pytest.mark.parametrize("size", [(32, 32), (64, 40)])
def test_shuffled_photo_is_only_mended_whatever_its_proportions(
    solver: Path, tmp_path: Path, size: tuple[int, int]
) -> None:
    picture = draw_corners(*size)
    half = size[0] // 2, size[1] // 2
    tiles = [picture[: half[0], half[1] :], picture[half[0] :, half[1] :], picture[: half[0], : half[1]]]
    tiles.append(picture[half[0] :, : half[1]])
    rows = [np.concatenate(tiles[:2], axis=1), np.concatenate(tiles[2:], axis=1)]
    (tmp_path / "photos").mkdir()
    Image.fromarray(np.concatenate(rows)).save(tmp_path / "photos" / "a.png")
    made = run(tmp_path / "photos", solver, tmp_path / "out", shuffled=True)
    assert made.scores is None
    assert made.rows[0].order == (1, 3, 0, 2)
    assert np.array_equal(read(tmp_path / "out" / MENDED / "a.png"), picture)


def test_what_was_shuffled_by_hand_is_what_make_puzzle_makes(solver: Path, tmp_path: Path) -> None:
    puzzle, places = make_puzzle(draw_corners(32, 32), grid=2, side=32, rng=np.random.default_rng(3))
    (tmp_path / "photos").mkdir()
    Image.fromarray(puzzle).save(tmp_path / "photos" / "a.png")
    made = run(tmp_path / "photos", solver, tmp_path / "out", shuffled=True)
    assert made.rows[0].order == tuple(places.tolist())


def test_every_file_has_a_row_whatever_is_wrong_with_it(solver: Path, tmp_path: Path) -> None:
    photos = tmp_path / "사진 모음"
    write_corners(photos / "a.jpg", 40, 40)
    write_corners(photos / "b odd.png", 33, 40)
    write_corners(photos / "c small.png", 1, 40)
    write_corners(photos / "d cut.jpg", 64, 64)
    whole = (photos / "d cut.jpg").read_bytes()
    (photos / "d cut.jpg").write_bytes(whole[: len(whole) // 2])
    (photos / "e empty.jpg").touch()
    (photos / "f notes.txt").write_text("no photo", encoding="utf-8")
    made = run(photos, solver, tmp_path / "out", shuffled=True)
    assert [row.status for row in made.rows] == [
        "mended",
        "does not divide",
        "too small",
        "truncated",
        "unreadable",
        "unsupported",
    ]
    assert made.rows[1].reason == "40 x 33 pixels cannot have been cut into 2 x 2 tiles of one size"
    assert made.rows[2].reason == "40 x 1 pixels are fewer than 2 x 2 tiles"
    assert len(list(list_failed(made.rows))) == 4
    assert [path.name for path in (made.folder / MENDED).iterdir()] == ["a.png"]


def test_table_is_one_that_excel_reads(solver: Path, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    write_corners(photos / unicodedata.normalize("NFD", "그림.png"), 32, 32)
    write_corners(photos / "=cmd.png", 32, 32)
    (photos / "하.jpg").touch()
    made = run(photos, solver, tmp_path / "out")
    assert (made.folder / TABLE).read_bytes().startswith(b"\xef\xbb\xbf")
    with (made.folder / TABLE).open(encoding="utf-8-sig", newline="") as file:
        first, second, third = csv.DictReader(file)
    assert first["photo"] == "'=cmd.png"
    assert (second["status"], second["tiles right"], second["tiles"], second["reason"]) == ("mended", "4", "4", "")
    assert second["put to"] == second["belongs to"]
    assert sorted(second["put to"].split()) == ["1", "2", "3", "4"]
    assert (third["status"], third["tiles right"], third["put to"]) == ("unreadable", "", "")


def test_before_and_after_stand_side_by_side(solver: Path, tmp_path: Path) -> None:
    write_corners(tmp_path / "photos" / "trip" / "a.jpg", 300, 200)
    made = run(tmp_path / "photos", solver, tmp_path / "out")
    page = read(made.folder / BEFORE_AFTER / "trip" / "a.png")
    height, width = page.shape[:2]
    assert (height, width) == (452, 840)
    assert (page[:8] == 255).all()  # room around
    mended = page[44 : 44 + 384, 432 : 432 + 384].astype(int)
    assert mended[50, 50].argmax() == mended[50, 330].argmax() == 0
    assert mended[330, 50].argmax() == mended[330, 330].argmax() == 2


def test_large_photo_is_written_as_jpeg(solver: Path, tmp_path: Path) -> None:
    write_corners(tmp_path / "photos" / "a.png", 1100, 1100)
    made = run(tmp_path / "photos", solver, tmp_path / "out")
    assert (made.folder / MENDED / "a.jpg").is_file()


def test_run_into_the_photos_folder_does_not_mend_its_own_pictures(solver: Path, tmp_path: Path) -> None:
    write_corners(tmp_path / "a.png", 32, 32)
    for _ in range(2):
        made = run(tmp_path, solver, tmp_path)
        assert [row.photo for row in made.rows] == ["a.png"]


def test_files_of_others_are_not_written_over(solver: Path, tmp_path: Path) -> None:
    write_corners(tmp_path / "photos" / "a.png", 32, 32)
    theirs = write_corners(tmp_path / "out" / MENDED / "a.png", 32, 32, seed=9)
    before = theirs.read_bytes()
    with pytest.raises(CropsortError, match="did not write"):
        run(tmp_path / "photos", solver, tmp_path / "out")
    assert theirs.read_bytes() == before


def test_photos_of_one_name_get_pictures_of_their_own(tmp_path: Path) -> None:
    places = name_places(["a.jpg", "a.png", "b/A.jpg", "../a.jpg"], tmp_path)
    assert len({str(place.mended).lower() for place in places}) == 4
    assert all(place.pair.is_relative_to(tmp_path) for place in places)


def test_no_photos_and_no_solver_are_one_line(solver: Path, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match="the folder is empty"):
        run(tmp_path / "none", solver, tmp_path / "out")
    with pytest.raises(DataError, match="web addresses"):
        run("https://example.com/a.jpg", solver, tmp_path / "out")
    write_corners(tmp_path / "photos" / "a.png", 32, 32)
    with pytest.raises(WeightsError):
        run(tmp_path / "photos", tmp_path / "none", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_three_tiles_in_a_row(tmp_path: Path) -> None:
    weights = write_solver(tmp_path / "weights", grid=3, steps=1)
    write_corners(tmp_path / "photos" / "a.png", 50, 50)
    write_corners(tmp_path / "photos" / "b.png", 2, 2)
    made = run(tmp_path / "photos", weights, tmp_path / "out")
    assert [row.status for row in made.rows] == ["mended", "too small"]
    assert sorted(made.rows[0].order or ()) == list(range(9))
    assert read(made.folder / MENDED / "a.png").shape == (48, 48, 3)
