"""The data set: everything wrong with it said, and a split that the same seed repeats."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib as mpl
import pytest
from photos import ACE, KING, voc, write_labelled, write_photo, write_text, yolo

from pipeline.boxes import Box
from pipeline.config import read_config
from pipeline.dataset import DataSet, dataset_name, digest, load_dataset, split_annotations
from pipeline.errors import DataError
from pipeline.init import init_dataset
from pipeline.labels import Annotation, Subject

NAMES = ("ace", "king")
ROOT = Path(__file__).parents[1]


def load(folder: Path, text: str = "train: train\nval: val\nnames: [ace, king]\n") -> DataSet:
    file = write_text(folder / "data.yaml", text)
    return load_dataset(file, read_config(file))


def write_parts(folder: Path) -> None:
    for part in ("train", "val"):
        write_labelled(folder / part, {f"{part}1": [ACE], f"{part}2": [KING]}, NAMES)


def annotate(stem: str, *class_names: str) -> Annotation:
    subjects = tuple(Subject(Box(0, 0, 5, 5), name) for name in class_names)
    return Annotation(Path(f"{stem}.jpg"), (60, 40), subjects, None)


def list_classes(annotations: Sequence[Annotation]) -> set[str]:
    return {subject.class_name for annotation in annotations for subject in annotation.subjects}


def test_folders_give_their_photos_and_labels(tmp_path: Path) -> None:
    write_parts(tmp_path)
    data = load(tmp_path)
    assert [annotation.photo.name for annotation in data.train] == ["train1.jpg", "train2.jpg"]
    assert [annotation.subjects[0].class_name for annotation in data.val] == ["ace", "king"]
    assert (data.class_names, data.test, data.notes) == (NAMES, (), ())


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


@pytest.mark.parametrize("seed", range(20))
def test_split_shows_each_class_on_both_sides_where_two_photos_show_it(seed: int) -> None:
    photos = [annotate(f"{name}{i}", name) for name in "abcdefghij" for i in range(2 + ord(name) % 4)]
    photos += [annotate("both", "a", "b"), annotate("once", "a", "single"), annotate("bare1"), annotate("bare2")]
    train, val = split_annotations(photos, fraction=0.2, seed=seed)
    assert {*train, *val} == set(photos)
    assert not {*train} & {*val}
    assert list_classes(val) == set("abcdefghij")
    assert list_classes(train) == {*"abcdefghij", "single"}
    assert sum(not photo.subjects for photo in val) == 1


def test_split_takes_its_part_of_each_class_and_of_the_background() -> None:
    photos = [annotate(f"{i:03}", *(["ace"] if i < 100 else ["king"] if i < 150 else [])) for i in range(200)]
    _, val = split_annotations(photos, fraction=0.2, seed=0)
    shown = [next(iter(list_classes([photo])), "") for photo in val]
    assert (shown.count("ace"), shown.count("king"), shown.count("")) == (20, 10, 10)


def test_split_does_not_hang_on_the_order_of_the_photos() -> None:
    photos = [annotate(f"{i}", "ace") for i in range(30)]
    assert split_annotations(photos, fraction=0.2, seed=1) == split_annotations(photos[::-1], fraction=0.2, seed=1)


def test_one_photo_cannot_be_split() -> None:
    with pytest.raises(DataError, match="1 photo to split - expected at least two - add photos"):
        split_annotations([annotate("a", "ace")], fraction=0.2, seed=0)


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
    assert str(caught.value.exceptions[-1]) == "and 5 more labels like these"


def test_photo_without_label_counts_as_background_and_label_without_photo_is_said(tmp_path: Path) -> None:
    write_parts(tmp_path)
    write_photo(tmp_path / "train" / "bare.jpg")
    write_text(tmp_path / "val" / "gone.txt", "")
    data = load(tmp_path)
    assert (len(data.train), len(data.val)) == (3, 2)
    assert data.notes == (
        "train: 1 of 3 photos have no label and count as background",
        f"1 labels have no photo, such as {tmp_path / 'val' / 'gone.txt'}",
    )


def test_parts_with_their_labels_in_one_folder_have_no_orphans(tmp_path: Path) -> None:
    for part in ("train", "val"):
        write_photo(tmp_path / part / f"{part}.jpg")
        write_text(tmp_path / "labels" / f"{part}.txt", yolo([ACE, KING], NAMES))
    assert load(tmp_path).notes == ()


def test_photo_that_cannot_be_opened_is_left_out_and_said(tmp_path: Path) -> None:
    write_parts(tmp_path)
    (tmp_path / "train" / "empty.jpg").touch()
    (tmp_path / "train" / "text.jpg").write_text("no photo", encoding="utf-8")
    data = load(tmp_path)
    assert len(data.train) == 2
    assert len(data.notes) == 2
    for note, name in zip(data.notes, ("empty.jpg", "text.jpg"), strict=True):
        assert note.startswith(f"left out: {tmp_path / 'train' / name} - ")


def test_list_whose_photos_all_lie_elsewhere_is_an_error_that_says_so(tmp_path: Path) -> None:
    write_parts(tmp_path)
    write_text(tmp_path / "train.txt", "/elsewhere/a.jpg\n/elsewhere/b.jpg\n")
    said = r"a\.jpg - none of the 2 photos of train can be opened, .*No such file.* - check where the photos are"
    with pytest.raises(DataError, match=said):
        load(tmp_path, "train: train.txt\nval: val\nnames: [ace, king]\n")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda _: None, "val - no such folder - check the spelling"),
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
    for folder in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        folder.chmod(0o755)
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
    assert load(tmp_path).notes == ()


def test_class_that_no_training_photo_shows_is_said(tmp_path: Path) -> None:
    write_parts(tmp_path)
    data = load(tmp_path, "train: train\nval: val\nnames: [ace, king, queen]\n")
    assert data.notes == ("no training photo shows 'queen': it cannot be learnt",)


def test_photo_in_two_parts_is_said_since_it_flatters_the_scores(tmp_path: Path) -> None:
    write_parts(tmp_path)
    data = load(tmp_path, "train: [train, val]\nval: val\ntest: train\nnames: [ace, king]\n")
    assert data.notes == (
        "2 photos are in train and in val: the scores will flatter",
        "2 photos are in train and in test: the scores will flatter",
    )


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


def test_plain_ultralytics_finds_the_photos_of_our_data_yaml_from_any_directory(tmp_path: Path) -> None:
    photos = tmp_path / "내 사진"
    for stem in ("a", "b"):
        write_photo(photos / f"{stem}.jpg")
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
