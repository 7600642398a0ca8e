"""From a folder that was labelled in LabelImg to a data.yaml that the other commands read."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import let_everyone_in
from photos import ACE, KING, createml, hash_files, voc, write_labelled, write_photo, write_text, yolo

from pipeline.config import read_config
from pipeline.dataset import DataSet, load_dataset
from pipeline.errors import CropsortError, DataError, OutputError
from pipeline.init import NewDataSet, init_dataset
from pipeline.problems import Kind

NAMES = ("king", "ace")
DATA = Path(__file__).parents[2] / "shared" / "data"


def init(folder: Path) -> tuple[NewDataSet, DataSet]:
    """Make the data set, see that nothing in the folder changed, and load what was written."""
    before = hash_files(folder)
    made = init_dataset(folder, folder / "data.yaml")
    after = hash_files(folder)
    assert {name: after.get(name) for name in before} == before
    assert sorted(after.keys() - before.keys()) == sorted(["data.yaml", *(f"data.{part}.txt" for part in made.photos)])
    data = load_dataset(made.file, read_config(made.file))
    assert data.class_names == made.class_names
    assert {part: len(getattr(data, part)) for part in made.photos} == made.photos
    return made, data


def write_txt(folder: Path) -> None:
    write_labelled(folder, {f"p{i}": [ACE if i % 2 else KING] for i in range(10)}, NAMES)


def write_txt_apart(folder: Path) -> None:
    write_txt(folder / "images")
    (folder / "labels").mkdir()
    for label in (folder / "images").glob("*.txt"):
        label.rename(folder / "labels" / label.name)


def write_txt_below(folder: Path) -> None:
    write_txt(folder)
    (folder / "labels").mkdir()
    for label in folder.glob("*.txt"):
        label.rename(folder / "labels" / label.name)


def write_xml(folder: Path) -> None:
    for number in range(10):
        write_photo(folder / f"p{number}.JPG", seed=number)
        write_text(folder / f"p{number}.xml", voc([ACE if number % 2 else KING]))


def write_json(folder: Path) -> None:
    for number in range(10):
        photo = write_photo(folder / f"p{number}.png", seed=number)
        write_text(folder / f"p{number}.json", createml([ACE if number % 2 else KING], photo.name))


@pytest.mark.parametrize(
    ("write", "class_names"),
    [
        (write_txt, ("king", "ace")),
        (write_txt_apart, ("king", "ace")),
        (write_txt_below, ("king", "ace")),
        (write_xml, ("ace", "king")),
        (write_json, ("ace", "king")),
    ],
)
def test_labelled_folder_becomes_a_data_set_with_each_class_on_both_sides(
    tmp_path: Path, write: Callable[[Path], None], class_names: tuple[str, ...]
) -> None:
    write(tmp_path)
    made, data = init(tmp_path)
    assert (made.class_names, made.photos, made.notes) == (class_names, {"train": 8, "val": 2}, ())
    for part in (data.train, data.val):
        assert {subject.class_name for photo in part for subject in photo.subjects} == {"ace", "king"}
    for photo in (*data.train, *data.val):
        assert [subject.class_name for subject in photo.subjects] == ["ace" if int(photo.photo.stem[1]) % 2 else "king"]


def test_same_seed_gives_the_same_lists_and_another_seed_others(tmp_path: Path) -> None:
    lists = []
    for name, seed in (("one", 3), ("two", 3), ("three", 4)):
        write_txt(tmp_path / name)
        init_dataset(tmp_path / name, tmp_path / name / "data.yaml", seed=seed)
        lists.append((tmp_path / name / "data.val.txt").read_text(encoding="utf-8"))
    assert lists[0] == lists[1] != lists[2]
    assert read_config(tmp_path / "three" / "data.yaml").seed == 4


@pytest.mark.parametrize("root", [".", "images"])
def test_parts_that_the_user_made_stay_parts(tmp_path: Path, root: str) -> None:
    for part in ("train", "valid", "test"):
        write_labelled(tmp_path / root / part, {f"{part}1": [ACE], f"{part}2": [KING]}, NAMES)
    made, data = init(tmp_path)
    assert made.photos == {"train": 2, "val": 2, "test": 2}
    assert {photo.photo.parent.name for photo in data.val} == {"valid"}
    assert {photo.photo.parent.name for photo in data.test} == {"test"}


def test_train_and_test_alone_leave_test_alone_and_split_train(tmp_path: Path) -> None:
    write_txt(tmp_path / "train")
    write_labelled(tmp_path / "test", {"t": [ACE]}, NAMES)
    made, data = init(tmp_path)
    assert made.photos == {"train": 8, "val": 2, "test": 1}
    assert {photo.photo.parent.name for photo in (*data.train, *data.val)} == {"train"}


def test_korean_names_spaces_and_brackets_survive(tmp_path: Path) -> None:
    folder = tmp_path / unicodedata.normalize("NFD", "내 사진 [1]")
    for number in range(4):
        write_photo(folder / f"책 #{number} (복사).jpg", seed=number)
        write_text(folder / f"책 #{number} (복사).xml", voc([("만화: '1' & 2", *ACE[1:])]))
    made, data = init(folder)
    assert made.class_names == ("만화: '1' & 2",)
    assert "만화" in made.file.read_text(encoding="utf-8")
    assert sum(len(photo.subjects) for photo in (*data.train, *data.val)) == 4


def test_names_that_yaml_would_take_for_something_else_stay_names(tmp_path: Path) -> None:
    names = ("no", "12", "1.5", "null", "2024-01-01", "~", "a: b")
    write_labelled(tmp_path, {f"p{i}": [(name, *ACE[1:])] for i, name in enumerate(names * 2)}, names)
    assert init(tmp_path)[1].class_names == names


def test_lists_elsewhere_name_the_photos_where_they_are(tmp_path: Path) -> None:
    write_txt(tmp_path / "photos")
    made = init_dataset(tmp_path / "photos", tmp_path / "mine" / "cards.yaml")
    assert sorted(path.name for path in (tmp_path / "mine").iterdir()) == [
        "cards.train.txt", "cards.val.txt", "cards.yaml",
    ]  # fmt: skip
    data = load_dataset(made.file, read_config(made.file))
    assert (data.name, len(data.train), len(data.val)) == ("cards", 8, 2)


@pytest.mark.skipif(os.name == "nt", reason="links need a right of their own on Windows")
def test_photos_that_are_links_keep_the_labels_beside_the_links(tmp_path: Path) -> None:
    write_txt(tmp_path / "set")
    (tmp_path / "disk").mkdir()
    for photo in (tmp_path / "set").glob("*.jpg"):
        stored = photo.rename(tmp_path / "disk" / f"IMG_{photo.name}")
        photo.symlink_to(stored)
    _, data = init(tmp_path / "set")
    assert all(photo.subjects for photo in (*data.train, *data.val))


def test_whole_folder_moves_with_its_lists(tmp_path: Path) -> None:
    write_txt(tmp_path / "here")
    init_dataset(tmp_path / "here", tmp_path / "here" / "data.yaml")
    (tmp_path / "here").rename(tmp_path / "there")
    file = tmp_path / "there" / "data.yaml"
    data = load_dataset(file, read_config(file))
    assert (data.name, len(data.train), len(data.val)) == ("there", 8, 2)


def test_class_list_that_grew_while_labelling_counts_at_its_longest(tmp_path: Path) -> None:
    write_labelled(tmp_path / "a", {f"a{i}": [KING] for i in range(3)}, ("king",))
    write_labelled(tmp_path / "b", {f"b{i}": [ACE] for i in range(3)}, ("king", "ace"))
    assert init(tmp_path)[0].class_names == ("king", "ace")


def test_class_lists_that_disagree_are_an_error(tmp_path: Path) -> None:
    write_labelled(tmp_path / "a", {"a1": [ACE]}, ("ace", "king"))
    write_labelled(tmp_path / "b", {"b1": [KING]}, ("king", "ace", "queen"))
    with pytest.raises(DataError, match="ace, king here, king, ace, queen elsewhere - expected one order of classes"):
        init_dataset(tmp_path, tmp_path / "data.yaml")


def test_broken_photos_and_bare_ones_are_noted(tmp_path: Path) -> None:
    write_txt(tmp_path)
    (tmp_path / "broken.jpg").touch()
    write_photo(tmp_path / "bare.jpg")
    made, _ = init(tmp_path)
    assert len(made.notes) == 2
    assert made.notes[0].startswith(f"warning: {Kind.PHOTO_UNREADABLE.title}: {tmp_path / 'broken.jpg'} - ")
    assert made.notes[1].startswith(f"warning: {Kind.LABEL_MISSING.title}: {tmp_path / 'bare.jpg'} - ")


def test_no_labels_no_photos_and_no_folder_are_errors_that_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder - check the spelling"):
        init_dataset(tmp_path / "none", tmp_path / "data.yaml")
    with pytest.raises(DataError, match="no photos in this folder"):
        init_dataset(tmp_path, tmp_path / "data.yaml")
    write_photo(tmp_path / "a.jpg")
    with pytest.raises(DataError, match="no LabelImg files beside or below the photos - name the classes and draw"):
        init_dataset(tmp_path, tmp_path / "data.yaml")


@pytest.mark.parametrize("others", [False, True])
def test_numbers_without_a_class_list_are_an_error_even_where_other_labels_hold_names(
    tmp_path: Path, others: bool
) -> None:
    write_txt(tmp_path)
    (tmp_path / "classes.txt").unlink()
    if others:
        write_photo(tmp_path / "x.jpg")
        write_text(tmp_path / "x.xml", voc([ACE]))
    with pytest.raises(DataError, match=r"class numbers, but no classes\.txt - put LabelImg's classes\.txt beside"):
        init_dataset(tmp_path, tmp_path / "data.yaml")
    assert not list(tmp_path.glob("data.*"))


def test_empty_txt_labels_need_no_class_list(tmp_path: Path) -> None:
    write_xml(tmp_path)
    write_photo(tmp_path / "bare.jpg")
    write_text(tmp_path / "bare.txt", "")
    assert init(tmp_path)[0].class_names == ("ace", "king")


def test_data_yaml_that_is_there_already_stays_as_it_is(tmp_path: Path) -> None:
    write_txt(tmp_path)
    write_text(tmp_path / "data.yaml", "mine")
    before = hash_files(tmp_path)
    with pytest.raises(CropsortError, match=r"data\.yaml - is there already - move it away") as caught:
        init_dataset(tmp_path, tmp_path / "data.yaml")
    assert caught.value.exit_code == 2
    assert hash_files(tmp_path) == before


def test_unusable_label_leaves_nothing_behind(tmp_path: Path) -> None:
    write_txt(tmp_path)
    write_text(tmp_path / "p3.txt", yolo([ACE], NAMES) + "9 0.5 0.5 0.1 0.1\n")
    before = hash_files(tmp_path)
    with pytest.raises(DataError, match=r"p3\.txt:2 - class 9, but names has 2"):
        init_dataset(tmp_path, tmp_path / "data.yaml")
    assert hash_files(tmp_path) == before


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_folder_that_may_not_be_written_to_is_an_output_error(tmp_path: Path) -> None:
    write_txt(tmp_path)
    let_everyone_in(tmp_path)
    tmp_path.chmod(0o555)
    user = os.geteuid()
    try:
        if user == 0:
            os.seteuid(65534)
        with pytest.raises(OutputError, match="may not be written"):
            init_dataset(tmp_path, tmp_path / "data.yaml")
    finally:
        os.seteuid(user)
        tmp_path.chmod(0o755)


@pytest.mark.skipif(not DATA.is_dir(), reason=f"no real photos in {DATA}")
def test_cards_as_their_author_labelled_them_become_a_data_set(tmp_path: Path) -> None:
    made = init_dataset(DATA / "cards", tmp_path / "cards.yaml")
    assert made.class_names == ("ace", "jack", "king", "nine", "queen", "ten")
    assert (made.photos["train"] + made.photos["val"], made.photos["test"]) == (296, 67)
    data = load_dataset(made.file, read_config(made.file))
    assert sum(len(photo.subjects) for photo in (*data.train, *data.val)) == 527
    assert sum(len(photo.subjects) for photo in data.test) == 143


def sort_photos(folder: Path, *, folders: tuple[str, ...] = ("사과", "pear"), each: int = 5) -> None:
    for number, name in enumerate(folders):
        for index in range(each):
            write_photo(folder / name / f"{index}.jpg", seed=10 * number + index)


def test_folders_of_photos_without_labels_are_classes(tmp_path: Path) -> None:
    sort_photos(tmp_path / "photos")
    made = init_dataset(tmp_path / "photos", tmp_path / "data.yaml")
    assert (made.class_names, made.classes_from, made.photos) == (("pear", "사과"), "folders", {"train": 8, "val": 2})
    config = read_config(made.file)
    assert (config.names, config.classes_from) == (("pear", "사과"), "folders")
    dataset = load_dataset(made.file, config)
    assert {subject.class_name for one in dataset.val for subject in one.subjects} == {"pear", "사과"}
    assert "weights: weights/mine/detector.pt" in made.file.read_text(encoding="utf-8")


def test_sorted_photos_in_train_and_val_stay_there(tmp_path: Path) -> None:
    sort_photos(tmp_path / "photos" / "train")
    sort_photos(tmp_path / "photos" / "val", each=2)
    made = init_dataset(tmp_path / "photos", tmp_path / "data.yaml")
    assert (made.class_names, made.photos) == (("pear", "사과"), {"train": 10, "val": 4})


def test_names_of_photos_are_classes_where_the_user_says_so(tmp_path: Path) -> None:
    for seed in range(10):
        write_photo(tmp_path / f"{'cat' if seed % 2 else 'dog'}.{seed}.jpg", seed=seed)
    made = init_dataset(tmp_path, tmp_path / "data.yaml", classes_from="names")
    assert (made.class_names, made.classes_from) == (("cat", "dog"), "names")
    assert read_config(made.file).classes_from == "names"


def test_no_class_in_the_names_is_an_error(tmp_path: Path) -> None:
    write_photo(tmp_path / "0001.jpg")
    with pytest.raises(
        DataError, match=r"no class in the names of the photos - expected photos such as apple\.001\.jpg"
    ):
        init_dataset(tmp_path, tmp_path / "data.yaml", classes_from="names")


def test_photos_to_be_labelled_are_listed_and_not_split(tmp_path: Path) -> None:
    for seed in range(4):
        write_photo(tmp_path / f"{seed}.jpg", seed=seed)
    made = init_dataset(tmp_path, tmp_path / "data.yaml", class_names=("pear", "사과"))
    assert (made.class_names, made.photos, made.notes) == (("pear", "사과"), {"train": 4}, ())
    config = read_config(made.file)
    assert (config.names, config.val, config.classes_from) == (("pear", "사과"), None, "labels")


def test_names_given_fill_in_for_a_missing_class_list(tmp_path: Path) -> None:
    write_labelled(tmp_path, {"a": [ACE], "b": [KING]}, ("king", "ace"))
    (tmp_path / "classes.txt").unlink()
    made = init_dataset(tmp_path, tmp_path / "data.yaml", class_names=("king", "ace", "queen"))
    assert made.class_names == ("king", "ace", "queen")


def test_names_given_come_after_those_of_the_class_list(tmp_path: Path) -> None:
    write_labelled(tmp_path, {"a": [ACE], "b": [KING]}, ("king", "ace"))
    assert init_dataset(tmp_path, tmp_path / "data.yaml", class_names=("queen", "ace")).class_names == (
        "king",
        "ace",
        "queen",
    )
