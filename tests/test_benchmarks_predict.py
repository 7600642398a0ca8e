"""The benchmark of prediction: its command line, and what it works out of times, rows and answers."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.boxes import Box
from pipeline.environment import ROOT
from pipeline.results import Detection, PhotoResult, Prediction
from pipeline.sample import draw_photo, draw_photos

BENCHMARKS = ROOT / "benchmarks"
BOX = (100.0, 100.0, 300.0, 200.0)


@pytest.fixture(scope="module")
def modules() -> Iterator[dict[str, ModuleType]]:
    """The benchmark's modules, imported as its script imports them."""
    import importlib

    kept = list(sys.path)
    sys.path.insert(0, str(BENCHMARKS))
    yield {
        name: importlib.import_module(f"prediction.{name}")
        for name in ("drawn", "figures", "options", "pairs", "plain")
    }
    sys.path[:] = kept


@pytest.fixture
def figures(modules: dict[str, ModuleType]) -> Any:
    return modules["figures"]


def predicted(*edges: float, confidence: float = 0.9, class_name: str = "ace") -> Prediction:
    return Prediction(Detection(Box(*edges), confidence), {class_name: 0.8, "other": 0.2})


def answer(*predictions: Prediction) -> dict[str, PhotoResult]:
    return {"a.jpg": PhotoResult("a.jpg", "ok" if predictions else "empty", (1000, 1000), predictions=predictions)}


@pytest.mark.parametrize("script", ["predict.py", "prediction/plain.py"])
def test_help_works(script: str) -> None:
    told = subprocess.run(
        [sys.executable, BENCHMARKS / script, "--help"], capture_output=True, text=True, check=True, timeout=60
    )
    assert "usage" in told.stdout
    if script == "predict.py":
        for option in ("--data", "--weights", "--work", "--only", "--photos", "--rounds"):
            assert option in told.stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--weights", "nowhere"], "nowhere - no such folder"),
        (["--data", "nowhere"], "nowhere - no such folder"),
        (["--weights", ".", "."], "two folders of the same name"),
        (["--photos", "1"], "--photos is at least 4"),
        (["--only", "fast"], "invalid choice: 'fast'"),
    ],
)
def test_a_wrong_command_line_is_refused(words: list[str], said: str, tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, BENCHMARKS / "predict.py", *words], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert told.returncode == 2
    assert said in told.stderr
    assert not list(tmp_path.iterdir())


def test_a_steady_rate_leaves_the_start_out(figures: Any) -> None:
    assert figures.steady_rate(60, 5.0 + 6.0, 10, 5.0 + 1.0) == pytest.approx(10)
    assert figures.start_up(60, 5.0 + 6.0, 10, 5.0 + 1.0) == pytest.approx(5)


def test_a_run_of_few_that_took_longer_says_nothing(figures: Any) -> None:
    assert math.isnan(figures.steady_rate(60, 5.0, 10, 6.0))


def test_the_spread_is_told_where_there_is_one(figures: Any) -> None:
    assert figures.spread([3.0, 1.0, 2.0]) == "2.00 (1.00 to 3.00)"
    assert figures.spread([3.0], 1) == "3.0"
    assert figures.ratios([4.0, 9.0], [2.0, 3.0]) == [2.0, 3.0]


def test_a_box_is_found_again_at_its_place_with_its_class(figures: Any) -> None:
    reference = answer(predicted(*BOX), predicted(500, 500, 900, 900), predicted(0, 0, 200, 200))
    shifted = predicted(102, 100, 300, 200)
    other_class = predicted(500, 500, 900, 900, class_name="king")
    elsewhere = predicted(100, 0, 300, 200)
    counted = figures.count_again(reference, answer(other_class, elsewhere, shifted), 0.5)
    assert (counted["all"].found, counted["all"].clear) == (1, 3)
    assert (counted["small"].found, counted["small"].clear) == (1, 1)  # 2 % of the photo
    assert (counted["medium"].found, counted["medium"].clear) == (0, 1)  # 4 %
    assert (counted["large"].found, counted["large"].clear) == (0, 1)  # 16 %
    assert str(counted["all"]) == "0.3333 of 3"


def test_a_box_near_the_threshold_does_not_count(figures: Any) -> None:
    counted = figures.count_again(answer(predicted(*BOX, confidence=0.54)), answer(), 0.5)
    assert str(counted["all"]) == "none there"


def test_a_box_is_the_twin_of_one_alone(figures: Any) -> None:
    counted = figures.count_again(answer(predicted(*BOX), predicted(*BOX)), answer(predicted(*BOX)), 0.5)
    assert (counted["all"].found, counted["all"].clear) == (1, 2)


def test_a_photo_that_is_not_there_has_no_boxes(figures: Any) -> None:
    assert figures.count_again(answer(predicted(*BOX)), {}, 0.5)["all"].found == 0


def test_rows_that_are_lost_and_doubled_are_counted(figures: Any) -> None:
    assert figures.compare_rows(["a", "b", "c"], ["a", "a", "c", "c", "c"]) == (1, 3)
    assert figures.compare_rows(["a"], ["a"]) == (0, 0)


def test_tables_are_compared_without_their_seconds(figures: Any) -> None:
    table = [("photo", "seconds", "status"), ("a.jpg", "0.31", "ok")]
    assert figures.without_seconds(table) == [("photo", "status"), ("a.jpg", "ok")]


@pytest.mark.parametrize(("start", "work", "kills"), [(5.0, 60.0, 50), (0.0, 10.0, 9), (20.0, 5.0, 1)])
def test_kills_are_spread_over_the_whole_run(figures: Any, start: float, work: float, kills: int) -> None:
    delays = np.random.default_rng(0).uniform(0, figures.latest_kill(start, work, kills), 200_000)
    assert np.maximum(delays - start, 0).mean() == pytest.approx(work / (kills + 1), rel=0.05)


def test_kills_that_left_more_rows_are_counted(figures: Any) -> None:
    assert figures.count_rises([0, 0, 12, 12, 11, 30]) == 2
    assert figures.count_rises([]) == 0


def test_figures_are_kept(modules: dict[str, ModuleType], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options: Any = modules["options"]
    done = tmp_path / "speed" / "0-ours.json"
    assert options.keep(done, lambda: {"seconds": 1.5}) == {"seconds": 1.5}
    assert options.keep(done, lambda: {"seconds": 2.5}) == {"seconds": 1.5}
    assert capsys.readouterr().err == "  speed/0-ours\n"


def test_given_pairs_of_one_name_are_told_apart(modules: dict[str, ModuleType]) -> None:
    """The second was taken for the first, and its figures were the first's."""
    pairs: Any = modules["pairs"]
    folders = [Path("one/weights/sample"), Path("other/weights/sample"), Path("cards")]
    assert pairs.name_given(folders) == ["given-sample", "given-sample-2", "given-cards"]


def test_links_repeat_the_photos(modules: dict[str, ModuleType], tmp_path: Path) -> None:
    drawn: Any = modules["drawn"]
    photos = [tmp_path / name for name in ("a.jpg", "b.JPG")]
    for photo in photos:
        photo.write_bytes(photo.name.encode())
    for copies in (False, True):
        made = drawn.link(tmp_path / "many", photos, 3, copies=copies)
        assert [(path.name, path.read_bytes()) for path in sorted(made.iterdir())] == [
            ("00000.jpg", b"a.jpg"),
            ("00001.JPG", b"b.JPG"),
            ("00002.jpg", b"a.jpg"),
        ]
        assert (made / "00000.jpg").samefile(photos[0]) is not copies


def test_noise_makes_a_photo_heavier_and_keeps_its_exif(
    modules: dict[str, ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: Any = modules["drawn"]
    draw_photos(tmp_path, tmp_path, count=1, seed=3, size=(320, 240))
    before = tmp_path / "photo-0001.jpg"
    monkeypatch.setattr(drawn, "_WANTED_BYTES", 2 * before.stat().st_size)
    after = tmp_path / "after.jpg"
    after.write_bytes(drawn.add_noise(before.read_bytes(), 0))
    assert after.stat().st_size >= 2 * before.stat().st_size
    with Image.open(before) as one, Image.open(after) as other:
        assert one.size == other.size
        assert dict(one.getexif()) == dict(other.getexif())
        difference = np.asarray(one, float) - np.asarray(other, float)
    assert abs(difference.mean()) < 1
    assert difference.std() < 12


def test_photos_with_two_books_are_chosen(modules: dict[str, ModuleType]) -> None:
    drawn: Any = modules["drawn"]
    (first,) = drawn.choose_crowded(1)
    counts = [len(draw_photo(seed=drawn.SEED, index=index, size=(128, 96)).subjects) for index in range(first + 1)]
    assert counts.index(2) == first
