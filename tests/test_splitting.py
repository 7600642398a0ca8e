"""Splitting: each photo once, groups never torn, each class on both sides where it can be, and nothing overwritten."""

from __future__ import annotations

import random
import shutil
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest
from conftest import Run
from hypothesis import given, settings
from hypothesis import strategies as st
from photos import ACE, KING, Drawn, hash_files, voc, write_photo, write_text, yolo
from PIL import Image

from pipeline.boxes import Box
from pipeline.config import read_config
from pipeline.dataset import load_dataset
from pipeline.errors import DataError
from pipeline.labels import Annotation, Subject
from pipeline.splitting import count_groups, fold_annotations, share_out, split_annotations

NAMES = ("ace", "king")


def annotate(stem: str, *class_names: str) -> Annotation:
    subjects = tuple(Subject(Box(0, 0, 5, 5), name) for name in class_names)
    return Annotation(Path(f"{stem}.jpg"), (60, 40), subjects, None)


def list_classes(annotations: Iterable[Annotation]) -> set[str]:
    return {subject.class_name for annotation in annotations for subject in annotation.subjects}


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


def test_split_does_not_hang_on_the_order_or_the_place_of_the_photos() -> None:
    photos = [annotate(f"{i}", "ace") for i in range(30)]
    moved = [Annotation("/else/where" / one.photo, one.size, one.subjects, None) for one in photos]
    train, val = split_annotations(photos, fraction=0.2, seed=1)
    assert split_annotations(photos[::-1], fraction=0.2, seed=1) == (train, val)
    assert [one.photo.name for one in split_annotations(moved, fraction=0.2, seed=1)[1]] == [
        one.photo.name for one in val
    ]


def test_split_of_a_seed_stays_what_it_was() -> None:
    """Whoever trained with the version before must find the same photos in val."""
    photos = [annotate(f"{i:02}", "ace" if i % 3 else "king", *(["queen"] if i % 10 == 0 else [])) for i in range(30)]
    _, val = split_annotations(photos, fraction=0.2, seed=7)
    assert [one.photo.stem for one in val] == ["01", "03", "04", "10", "12", "20"]
    apart = {one.photo: number for number, one in enumerate(photos)}
    assert split_annotations(photos, fraction=0.2, seed=7, groups=apart)[1] == val


def test_one_photo_or_one_group_cannot_be_split() -> None:
    with pytest.raises(DataError, match="1 photo to split - expected at least two - add photos"):
        split_annotations([annotate("a", "ace")], fraction=0.2, seed=0)
    photos = [annotate("a", "ace"), annotate("b", "ace")]
    with pytest.raises(DataError, match="all 2 photos are near duplicates or of one burst"):
        split_annotations(photos, fraction=0.2, seed=0, groups={one.photo: 1 for one in photos})


def test_group_that_is_too_large_gives_way_to_one_that_fits() -> None:
    photos = [annotate(f"{i:02}", "ace") for i in range(20)]
    groups = {one.photo: 0 if i < 12 else i for i, one in enumerate(photos)}
    for seed in range(10):
        assert len(split_annotations(photos, fraction=0.2, seed=seed, groups=groups)[1]) == 4


Sets = tuple[list[Annotation], dict[Path, int]]


@st.composite
def grouped_sets(draw: st.DrawFn) -> Sets:
    """Photos of one class each, or none, in groups of one class."""
    photos, groups = [], {}
    for number in range(draw(st.integers(2, 40))):
        name = draw(st.sampled_from(["ace", "king", "queen", ""]))
        for member in range(draw(st.sampled_from([1, 1, 1, 2, 5]))):
            photos.append(annotate(f"{number:02}-{member}", *([name] if name else [])))
            groups[photos[-1].photo] = number
    return draw(st.permutations(photos)), groups


@given(grouped_sets(), st.sampled_from([0.1, 0.2, 0.5]), st.integers(0, 99))
@settings(max_examples=60, deadline=None)
def test_split_of_any_set_tears_no_group_and_shows_each_class_twice(found: Sets, fraction: float, seed: int) -> None:
    photos, groups = found
    train, val = split_annotations(photos, fraction=fraction, seed=seed, groups=groups)
    check_halves(photos, groups, train, val)
    classes = [next(iter(list_classes([one])), "") for one in photos]
    sizes = Counter(groups.values())
    for name, count in count_groups(photos, groups).items():
        shown = sum(list_classes([one]) == ({name} - {""}) for one in val)
        assert (shown > 0) == (count > 1)
        largest = max(sizes[groups[one.photo]] for one, cls in zip(photos, classes, strict=True) if cls == name)
        assert count == 1 or abs(shown - fraction * classes.count(name)) <= max(largest, 1)


def check_halves(
    photos: list[Annotation], groups: dict[Path, int], train: Sequence[Annotation], val: Sequence[Annotation]
) -> None:
    assert Counter(one.photo for one in (*train, *val)) == Counter(one.photo for one in photos)
    assert not {groups[one.photo] for one in train} & {groups[one.photo] for one in val}


@given(grouped_sets(), st.integers(2, 4), st.integers(0, 99))
@settings(max_examples=30, deadline=None)
def test_folds_of_any_set_show_each_photo_once_in_val(found: Sets, folds: int, seed: int) -> None:
    photos, groups = found
    try:
        made = fold_annotations(photos, folds=folds, seed=seed, groups=groups)
    except DataError as error:
        assert "one for each fold" in str(error)
        return
    assert len(made) == folds
    for train, val in made:
        check_halves(photos, groups, train, val)
    assert Counter(one for _, val in made for one in val) == Counter(photos)
    shuffled = random.Random(seed).sample(photos, len(photos))
    assert fold_annotations(shuffled, folds=folds, seed=seed, groups=groups) == made


def test_photos_of_several_classes_never_leave_train_without_one() -> None:
    for seed in range(20):
        chance = random.Random(seed)
        photos = [annotate(f"{i:02}", *chance.sample("abcdef", chance.randint(0, 3))) for i in range(30)]
        groups = {one.photo: i // chance.randint(1, 3) for i, one in enumerate(photos)}
        parts = share_out(photos, val=0.2, test=0.2, seed=seed, groups=groups)
        assert sum(map(len, parts.values())) == len(photos)
        assert list_classes(parts["train"]) == list_classes(photos)


def test_class_of_two_photos_is_in_train_and_val_and_of_three_in_test_too() -> None:
    photos = [annotate(f"{name}{i}", name) for name, count in (("two", 2), ("three", 3)) for i in range(count)]
    parts = share_out(photos, val=0.2, test=0.2, seed=0, groups={})
    assert {part: list_classes(some) for part, some in parts.items()} == {
        "train": {"two", "three"},
        "val": {"two", "three"},
        "test": {"three"},
    }


def make_set(folder: Path, *, form: str = "NFC", count: int = 12) -> Path:
    """Photos of two classes in train and val, one of them twice, with a data.yaml."""
    for number in range(count):
        part = "train" if number % 3 else "val"
        stem = unicodedata.normalize(form, f"사진 {number}a")  # type: ignore[arg-type]
        write_photo(folder / "images" / part / f"{stem}.jpg", seed=number)
        write_text(folder / "labels" / part / f"{stem}.txt", yolo([ACE if number % 2 else KING], NAMES))
    first = folder / "images" / "val" / f"{unicodedata.normalize(form, '사진 0a')}.jpg"  # type: ignore[arg-type]
    shutil.copyfile(first, folder / "images" / "train" / "copy.jpg")
    return write_text(folder / "data.yaml", "train: images/train\nval: images/val\nnames: [ace, king]\n")


def read_parts(file: Path) -> dict[str, set[str]]:
    """The photos of train and val by their name, as the next command reads them."""
    data = load_dataset(file, read_config(file))
    return {"train": {one.photo.name for one in data.train}, "val": {one.photo.name for one in data.val}}


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_lists_are_written_and_the_lines_for_data_yaml_said(here: Run, tmp_path: Path, form: str) -> None:
    file = make_set(tmp_path / "책 1", form=form)
    before = hash_files(file.parent)
    done = here("split", "--data", file, "--val", "0.25")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].split() == ["boxes", "/", "photos", "train", "val"]
    assert "note: near duplicates and bursts are kept together: 2 photos, groups: 1\n" in done.stdout
    assert done.stdout.endswith("in the place of its own:\ntrain: data.train.txt\nval: data.val.txt\n")
    assert {name: what for name, what in hash_files(file.parent).items() if name in before} == before
    write_text(file, "train: data.train.txt\nval: data.val.txt\nnames: [ace, king]\n")
    parts = read_parts(file)
    assert len(parts["train"] | parts["val"]) == 13
    assert not parts["train"] & parts["val"]
    assert any({"copy.jpg", unicodedata.normalize(form, "사진 0a.jpg")} <= photos for photos in parts.values())  # type: ignore[arg-type]
    lists = [(file.parent / f"data.{part}.txt").read_bytes() for part in ("train", "val")]
    again = here("split", "--data", file, "--val", "0.25")
    assert f"{file} names these lists already: nothing else need be done\n" in again.stdout
    assert [(file.parent / f"data.{part}.txt").read_bytes() for part in ("train", "val")] == lists


def test_same_seed_gives_the_same_lists_in_another_place(here: Run, tmp_path: Path) -> None:
    lists = []
    for name in ("one", "나 둘"):
        file = make_set(tmp_path / name)
        assert here("split", "--data", file).returncode == 0
        lists.append((file.parent / "data.val.txt").read_text(encoding="utf-8"))
    assert lists[0] == lists[1]
    assert here("split", "--data", file, "--seed", "5").returncode == 0
    assert (file.parent / "data.val.txt").read_text(encoding="utf-8") != lists[0]


def test_lines_are_relative_to_path_of_data_yaml(here: Run, tmp_path: Path) -> None:
    make_set(tmp_path / "set")
    file = write_text(
        tmp_path / "my conf" / "data.yaml", "path: ../set\ntrain: images/train\nval: images/val\nnames: [ace, king]\n"
    )
    done = here("split", "--data", file)
    lines = done.stdout.splitlines()[-2:]
    assert lines == ["train: ../my conf/data.train.txt", "val: ../my conf/data.val.txt"]
    write_text(file, "\n".join(["path: ../set", *lines, "names: [ace, king]", ""]))
    assert len(read_parts(file)["train"]) > 0


def test_list_of_something_else_is_not_overwritten(here: Run, tmp_path: Path) -> None:
    file = make_set(tmp_path)
    mine = write_text(tmp_path / "data.val.txt", "my own words\n")
    done = here("split", "--data", file)
    assert done.returncode == 2
    assert done.stderr == (
        f"cropsort: {mine} - is there already, and is no list of this data set's photos - move it away\n"
    )
    assert not (tmp_path / "data.train.txt").exists()
    mine.unlink()
    for _ in range(2):  # its own lists are written anew
        assert here("split", "--data", file).returncode == 0


def test_test_stays_as_it_is_unless_a_part_is_asked_for(here: Run, tmp_path: Path) -> None:
    file = make_set(tmp_path)
    write_photo(tmp_path / "images" / "test" / "t.jpg", seed=99)
    shutil.copyfile(tmp_path / "images" / "train" / "copy.jpg", tmp_path / "images" / "test" / "leak.jpg")
    write_text(file, file.read_text(encoding="utf-8") + "test: images/test\n")
    done = here("split", "--data", file)
    assert "note: 2 photos nearly are, or are of one burst with, photos of test" in done.stdout
    listed = "".join((tmp_path / f"data.{part}.txt").read_text(encoding="utf-8") for part in ("train", "val"))
    assert "images/test" not in listed
    done = here("split", "--data", file, "--test", "0.2")
    assert done.returncode == 0, done.stderr
    assert "of test" not in done.stdout
    lists = [(tmp_path / f"data.{part}.txt").read_text(encoding="utf-8") for part in ("train", "val", "test")]
    assert "".join(lists).count("images/test/") == 2
    assert all(lists)
    assert done.stdout.endswith("test: data.test.txt\n")


def test_folds_are_data_sets_of_their_own(here: Run, tmp_path: Path) -> None:
    file = make_set(tmp_path)
    write_photo(tmp_path / "images" / "test" / "t.jpg", seed=99)
    write_text(file, file.read_text(encoding="utf-8") + "test: images/test\nname: 카드\ndetector: {epochs: 3}\n")
    for _ in range(2):
        done = here("split", "--data", file, "--folds", "3")
        assert done.returncode == 0, done.stderr
    seen: list[str] = []
    for number in (1, 2, 3):
        fold = tmp_path / f"data.fold{number}.yaml"
        config = read_config(fold)
        assert (config.name, config.detector.epochs) == (f"카드-fold{number}", 3)
        data = load_dataset(fold, config)
        assert [one.photo.name for one in data.test] == ["t.jpg"]
        assert {one.photo for one in data.train}.isdisjoint(one.photo for one in data.val)
        assert len(data.train) + len(data.val) == 13
        seen += [one.photo.name for one in data.val]
    assert len(seen) == len(set(seen)) == 13


def test_fold_that_somebody_else_wrote_is_not_overwritten(here: Run, tmp_path: Path) -> None:
    file = make_set(tmp_path)
    mine = write_text(tmp_path / "data.fold2.yaml", "train: mine\n")
    done = here("split", "--data", file, "--folds", "2")
    assert (done.returncode, done.stderr) == (
        2,
        f"cropsort: {mine} - is there already, and was not written by split - move it away\n",
    )
    assert not (tmp_path / "data.fold1.train.txt").exists()


def test_copies_are_a_data_set_in_yolo_s_layout_and_originals_stay(here: Run, tmp_path: Path) -> None:
    file = make_set(tmp_path / "set")
    for stem, drawn, place in (("사진 0A", ACE, "train"), ("xml", KING, "val")):
        write_photo(file.parent / "images" / place / f"{stem}.jpg", seed=hash(stem) % 1000)
        write_text(file.parent / "labels" / place / f"{stem}.xml", voc([drawn]))
    before = hash_files(file.parent)
    out = tmp_path / "복사 본"
    done = here("split", "--data", file, "--copy", out)
    assert done.returncode == 0, done.stderr
    assert hash_files(file.parent) == before
    config = read_config(out / "data.yaml")
    assert (config.train, config.val, config.names) == (("images/train",), ("images/val",), NAMES)
    data = load_dataset(out / "data.yaml", config)
    assert len(data.train) + len(data.val) == 15
    assert {one.label.suffix for one in (*data.train, *data.val) if one.label} == {".txt"}
    assert sum(len(one.subjects) for one in (*data.train, *data.val)) == 14
    assert not list(tmp_path.glob(".*"))
    again = here("split", "--data", file, "--copy", out)
    assert (again.returncode, again.stderr) == (
        2,
        f"cropsort: {out} - is there already, and not empty - choose another folder\n",
    )


def test_copies_of_one_name_get_a_number(here: Run, tmp_path: Path) -> None:
    for number, folder in enumerate("abcdefgh"):
        write_photo(tmp_path / "in" / folder / ("Photo.jpg" if number % 2 else "photo.jpg"), seed=number)
        write_text(tmp_path / "in" / folder / ("Photo.txt" if number % 2 else "photo.txt"), yolo([ACE], NAMES))
    file = write_text(tmp_path / "data.yaml", "train: in\nnames: [ace, king]\n")
    assert here("split", "--data", file, "--copy", tmp_path / "out").returncode == 0
    data = load_dataset(tmp_path / "out" / "data.yaml", read_config(tmp_path / "out" / "data.yaml"))
    stems = [one.photo.stem.casefold() for one in data.train]
    assert sorted(stems) == ["photo", *(f"photo-{number}" for number in range(2, len(stems) + 1))]
    assert all(one.label is not None and one.label.stem == one.photo.stem for one in (*data.train, *data.val))


def test_sorted_photos_are_split_and_copied_into_folders(here: Run, tmp_path: Path) -> None:
    for number in range(10):
        write_photo(tmp_path / "in" / ("ace", "king")[number % 2] / f"{number}x.jpg", seed=number)
    file = write_text(tmp_path / "data.yaml", "train: in\nclasses_from: folders\nnames: [ace, king]\n")
    assert here("split", "--data", file, "--copy", tmp_path / "out").returncode == 0
    data = load_dataset(tmp_path / "out" / "data.yaml", read_config(tmp_path / "out" / "data.yaml"))
    assert list_classes(data.train) == list_classes(data.val) == set(NAMES)
    assert (len(data.train), len(data.val)) == (8, 2)


def test_classes_that_cannot_be_on_both_sides_and_damaged_photos_are_said(here: Run, tmp_path: Path) -> None:
    drawn: dict[str, list[Drawn]] = {"1a": [ACE], "2a": [KING], "burst_1": [("queen", 1, 1, 9, 9)]}
    names = ("ace", "king", "queen", "jack")
    drawn |= {"burst_2": drawn["burst_1"], "3a": [KING], "4a": [KING], "cut": [KING]}
    for seed, (stem, boxes) in enumerate(drawn.items()):
        write_photo(tmp_path / "in" / f"{stem}.jpg", seed=seed)
        write_text(tmp_path / "in" / f"{stem}.txt", yolo(boxes, names))
    cut = tmp_path / "in" / "cut.jpg"
    cut.write_bytes(cut.read_bytes()[:1500])
    file = write_text(tmp_path / "data.yaml", "train: in\nnames: [ace, king, queen, jack]\n")
    done = here("split", "--data", file)
    assert done.returncode == 0, done.stderr
    notes = [line.removeprefix("note: ") for line in done.stdout.splitlines() if line.startswith("note: ")]
    assert notes[0].startswith(f"left out: {cut} - its end is missing")
    assert notes[2:] == [
        "'ace' is on a single photo: it cannot be on both sides",
        "the 2 photos of 'queen' belong together: they cannot be on both sides",
        "no photo shows 'jack'",
    ]
    assert "cut.jpg" not in (tmp_path / "data.train.txt").read_text() + (tmp_path / "data.val.txt").read_text()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--val", "0"], "--val 0.0 --test 0.0 - expected more than 0 for val, and less than 1 together"),
        (["--val", "0.6", "--test", "0.4"], "--val 0.6 --test 0.4 - expected more than 0"),
        (["--val", "nan"], "--val nan --test 0.0 - expected more than 0"),
        (["--folds", "1"], "--folds 1 - expected 2 or more"),
        (["--folds", "-2"], "--folds -2 - expected 2 or more"),
        (["--folds", "3", "--test", "0.1"], "--folds 3 - expected 2 or more, without --test and --copy"),
    ],
)
def test_parts_that_make_no_sense_are_an_error(here: Run, tmp_path: Path, options: list[str], said: str) -> None:
    done = here("split", "--data", make_set(tmp_path), *options)
    assert done.returncode == 2
    assert said in done.stderr


def test_more_folds_than_photos_are_an_error(here: Run, tmp_path: Path) -> None:
    done = here("split", "--data", make_set(tmp_path), "--folds", "40")
    assert done.returncode == 1
    assert "13 photos in 12 groups, at most 6 of one class - expected at least 40" in done.stderr


def test_table_of_korean_classes_stands_in_columns(here: Run, tmp_path: Path) -> None:
    for number in range(6):
        write_photo(tmp_path / "in" / f"{number}x.jpg", seed=number)
        write_text(tmp_path / "in" / f"{number}x.xml", voc([("동화책" if number % 2 else "novel", *ACE[1:])]))
    file = write_text(tmp_path / "data.yaml", "train: in\nnames: [동화책, novel]\n")
    lines = here("split", "--data", file).stdout.splitlines()[:5]
    assert lines == [
        "boxes / photos  train    val",
        "동화책          2 / 2  1 / 1",
        "novel           2 / 2  1 / 1",
        "backgrounds         0      0",
        "photos              4      2",
    ]


def test_drawn_near_duplicates_stay_on_one_side(here: Run, home: Path, tmp_path: Path) -> None:
    shutil.copytree(home / "images", tmp_path / "images")
    shutil.copytree(home / "labels", tmp_path / "labels")
    photos = sorted((tmp_path / "images").rglob("photo-*.jpg"))
    for photo in photos:
        with Image.open(photo) as image:
            image.save(photo.with_stem(f"{photo.stem}_again"), quality=60, exif=image.getexif())
    file = write_text(tmp_path / "data.yaml", (home / "data.yaml").read_text(encoding="utf-8"))
    assert here("split", "--data", file).returncode == 0
    val = (tmp_path / "data.val.txt").read_text(encoding="utf-8").split()
    assert len(val) % 2 == 0
    assert {name.replace("_again", "") for name in val if "_again" in name} == {n for n in val if "_again" not in n}
