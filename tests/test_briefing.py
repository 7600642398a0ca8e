"""What a training says before it begins."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from photos import write_photo
from PIL import Image
from rich.console import Console

from pipeline.boxes import Box
from pipeline.briefing import brief_classifier
from pipeline.config import read_config
from pipeline.ensemble import Material
from pipeline.errors import DataError
from pipeline.prepare import CropSource


def brief(folder: Path, class_names: tuple[str, ...], *shown: str, classifier: str = "{}") -> str:
    file = folder / "data.yaml"
    text = f"train: images\nnames: [{', '.join(class_names)}]\nclassifier: {classifier}\n"
    file.write_text(text, encoding="utf-8")
    photos = [write_photo(folder / f"{number}.jpg", seed=number) for number in range(len(shown))]
    sources = tuple(CropSource(photo, Box(5, 5, 55, 35), name) for photo, name in zip(photos, shown, strict=True))
    told = io.StringIO()
    brief_classifier(read_config(file), Material(sources, (), class_names), folder, Console(file=told, width=300))
    return told.getvalue()


def test_what_the_network_will_see_is_drawn_once(tmp_path: Path) -> None:
    assert (
        brief(tmp_path, ("만화", "b"), "b", "만화")
        == f"the crops as the network will see them: {tmp_path}/augmented.jpg\n"
    )
    picture = tmp_path / "augmented.jpg"
    with Image.open(picture) as image:
        image.load()
    drawn = picture.stat().st_mtime_ns
    brief(tmp_path, ("만화", "b"), "b", "만화")
    assert picture.stat().st_mtime_ns == drawn


def test_settings_mirrored_classes_and_uneven_ones_are_a_note_each(tmp_path: Path) -> None:
    classifier = "{balance: oversample, epochs: 2, patience: 5}"
    lines = brief(tmp_path, ("left", "right", "none"), *["left"] * 3, "right", classifier=classifier).splitlines()
    assert len(lines) == 4
    assert lines[0].startswith("note: classifier.patience 5 is longer than the 2 epochs")
    assert lines[1].startswith("note: crops are mirrored, and the mirror image may be of another class (left, right)")
    assert lines[2].startswith("note: ")
    assert "1 to 3 crops" in lines[2]


def test_subject_that_is_gone_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "data.yaml").write_text("train: images\nnames: [a]\n", encoding="utf-8")
    gone = CropSource(tmp_path / "gone.jpg", Box(0, 0, 9, 9), "a")
    with pytest.raises(DataError, match=r"gone\.jpg"):
        brief_classifier(read_config(tmp_path / "data.yaml"), Material((gone,), (), ("a",)), tmp_path, Console())
