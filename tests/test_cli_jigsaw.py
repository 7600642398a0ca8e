"""The commands of the puzzles, as somebody types them."""

from __future__ import annotations

import io
import pickle
import re
from pathlib import Path

import numpy as np
import pytest
from photos import write_photo
from puzzles import write_corners, write_solver
from rich.console import Console
from typer.testing import CliRunner, Result

from pipeline.cli_jigsaw import app
from pipeline.errors import ConfigError, DataError, WeightsError
from pipeline.jigsaw.collecting import CIFAR, Picture, Pile, collect, find_pictures
from pipeline.jigsaw.kept import SOLVER, read_puzzle_card
from pipeline.jigsaw.puzzle_batches import PuzzleBatches, PuzzleSettings


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def type_in(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def copy(
    photos: Path | str, folder: Path, side: int = 32, grid: int = 2
) -> tuple[list[tuple[float, float]], list[str]]:
    """The sizes of the copies, and the notes."""
    quiet = Console(file=io.StringIO())
    made = collect(find_pictures(photos), folder, side=side, grid=grid, console=quiet)
    return [(one.box.width, one.box.height) for one in made.sources], list(made.notes)


def test_help_names_the_commands() -> None:
    told = type_in("--help")
    assert told.exit_code == 0
    for command in ("train", "solve"):
        assert command in told.output
        assert type_in(command, "--help").exit_code == 0


def test_solve_says_how_many_and_where(folder: Path) -> None:
    weights = write_solver(folder / "weights" / "corners-jigsaw", steps=1)
    write_corners(folder / "trip" / "a.png", 40, 40)
    told = type_in("solve", "trip", "--weights", weights)
    assert (told.exit_code, told.stderr) == (0, "")
    assert "1 of 1 files mended: mended, before-after and puzzles.csv in reports/trip-jigsaw\n" in told.stdout
    assert re.search(r"\n\d+\.00% of the tiles and \d+\.00% of 1 picture right\n$", told.stdout)
    (folder / "trip" / "b.jpg").touch()
    told = type_in("solve", "trip", "--weights", weights, "-o", "out", "--seed", "4")
    assert told.exit_code == 1
    assert told.stderr == "cropsort: b.jpg - the file is empty\n"
    assert "1 of 2 files mended: mended, before-after and puzzles.csv in out\n" in told.stdout


def test_solve_without_a_solver_is_one_line(folder: Path) -> None:
    write_corners(folder / "trip" / "a.png", 40, 40)
    told = type_in("solve", "trip", "--weights", "weights/none")
    assert isinstance(told.exception, WeightsError)
    assert "cropsort jigsaw train" in str(told.exception)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--imgsz", "40"), "imgsz - 40 pixels for 2 x 2 tiles - expected a multiple of 32, such as 32"),
        (("--grid", "3", "--imgsz", "32"), "imgsz - 32 pixels for 3 x 3 tiles - expected a multiple of 48, such as 48"),
        (("--memory", "much"), "'much' is no amount of memory"),
        (("--model", "tilse"), "neither Ultralytics nor timm"),
    ],
)
def test_settings_that_cannot_be_are_one_line_before_the_work(
    folder: Path, options: tuple[str, ...], said: str
) -> None:
    write_corners(folder / "trip" / "a.png", 40, 40)
    told = type_in("train", "trip", *options)
    assert isinstance(told.exception, ConfigError)
    assert said in str(told.exception)
    assert not (folder / "runs").exists()


@pytest.mark.parametrize("options", [("--grid", "4"), ("--epochs", "0"), ("--batch", "1"), ("--seed", "-1")])
def test_numbers_out_of_their_range_are_refused(folder: Path, options: tuple[str, ...]) -> None:
    write_corners(folder / "trip" / "a.png", 40, 40)
    assert type_in("train", "trip", *options).exit_code == 2


def test_too_few_photos_are_one_line(folder: Path) -> None:
    write_corners(folder / "trip" / "a.png", 40, 40)
    told = type_in("train", "trip")
    assert isinstance(told.exception, DataError)
    assert str(told.exception).startswith("trip - 1 pictures to learn from - expected at least 3")
    told = type_in("train", "none")
    assert isinstance(told.exception, DataError)


def test_copies_are_small_upright_and_each_content_once(folder: Path) -> None:
    write_corners(folder / "trip" / "a.png", 20, 30)
    write_corners(folder / "trip" / "b.jpg", 100, 400)
    write_corners(folder / "trip" / "c.png", 20, 30)
    write_photo(folder / "trip" / "d.png", size=(40, 64))
    write_photo(folder / "trip" / "e small.png", size=(1, 64))
    (folder / "trip" / "f.txt").write_text("no photo", encoding="utf-8")
    sizes, notes = copy("trip", folder / "copies")
    assert sorted(sizes) == [(30, 20), (32, 51), (128, 32)]
    assert any("e small.png - 1 x 64 pixels are fewer than 2 x 2 tiles" in note for note in notes)
    assert any("f.txt" in note for note in notes)
    assert "1 pictures are the same as others, and count once" in notes


def test_copies_stay_while_their_photos_do(folder: Path) -> None:
    for number in range(4):
        write_photo(folder / "trip" / f"{number}.png", size=(40, 40), seed=number)
    copy("trip", folder / "copies")
    before = {path.name: path.stat().st_mtime_ns for path in (folder / "copies").iterdir()}
    (folder / "trip" / "0.png").unlink()
    copy("trip", folder / "copies")
    after = {path.name: path.stat().st_mtime_ns for path in (folder / "copies").iterdir()}
    assert len(before) == 4
    assert len(after) == 3
    assert after.items() <= before.items()


def test_copies_among_the_photos_are_no_photos(folder: Path) -> None:
    for number in range(3):
        write_photo(folder / f"{number}.png", size=(40, 40), seed=number)
    for _ in range(2):
        assert len(copy(".", folder / "runs" / "copies")[0]) == 3


def test_small_photos_are_learnt_from_as_they_are(folder: Path) -> None:
    for number in range(3):
        write_photo(folder / "trip" / f"{number}.png", size=(32, 32), seed=number)
    quiet = Console(file=io.StringIO())
    made = collect(find_pictures("trip"), folder / "copies", side=32, grid=2, console=quiet)
    data = PuzzleBatches(made.sources, PuzzleSettings(), None)
    seen = {np.sort(data.draw((0, number))[0], axis=None).tobytes() for number in range(3)}
    drawn = {
        np.sort(np.random.default_rng(n).integers(0, 255, (32, 32, 3), np.uint8), axis=None).tobytes() for n in range(3)
    }
    assert seen == drawn


@pytest.mark.parametrize(
    ("size", "grid", "side"),
    [((32, 40), 2, 32), ((300, 70), 2, 64), ((4000, 3000), 2, 96), ((32, 32), 3, 48), ((20, 20), 2, 32)],
)
def test_size_is_chosen_by_what_the_photos_have(size: tuple[int, int], grid: int, side: int) -> None:
    assert Pile("trip", (), (size, size, (9, 9))).choose_side(grid) == side


def test_damaged_cifar_is_one_line(folder: Path) -> None:
    (folder / CIFAR).mkdir()
    with (folder / CIFAR / "data_batch_1").open("wb") as file:
        pickle.dump({"data": [0]}, file)
    for given in (folder, folder / CIFAR):
        with pytest.raises(DataError, match="of CIFAR-10 is missing or damaged"):
            find_pictures(given)


def test_arrays_are_copied_as_files_are(tmp_path: Path) -> None:
    arrays = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)

    def pick(number: int) -> Picture:
        return Picture(str(number), lambda: (arrays[number].tobytes(), lambda _: arrays[number]))

    quiet = Console(file=io.StringIO())
    pile = Pile("arrays", tuple(map(pick, range(3))), ((32, 32),))
    assert len(collect(pile, tmp_path, side=32, grid=2, console=quiet).sources) == 3


def test_solver_of_other_photos_of_the_same_name_is_not_replaced(folder: Path) -> None:
    write_solver(folder / "weights" / "trip-jigsaw", steps=1)
    (folder / "corners").mkdir()  # what its card says that it learnt from
    write_corners(folder / "trip" / "a.png", 40, 40)
    told = type_in("train", "trip")
    assert isinstance(told.exception, WeightsError)
    assert "learnt from corners" in str(told.exception)


@pytest.mark.slow
def test_solver_is_trained_and_solves(folder: Path) -> None:
    for number in range(40):
        write_corners(folder / "모서리" / f"{number}.png", 32, 40, seed=number)
    told = type_in("train", "모서리", "--epochs", "15", "--batch", "8")
    assert told.exit_code == 0, told.exception
    weights = folder / "weights" / "모서리-jigsaw"
    card = read_puzzle_card(weights, SOLVER)
    assert (card.photos, card.grid, card.imgsz, card.model_name) == (36, 2, 32, "tiles")
    told = type_in("solve", "모서리", "--weights", weights)
    assert told.exit_code == 0
    assert float(told.stdout.splitlines()[-1].partition("%")[0]) > 90
