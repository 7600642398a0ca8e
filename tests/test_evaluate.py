"""``cropsort evaluate``: which photos are scored, what is said of them, and what is written."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import pytest
from conftest import Run, copy_eager
from rich.console import Console

from pipeline.errors import DataError, OutputError
from pipeline.evaluate import evaluate_pair
from pipeline.evaluation import Evaluation
from pipeline.scores import Scores
from pipeline.training import Training


@pytest.mark.slow
def test_json_is_all_that_standard_output_gets(trained: Training, home: Path, cropsort: Run, tmp_path: Path) -> None:
    answer = cropsort("evaluate", "--json", "--out", tmp_path / "out", cwd=home)
    assert answer.returncode == 0
    record = json.loads(answer.stdout)
    assert record.items() >= trained.scores.as_dict().items()
    assert record == json.loads((tmp_path / "out" / "evaluate.json").read_text(encoding="utf-8"))
    assert answer.stderr == "note: scored on val, which epoch and threshold were chosen on\n"


def evaluate_all(data: Path, weights: Path, on: str = "", folder: Path | None = None) -> tuple[Evaluation, Path, str]:
    told = io.StringIO()
    console = Console(file=told, width=1000)
    return *evaluate_pair(data, on=on, weights=weights, folder=folder, console=console), told.getvalue()


def evaluate(data: Path, weights: Path, on: str = "") -> tuple[Scores, str]:
    evaluation, _, told = evaluate_all(data, weights, on)
    return evaluation.scores, told


def test_folder_of_labelled_photos_is_scored(eager: Path, tiny: Path) -> None:
    scores, told = evaluate(tiny / "data.yaml", eager, str(tiny / "images" / "train"))
    assert scores.photos == 8
    assert "val" not in told
    assert scores.confidence == 0.001


@pytest.mark.slow
def test_test_photos_come_first_where_there_are_some(eager: Path, tiny: Path) -> None:
    with pytest.raises(DataError, match="names no test photos - add a line 'test: folder'"):
        evaluate(tiny / "data.yaml", eager, "test")
    with (tiny / "data.yaml").open("a") as file:
        file.write("test: images/train\n")
    assert evaluate(tiny / "data.yaml", eager)[0].photos == 8
    assert evaluate(tiny / "data.yaml", eager, "test")[0].photos == 8
    on_val, told = evaluate(tiny / "data.yaml", eager, "val")
    assert on_val.photos == 4
    assert "chosen on" in told


@pytest.mark.slow
def test_something_found_is_something_scored(trained: Training, tiny: Path, tmp_path: Path) -> None:
    """The figures of a real pair are those of what it really finds."""
    pair = copy_eager(trained.weights, tmp_path / "pair")
    folder = tiny / "images" / "val"
    for photo in sorted(folder.iterdir())[1:]:
        photo.unlink()
    shutil.rmtree(tiny / "labels" / "train")
    scores, _ = evaluate(tiny / "data.yaml", pair, str(folder))
    assert scores.photos == 1
    assert scores.f1_low == scores.f1 == scores.f1_high  # drawn again and again from one photo


@pytest.mark.slow
def test_photos_that_cannot_be_read_are_left_out_and_said(eager: Path, tiny: Path) -> None:
    photos = sorted((tiny / "images" / "train").iterdir())
    photos[2].write_bytes(photos[2].read_bytes()[:2000])
    photos[5].write_bytes(b"no photo")
    with (tiny / "data.yaml").open("a") as file:
        file.write("test: images/train\n")
    for on in ("test", str(tiny / "images" / "train")):
        scores, told = evaluate(tiny / "data.yaml", eager, on)
        assert scores.photos == 6
        assert told.count(f"left out: {photos[2]} - its end is missing") == 1
        assert told.count(f"{photos[5]} - not a photo") == 1
    on_val, told = evaluate(tiny / "data.yaml", eager, "val")
    assert on_val.photos == 4
    assert "photo-" not in told


def test_no_photo_that_can_be_read_is_an_error(eager: Path, tiny: Path) -> None:
    folder = tiny / "images" / "val"
    for photo in folder.iterdir():
        photo.write_bytes(photo.read_bytes()[:2000])
    with pytest.raises(DataError, match=f"{folder} - none of the 4 photos can be read"):
        evaluate(tiny / "data.yaml", eager, str(folder))


@pytest.mark.slow
def test_page_and_record_lie_where_they_are_looked_for(eager: Path, tiny: Path) -> None:
    _, page, _ = evaluate_all(tiny / "data.yaml", eager, str(tiny / "images" / "train"))
    assert page == Path("runs/tiny/evaluate/train/evaluate.html")
    assert evaluate_all(tiny / "data.yaml", eager, "val")[1] == Path("runs/tiny/evaluate/val/evaluate.html")
    record = json.loads(page.with_name("evaluate.json").read_text(encoding="utf-8"))
    assert (record["dataset"], record["part"], record["photos"]) == ("tiny", "train", 8)
    assert sum(one["trained"] for one in record["classes"]) == sum(one["subjects"] for one in record["classes"])
    assert not list(Path("runs").rglob("*.part*"))


def test_classes_of_a_folder_are_scored_without_training_photos(eager: Path, tiny: Path) -> None:
    shutil.rmtree(tiny / "images" / "train")
    evaluation, page, _ = evaluate_all(tiny / "data.yaml", eager, str(tiny / "images" / "val"))
    assert {one.trained for one in evaluation.classes} == {None}
    assert page.is_file()


def test_what_was_left_out_stands_on_the_page(eager: Path, tiny: Path) -> None:
    photo = sorted((tiny / "images" / "val").iterdir())[0]
    photo.write_bytes(photo.read_bytes()[:2000])
    evaluation, page, _ = evaluate_all(tiny / "data.yaml", eager, "val")
    assert any("left out" in note for note in evaluation.trial.notes)
    assert photo.name in page.read_text(encoding="utf-8")


def test_folder_that_cannot_be_written_is_said_before_anything_is_scored(eager: Path, tiny: Path) -> None:
    (tiny / "taken").write_text("")
    for photo in (tiny / "images" / "val").iterdir():
        photo.write_bytes(photo.read_bytes()[:2000])  # would be an error too, later
    with pytest.raises(OutputError, match="taken - cannot be written"):
        evaluate_all(tiny / "data.yaml", eager, "val", tiny / "taken")


def test_pair_of_other_classes_is_refused(eager: Path, tiny: Path) -> None:
    names = tiny / "data.yaml"
    names.write_text(names.read_text(encoding="utf-8").replace("novel", "roman"), encoding="utf-8")
    for place in (tiny / "labels").rglob("classes.txt"):
        place.unlink()
    with pytest.raises(DataError, match=r"data.yaml - names .*roman.* - expected .*novel.*, which the pair"):
        evaluate_all(names, eager, "val")


def test_figures_are_told_in_lines_a_class_each(eager: Path, tiny: Path, here: Run) -> None:
    answer = here("evaluate", "--weights", eager, "--on", "val")
    assert answer.returncode == 0
    names = evaluate_all(tiny / "data.yaml", eager, "val")[0].trial.cards.classifier.class_names
    lines = answer.stdout.splitlines()
    assert [line.split("  ")[0] for line in lines[-len(names) - 2 : -2]] == list(names)
    assert lines[-1] == f"with pictures: {Path('runs/tiny/evaluate/val/evaluate.html')}"
