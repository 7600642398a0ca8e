"""What LabelImg is opened with, what is said of a session, and how a machine without it or a screen is told."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import Run
from PIL import Image

from pipeline.config import read_config
from pipeline.environment import ROOT
from pipeline.errors import CropsortError, DataError
from pipeline.labelimg.changes import Labels, describe_changes, take_labels
from pipeline.labelimg.launch import check_display, child_environment, explain_end
from pipeline.labelimg.plan import Plan, Task
from pipeline.labelimg.session import Part, Session, find_destinations, join_class_lists, plan_session

NAMES = ("책", "apple pie")
VOC = """\
<annotation><size><width>32</width><height>24</height><depth>3</depth></size>
<object><name>{}</name><bndbox><xmin>1</xmin><ymin>1</ymin><xmax>20</xmax><ymax>20</ymax></bndbox></object></annotation>
"""


def make_photo(path: Path, *, format: str | None = None, orientation: int = 1) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", (32, 24), (90, 90, 90)).save(path, format=format, exif=exif)
    return path


def write(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return path


def plan(folder: Path, settings: str = "train: images", part: Part = "all") -> Session:
    file = write(folder / "data.yaml", f"{settings}\nnames: [{', '.join(NAMES)}]\n")
    return plan_session(file, read_config(file), part)


def test_plan_survives_as_text() -> None:
    here = Path("/내 사진").absolute()
    made = Plan((Task(here / "배.jpg", here / "배.txt", "배.jpg"),), NAMES)
    assert Plan.from_json(made.as_json()) == made


@pytest.mark.parametrize(("photo", "label"), [("a.jpg", "/a.txt"), ("/a.jpg", "a.txt"), ("/a.jpg", "/a.csv")])
def test_task_is_checked(photo: str, label: str) -> None:
    root = Path.cwd().anchor
    with pytest.raises(ValueError, match="wanted, got"):
        Task(Path(photo.replace("/", root)), Path(label.replace("/", root)), "a")


@pytest.mark.parametrize(
    ("form", "suffix"), [("", ".txt"), ("label_format: voc", ".xml"), ("label_format: createml", ".json")]
)
def test_new_labels_go_to_labels_in_the_format_of_data_yaml(tmp_path: Path, form: str, suffix: str) -> None:
    make_photo(tmp_path / "images" / "train" / "내 사진 1.jpg")
    (task,) = plan(tmp_path, f"train: images\n{form}").plan.tasks
    assert task.label == tmp_path / "labels" / "train" / f"내 사진 1{suffix}"
    assert task.title == "내 사진 1.jpg"


def test_new_labels_take_the_format_that_most_have_and_old_ones_keep_theirs(tmp_path: Path) -> None:
    photos = [make_photo(tmp_path / "images" / f"{name}.jpg") for name in "abcd"]
    write(tmp_path / "labels" / "a.xml", VOC.format("책"))
    write(tmp_path / "labels" / "b.xml", VOC.format("책"))
    write(tmp_path / "labels" / "c.txt")
    labels = find_destinations(photos, None)
    assert [labels[photo].name for photo in photos] == ["a.xml", "b.xml", "c.txt", "d.xml"]
    assert find_destinations(photos, "yolo")[photos[3]].name == "d.txt"
    assert find_destinations(photos, "yolo")[photos[0]].name == "a.xml"


def test_new_labels_go_where_their_neighbours_labels_are(tmp_path: Path) -> None:
    photos = [make_photo(tmp_path / "photos" / f"{name}.jpg") for name in "ab"]
    assert find_destinations(photos, None)[photos[1]] == tmp_path / "photos" / "b.txt"
    write(tmp_path / "photos" / "annotations" / "a.txt")
    assert find_destinations(photos, None)[photos[1]] == tmp_path / "photos" / "annotations" / "b.txt"


def test_photos_of_one_name_in_two_folders_never_share_a_new_label(tmp_path: Path) -> None:
    photos = [make_photo(tmp_path / folder / f"{name}.jpg") for folder in ("one", "two") for name in "ab"]
    write(tmp_path / "labels" / "a.txt")  # whose it is nobody can say
    made = plan(tmp_path, "train: [one, two]")
    labels = {task.photo: task.label for task in made.plan.tasks}
    assert labels == {
        photos[0]: tmp_path / "labels" / "a.txt",
        photos[1]: tmp_path / "one" / "b.txt",
        photos[3]: tmp_path / "two" / "b.txt",
    }
    assert made.notes == (f"1 photos, such as {photos[2]}, share a label with another photo: rename them",)


def test_photos_that_qt_cannot_show_upright_are_left_out_and_counted(tmp_path: Path) -> None:
    shown = make_photo(tmp_path / "images" / "a.jpg", orientation=6)
    make_photo(tmp_path / "images" / "b.png")
    broken = write(tmp_path / "images" / "broken.png", "no photo")
    make_photo(tmp_path / "images" / "c.png", orientation=6)
    heic = write(tmp_path / "images" / "b2.heic", "\0\0\0\x18ftypheic")
    made = plan(tmp_path)
    assert [task.photo.name for task in made.plan.tasks] == [shown.name, "b.png", broken.name]
    (note,) = made.notes
    assert note.startswith(f"2 photos, such as {heic}, cannot be shown upright")
    assert f'cropsort import "{tmp_path / "images"}"' in note


def test_nothing_that_can_be_shown_is_an_error_with_the_reason(tmp_path: Path) -> None:
    write(tmp_path / "images" / "a.heic", "\0\0\0\x18ftypheic")
    with pytest.raises(DataError, match=r"none of the photos can be shown - .*cropsort import"):
        plan(tmp_path)


def test_one_part_alone(tmp_path: Path) -> None:
    for part in ("train", "val"):
        make_photo(tmp_path / "images" / part / "a.jpg")
    settings = "train: images/train\nval: images/val"
    assert [task.title for task in plan(tmp_path, settings).plan.tasks] == ["train/a.jpg", "val/a.jpg"]
    (task,) = plan(tmp_path, settings, "val").plan.tasks
    assert task.label == tmp_path / "labels" / "val" / "a.txt"
    with pytest.raises(CropsortError, match="--part - 'test' - expected one of train, val, all") as caught:
        plan(tmp_path, settings, "test")
    assert caught.value.exit_code == 2


def test_part_that_there_never_is_is_refused_with_those_there_are(here: Run) -> None:
    told = here("label", "--part", "rest")
    assert told.returncode == 2
    assert all(word in told.stderr for word in ("--part", "'rest'", "'train'", "'val'", "'test'", "'all'"))


def test_class_list_in_another_order_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "classes.txt", "책\r\npear\r\n")
    with pytest.raises(
        DataError, match=r"class 1 is 'pear' here and 'apple pie' in names of data.yaml - bring"
    ) as caught:
        join_class_lists([tmp_path], NAMES)
    assert (caught.value.where, caught.value.line, caught.value.exit_code) == (path, 2, 1)


def test_longer_class_list_lengthens_what_is_offered(tmp_path: Path) -> None:
    write(tmp_path / "a" / "classes.txt", "책\napple pie\npear\n")
    write(tmp_path / "b" / "classes.txt", "책\n")
    names, notes = join_class_lists([tmp_path / "b", tmp_path / "a", tmp_path / "none"], NAMES)
    assert names == (*NAMES, "pear")
    assert notes == [f"{tmp_path / 'a' / 'classes.txt'} has classes that names in data.yaml lacks: pear"]


def test_class_lists_that_go_on_differently_are_refused(tmp_path: Path) -> None:
    write(tmp_path / "a" / "classes.txt", "책\napple pie\npear\n")
    write(tmp_path / "b" / "classes.txt", "책\napple pie\nplum\n")
    with pytest.raises(DataError, match="class 2 is 'plum' here and 'pear'"):
        join_class_lists([tmp_path / "a", tmp_path / "b"], NAMES)


def describe(folder: Path, before: dict[str, str], after: dict[str, str]) -> list[str]:
    """What is said when the labels of some photos were one thing and then another."""
    labels = folder / "labels"
    names = sorted(name for name in {*before, *after} if name != "classes.txt" and not name.endswith(".bak"))
    photos = [make_photo(folder / "images" / f"{Path(name).stem}.jpg") for name in names]
    tasks = tuple(Task(photo, labels / name, name) for photo, name in zip(photos, names, strict=True))
    made = Plan(tasks, NAMES)

    def put(state: dict[str, str]) -> Labels:
        shutil.rmtree(labels, ignore_errors=True)
        labels.mkdir()
        for name, text in state.items():
            write(labels / name, text)
        return take_labels(made)

    return describe_changes(put(before), put(after), made, folder / "data.yaml", NAMES)


def test_nothing_changed(tmp_path: Path) -> None:
    assert describe(tmp_path, {"a.txt": "0 0.5 0.5 0.1 0.1\n"}, {"a.txt": "0 0.5 0.5 0.1 0.1\n"}) == [
        "no label was changed"
    ]


def test_changes_are_counted_by_class(tmp_path: Path) -> None:
    row = "{} 0.5 0.5 0.3 0.3\n"
    before = {"a.txt": row.format(0) * 2, "b.txt": row.format(1), "c.txt": row.format(1), "same.txt": ""}
    after = {"a.txt": row.format(0), "c.txt": "", "same.txt": "", "d.xml": VOC.format("책"), "e.txt": ""}
    assert describe(tmp_path, before, after) == [
        "labels: 2 new, 2 changed, 1 removed",
        "boxes: apple pie -2",
        "no box any more: b.txt",
        "no box any more: c.txt",
    ]


def test_new_classes_are_told_with_the_line_that_data_yaml_needs(tmp_path: Path) -> None:
    before = {"classes.txt": "책\napple pie\n"}
    after = {
        "a.txt": "2 0.5 0.5 0.3 0.3\n",
        "classes.txt": "책\napple pie\nno\n",
        "b.xml": VOC.format("배"),
        "c.json": json.dumps([{"image": "c.jpg", "annotations": []}]),
    }
    assert describe(tmp_path, before, after) == [
        "labels: 3 new",
        "boxes: no +1, 배 +1",
        f"{tmp_path / 'labels' / 'classes.txt'}: added no",
        f"{tmp_path / 'data.yaml'} - names lacks no, 배 - training stops there - to keep them write:",
        "names: [책, apple pie, 'no', 배]",
    ]


def test_copy_of_a_label_that_was_not_readable_is_told(tmp_path: Path) -> None:
    said = describe(tmp_path, {"a.xml": "<annotation"}, {"a.xml": VOC.format("책"), "a.xml.bak": "<annotation"})
    copy = tmp_path / "labels" / "a.xml.bak"
    assert said == ["labels: 1 changed", "boxes: 책 +1", f"as it was before: {copy}"]


@pytest.mark.parametrize("environment", [{}, {"DISPLAY": "", "WAYLAND_DISPLAY": ""}])
def test_linux_without_display_is_one_line(environment: dict[str, str]) -> None:
    with pytest.raises(CropsortError, match=r"no display .* - run it on a desktop, or come over ssh -X") as caught:
        check_display("linux", environment)
    assert caught.value.exit_code == 2


def test_display_is_only_asked_for_where_it_has_a_name() -> None:
    check_display("linux", {"DISPLAY": ":0"})
    check_display("linux", {"WAYLAND_DISPLAY": "wayland-0"})
    check_display("win32", {})
    check_display("darwin", {})


def test_opencv_does_not_choose_the_qt_of_labelimg(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QT_QPA_PLATFORM_PLUGIN_PATH", "/cv2/qt/plugins")
    monkeypatch.setenv("QT_QPA_FONTDIR", "/cv2/qt/fonts")
    assert not [name for name in child_environment() if name.startswith(("QT_QPA_PLATFORM_", "QT_QPA_F"))]
    assert child_environment()["PYTHONUTF8"] == "1"


@pytest.mark.parametrize(
    ("log", "line"),
    [
        ("qt.qpa.xcb: could not connect to display :9\n", "LabelImg's window cannot be opened - expected a display"),
        ('Could not load the Qt platform plugin "xcb"\n', "Qt cannot open windows here: it misses libraries"),
        (
            "Traceback\n  File x\nKeyError: 'a'\n\n",
            "LabelImg ended with code -6, it said last: KeyError: 'a' - what",
        ),
        ("", "LabelImg ended with code -6, it said nothing - "),
    ],
)
def test_end_of_labelimg_is_one_line_with_a_remedy(log: str, line: str) -> None:
    error = explain_end(-6, log)
    assert str(error).startswith(line)
    assert "\n" not in str(error)
    assert error.exit_code == 2


def test_command_without_display_or_labelimg(here: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_photo(tmp_path / "images" / "a.jpg")
    file = write(tmp_path / "data.yaml", "train: images\nnames: [a]\n")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    shown = here("label", "--data", file)
    assert (shown.returncode, shown.stderr.count("\n")) == (2, 1)
    assert shown.stderr.startswith("cropsort: no display")
    monkeypatch.setenv("DISPLAY", ":9")
    monkeypatch.setitem(sys.modules, "labelImg", None)
    monkeypatch.setattr(sys, "path", [])  # whether or not it is installed here
    shown = here("label", "--data", file)
    assert (shown.returncode, shown.stderr.count("\n")) == (2, 1)
    assert "-m pipeline setup --label, or make label" in shown.stderr


def test_child_needs_nothing_but_the_standard_library() -> None:
    code = "import pipeline.labelimg.__main__, sys; assert not {'cv2', 'torch', 'numpy', 'pydantic'} & set(sys.modules)"
    subprocess.run([sys.executable, "-S", "-c", code], cwd=ROOT, env={**os.environ, "PYTHONPATH": ""}, check=True)


def test_process_finds_the_package_from_anywhere() -> None:
    root = Path(child_environment()["PYTHONPATH"])
    assert (root / "pipeline" / "labelimg" / "__main__.py").is_file()
