"""What the stages train on: our own copies, small, upright, numbered."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml
from photos import hash_files

from pipeline.config import Config, read_config
from pipeline.crops import cut_crop
from pipeline.dataset import DataSet, load_dataset
from pipeline.errors import DataError
from pipeline.images import read_photo
from pipeline.prepare import CropSource, Prepared, prepare
from pipeline.sample import draw_photos


def load(folder: Path, changes: dict[str, str] | None = None) -> tuple[DataSet, Config]:
    """The data set in ``folder`` after texts of its data.yaml were replaced."""
    file = folder / "data.yaml"
    text = file.read_text(encoding="utf-8")
    for old, new in (changes or {}).items():
        assert old in text
        text = text.replace(old, new)
    file.write_text(text, encoding="utf-8")
    config = read_config(file)
    return load_dataset(file, config), config


def run(folder: Path, out: Path, changes: dict[str, str] | None = None) -> Prepared:
    return prepare(*load(folder, changes), out, on_photo=lambda: None)


def first_fields(folder: Path) -> set[str]:
    rows = [row for label in folder.rglob("*0*.txt") for row in label.read_text().splitlines()]
    return {row.split()[0] for row in rows}


def test_one_class_of_subjects_by_default(tiny: Path, tmp_path: Path) -> None:
    made = run(tiny, tmp_path / "out")
    assert made.detector is not None
    assert yaml.safe_load(made.detector.file.read_text())["names"] == ["subject"]
    assert first_fields(tmp_path / "out" / "labels") == {"0"}


def test_several_classes_keep_their_numbers_and_get_ascii_names(tiny: Path, tmp_path: Path) -> None:
    for labels in tiny.rglob("classes.txt"):
        labels.write_text("만화\n동화\n소설\n과학\n", encoding="utf-8")
    names = {"[comic, fairy tale, novel, science]": "[만화, 동화, 소설, 과학]"}
    made = run(tiny, tmp_path / "out", names | {"imgsz: 64": "imgsz: 64, single_cls: false"})
    assert made.detector is not None
    text = made.detector.file.read_text(encoding="utf-8")
    assert text.isascii()
    assert yaml.safe_load(text)["names"] == ["class 0", "class 1", "class 2", "class 3"]
    assert first_fields(tmp_path / "out" / "labels") == first_fields(tiny / "labels") == set("0123")
    assert {source.class_name for source in made.train} == {"만화", "동화", "소설", "과학"}


def test_copies_are_upright_no_larger_than_seen_and_labelled_alike(tiny: Path, tmp_path: Path) -> None:
    dataset, config = load(tiny)
    prepare(dataset, config, tmp_path / "out", on_photo=lambda: None)
    for part, annotations in (("train", dataset.train), ("val", dataset.val)):
        for number, annotation in enumerate(annotations):
            copy = read_photo(tmp_path / "out" / "images" / part / f"{number:06d}.jpg")
            assert max(copy.size) == config.detector.imgsz
            assert (copy.size[0] > copy.size[1]) == (annotation.size[0] > annotation.size[1])
            rows = (tmp_path / "out" / "labels" / part / f"{number:06d}.txt").read_text().splitlines()
            for row, subject in zip(rows, annotation.subjects, strict=True):
                middle = (subject.box.left + subject.box.right) / 2 / annotation.size[0]
                assert float(row.split()[1]) == pytest.approx(middle, abs=1e-5)


def test_crop_from_a_prepared_subject_is_the_crop_from_the_photo(tiny: Path, tmp_path: Path) -> None:
    for part in ("train", "val"):
        draw_photos(tiny / "images" / part, tiny / "labels" / part, count=6, seed=2, size=(640, 512))
    dataset, config = load(tiny, {"imgsz: 32": "imgsz: 64"})
    made = prepare(dataset, config, tmp_path / "out", on_photo=lambda: None)
    subjects = [(a.photo, s) for a in dataset.train[:6] for s in a.subjects]
    assert len(subjects) > 4
    for source, (photo, subject) in zip(made.train, subjects, strict=False):
        assert source.class_name == subject.class_name
        ours = cut_crop(read_photo(source.file).pixels, source.box, side=64, margin=0.05).astype(int)
        full = cut_crop(read_photo(photo).pixels, subject.box, side=64, margin=0.05).astype(int)
        assert np.abs(ours - full).mean() < 9


def test_truncated_photo_is_left_out_and_said(tiny: Path, tmp_path: Path) -> None:
    photo = tiny / "images" / "train" / "photo-0002.jpg"
    photo.write_bytes(photo.read_bytes()[:1500])
    counted: list[None] = []
    dataset, config = load(tiny)
    made = prepare(dataset, config, tmp_path / "out", on_photo=lambda: counted.append(None))
    assert len(counted) == 12
    assert len(made.notes) == 1
    assert made.notes[0].startswith(f"left out: {photo}")
    assert len(list((tmp_path / "out" / "images" / "train").iterdir())) == 7
    names = {path.stem for path in (tmp_path / "out" / "labels" / "train").iterdir()}
    assert names == {path.stem for path in (tmp_path / "out" / "images" / "train").iterdir()}


def test_corrected_boxes_are_for_the_classifier_alone(tiny: Path, tmp_path: Path) -> None:
    dataset, config = load(tiny)
    plain = prepare(dataset, config, tmp_path / "plain", on_photo=lambda: None)
    corrected = tuple(replace(one, subjects=one.subjects[:1]) for one in dataset.val if one.subjects)[:2]
    counted: list[None] = []
    made = prepare(
        replace(dataset, corrected=corrected), config, tmp_path / "out", on_photo=lambda: counted.append(None)
    )
    assert len(counted) == 14
    assert made.val == tuple(relocate(source, tmp_path / "plain", tmp_path / "out") for source in plain.val)
    *others, first, second = made.train
    assert others == [relocate(source, tmp_path / "plain", tmp_path / "out") for source in plain.train]
    assert [source.photo for source in (first, second)] == [one.photo for one in corrected]
    assert [source.class_name for source in (first, second)] == [one.subjects[0].class_name for one in corrected]
    assert first.file.is_file()
    assert first.file not in [source.file for source in (*others, *made.val)]
    for name in ("images", "labels"):
        assert hash_files(tmp_path / "out" / name) == hash_files(tmp_path / "plain" / name)
    assert made.detector is not None
    assert plain.detector is not None
    assert made.detector.photos == plain.detector.photos == 8


def relocate(source: CropSource, old: Path, new: Path) -> CropSource:
    return replace(source, file=new / source.file.relative_to(old))


def test_corrected_photo_that_is_cut_off_is_left_out_and_said(tiny: Path, tmp_path: Path) -> None:
    dataset, config = load(tiny)
    photo = tmp_path / "cut.jpg"
    photo.write_bytes(dataset.val[0].photo.read_bytes()[:1500])
    made = prepare(
        replace(dataset, corrected=(replace(dataset.val[0], photo=photo),)),
        config,
        tmp_path / "out",
        on_photo=lambda: None,
    )
    assert [note.partition(" - ")[0] for note in made.notes] == [f"left out: {photo}"]
    assert photo not in [source.photo for source in made.train]


def test_no_photo_left_is_an_error(tiny: Path, tmp_path: Path) -> None:
    dataset, config = load(tiny)
    for photo in (tiny / "images" / "val").iterdir():
        photo.write_bytes(photo.read_bytes()[:1500])
    with pytest.raises(DataError, match="no subject left in val"):
        prepare(dataset, config, tmp_path / "out", on_photo=lambda: None)


def test_the_same_photos_are_prepared_the_same(tiny: Path, tmp_path: Path) -> None:
    dataset, config = load(tiny)
    shutil.rmtree(tmp_path / "out", ignore_errors=True)
    one, other = (prepare(dataset, config, tmp_path / name, on_photo=lambda: None) for name in ("one", "other"))
    for first, second in zip(one.train, other.train, strict=True):
        assert first.box == second.box
        assert first.file.read_bytes() == second.file.read_bytes()
