"""Groups that were named become training data, once, and nothing else changes."""

from __future__ import annotations

import shutil
from pathlib import Path

import openpyxl
import pytest
from corrections import BOXES, DATA, boxes_of, draw, edges, make_home, picture
from grouped import (
    NAMES,
    WHOLE,
    adopt,
    find_column,
    gather_drawn,
    group_by_hand,
    move_subjects,
    name_groups,
    write_cells,
    write_groups,
)
from photos import hash_files

from pipeline.cluster.adopting import preview
from pipeline.cluster.classes import name_classes
from pipeline.cluster.reading import NamedGroup
from pipeline.config import Config, read_config
from pipeline.dataset import list_parts, load_dataset
from pipeline.errors import ConfigError, DataError
from pipeline.images import read_size
from pipeline.keys import subject_key

SORTED = "train: photos/train\nval: photos/val\nnames: [ace, king]  # so far\nclasses_from: folders\n"
BOXED = {"a.jpg": (BOXES[0], BOXES[1]), "휴가/b (1).png": (BOXES[1],), "c.jpg": (BOXES[2],)}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A labelled data set."""
    return make_home(tmp_path / "home")


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """A data set of photos sorted into folders."""
    return make_shelf(tmp_path / "shelf")


@pytest.fixture
def phone(tmp_path: Path) -> Path:
    return tmp_path / "phone"


def make_shelf(folder: Path, data: str = SORTED) -> Path:
    for seed, name in enumerate(("train/ace/1", "train/ace/2", "train/king/1", "val/ace/3", "val/king/2"), start=700):
        draw(folder / "photos" / f"{name}.jpg", seed, quality=95)
    (folder / "data.yaml").write_text(data, encoding="utf-8")
    return folder


def make_boxed(phone: Path, home: Path) -> Path:
    """Four subjects in three photos and three groups, the last of one subject."""
    grouped = group_by_hand(gather_drawn(phone, BOXED, pictures=False), (0, 1, 0, 2))
    return write_groups(home / "reports", grouped, phone, home / "data.yaml")


def make_whole(phone: Path, home: Path, labels: tuple[int, ...] = (0, 0, 0, 1, 1, -1)) -> Path:
    """Six photos, in two groups and one in none."""
    grouped = group_by_hand(gather_drawn(phone, pictures=False), labels)
    return write_groups(home / "reports", grouped, phone, home / "data.yaml")


def test_boxes_of_a_named_group_become_crops_and_its_class_a_new_one(home: Path, phone: Path) -> None:
    workbook = make_boxed(phone, home)
    before = hash_files(home / "images") | hash_files(home / "labels") | hash_files(phone)
    name_groups(workbook, {"group 1": "사과"})
    made = adopt(workbook)
    assert made.applied and not made.refused
    assert (home / "data.yaml").read_text(encoding="utf-8") == DATA.replace("여왕]", "여왕, 사과]")
    names = read_config(home / "data.yaml").names
    assert boxes_of(home / "corrections" / "a.jpg", names) == [("사과", edges(BOXES[0]))]
    assert boxes_of(home / "corrections" / "b (1).jpg", names) == [("사과", edges(BOXES[1]))]
    assert not (home / "corrections" / "c.jpg").exists()
    assert hash_files(home / "images") | hash_files(home / "labels") | hash_files(phone) == before


def test_twice_is_once(home: Path, phone: Path) -> None:
    workbook = make_boxed(phone, home)
    name_groups(workbook, {"group 1": "사과"})
    adopt(workbook)
    after = hash_files(home)
    again = adopt(workbook)
    assert not again.adoption.plan.changes and not again.refused and not again.adoption.new_classes
    assert "a.jpg - applied before: 사과" in map(str, again.adoption.plan.settled)
    assert hash_files(home) == after


def test_a_second_group_of_a_photo_is_added_to_what_it_has(home: Path, phone: Path) -> None:
    workbook = make_boxed(phone, home)
    name_groups(workbook, {"group 1": "사과"})
    adopt(workbook)
    name_groups(workbook, {"group 2": "king"})
    adopt(workbook)
    names = read_config(home / "data.yaml").names
    wanted = [("사과", edges(BOXES[0])), ("king", edges(BOXES[1]))]
    assert boxes_of(home / "corrections" / "a.jpg", names) == wanted
    assert names == ("ace", "king", "여왕", "사과")


def test_what_somebody_corrected_is_left_and_named(home: Path, phone: Path) -> None:
    workbook = make_boxed(phone, home)
    name_groups(workbook, {"group 1": "king"})
    adopt(workbook)
    before = hash_files(home / "corrections")
    name_groups(workbook, {"group 1": "ace"})
    made = adopt(workbook)
    assert list(map(str, made.adoption.plan.settled)) == [
        "a.jpg - is labelled 'king' already, not 'ace': left as it is",
        "휴가/b (1).png - is labelled 'king' already, not 'ace': left as it is",
    ]
    assert not made.adoption.plan.changes and hash_files(home / "corrections") == before


def test_a_name_in_other_letters_is_the_class_that_is_there(home: Path, phone: Path) -> None:
    workbook = make_boxed(phone, home)
    name_groups(workbook, {"group 1": "KING", "group 2": "여왕", "group 3": "Mango"})
    write_cells(workbook, "Groups", "group", "class name", {"group 2": "mango"})
    made = adopt(workbook)
    assert made.adoption.new_classes == ("mango",)
    assert [one.class_name for one in made.adoption.groups] == ["king", "mango", "mango"]
    assert (home / "data.yaml").read_text(encoding="utf-8") == DATA.replace("여왕]", "여왕, mango]")


def test_photos_are_found_whatever_they_are_called(home: Path, phone: Path) -> None:
    names = ("a_x0041_b.jpg", "=x.jpg", " two  blanks.jpg", "cr\rname.jpg", "%20#1.jpg", "<r>x<r>.jpg", "12", "9.jpg")
    for seed, name in enumerate(names):
        draw(phone / "new.png", seed).rename(phone / name)
    grouped = group_by_hand(gather_drawn(phone, names), [0] * 7 + [1])
    workbook = write_groups(home / "reports", grouped, phone, home / "data.yaml")
    name_groups(workbook, {"group 1": "ace"})
    made = adopt(workbook)
    assert not made.refused and {new.photo for new in made.adoption.plan.crops} == set(names[:7])


def test_a_subject_that_was_moved_goes_with_its_new_group(home: Path, phone: Path) -> None:
    workbook = make_boxed(phone, home)
    name_groups(workbook, {"group 1": "ace", "group 2": "king"})
    keys = {name: subject_key(name, boxes[0]) for name, boxes in BOXED.items()}
    move_subjects(workbook, {keys["c.jpg"]: "group 2", keys["휴가/b (1).png"]: "noise", keys["a.jpg"]: None})
    adopt(workbook)
    found = {path.name: boxes_of(path) for path in sorted((home / "corrections").glob("*.jpg"))}
    assert found == {"a.jpg": [("king", edges(BOXES[1]))], "c.jpg": [("king", edges(BOXES[2]))]}


def test_photos_are_sorted_where_folders_say_the_class(shelf: Path, phone: Path) -> None:
    workbook = make_whole(phone, shelf)
    name_groups(workbook, {"group 1": "ace", "group 2": "사과"})
    before = hash_files(shelf / "photos")
    assert adopt(workbook).applied
    train = shelf / "photos" / "train"
    assert {path.name for path in (train / "ace").iterdir()} == {"1.jpg", "2.jpg", "a.jpg", "b (1).jpg", "c.jpg"}
    assert {path.name for path in (train / "사과").iterdir()} == {"d.jpg", "e.jpg"}
    assert before.items() <= hash_files(shelf / "photos").items()
    dataset = load_dataset(shelf / "data.yaml", read_config(shelf / "data.yaml"))
    assert sum(one.subjects[0].class_name == "사과" for one in dataset.train) == 2
    assert "names: [ace, king, 사과]  # so far\n" in (shelf / "data.yaml").read_text(encoding="utf-8")
    after = hash_files(shelf)
    assert not adopt(workbook).adoption.plan.changes
    assert hash_files(shelf) == after


def test_a_folder_above_the_data_set_is_no_class_of_it(tmp_path: Path, phone: Path) -> None:
    home = make_shelf(tmp_path / "ace" / "사과" / "king")
    workbook = make_whole(phone, home)
    name_groups(workbook, {"group 1": "ace", "group 2": "사과"})
    adopt(workbook)
    train = home / "photos" / "train"
    assert len(list((train / "ace").iterdir())) == 5 and len(list((train / "사과").iterdir())) == 2
    assert not list((tmp_path / "ace").glob("*.jpg")) + list((tmp_path / "ace" / "사과").glob("*.jpg"))


def test_folders_of_classes_that_train_names_one_by_one_are_found(tmp_path: Path, phone: Path) -> None:
    data = SORTED.replace("train: photos/train", "train: [photos/train/ace, photos/train/king]")
    home = make_shelf(tmp_path / "home", data)
    workbook = make_whole(phone, home)
    name_groups(workbook, {"group 2": "king"})
    adopt(workbook)
    assert {path.name for path in (home / "photos" / "train" / "king").iterdir()} == {"1.jpg", "d.jpg", "e.jpg"}


def test_copies_are_upright(shelf: Path, phone: Path) -> None:
    exif = picture(1).getexif()
    exif[0x0112] = 6
    phone.mkdir()
    picture(4).save(phone / "a.jpg", exif=exif)
    grouped = group_by_hand(gather_drawn(phone, ("a.jpg", "c.jpg")), (0, 1))
    workbook = write_groups(shelf / "reports", grouped, phone, shelf / "data.yaml")
    name_groups(workbook, {"group 1": "king"})
    adopt(workbook)
    copy = shelf / "photos" / "train" / "king" / "a.jpg"
    assert read_size(copy) == read_size(phone / "a.jpg")
    assert b"\x01\x12" not in copy.read_bytes()[:200]


def test_photos_are_numbered_where_names_say_the_class(tmp_path: Path, phone: Path) -> None:
    home = tmp_path / "home"
    for seed, name in enumerate(("cat.0", "cat.1", "dog.0", "val/cat.2", "val/dog.1"), start=700):
        draw(home / "pets" / f"{name}.jpg", seed)
    data = "train: pets\nval: pets/val\nnames: [cat, dog]\nclasses_from: names\n"
    (home / "data.yaml").write_text(data, encoding="utf-8")
    shutil.move(home / "pets" / "val", home / "val")
    (home / "data.yaml").write_text(data.replace("pets/val", "val"), encoding="utf-8")
    workbook = make_whole(phone, home)
    name_groups(workbook, {"group 1": "cat", "group 2": "사과 2"})
    adopt(workbook)
    stems = ("cat.0", "cat.1", "cat.2", "cat.3", "cat.4", "dog.0", "사과 2.1", "사과 2.2")
    assert sorted(path.stem for path in (home / "pets").iterdir()) == list(stems)
    dataset = load_dataset(home / "data.yaml", read_config(home / "data.yaml"))
    assert [one.subjects[0].class_name for one in dataset.train][-2:] == ["사과 2"] * 2


def test_new_photos_are_added_to_a_list_of_photos(tmp_path: Path, phone: Path) -> None:
    home = make_shelf(tmp_path / "home", SORTED.replace("photos/train", "data.train.txt"))
    listed = [f"./photos/train/{name}.jpg" for name in ("ace/1", "ace/2", "king/1")]
    (home / "data.train.txt").write_text("".join(f"{line}\n" for line in listed), encoding="utf-8")
    workbook = make_whole(phone, home)
    name_groups(workbook, {"group 2": "king"})
    adopt(workbook)
    lines = (home / "data.train.txt").read_text(encoding="utf-8").splitlines()
    assert lines == [*listed, "./corrected/king/d.jpg", "./corrected/king/e.jpg"]
    parts = list_parts(home / "data.yaml", read_config(home / "data.yaml"))
    assert all(photo.is_file() for photo in parts["train"])
    assert not adopt(workbook).adoption.plan.changes


def test_a_photo_of_two_classes_is_never_sorted_as_one(shelf: Path, phone: Path) -> None:
    workbook = make_boxed(phone, shelf)
    name_groups(workbook, {"group 1": "ace", "group 2": "king"})
    adopt(workbook)
    assert boxes_of(shelf / "corrections" / "a.jpg", ("ace", "king")) == [
        ("ace", edges(BOXES[0])),
        ("king", edges(BOXES[1])),
    ]
    assert (shelf / "photos" / "train" / "ace" / "b (1).jpg").is_file()
    assert not list((shelf / "photos" / "train").rglob("a.jpg"))


def test_what_the_data_set_has_is_left_and_named(home: Path, phone: Path) -> None:
    for name, photo in (("a.jpg", "val/four"), ("c.jpg", "train/one")):
        phone.mkdir(exist_ok=True)
        shutil.copyfile(home / "images" / f"{photo}.jpg", phone / name)
    draw(phone / "d.jpg", 55, quality=95)
    draw(phone / "e.jpg", 55, quality=70)
    workbook = make_whole(phone, home, (0, 1, 0, 0, 0, 1))
    name_groups(workbook, {"group 1": "king"})
    before = hash_files(home / "images")
    made = adopt(workbook)
    assert sorted(map(str, made.adoption.plan.settled)) == [
        "a.jpg - is in val already: left as it is",
        "c.jpg - is in train already: left as it is",
        "e.jpg - is the same picture as d.jpg, which is taken as well: only that one counts",
    ]
    assert not made.refused
    assert [path.name for path in (home / "corrections").glob("*.jpg")] == ["d.jpg"]
    assert hash_files(home / "images") == before


def test_a_class_that_nothing_is_learnt_of_is_not_added(home: Path, phone: Path) -> None:
    phone.mkdir()
    shutil.copyfile(home / "images" / "val" / "four.jpg", phone / "a.jpg")
    workbook = make_whole(phone, home, (0, 1, 1, 1, 1, 1))
    name_groups(workbook, {"group 1": "사과"})
    made = adopt(workbook)
    assert made.adoption.new_classes == () and not made.adoption.plan.changes
    assert (home / "data.yaml").read_text(encoding="utf-8") == DATA


def test_nothing_is_changed_where_nobody_agrees(home: Path, phone: Path) -> None:
    workbook = make_boxed(phone, home)
    name_groups(workbook, {"group 1": "사과", "group 2": "kings"})
    before = hash_files(home)
    made = adopt(workbook, yes=False)
    assert not made.applied and hash_files(home) == before
    told = preview(made.adoption)
    assert told[:3] == [
        "group 1 is 사과 (new class): 2 subjects of 2 photos",
        "group 2 is kings (new class; or did you mean king?): 1 subject of 1 photo",
        f"names in {home / 'data.yaml'} gets: 사과, kings",
    ]
    assert told[3] == "photos whose subjects become crops for the classifier: 2"


def test_no_named_group_is_said(home: Path, phone: Path) -> None:
    made = adopt(make_boxed(phone, home))
    assert made.applied and preview(made.adoption)[0].startswith("no group is named in the workbook")


def _errors(workbook: Path, home: Path) -> list[str]:
    before = hash_files(home)
    with pytest.raises((DataError, ConfigError, ExceptionGroup)) as caught:
        adopt(workbook)
    assert hash_files(home) == before
    error = caught.value
    return [str(one) for one in error.exceptions] if isinstance(error, ExceptionGroup) else [str(error)]


@pytest.mark.parametrize(
    ("label", "name", "told"),
    [
        (0, "#REF!", "'#REF!' - the spreadsheet could not work this cell out"),
        (0, "???", "'???' - no name of a class: write letters"),
        (0, "x" * 61, "longer than the 60 letters"),
        (0, "not a subject", "leave the cell empty where a group is none"),
        (0, "대상 아님", "leave the cell empty where a group is none"),
        (-1, "사과", "noise is no class"),
        (0, "a/b", "the folders of the photos say their classes in this data set, and none can be called so"),
    ],
)
def test_what_cannot_be_a_class_is_a_line(label: int, name: str, told: str) -> None:
    config = Config.model_validate({"names": ["ace"], "train": "a", "classes_from": "folders"})
    groups = [NamedGroup(label, name, "Groups, row 2"), NamedGroup(3, "ACE", "Groups, row 5")]
    with pytest.raises(ExceptionGroup) as caught:
        name_classes(groups, config, Path("groups.xlsx"))
    (error,) = caught.value.exceptions
    assert told in str(error) and str(error).startswith("groups.xlsx, Groups, row 2 - ")


def test_nonsense_in_the_column_of_classes_changes_nothing(shelf: Path, phone: Path) -> None:
    workbook = make_whole(phone, shelf)
    name_groups(workbook, {"group 1": "a/b", "group 2": "ace", "noise": "사과"})
    assert len(_errors(workbook, shelf)) == 2


def test_nonsense_in_the_column_of_groups_is_a_line_each(home: Path, phone: Path) -> None:
    workbook = make_whole(phone, home)
    name_groups(workbook, {"group 1": "ace"})
    keys = [subject_key(name, WHOLE) for name in NAMES]
    move_subjects(workbook, {keys[0]: "banana", keys[1]: "group 9", keys[2]: 2, keys[3]: "Group 02", keys[4]: "NOISE"})
    first, second = _errors(workbook, home)
    told = first + second
    assert "Subjects, row " in first and "'group 9' is no group" in told
    assert "'banana' is no group - expected group 1 to group 2, or noise" in told


def test_many_lines_end(home: Path, phone: Path) -> None:
    grouped = group_by_hand(
        gather_drawn(phone, {"a.jpg": [BOXES[0]] * 30, "b.jpg": [BOXES[1]]}, pictures=False), [0] * 30 + [1]
    )
    workbook = write_groups(home / "reports", grouped, phone, home / "data.yaml")
    book = openpyxl.load_workbook(workbook)
    page = book["Subjects"]
    for row in range(2, page.max_row + 1):
        page.cell(row, find_column(page, "group")).value = "x"
    book.save(workbook)
    errors = _errors(workbook, home)
    assert len(errors) == 21 and errors[-1] == "and 11 more cells like these"


def test_two_names_for_a_group_and_a_name_in_its_place_are_lines(home: Path, phone: Path) -> None:
    workbook = make_whole(phone, home)
    book = openpyxl.load_workbook(workbook)
    page = book["Groups"]
    group, column = find_column(page, "group"), find_column(page, "class name")
    page.cell(2, column).value = "ace"
    page.cell(5, group).value = "group 1"
    page.cell(5, column).value = "king"
    page.cell(3, group).value = "사과"
    book.save(workbook)
    first, second = _errors(workbook, home)
    assert "'사과' is no group" in first and "classes go into 'class name'" in first
    assert "group 1 is 'king' here and 'ace' in Groups, row 2 - keep one of the two names" in second


@pytest.mark.parametrize(
    ("sheet", "heading"),
    [("Groups", "class name"), ("Groups", "group"), ("Subjects", "key"), ("Subjects", "left (px)")],
)
def test_deleted_columns_and_sheets_are_a_line(home: Path, phone: Path, sheet: str, heading: str) -> None:
    workbook = make_whole(phone, home)
    book = openpyxl.load_workbook(workbook)
    place = find_column(book[sheet], heading)
    for row in range(1, book[sheet].max_row + 1):
        book[sheet].cell(row, place).value = None
    book.save(workbook)
    assert f"sheet '{sheet}' - the column '{heading}' was deleted" in _errors(workbook, home)[0]
    book = openpyxl.load_workbook(workbook)
    del book[sheet]
    book.save(workbook)
    assert f"the sheet '{sheet}' was deleted" in _errors(workbook, home)[0]


def test_another_workbook_is_a_line(home: Path, tmp_path: Path) -> None:
    other = openpyxl.Workbook()
    other.save(tmp_path / "other.xlsx")
    assert "not a workbook of groups - name the groups.xlsx" in _errors(tmp_path / "other.xlsx", home)[0]
    (tmp_path / "text.xlsx").write_text("no", encoding="utf-8")
    assert "not an .xlsx workbook - expected the groups.xlsx" in _errors(tmp_path / "text.xlsx", home)[0]
    assert "no such file" in _errors(tmp_path / "none.xlsx", home)[0]


def test_rows_that_were_changed_or_twice_are_said(home: Path, phone: Path) -> None:
    workbook = make_whole(phone, home)
    name_groups(workbook, {"group 1": "ace"})
    keys = [subject_key(name, WHOLE) for name in NAMES]
    write_cells(workbook, "Subjects", "key", "photo", {keys[0]: "c.jpg"})
    write_cells(workbook, "Subjects", "key", "left (px)", {keys[1]: 7})
    made = adopt(workbook)
    why = "photo and box do not go with the key in its row: the row was changed"
    assert {str(one).split(" - ")[1] for one in made.refused} == {why}
    assert [path.name for path in (home / "corrections").glob("*.jpg")] == ["c.jpg"]
    book = openpyxl.load_workbook(workbook)
    page = book["Subjects"]
    page.append([cell.value for cell in page[4]])
    page.cell(page.max_row, find_column(page, "group")).value = "noise"
    book.save(workbook)
    assert "delete one of the two rows" in _errors(workbook, home)[0]


def test_photos_that_have_gone_or_changed_are_said_and_the_others_are_taken(home: Path, phone: Path) -> None:
    workbook = make_whole(phone, home)
    name_groups(workbook, {"group 1": "ace"})
    (phone / "a.jpg").unlink()
    draw(phone / "c.jpg", 77)
    made = adopt(workbook)
    first, second = sorted(map(str, made.refused))
    assert first == f"a.jpg - is no longer at {phone / 'a.jpg'}: put it back, then run the same command again"
    assert second == "c.jpg - has changed since it was grouped: group the photos again"
    assert [path.name for path in (home / "corrections").glob("*.jpg")] == ["b (1).jpg"]
    shutil.rmtree(phone)
    assert "the folder of the photos is not there any more - put it back" in _errors(workbook, home)[0]


def test_further_sheets_renamed_sheets_and_titles_above_are_read(home: Path, phone: Path) -> None:
    workbook = make_whole(phone, home)
    name_groups(workbook, {"group 1": "ace"})
    book = openpyxl.load_workbook(workbook)
    second = book.copy_worksheet(book["Subjects"])
    second.title = "Subjects 2"
    book["Subjects"].delete_rows(2, 1)
    second.delete_rows(3, 10)
    second.insert_rows(1, 2)
    second.cell(1, 1).value = "more of them"
    book["Groups"].title = "내 묶음"
    book.save(workbook)
    assert len(adopt(workbook).adoption.plan.crops) == 3


def test_data_yaml_is_the_one_given_then_the_one_in_the_workbook(
    home: Path, shelf: Path, phone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workbook = make_whole(phone, home)
    name_groups(workbook, {"group 1": "ace"})
    assert adopt(workbook, shelf / "data.yaml", yes=False).adoption.data_file == shelf / "data.yaml"
    assert adopt(workbook, yes=False).adoption.data_file == home / "data.yaml"
    (home / "data.yaml").rename(home / "other.yaml")
    monkeypatch.chdir(shelf)
    assert adopt(workbook, yes=False).adoption.data_file == Path("data.yaml")


def test_names_that_cannot_be_extended_are_said_before_anything_is_written(home: Path, phone: Path) -> None:
    (home / "data.yaml").write_text(DATA.replace("[ace, king, 여왕]", "\n  - |\n    ace\nseed: 1"), encoding="utf-8")
    workbook = make_whole(phone, home)
    name_groups(workbook, {"group 1": "사과"})
    assert "names is written in a way" in _errors(workbook, home)[0]
