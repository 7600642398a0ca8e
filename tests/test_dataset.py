"""The data set: everything wrong with it said, and a split that the same seed repeats."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import matplotlib as mpl
import numpy as np
import pytest
from conftest import let_everyone_in
from photos import ACE, KING, SIZE, voc, write_labelled, write_photo, write_text, yolo

from pipeline.check import check_dataset
from pipeline.config import read_config
from pipeline.dataset import DataSet, dataset_name, digest, keep_back, list_parts, load_dataset, read_dataset
from pipeline.errors import DataError
from pipeline.fingerprints import Fingerprint, group_photos
from pipeline.init import init_dataset
from pipeline.labels import Annotation
from pipeline.problems import Kind

NAMES = ("ace", "king")
ROOT = Path(__file__).parents[1]


def load(folder: Path, text: str = "train: train\nval: val\nnames: [ace, king]\n") -> DataSet:
    file = write_text(folder / "data.yaml", text)
    return load_dataset(file, read_config(file))


def write_parts(folder: Path) -> None:
    for part in ("train", "val"):
        write_labelled(folder / part, {f"{part}1": [ACE], f"{part}2": [KING]}, NAMES)


def list_classes(annotations: Sequence[Annotation]) -> set[str]:
    return {subject.class_name for annotation in annotations for subject in annotation.subjects}


def test_folders_give_their_photos_and_labels(tmp_path: Path) -> None:
    write_parts(tmp_path)
    data = load(tmp_path)
    assert [annotation.photo.name for annotation in data.train] == ["train1.jpg", "train2.jpg"]
    assert [annotation.subjects[0].class_name for annotation in data.val] == ["ace", "king"]
    assert (data.class_names, data.test, data.notes, data.problems) == (NAMES, (), (), ())


def test_lists_and_several_places_give_each_photo_once(tmp_path: Path) -> None:
    write_parts(tmp_path)
    write_photo(tmp_path / "책 [1].jpg")
    name = unicodedata.normalize("NFC", "책 [1].jpg")
    write_text(tmp_path / "more.txt", f"\ufeff./train/train1.jpg\r\n\r\n{tmp_path / 'val' / 'val1.jpg'}\n{name}\n")
    data = load(tmp_path, "train: [train, more.txt]\nval: val\nnames: [ace, king]\n")
    assert [annotation.photo.name for annotation in data.train] == ["train1.jpg", "train2.jpg", "val1.jpg", name]


def test_path_is_relative_to_the_file_and_not_to_the_working_directory(tmp_path: Path) -> None:
    write_parts(tmp_path / "set")
    data = load(tmp_path / "conf", "path: ../set\ntrain: train\nval: val\nnames: [ace, king]\n")
    assert len(data.train) == len(data.val) == 2


def test_roboflow_s_places_are_found_though_they_are_off_by_a_folder(tmp_path: Path) -> None:
    for part in ("train", "valid"):
        write_labelled(tmp_path / part / "images", {f"{part}1": [ACE]}, NAMES)
        (tmp_path / part / "labels").mkdir()
        shutil.move(tmp_path / part / "images" / f"{part}1.txt", tmp_path / part / "labels")
    data = load(tmp_path, "train: ../train/images\nval: ../valid/images\nnc: 2\nnames: [ace, king]\n")
    assert [len(annotation.subjects) for annotation in (*data.train, *data.val)] == [1, 1]


def test_without_val_a_part_is_kept_back_and_said(tmp_path: Path) -> None:
    write_labelled(tmp_path / "train", {f"p{i}": [ACE if i % 2 else KING] for i in range(10)}, NAMES)
    text = "train: train\nnames: [ace, king]\nseed: {}\n"
    data, again, other = (load(tmp_path, text.format(seed)) for seed in (5, 5, 6))
    assert (len(data.train), len(data.val)) == (8, 2)
    assert list_classes(data.train) == list_classes(data.val) == set(NAMES)
    assert data.notes == ("data.yaml names no val: 2 of 10 training photos are kept back (seed 5)",)
    assert (again.train, again.val) == (data.train, data.val)
    assert other.val != data.val


def test_val_that_is_kept_back_does_not_hang_on_photos_that_cannot_be_decoded(tmp_path: Path) -> None:
    """Training leaves them out before it splits, evaluate does not: photos learnt from must not be scored on."""
    write_labelled(tmp_path / "train", {f"p{i}": [ACE if i % 2 else KING] for i in range(12)}, NAMES)
    for stem in ("p3", "p8"):
        photo = tmp_path / "train" / f"{stem}.jpg"
        photo.write_bytes(photo.read_bytes()[:900])
    for seed in range(4):
        file = write_text(tmp_path / "data.yaml", f"train: train\nnames: [ace, king]\nseed: {seed}\n")
        checked, loaded = check_dataset(file, read_config(file)), load_dataset(file, read_config(file))
        assert checked.val == loaded.val
        assert {one.photo.stem for one in (*loaded.train, *loaded.val)} == {f"p{i}" for i in range(12)}
        assert {one.photo.stem for one in loaded.train} - {one.photo.stem for one in checked.train} == {"p3", "p8"}


def test_val_that_is_kept_back_does_not_hang_on_photos_of_test(tmp_path: Path) -> None:
    """Photos of train that are near duplicates only by way of one of test; check has looked at that, too."""
    photos = [tmp_path / f"{number}.jpg" for number in range(6)]
    annotations = tuple(Annotation(photo, SIZE, (), None) for photo in photos[:5])
    pairs = {0: 0b0, 1: 0b11111111_11111111, 5: 0b11111111}  # 0 and 1 differ in 16 bits, each in 8 from the one of test
    rng = np.random.default_rng(5)
    shown = rng.integers(0, 255, 16 * 16 * 3, np.uint8).tobytes()
    taken = [
        Fingerprint(
            photo,
            str(number),
            pairs.get(number, int(rng.integers(2**62))),
            None,
            None,
            shown if number in pairs else rng.integers(0, 255, 16 * 16 * 3, np.uint8).tobytes(),
        )
        for number, photo in enumerate(photos)
    ]
    assert len({group_photos(taken)[photos[number]] for number in pairs}) == 1
    for seed in range(6):
        assert keep_back(annotations, seed=seed, fingerprints=taken) == keep_back(
            annotations, seed=seed, fingerprints=taken[:5]
        )


@pytest.mark.parametrize(
    "labels", ["labels/train/corrected", "images/train/corrected", "images/train/corrected/labels"]
)
def test_reviewed_photos_in_a_folder_of_train_are_training_photos(tmp_path: Path, labels: str) -> None:
    """As ``cropsort correct`` writes them: ``images/train/corrected`` with labels in the place of images."""
    for part in ("train", "val"):
        write_photo(tmp_path / "images" / part / f"{part}.jpg", seed=len(part))
        write_text(tmp_path / "labels" / part / f"{part}.txt", yolo([ACE, KING], NAMES))
    write_photo(tmp_path / "images" / "train" / "corrected" / "책 1.jpg", seed=7)
    write_text(tmp_path / labels / "책 1.txt", yolo([KING], NAMES))
    data = load(tmp_path, "train: images/train\nval: images/val\nnames: [ace, king]\n")
    assert [one.photo.name for one in data.train] == ["책 1.jpg", "train.jpg"]
    assert [one.class_name for one in data.train[0].subjects] == ["king"]
    assert (len(data.val), data.corrected, data.problems) == (1, (), ())


def test_list_of_classes_that_begins_with_a_number_is_no_label(tmp_path: Path) -> None:
    names = ("7", "8 of hearts")
    for part in ("train", "val"):
        boxes = [("7", *ACE[1:]), ("8 of hearts", *KING[1:])]
        write_labelled(tmp_path / part, {f"{part}1": boxes}, names)
    assert load(tmp_path, "train: train\nval: val\nnames: ['7', 8 of hearts]\n").problems == ()


def test_label_of_an_unknown_class_is_an_error_and_all_are_told(tmp_path: Path) -> None:
    write_parts(tmp_path)
    for stem in ("train1", "train2"):
        write_text(tmp_path / "train" / f"{stem}.txt", f"{yolo([ACE], NAMES)}7 0.5 0.5 0.1 0.1\n")
    with pytest.raises(ExceptionGroup) as caught:
        load(tmp_path)
    lines = [str(error) for error in caught.value.exceptions]
    for stem, line in zip(("train1", "train2"), lines, strict=True):
        assert line.startswith(f"{tmp_path / 'train' / stem}.txt:2 - class 7, but names has 2 (0 to 1) - ")


def test_more_errors_than_anyone_reads_are_counted(tmp_path: Path) -> None:
    write_parts(tmp_path)
    for number in range(25):
        write_photo(tmp_path / "train" / f"x{number}.jpg")
        write_text(tmp_path / "train" / f"x{number}.txt", "one\n")
    with pytest.raises(ExceptionGroup) as caught:
        load(tmp_path)
    assert len(caught.value.exceptions) == 21
    assert str(caught.value.exceptions[-1]) == "and 5 more like these - cropsort check shows all"


def test_photo_without_label_counts_as_background_and_label_without_photo_is_said(tmp_path: Path) -> None:
    write_parts(tmp_path)
    write_photo(tmp_path / "train" / "bare.jpg")
    write_text(tmp_path / "val" / "gone.txt", "")
    data = load(tmp_path)
    assert (len(data.train), len(data.val)) == (3, 2)
    assert [(problem.kind, problem.path) for problem in data.problems] == [
        (Kind.LABEL_MISSING, tmp_path / "train" / "bare.jpg"),
        (Kind.LABEL_ORPHAN, tmp_path / "val" / "gone.txt"),
    ]


def test_parts_with_their_labels_in_one_folder_have_no_orphans(tmp_path: Path) -> None:
    for part in ("train", "val"):
        write_photo(tmp_path / part / f"{part}.jpg")
        write_text(tmp_path / "labels" / f"{part}.txt", yolo([ACE, KING], NAMES))
    assert load(tmp_path).problems == ()


@pytest.mark.parametrize(("photo", "label"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_label_whose_korean_name_is_in_another_form_is_no_orphan(
    tmp_path: Path, photo: Literal["NFC", "NFD"], label: Literal["NFC", "NFD"]
) -> None:
    write_parts(tmp_path)
    write_photo(tmp_path / "train" / unicodedata.normalize(photo, "책.jpg"), seed=9)
    write_text(tmp_path / "train" / unicodedata.normalize(label, "책.txt"), yolo([ACE], NAMES))
    data = load(tmp_path)
    assert data.problems == ()
    assert len(data.train) == 3


def test_class_list_in_another_korean_form_is_the_same_list(tmp_path: Path) -> None:
    names = tuple(unicodedata.normalize("NFD", name) for name in ("만화", "소설"))
    for part in ("train", "val"):
        write_labelled(tmp_path / part, {part: [(name, *ACE[1:]) for name in names]}, names)
    listed = ", ".join(unicodedata.normalize("NFC", name) for name in names)
    data = load(tmp_path, f"train: train\nval: val\nnames: [{listed}]\n")
    assert Kind.CLASS_LIST_DIFFERS not in {problem.kind for problem in data.problems}


@pytest.mark.parametrize("text", ["train1.jpg\n", "read me first\n", "\ufeff./train/0.jpg\n", "ace\nking\n", "3.jpg\n"])
def test_text_beside_the_photos_that_is_no_label_is_no_orphan(tmp_path: Path, text: str) -> None:
    write_parts(tmp_path)
    write_text(tmp_path / "train" / "more.txt", text)
    (tmp_path / "train" / "folder.txt").mkdir()
    assert load(tmp_path).problems == ()


@pytest.mark.parametrize("name", ["gone.txt", "gone.XML", "gone.json"])
def test_label_without_photo_is_an_orphan_in_every_format(tmp_path: Path, name: str) -> None:
    write_parts(tmp_path)
    write_text(tmp_path / "train" / name, "0 0.5 0.5 0.5 0.5\n")
    assert [(problem.kind, problem.path.name) for problem in load(tmp_path).problems] == [(Kind.LABEL_ORPHAN, name)]


def test_parts_are_listed_in_order_and_only_those_named(tmp_path: Path) -> None:
    write_parts(tmp_path)
    file = write_text(tmp_path / "data.yaml", "test: val\ntrain: train\nnames: [ace, king]\n")
    parts = list_parts(file, read_config(file))
    assert {part: [photo.name for photo in photos] for part, photos in parts.items()} == {
        "train": ["train1.jpg", "train2.jpg"],
        "test": ["val1.jpg", "val2.jpg"],
    }
    assert list(parts) == ["train", "test"]


def test_bad_labels_do_not_end_the_reading(tmp_path: Path) -> None:
    write_parts(tmp_path)
    write_text(tmp_path / "train" / "train1.txt", f"{yolo([ACE], NAMES)}one\n9 0.5 0.5 0.5 0.5\n")
    file = write_text(tmp_path / "data.yaml", "train: train\nval: val\nnames: [ace, king]\n")
    reading = read_dataset(file, read_config(file))
    assert [(problem.kind, problem.line) for problem in reading.problems] == [
        (Kind.ROW_MALFORMED, 2),
        (Kind.CLASS_UNKNOWN, 3),
    ]
    assert [len(annotation.subjects) for annotation in reading.parts["train"]] == [1, 1]


def test_photo_that_cannot_be_opened_is_left_out_and_said(tmp_path: Path) -> None:
    write_parts(tmp_path)
    (tmp_path / "train" / "empty.jpg").touch()
    (tmp_path / "train" / "text.jpg").write_text("no photo", encoding="utf-8")
    data = load(tmp_path)
    assert len(data.train) == 2
    assert [(problem.kind, problem.path.name) for problem in data.problems] == [
        (Kind.PHOTO_UNREADABLE, "empty.jpg"),
        (Kind.PHOTO_UNREADABLE, "text.jpg"),
    ]


def test_list_whose_photos_all_lie_elsewhere_is_an_error_that_says_so(tmp_path: Path) -> None:
    write_parts(tmp_path)
    write_text(tmp_path / "train.txt", "/elsewhere/a.jpg\n/elsewhere/b.jpg\n")
    said = r"a\.jpg - none of the 2 photos of train can be opened, .*No such file.* - check where the photos are"
    with pytest.raises(DataError, match=said):
        load(tmp_path, "train: train.txt\nval: val\nnames: [ace, king]\n")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda _: None, "val - no such folder - check the spelling of 'val' in"),
        (lambda val: val.mkdir(), "val - no photos in this folder - expected JPEG, PNG, HEIC or the like"),
        (lambda val: val.touch(), "val - not a folder - expected a folder of photos"),
        (lambda val: write_photo(val / "a.jpg"), "data.yaml - no labelled box in val - label some photos"),
    ],
)
def test_part_without_photos_or_boxes_is_an_error(tmp_path: Path, make: Callable[[Path], object], said: str) -> None:
    write_labelled(tmp_path / "train", {"a": [ACE]}, NAMES)
    make(tmp_path / "val")
    with pytest.raises(DataError) as caught:
        load(tmp_path)
    assert said in str(caught.value)


@pytest.mark.parametrize(("data", "said"), [(b"\n \n", "names no photo"), (b"\xff\xfe", "cannot be read")])
def test_list_that_names_nothing_is_an_error(tmp_path: Path, data: bytes, said: str) -> None:
    write_parts(tmp_path)
    (tmp_path / "train.txt").write_bytes(data)
    with pytest.raises(DataError, match=said):
        load(tmp_path, "train: train.txt\nval: val\nnames: [ace, king]\n")


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_folder_that_may_not_be_read_is_an_error(tmp_path: Path) -> None:
    write_parts(tmp_path)
    write_text(tmp_path / "data.yaml", "train: train\nval: val\nnames: [ace, king]\n")
    config = read_config(tmp_path / "data.yaml")
    (tmp_path / "val").chmod(0)
    let_everyone_in(tmp_path)
    user = os.geteuid()
    try:
        if user == 0:
            os.seteuid(65534)
        with pytest.raises(DataError, match="val - may not be read"):
            load_dataset(tmp_path / "data.yaml", config)
    finally:
        os.seteuid(user)
        (tmp_path / "val").chmod(0o755)


def test_class_list_in_another_order_than_names_is_an_error(tmp_path: Path) -> None:
    write_parts(tmp_path)
    write_text(tmp_path / "val" / "classes.txt", "ace\nqueen\n")
    with pytest.raises(DataError) as caught:
        load(tmp_path)
    assert str(caught.value) == (
        f"{tmp_path / 'val' / 'classes.txt'}:2 - class 1 is 'queen' here and 'king' in names of data.yaml"
        " - bring both lists into the same order"
    )


def test_class_list_that_is_shorter_or_longer_is_none(tmp_path: Path) -> None:
    write_parts(tmp_path)
    write_text(tmp_path / "train" / "classes.txt", "ace\n")
    write_text(tmp_path / "val" / "classes.txt", "ace\nking\nqueen\n")
    assert load(tmp_path).problems == ()


def test_class_that_no_training_photo_shows_is_said(tmp_path: Path) -> None:
    write_parts(tmp_path)
    data = load(tmp_path, "train: train\nval: val\nnames: [ace, king, queen]\n")
    assert [str(problem) for problem in data.problems] == [
        f"{tmp_path / 'data.yaml'}:3 - no training photo shows 'queen': it cannot be learnt"
        " - add photos of it, or remove it from names"
    ]


def test_photo_in_two_parts_is_said_since_it_flatters_the_scores(tmp_path: Path) -> None:
    write_parts(tmp_path)
    data = load(tmp_path, "train: [train, val]\nval: val\ntest: train\nnames: [ace, king]\n")
    first = [tmp_path / part / f"{part}1.jpg" for part in ("val", "train")]
    said = "2 photos are in train and in {}, such as {}: the scores will flatter"
    assert {(problem.kind, problem.path) for problem in data.problems} == {(Kind.PHOTO_LEAKED, data.file)}
    assert [problem.found for problem in data.problems] == [
        said.format(part, photo) for part, photo in zip(("val", "test"), first, strict=True)
    ]


@pytest.mark.parametrize(
    ("name", "text", "called"),
    [("data.yaml", "", "책 1"), ("cards.yaml", "", "cards"), ("data.yaml", "name: mine\n", "mine")],
)
def test_data_set_is_called_by_its_name_its_folder_or_its_file(
    tmp_path: Path, name: str, text: str, called: str
) -> None:
    file = write_text(tmp_path / "책 1" / name, f"train: a\nnames: [ace]\n{text}")
    assert dataset_name(file, read_config(file)) == called


def test_digest_is_that_of_the_content_and_not_of_the_place(tmp_path: Path) -> None:
    write_parts(tmp_path / "one")
    before = digest(load(tmp_path / "one").train)
    (tmp_path / "one").rename(tmp_path / "two")
    moved = load(tmp_path / "two").train
    assert digest(moved) == digest(moved[::-1]) == before
    write_text(tmp_path / "two" / "train" / "train1.txt", yolo([KING], NAMES))
    assert digest(load(tmp_path / "two").train) != before
    assert digest(moved[:1]) != before


def check_with_ultralytics(folder: Path, *files: Path) -> list[list[str]]:
    """The places and the number of classes that plain Ultralytics finds in each data.yaml, offline, from ``folder``."""
    settings = folder / "ultralytics"
    settings.mkdir()
    font = Path(mpl.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")
    for name in ("Arial.ttf", "Arial.Unicode.ttf"):
        shutil.copy(font, settings / name)
    script = (
        "import sys\nfrom ultralytics.data.utils import check_det_dataset\n"
        "for file in sys.argv[1:]:\n"
        "    data = check_det_dataset(file, autodownload=False)\n"
        "    print('found', data['train'], data['val'], len(data['names']), sep='\\t')\n"
    )
    env = {**os.environ, "YOLO_OFFLINE": "true", "YOLO_AUTOINSTALL": "false", "YOLO_CONFIG_DIR": str(settings)}
    command = [sys.executable, "-c", script, *map(str, files)]
    done = subprocess.run(command, cwd=folder, env=env, check=False, capture_output=True, text=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    return [line.split("\t")[1:] for line in done.stdout.splitlines() if line.startswith("found\t")]


@pytest.mark.slow
def test_plain_ultralytics_finds_the_photos_of_our_data_yaml_from_any_directory(tmp_path: Path) -> None:
    photos = tmp_path / "내 사진"
    for seed, stem in enumerate(("a", "b")):
        write_photo(photos / f"{stem}.jpg", seed=seed)
        write_text(photos / f"{stem}.xml", voc([("동화책", *ACE[1:])]))
    made = init_dataset(photos, photos / "data.yaml")
    new, ours = check_with_ultralytics(tmp_path, made.file, ROOT / "data.yaml")
    assert new == [str(photos / "data.train.txt"), str(photos / "data.val.txt"), "1"]
    for place in new[:2]:
        (line,) = Path(place).read_text(encoding="utf-8").splitlines()
        assert line.startswith("./")  # Ultralytics reads that as the list's folder
        assert (photos / line).is_file()
    config = read_config(ROOT / "data.yaml")
    assert ours == [*(str(ROOT / place) for place in (*config.train, *(config.val or ()))), str(len(config.names))]
    assert all(Path(place).is_dir() for place in ours[:2])
